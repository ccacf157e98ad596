"""Records as fields of a CBOR map: the part that a message and a block of the journal have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import zstandard

from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.records import Record
from edge.wire.bits import UInt64s
from edge.wire.column_writer import as_series, write_columns
from edge.wire.columns import read_columns
from edge.wire.item_keys import ItemKeys
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import CborValue, Fields, write_cbor

_RECORD_SERIES = 6
_COMPRESS_FROM_BYTES = 64
_ZSTD_LEVEL = 6
_WORD = 0xFFFF_FFFF_FFFF_FFFF


class Field(IntEnum):
    """Keys of the message's map; see ``nevgate.cddl``."""

    VERSION = 1
    KIND = 2
    VEHICLE = 3
    STREAM = 4
    PREDECESSOR = 5
    BOOT = 6
    LOSSES = 7
    RECORDS = 8
    FIRST_NUMBER = 9
    FIRST_TIME = 10
    PERIOD = 11
    WALL_OFFSET = 12
    TIME_QUALITY = 13
    MASKS = 14
    BODY = 15
    BODY_BYTES = 16


def _period_ns(times_ns: UInt64s) -> int:
    """The commonest step between two records, modulo 2^64, as a signed number; the smallest of several."""
    steps = Counter((times_ns[1:] - times_ns[:-1]).view(np.int64).tolist())
    return min(steps, key=lambda step: (-steps[step], step)) if steps else 0


def write_records(
    records: Sequence[Record], keys: ItemKeys, *, compress: bool = True
) -> dict[int, CborValue]:
    """The fields that hold records.

    Args:
        records: at least one, with rising numbers.
        keys: the catalogue's wire keys.
        compress: whether the body may be compressed; it is only where that makes it smaller.

    Raises:
        WireError: an item without a key, a value beyond 64 bits, a mask's name that is too long.
    """
    masks = list(dict.fromkeys(record.mask for record in records))
    if any(len(mask.encode()) > DEFAULT_LIMITS.text_bytes for mask in masks):
        raise WireError(f"a mask's name has at most {DEFAULT_LIMITS.text_bytes} bytes", where="mask")
    first = records[0]
    numbers = as_series([record.number for record in records], "number")
    times_ns = as_series([record.t_ns for record in records], "t_ns")
    offsets_ns = as_series([record.timebase.wall_offset_ns for record in records], "wall offset")
    period_ns = _period_ns(times_ns)
    grid = np.arange(len(records), dtype=np.uint64)
    series = [
        numbers - numbers[0] - grid,
        times_ns - times_ns[0] - grid * np.uint64(period_ns & _WORD),
        offsets_ns - offsets_ns[0],
        as_series([record.timebase.quality for record in records], "time quality"),
        as_series([masks.index(record.mask) for record in records], "mask"),
        as_series([record.alarm for record in records], "alarm"),
    ]
    series[3] = series[3] - series[3][0]
    body = write_columns(series, [record.values for record in records], keys)
    fields: dict[int, CborValue] = {
        Field.RECORDS: len(records),
        Field.FIRST_NUMBER: first.number,
        Field.FIRST_TIME: first.t_ns,
        Field.PERIOD: period_ns,
        Field.WALL_OFFSET: first.timebase.wall_offset_ns,
        Field.TIME_QUALITY: int(first.timebase.quality),
    }
    if masks != [""]:
        fields[Field.MASKS] = list(masks)
    if compress and len(body) >= _COMPRESS_FROM_BYTES:
        packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=False).compress(body)
        if len(write_cbor(packed)) + len(write_cbor(len(body))) + 1 < len(write_cbor(body)):
            return {**fields, Field.BODY: packed, Field.BODY_BYTES: len(body)}
    fields[Field.BODY] = body
    return fields


def read_records(fields: Fields, keys: ItemKeys, limits: Limits = DEFAULT_LIMITS) -> tuple[Record, ...]:
    """Read what `write_records` wrote.

    Raises:
        WireError: a field is missing, or not as it must be.
    """
    count = fields.integer(Field.RECORDS, 1, limits.records)
    first_number = fields.integer(Field.FIRST_NUMBER, 1)
    first_time_ns = fields.integer(Field.FIRST_TIME)
    period_ns = fields.integer(Field.PERIOD)
    wall_offset_ns = fields.integer(Field.WALL_OFFSET)
    quality = fields.integer(Field.TIME_QUALITY, 0, max(TimeQuality))
    masks = _read_masks(fields, limits)
    body = read_columns(_read_body(fields, limits), count, _RECORD_SERIES, keys, limits)
    grid = np.arange(count, dtype=np.uint64)
    number_words, time_words, offset_words, quality_words, mask_words, alarm_words = body.record_series
    if any(int(words[0]) for words in body.record_series[:5]):
        raise WireError("first record differs from the message's own fields")
    numbers = (number_words + np.uint64(first_number) + grid).view(np.int64)
    if int(numbers[0]) < 1 or (numbers[1:] <= numbers[:-1]).any():
        raise WireError("record numbers do not rise")
    times_ns = time_words + np.uint64(first_time_ns & _WORD) + grid * np.uint64(period_ns & _WORD)
    offsets_ns = offset_words + np.uint64(wall_offset_ns & _WORD)
    qualities = (quality_words + np.uint64(quality)).view(np.int64)
    if (qualities < 0).any() or (qualities > max(TimeQuality)).any():
        raise WireError("a record's time quality does not exist")
    _check_masks(mask_words, len(masks))
    if (alarm_words > np.uint64(1)).any():
        raise WireError("a record's alarm flag is neither 0 nor 1")
    return tuple(
        Record(number, t_ns, Timebase(offset_ns, TimeQuality(level)), entries, masks[mask], bool(alarm))
        for number, t_ns, offset_ns, level, entries, mask, alarm in zip(
            numbers.tolist(),
            times_ns.view(np.int64).tolist(),
            offsets_ns.view(np.int64).tolist(),
            qualities.tolist(),
            body.values,
            mask_words.tolist(),
            alarm_words.tolist(),
            strict=True,
        )
    )


def _read_masks(fields: Fields, limits: Limits) -> list[str]:
    """The masks' names; the absent field stands for the one empty name."""
    if not fields.has(Field.MASKS):
        return [""]
    masks: list[str] = []
    for mask in fields.array(Field.MASKS, limits.records):
        if not isinstance(mask, str) or len(mask.encode()) > limits.text_bytes or mask in masks:
            raise WireError(f"masks are not different texts of at most {limits.text_bytes} bytes")
        masks.append(mask)
    if masks == [""]:
        raise WireError("the one empty mask is written out")
    return masks


def _check_masks(words: UInt64s, count: int) -> None:
    """Masks are numbered in the order in which records first use them, and each is used."""
    if (words >= np.uint64(count)).any():
        raise WireError("a record's mask has no name in its message")
    used, first_use = np.unique(words, return_index=True)
    if len(used) != count or (np.diff(first_use) < 0).any():
        raise WireError("masks are not listed as the records use them")


def _read_body(fields: Fields, limits: Limits) -> bytes:
    body = fields.octets(Field.BODY)
    if not fields.has(Field.BODY_BYTES):
        if len(body) > limits.body_bytes:
            raise WireError(f"body of {len(body)} bytes exceeds {limits.body_bytes}")
        return body
    size = fields.integer(Field.BODY_BYTES, 1, limits.body_bytes)
    try:
        # The frame says how much is to be allocated; it must say what the message says, which is bounded.
        frame = zstandard.get_frame_parameters(body)
        if frame.content_size != size or frame.dict_id or frame.window_size > max(size, 1024):
            raise WireError("compressed body is not of the size that the message says")
        plain = zstandard.ZstdDecompressor().decompress(
            body, max_output_size=size, read_across_frames=False, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise WireError("body is no zstd frame") from error
    if len(plain) != size:
        raise WireError("compressed body is not of the size that the message says")
    return plain
