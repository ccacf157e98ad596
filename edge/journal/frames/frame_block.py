"""A batch of raw frames as the plaintext of one block, and back with order, times and data exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge import accelerated
from edge.accelerated import Accelerator
from edge.clock import Timebase, TimeQuality
from edge.errors import JournalError, WireError
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameBatch, Int64s
from edge.journal.frames.frame_numbers import (
    SectionWriter,
    UInt64s,
    folded,
    from_table,
    read_section,
    read_series,
    rising_order,
    table,
    unfolded,
)
from edge.journal.frames.frame_payloads import Grouping, read_payloads, write_payloads
from edge.journal.frames.frame_times import (
    displacements,
    put_times_together,
    rows_by_arrival,
    take_apart,
)
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, read_cbor, write_cbor

FORMAT = 1
"""Counts changes of the layout (docs/journal-format.md); it is the first byte."""

US_NS = 1_000
_MS_NS = 1_000_000
LONGEST_RESOLUTION_NS = 1_000_000_000
LONGEST_DATA_BYTES = (1 << 13) - 1
HIGHEST_FLAGS = (1 << 11) - 1
HIGHEST_PLACE = (1 << 32) - 1

_MOST_FRAME_BYTES = 64
_MOST_HEAD_BYTES = 65_536

_FIELDS = 15
_GROUP_SERIES = 7
_TEXT_CHARACTERS = 1_024
_BUSES = 256
_HIGHEST_ID = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """Upper bounds that `decode_frames` checks before it allocates.

    Attributes:
        block_bytes: length of the encoded block, and of its frames' data where each group has one frame.
        frames: frames in one block.
        data_bytes: bytes of the batch's data array, frames times width.
    """

    block_bytes: int = 1 << 24
    frames: int = 1 << 20
    data_bytes: int = 1 << 27

    def admits(self, batch: FrameBatch) -> bool:
        """Whether a block of `batch` may be decoded under these limits; a larger batch is to be cut."""
        written = int(batch.length.sum()) + _MOST_FRAME_BYTES * len(batch) + _MOST_HEAD_BYTES
        return (
            len(batch) <= self.frames and batch.data.size <= self.data_bytes and written <= self.block_bytes
        )


DEFAULT_FRAME_LIMITS = FrameLimits()


@dataclass(frozen=True, slots=True, eq=False)
class FrameBlock:
    """What one block holds.

    Attributes:
        batch: the frames in order of arrival.
        places: int64 of N, the place of each frame among all of its period, rising; 0 to N-1 if the block
            holds the whole period.
    """

    batch: FrameBatch
    places: Int64s


def encode_frames(
    batch: FrameBatch, *, places: Int64s | None = None, resolution_ns: int = US_NS, level: int = 3
) -> bytes:
    """Write a batch as a block's plaintext (docs/journal-format.md).

    Args:
        batch: the frames in order of arrival, at most 8,191 bytes of data each.
        places: rising places of the frames among all of their period, if these are only some of them.
        resolution_ns: times are rounded down to multiples of this; 1 keeps them exactly.
        level: zstd's level, 1 to 22.

    Raises:
        ValueError: the batch or an argument is not what this asks for.
    """
    if not 1 <= resolution_ns <= LONGEST_RESOLUTION_NS:
        raise ValueError(f"times cannot be kept at {resolution_ns} ns")
    _check(batch)
    gaps = _gaps(places, len(batch))
    writer = SectionWriter(level)
    order, grouping, keys = _grouped(batch)
    ticks = batch.t_ns // resolution_ns if resolution_ns > 1 else batch.t_ns
    base = int(ticks.min()) if len(ticks) else 0
    if base * resolution_ns < INT64_MIN:
        raise ValueError(f"the time {base * resolution_ns} ns is out of range")
    since = (ticks - base).view(np.uint64)
    first, periods, rest = take_apart(since, order, grouping, _MS_NS // resolution_ns)
    firsts, kinds, drawers = write_payloads(batch.data, order, grouping, writer)
    head: list[CborValue] = [
        len(batch),
        resolution_ns,
        batch.timebase.wall_offset_ns,
        int(batch.timebase.quality),
        batch.mask,
        list(batch.buses),
        base,
        len(keys),
        writer.section(_group_table(keys, grouping, first, periods)),
        firsts,
        kinds,
        drawers,
        writer.series(rest),
        writer.series(displacements(since, order)),
        writer.series(gaps),
    ]
    return bytes([FORMAT]) + write_cbor(head)


def decode_frames(data: bytes, limits: FrameLimits = DEFAULT_FRAME_LIMITS) -> FrameBlock:
    """Read what `encode_frames` wrote.

    Args:
        data: the block's plaintext.
        limits: upper bounds, checked before anything is allocated for what they bound.

    Raises:
        JournalError: the bytes are no such block, or exceed a limit.
    """
    head = _Head.read(data, limits)
    count, groups = head.count, head.groups
    group_table = read_section(head.group_table, _GROUP_SERIES, _GROUP_SERIES * (1 + 8 * groups))
    columns = from_table(group_table, _GROUP_SERIES, groups)
    lengths, bus, arbitration_id, flags, counts, first, periods = columns
    grouping = _grouping(lengths, counts, count)
    longest = int(grouping.lengths[-1]) if groups else 0
    width = next((size for size in (CLASSIC_BYTES, FD_BYTES) if longest <= size), longest)
    if count * width > limits.data_bytes or grouping.columns > limits.block_bytes:
        raise JournalError(f"a block of frames would need {count * width:,} bytes")
    identifiers = _identifiers(arbitration_id)
    if (bus >= len(head.buses)).any() or (flags > HIGHEST_FLAGS).any():
        raise JournalError("a block of frames has an unknown bus or flag")
    rest = read_series(head.times, count - groups)
    since = put_times_together(grouping, first, unfolded(periods), rest)
    row = rows_by_arrival(since, read_series(head.displacements, count))
    places = _places(read_series(head.gaps, count))
    payloads = read_payloads(head.firsts, head.kinds, head.drawers, grouping, width)
    group = np.repeat(np.arange(groups), grouping.counts)[row]
    batch = FrameBatch(
        t_ns=_nanoseconds(since[row], head.base, head.resolution_ns),
        bus=bus.astype(np.uint8)[group],
        arbitration_id=identifiers.astype(np.uint32)[group],
        flags=flags.astype(np.uint16)[group],
        length=grouping.lengths.astype(np.uint16)[group],
        data=payloads[row],
        buses=head.buses,
        timebase=head.timebase,
        mask=head.mask,
    )
    return FrameBlock(batch, places)


@dataclass(frozen=True, slots=True)
class _Head:
    """A block's fields, checked one by one, its sections still packed."""

    count: int
    resolution_ns: int
    timebase: Timebase
    mask: str
    buses: tuple[str, ...]
    base: int
    groups: int
    group_table: CborValue
    firsts: CborValue
    kinds: CborValue
    drawers: CborValue
    times: CborValue
    displacements: CborValue
    gaps: CborValue

    @classmethod
    def read(cls, data: bytes, limits: FrameLimits) -> _Head:
        """Read the fields.

        Raises:
            JournalError: they are not what they must be.
        """
        if len(data) > limits.block_bytes:
            raise JournalError(f"a block of frames has {len(data):,} bytes")
        if not data or data[0] != FORMAT:
            raise JournalError(f"a block of frames is not of format {FORMAT}")
        try:
            fields = read_cbor(data, 1)
        except WireError as error:
            raise JournalError(f"a block of frames cannot be read: {error}") from error
        if not isinstance(fields, list) or len(fields) != _FIELDS:
            raise JournalError("a block of frames has wrong fields")
        count, resolution_ns, offset_ns, quality, mask, buses, base, groups, *sections = fields
        count = _integer(count, 0, limits.frames, "frames")
        if not isinstance(buses, list) or len(buses) > _BUSES:
            raise JournalError("a block of frames has wrong bus names")
        return cls(
            count,
            _integer(resolution_ns, 1, LONGEST_RESOLUTION_NS, "resolution"),
            Timebase(
                _integer(offset_ns, INT64_MIN, INT64_MAX, "wall offset"),
                TimeQuality(_integer(quality, min(TimeQuality), max(TimeQuality), "time quality")),
            ),
            _text(mask),
            tuple(_text(name) for name in buses),
            _integer(base, INT64_MIN, INT64_MAX, "first time"),
            _integer(groups, min(count, 1), count, "groups"),
            *sections,
        )


def _integer(value: CborValue, low: int, high: int, name: str) -> int:
    if not isinstance(value, int) or not low <= value <= high:
        raise JournalError(f"the {name} of a block of frames is no number from {low} to {high}")
    return value


def _text(value: CborValue) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_CHARACTERS:
        raise JournalError("a name in a block of frames is no text, or too long")
    return value


def _check(batch: FrameBatch) -> None:
    """Refuse what would not come back.

    Raises:
        ValueError: it breaks what `FrameBatch` promises.
    """
    longest = int(batch.length.max(initial=0))
    if longest > min(LONGEST_DATA_BYTES, batch.data.shape[1]):
        raise ValueError(f"a frame of {longest} bytes is too long, or longer than its batch is wide")
    if int(batch.flags.max(initial=0)) > HIGHEST_FLAGS:
        raise ValueError(f"flags above {HIGHEST_FLAGS:#x} are unknown")
    if len(batch.buses) > _BUSES or (len(batch) and int(batch.bus.max()) >= len(batch.buses)):
        raise ValueError(f"{len(batch.buses)} bus names do not fit the frames' buses")
    if any(len(name) > _TEXT_CHARACTERS for name in (batch.mask, *batch.buses)):
        raise ValueError(f"a name has more than {_TEXT_CHARACTERS} characters")


def _grouped(batch: FrameBatch) -> tuple[Int64s, Grouping, UInt64s]:
    """Put frames of equal length, bus, id and flags together, each group in order of arrival.

    Returns:
        The place in the batch of each grouped row, the groups, and their keys: length, bus, id and flags
        from the highest bit to the lowest.
    """
    native = accelerated.native
    return _grouped_in_numpy(batch) if native is None else _grouped_compiled(native, batch)


def _grouped_compiled(native: Accelerator, batch: FrameBatch) -> tuple[Int64s, Grouping, UInt64s]:
    order, counts = np.empty((2, len(batch)), np.int64)
    keys = np.empty(len(batch), np.uint64)
    columns = map(np.ascontiguousarray, (batch.length, batch.bus, batch.arbitration_id, batch.flags))
    groups = native.group_frames(*columns, order, keys, counts)
    keys = keys[:groups]
    return order, Grouping.of((keys >> np.uint64(51)).astype(np.int64), counts[:groups]), keys


def _grouped_in_numpy(batch: FrameBatch) -> tuple[Int64s, Grouping, UInt64s]:
    key = batch.length.astype(np.uint64)
    for column, bits in ((batch.bus, 8), (batch.arbitration_id, 32), (batch.flags, 11)):
        key <<= np.uint64(bits)
        key |= column
    # Ordered twice: the quick sort of NumPy and a second one by place are faster than its stable sort.
    quick = np.argsort(key)
    ordered = key[quick]
    begins = np.ones(len(key), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    group = np.empty(len(key), np.uint64)
    group[quick] = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    keys = ordered[starts]
    counts = np.diff(starts, append=len(key))
    return rising_order(group), Grouping((keys >> np.uint64(51)).astype(np.int64), counts, starts), keys


def _group_table(keys: UInt64s, grouping: Grouping, first: UInt64s, periods: Int64s) -> bytes:
    identifiers = (keys >> np.uint64(11) & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return table(
        [
            np.diff(grouping.lengths, prepend=0).astype(np.uint64),
            keys >> np.uint64(43) & np.uint64(0xFF),
            folded(np.diff(identifiers, prepend=0)),
            keys & np.uint64(HIGHEST_FLAGS),
            grouping.counts.astype(np.uint64),
            first,
            folded(periods),
        ]
    )


def _grouping(lengths: UInt64s, counts: UInt64s, frames: int) -> Grouping:
    """The groups, checked: lengths rise within bounds, and the counts are those of all frames."""
    if (lengths > LONGEST_DATA_BYTES).any() or int(lengths.sum()) > LONGEST_DATA_BYTES:
        raise JournalError("a block of frames has a frame that is too long")
    if not ((counts > 0) & (counts <= frames)).all() or int(counts.sum()) != frames:
        raise JournalError("the groups of a block of frames do not add up")
    return Grouping.of(np.cumsum(lengths.astype(np.int64)), counts.astype(np.int64))


def _identifiers(folded_steps: UInt64s) -> Int64s:
    if (folded_steps > 2 * _HIGHEST_ID + 1).any():
        raise JournalError("a block of frames has an impossible id")
    identifiers = np.cumsum(unfolded(folded_steps))
    if not ((identifiers >= 0) & (identifiers <= _HIGHEST_ID)).all():
        raise JournalError("a block of frames has an impossible id")
    return identifiers


def _nanoseconds(since: UInt64s, base: int, resolution_ns: int) -> Int64s:
    """Times in nanoseconds.

    Raises:
        JournalError: one does not fit 64 bits.
    """
    ticks = since.view(np.int64) + np.int64(base)
    if len(ticks) and not (
        int(ticks.min()) * resolution_ns >= INT64_MIN and int(ticks.max()) * resolution_ns <= INT64_MAX
    ):
        raise JournalError("a block of frames has a time out of range")
    return ticks * resolution_ns


def _gaps(places: Int64s | None, count: int) -> UInt64s:
    """How many places lie between each frame and the one before it; nothing if none do."""
    if places is None:
        return np.zeros(0, np.uint64)
    gaps = places - 1
    gaps[1:] -= places[:-1]
    gaps[:1] += 1
    if len(places) != count or (gaps < 0).any() or int(places.max(initial=0)) > HIGHEST_PLACE:
        raise ValueError(f"places are not {count} rising numbers from 0 to {HIGHEST_PLACE}")
    return gaps.view(np.uint64) if gaps.any() else np.zeros(0, np.uint64)


def _places(gaps: UInt64s) -> Int64s:
    if (gaps > HIGHEST_PLACE).any():
        raise JournalError("a frame of a block lies at an impossible place")
    places = np.cumsum(gaps.astype(np.int64) + 1) - 1
    if int(places.max(initial=0)) > HIGHEST_PLACE:
        raise JournalError("a frame of a block lies at an impossible place")
    return places
