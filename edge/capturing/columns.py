"""Frames and observations as the bytes that cross the border between capture and core, and back."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from edge.capturing.message import TIME_MAX_NS, BorderError
from edge.clock import Timebase, TimeQuality
from edge.frames import FrameBatch
from edge.records import Missing
from edge.sensors.observation import Observation

COLUMN_BYTES_MAX = 4 << 20
"""Columns of one message; a batch with more goes as several."""

ID_MAX = 0x1FFF_FFFF

_BATCH = struct.Struct("<IIqBxHHxx")
"""Frames, bytes of data a frame, wall offset, quality, bytes of the mask's name, buses."""
_COLUMN_BYTES = 8 + 4 + 2 + 2 + 1
"""Of one frame: time, id, flags, length, bus."""

_OBSERVATION = struct.Struct("<qdBB")
"""Time, value, what is missing, bytes of the item's id."""

_MISSING = (None, Missing.INVALID, Missing.ABNORMAL)


def parts_of(batch: FrameBatch) -> Iterator[FrameBatch]:
    """A batch in parts of which each fits in a message."""
    rows = max(1, COLUMN_BYTES_MAX // frame_bytes(batch))
    if len(batch) <= rows:
        yield batch
        return
    for begin in range(0, len(batch), rows):
        yield batch.take(slice(begin, begin + rows))


def frame_bytes(batch: FrameBatch) -> int:
    """Bytes of one frame of a batch in all columns."""
    return _COLUMN_BYTES + int(batch.data.shape[1])


def bytes_of_batch(batch: FrameBatch) -> bytes:
    """The body of a message that holds a batch."""
    mask = batch.mask.encode()
    names = [name.encode() for name in batch.buses]
    texts = mask + b"".join(bytes([len(name)]) + name for name in names)
    head = _BATCH.pack(
        len(batch),
        batch.data.shape[1],
        batch.timebase.wall_offset_ns,
        batch.timebase.quality,
        len(mask),
        len(names),
    )
    return b"".join(
        [
            head,
            texts,
            bytes(-len(texts) % 8),
            batch.t_ns.astype("<i8", copy=False).tobytes(),
            batch.arbitration_id.astype("<u4", copy=False).tobytes(),
            batch.flags.astype("<u2", copy=False).tobytes(),
            batch.length.astype("<u2", copy=False).tobytes(),
            batch.bus.tobytes(),
            batch.data.tobytes(),
        ]
    )


def batch_of(body: bytes) -> FrameBatch:
    """The batch that a body holds, checked so that nothing behind it can be led out of bounds.

    Raises:
        BorderError: it holds none, or one that went through no mask.
    """
    try:
        count, width, offset_ns, quality, mask_bytes, buses = _BATCH.unpack_from(body)
        at = _BATCH.size
        mask = body[at : at + mask_bytes].decode()
        at += mask_bytes
        names: list[str] = []
        for _ in range(buses):
            length = body[at]
            names.append(body[at + 1 : at + 1 + length].decode())
            at += 1 + length
        timebase = Timebase(offset_ns, TimeQuality(quality))
    except (struct.error, ValueError, IndexError):
        raise BorderError("a malformed batch", where="capture") from None
    at += -(at - _BATCH.size) % 8
    if not mask:
        raise BorderError("a batch that went through no mask", where="capture")
    if len(body) - at != count * (_COLUMN_BYTES + width):
        raise BorderError("a batch whose columns are not as long as it says", where="capture")

    def column(kind: str, each: int = 1) -> np.ndarray[Any, Any]:
        nonlocal at
        found = np.frombuffer(body, kind, count * each, at)
        at += found.nbytes
        return found

    batch = FrameBatch(
        t_ns=column("<i8"),
        arbitration_id=column("<u4"),
        flags=column("<u2"),
        length=column("<u2"),
        bus=column("<u1"),
        data=column("<u1", width).reshape(count, width),
        buses=tuple(names),
        timebase=timebase,
        mask=mask,
    )
    if count and not _possible(batch):
        raise BorderError("a batch with frames that cannot be", where="capture")
    return batch


def _possible(batch: FrameBatch) -> bool:
    return bool(
        int(batch.bus.max()) < len(batch.buses)
        and int(batch.length.max()) <= batch.data.shape[1]
        and int(batch.arbitration_id.max()) <= ID_MAX
        and int(batch.t_ns.max()) <= TIME_MAX_NS
        and int(batch.t_ns.min()) >= -TIME_MAX_NS
    )


def bytes_of_observations(observations: Iterable[Observation]) -> bytes:
    """The body of a message that holds observations."""
    return b"".join(map(_observation_bytes, observations))


def _observation_bytes(observation: Observation) -> bytes:
    value = observation.value
    name = observation.item_id.encode()
    if isinstance(value, Missing):
        return _OBSERVATION.pack(observation.t_ns, 0.0, _MISSING.index(value), len(name)) + name
    return _OBSERVATION.pack(observation.t_ns, value, 0, len(name)) + name


def observations_of(body: bytes) -> Iterator[Observation]:
    """The observations that a body holds.

    Raises:
        BorderError: it holds something else.
    """
    at = 0
    try:
        while at < len(body):
            t_ns, value, missing, length = _OBSERVATION.unpack_from(body, at)
            at += _OBSERVATION.size
            item_id = body[at : at + length].decode()
            at += length
            if at > len(body) or abs(t_ns) > TIME_MAX_NS:
                break
            yield Observation(item_id, t_ns, _MISSING[missing] or float(value))
        else:
            return
    except (struct.error, UnicodeDecodeError, IndexError):
        pass
    raise BorderError("a malformed observation", where="capture")
