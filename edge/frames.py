"""`FrameBatch`: the columnar batch of CAN frames, the one currency from the bus to the journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntFlag
from typing import Self

import numpy as np
import numpy.typing as npt

from edge.clock import Timebase

CLASSIC_BYTES = 8
FD_BYTES = 64

Int64s = npt.NDArray[np.int64]
UInt32s = npt.NDArray[np.uint32]
UInt16s = npt.NDArray[np.uint16]
UInt8s = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.intp]


class FrameFlag(IntFlag):
    """What the controller said of a frame besides its id and data."""

    EXTENDED = 0x01
    REMOTE = 0x02
    ERROR = 0x04
    FD = 0x08
    BITRATE_SWITCH = 0x10
    ERROR_STATE = 0x20
    TRANSMITTED = 0x40
    REASSEMBLED = 0x80


NO_FLAGS = FrameFlag(0)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as plain values: what tests, `dbc explain` and python-can's edge speak in."""

    t_ns: int
    arbitration_id: int
    data: bytes
    bus: str = "can0"
    flags: FrameFlag = NO_FLAGS


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """N frames as columns, each an array of N; the arrays are shared, never written to after construction.

    Attributes:
        t_ns: int64, monotonic nanoseconds of the boot, or the recording's own time.
        bus: uint8, index into `buses`.
        arbitration_id: uint32, 11 or 29 bits, without any flag bit.
        flags: uint16, bits of `FrameFlag`.
        length: uint16, bytes of data in use (0 to 8, to 64 for FD, to 1785 for a reassembled J1939 message).
        data: uint8 of shape (N, W); W is 8, 64, or the longest reassembled message; bytes past `length`
            are 0. Not shown by `repr`: a batch that went through no door must not end up in a log.
        buses: the names that `bus` points into.
        timebase: how `t_ns` relates to wall time.
        mask: the name of the door's mask that the batch went through; empty if it went through none.
    """

    t_ns: Int64s
    bus: UInt8s
    arbitration_id: UInt32s
    flags: UInt16s
    length: UInt16s
    data: UInt8s = field(repr=False)
    buses: tuple[str, ...]
    timebase: Timebase = field(default_factory=Timebase)
    mask: str = ""

    def __post_init__(self) -> None:
        count = len(self.t_ns)
        if not (
            count
            == len(self.bus)
            == len(self.arbitration_id)
            == len(self.flags)
            == len(self.length)
            == len(self.data)
        ):
            columns = (self.bus, self.arbitration_id, self.flags, self.length, self.data)
            message = f"columns of unequal length: {[count, *(len(column) for column in columns)]}"
            raise ValueError(message)

    def __len__(self) -> int:
        return len(self.t_ns)

    @classmethod
    def empty(cls, buses: Sequence[str] = (), width: int = CLASSIC_BYTES) -> Self:
        """A batch without frames."""
        return cls(
            t_ns=np.empty(0, np.int64),
            bus=np.empty(0, np.uint8),
            arbitration_id=np.empty(0, np.uint32),
            flags=np.empty(0, np.uint16),
            length=np.empty(0, np.uint16),
            data=np.empty((0, width), np.uint8),
            buses=tuple(buses),
        )

    @classmethod
    def from_frames(
        cls, frames: Iterable[Frame], buses: Sequence[str] | None = None, timebase: Timebase | None = None
    ) -> Self:
        """Build a batch from single frames; buses not named in `buses` are added in order of appearance."""
        rows = list(frames)
        index = {name: place for place, name in enumerate(buses or ())}
        for row in rows:
            index.setdefault(row.bus, len(index))
        longest = max((len(row.data) for row in rows), default=0)
        width = next((size for size in (CLASSIC_BYTES, FD_BYTES) if longest <= size), longest)
        data = np.zeros((len(rows), width), np.uint8)
        for place, row in enumerate(rows):
            data[place, : len(row.data)] = np.frombuffer(row.data, np.uint8)
        return cls(
            t_ns=np.array([row.t_ns for row in rows], np.int64),
            bus=np.array([index[row.bus] for row in rows], np.uint8),
            arbitration_id=np.array([row.arbitration_id for row in rows], np.uint32),
            flags=np.array([row.flags for row in rows], np.uint16),
            length=np.array([len(row.data) for row in rows], np.uint16),
            data=data,
            buses=tuple(index),
            timebase=timebase or Timebase(),
        )

    def frame(self, place: int) -> Frame:
        """The frame at `place` as plain values."""
        return Frame(
            t_ns=int(self.t_ns[place]),
            arbitration_id=int(self.arbitration_id[place]),
            data=self.data[place, : int(self.length[place])].tobytes(),
            bus=self.buses[int(self.bus[place])],
            flags=FrameFlag(int(self.flags[place])),
        )

    def take(self, rows: Indices | npt.NDArray[np.bool_] | slice) -> Self:
        """The frames at `rows` (indices, a boolean mask, or a slice), in that order."""
        return type(self)(
            t_ns=self.t_ns[rows],
            bus=self.bus[rows],
            arbitration_id=self.arbitration_id[rows],
            flags=self.flags[rows],
            length=self.length[rows],
            data=_payloads(self.data, rows),
            buses=self.buses,
            timebase=self.timebase,
            mask=self.mask,
        )

    def has(self, flag: FrameFlag) -> npt.NDArray[np.bool_]:
        """Which frames carry `flag` (bool array of N)."""
        carried: npt.NDArray[np.bool_] = (self.flags & np.uint16(flag)) != 0
        return carried

    def widened(self, width: int) -> Self:
        """The same frames with `data` at least `width` bytes wide, padded with 0."""
        present = self.data.shape[1]
        if present >= width:
            return self
        data = np.zeros((len(self), width), np.uint8)
        data[:, :present] = self.data
        return replace(self, data=data)

    def equals(self, other: FrameBatch) -> bool:
        """Whether both hold the same frames in the same order on equally named buses."""
        if len(self) != len(other):
            return False
        width = max(self.data.shape[1], other.data.shape[1])
        mine, theirs = self.widened(width), other.widened(width)
        return all(
            np.array_equal(getattr(mine, column), getattr(theirs, column))
            for column in ("t_ns", "arbitration_id", "flags", "length", "data")
        ) and [mine.buses[bus] for bus in mine.bus] == [theirs.buses[bus] for bus in theirs.bus]


def _payloads(data: UInt8s, rows: Indices | npt.NDArray[np.bool_] | slice) -> UInt8s:
    """Some rows of `data`, taken word by word where that may be: several times as fast as by bytes."""
    if isinstance(rows, slice) or data.shape[1] % CLASSIC_BYTES or not data.flags.c_contiguous:
        return data[rows]
    places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    taken: UInt8s = data.view(np.uint64).take(places, axis=0).view(np.uint8)
    return taken


ALIKE_NS = 1_000_000
"""Wall offsets that differ by less are readings of one clock that nobody set meanwhile."""


def alike(one: FrameBatch, other: FrameBatch) -> bool:
    """Whether both may become one batch, under the timebase of either."""
    first, second = one.timebase, other.timebase
    apart_ns = abs(first.wall_offset_ns - second.wall_offset_ns)
    return one.mask == other.mask and first.quality == second.quality and apart_ns < ALIKE_NS


def concatenate(batches: Sequence[FrameBatch]) -> FrameBatch:
    """All frames of `batches` one after the other, the bus names united; mask and timebase must agree.

    Raises:
        ValueError: if the batches went through different masks or stand on different timebases.
    """
    if not batches:
        return FrameBatch.empty()
    first = batches[0]
    if any(batch.mask != first.mask or batch.timebase != first.timebase for batch in batches):
        raise ValueError("batches of different masks or timebases do not mix")
    if len(batches) == 1:
        return first
    index: dict[str, int] = {}
    for batch in batches:
        for name in batch.buses:
            index.setdefault(name, len(index))
    renumbered = [
        np.array([index[name] for name in batch.buses] or [0], np.uint8)[batch.bus] for batch in batches
    ]
    width = max(batch.data.shape[1] for batch in batches)
    return FrameBatch(
        t_ns=np.concatenate([batch.t_ns for batch in batches]),
        bus=np.concatenate(renumbered),
        arbitration_id=np.concatenate([batch.arbitration_id for batch in batches]),
        flags=np.concatenate([batch.flags for batch in batches]),
        length=np.concatenate([batch.length for batch in batches]),
        data=np.concatenate([batch.widened(width).data for batch in batches]),
        buses=tuple(index),
        timebase=first.timebase,
        mask=first.mask,
    )
