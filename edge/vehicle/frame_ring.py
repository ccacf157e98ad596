"""`FrameRing`: the raw frames of the last seconds, bounded in time and bytes, for what precedes an event."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edge.clock import NS_PER_S, Timebase
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameBatch, alike, concatenate

FRAME_BYTES = 17
"""What a frame costs beside its data: time 8, bus 1, id 4, flags 2, length 2."""

Column = TypeVar("Column", bound=npt.NDArray[Any])

_PACKED_FRAMES = 4096
_PACKED_NS = NS_PER_S
_LONG_AGO_NS = -(1 << 62)


@dataclass(frozen=True, slots=True, eq=False)
class _Packed:
    """The frames of a batch without their padding."""

    t_ns: npt.NDArray[np.int64]
    bus: npt.NDArray[np.uint8]
    arbitration_id: npt.NDArray[np.uint32]
    flags: npt.NDArray[np.uint16]
    length: npt.NDArray[np.uint16]
    payload: npt.NDArray[np.uint8]
    buses: tuple[str, ...]
    timebase: Timebase
    mask: str

    @classmethod
    def of(cls, batch: FrameBatch) -> _Packed:
        """The frames of `batch` in memory of their own, so that nothing else of it is held."""
        return cls(
            _own(batch.t_ns),
            _own(batch.bus),
            _own(batch.arbitration_id),
            _own(batch.flags),
            _own(batch.length),
            _payload(batch),
            batch.buses,
            batch.timebase,
            batch.mask,
        )

    def batch(self) -> FrameBatch:
        """The frames as they were."""
        longest = int(self.length.max())
        width = next((size for size in (CLASSIC_BYTES, FD_BYTES) if longest <= size), longest)
        if len(self.payload) == len(self.t_ns) * width:
            data = self.payload.reshape(-1, width)
        else:
            data = np.zeros((len(self.t_ns), width), np.uint8)
            data[_inside(self.length, width)] = self.payload
        return FrameBatch(
            self.t_ns,
            self.bus,
            self.arbitration_id,
            self.flags,
            self.length,
            data,
            self.buses,
            self.timebase,
            self.mask,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """Frames that came together: as they came, or several of those packed into one."""

    frames: FrameBatch | _Packed
    newest_ns: int
    size: int

    @classmethod
    def of(cls, batch: FrameBatch, frames: FrameBatch | _Packed) -> _Chunk:
        """`frames` as what is kept of `batch`."""
        return cls(frames, int(batch.t_ns.max()), int(_sizes(batch).sum()))

    def batch(self) -> FrameBatch:
        """The frames."""
        return self.frames if isinstance(self.frames, FrameBatch) else self.frames.batch()


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Frames from a time on.

    Attributes:
        batches: in order of arrival, none of them empty. Batches that came with wall offsets less than
            `edge.frames.ALIKE_NS` apart are one, under the first's.
        complete_from_ns: frames of before this are missing, or were never there.
    """

    batches: tuple[FrameBatch, ...]
    complete_from_ns: int


class FrameRing:
    """Keeps the newest frames.

    How frames are batched makes no difference to what `since` gives: bounds count frame by frame.

    Args:
        span_ns: frames older than this are not needed.
        most_bytes: what the frames may take, data and `FRAME_BYTES` each; at most some 4096 frames, or one
            batch, more are held.
    """

    def __init__(self, *, span_ns: int, most_bytes: int) -> None:
        self._span_ns = span_ns
        self._most_bytes = most_bytes
        self._chunks: deque[_Chunk] = deque()
        self._loose: list[FrameBatch] = []
        self._bytes = 0
        self._first_ns: int | None = None
        self._lost_ns = _LONG_AGO_NS

    @property
    def bytes(self) -> int:
        """What the frames take at present."""
        return self._bytes

    def push(self, batch: FrameBatch, reached_ns: int) -> None:
        """Keep the frames of `batch`; `reached_ns` is the time that frames have reached with it."""
        if not len(batch):
            return
        if self._first_ns is None:
            self._first_ns = int(batch.t_ns[0])
        lost, kept = _split(batch, self._most_bytes)
        if len(lost):
            # What is older than a frame that does not fit does not fit either.
            gone_ns = [chunk.newest_ns for chunk in self._chunks]
            self._lost_ns = max(self._lost_ns, int(lost.t_ns.max()), *gone_ns)
            self._chunks.clear()
            self._loose = []
            self._bytes = 0
        if len(kept):
            if self._loose and not alike(self._loose[0], kept):
                self._pack()
            self._chunks.append(_Chunk.of(kept, kept))
            self._bytes += self._chunks[-1].size
            self._loose.append(kept)
            if (
                sum(map(len, self._loose)) >= _PACKED_FRAMES
                or kept.t_ns[-1] - self._loose[0].t_ns[0] >= _PACKED_NS
            ):
                self._pack()
        while self._chunks and self._chunks[0].newest_ns < reached_ns - self._span_ns:
            self._bytes -= self._chunks.popleft().size
        while self._chunks and self._bytes - self._chunks[0].size >= self._most_bytes:
            self._lost_ns = max(self._lost_ns, self._chunks[0].newest_ns)
            self._bytes -= self._chunks.popleft().size

    def since(self, from_ns: int, latest: FrameBatch) -> Past:
        """The frames stamped at or after `from_ns`, those of the ring and then `latest`, within the bound."""
        batches: list[FrameBatch] = []
        room, lost_ns, first_ns = self._most_bytes, self._lost_ns, self._first_ns
        if first_ns is None and len(latest):
            first_ns = int(latest.t_ns[0])
        for chunk in (*((_Chunk.of(latest, latest),) if len(latest) else ()), *reversed(self._chunks)):
            if room < 0:
                lost_ns = max(lost_ns, chunk.newest_ns)
                continue
            if room >= chunk.size and chunk.newest_ns < from_ns:
                room -= chunk.size
                continue
            lost, kept = _split(chunk.batch(), room)
            if len(lost):
                lost_ns = max(lost_ns, int(lost.t_ns.max()))
            room = -1 if len(lost) else room - chunk.size
            wanted = kept.t_ns >= from_ns
            if wanted.any():
                batches.append(kept.take(wanted))
        begins = from_ns if first_ns is None else first_ns
        return Past(tuple(_joined(batches[::-1])), max(from_ns, begins, lost_ns + 1))

    def _pack(self) -> None:
        """Pack the batches that came last into one chunk; those of them that were given up stay away."""
        held = [self._chunks.pop() for _ in range(min(len(self._loose), len(self._chunks)))]
        self._loose = []
        for batch in _joined([chunk.batch() for chunk in reversed(held)]):
            self._chunks.append(_Chunk.of(batch, _Packed.of(batch)))


def _sizes(batch: FrameBatch) -> npt.NDArray[np.int64]:
    return batch.length.astype(np.int64) + FRAME_BYTES


def _joined(batches: Sequence[FrameBatch]) -> list[FrameBatch]:
    """The same frames in as few batches as may be."""
    runs: list[list[FrameBatch]] = []
    for batch in batches:
        if runs and alike(runs[-1][0], batch):
            runs[-1].append(replace(batch, timebase=runs[-1][0].timebase))
        else:
            runs.append([batch])
    return [concatenate(run) for run in runs]


def _split(batch: FrameBatch, most_bytes: int) -> tuple[FrameBatch, FrameBatch]:
    """The earlier frames of `batch`, and the last ones that together take at most `most_bytes`."""
    if len(batch) * (FRAME_BYTES + batch.data.shape[1]) <= most_bytes:
        return batch.take(slice(0, 0)), batch
    backwards = np.cumsum(_sizes(batch)[::-1])
    count = int(np.searchsorted(backwards, most_bytes, side="right"))
    begin = len(batch) - count
    return batch.take(slice(0, begin)), batch.take(slice(begin, None))


def _own(column: Column) -> Column:
    """The column itself where it holds nothing but its own values, else a copy."""
    return column if column.base is None else column.copy()


def _payload(batch: FrameBatch) -> npt.NDArray[np.uint8]:
    """The bytes in use of all frames end to end, in memory of their own."""
    width = batch.data.shape[1]
    if len(batch) and int(batch.length.min()) == width:
        return _own(batch.data).reshape(-1)
    payload: npt.NDArray[np.uint8] = batch.data[_inside(batch.length, width)]
    return payload


def _inside(length: npt.NDArray[np.uint16], width: int) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = np.arange(width) < length[:, None]
    return inside
