"""What waits in capture for the core: bounded, the oldest batch makes room, and all of it is counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from edge.account import Hop
from edge.bus.source import WAITING
from edge.capture import Captured
from edge.capturing.columns import frame_bytes
from edge.frames import FrameBatch, alike, concatenate
from edge.sensors.observation import Observation

HOP = "capture to core"
CORE_TOO_SLOW = "core too slow, oldest given up"

JOINED_MOST_BYTES = 1 << 20

_OBSERVATION_BYTES = 64
_BATCH_BYTES = 256
"""What a batch takes in memory beside its columns, so that many small ones are bounded too."""

Item = FrameBatch | tuple[Observation, ...]


class HandOverBuffer:
    """Masked batches and observations in the order in which they came.

    Args:
        limit_bytes: memory that what waits may take.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._mask = ""
        self._entered = [0, 0]
        self._left = [0, 0]
        self._given_up = [0, 0]

    def __len__(self) -> int:
        return len(self._items)

    @property
    def bytes_held(self) -> int:
        """Memory that what waits takes."""
        return self._bytes

    def add(self, captured: Captured, *, beside_bytes: int = 0, bounded: bool = True) -> None:
        """Take in what was captured; an empty batch only if its mask is another than the last one's.

        Args:
            captured: what capture read.
            beside_bytes: memory that counts against the limit too.
            bounded: whether the oldest make room where the limit is passed.
        """
        if captured.observations:
            self._append(captured.observations)
        for batch in captured.batches:
            if len(batch) or batch.mask != self._mask:
                self._mask = batch.mask
                self._append(batch)
        while bounded and self._items and self._bytes + beside_bytes > self._limit_bytes:
            self._give_up_oldest()

    def take(self) -> tuple[Item, ...]:
        """Hand out all that waits: batches that may be one as one, so that a core that is late catches up."""
        items = tuple(_joined(self._items))
        for item in items:
            self._left[_unit(item)] += len(item)
        self._items.clear()
        self._bytes = 0
        return items

    def hops(self) -> tuple[Hop, ...]:
        """The account of frames, and of observations where there were any."""
        found = []
        for unit, name in enumerate(("frames", "observations")):
            waiting = self._entered[unit] - self._left[unit] - self._given_up[unit]
            set_aside = {WAITING: waiting, CORE_TOO_SLOW: self._given_up[unit]}
            if unit == 0 or self._entered[unit]:
                causes = {cause: count for cause, count in set_aside.items() if count}
                found.append(Hop(HOP, name, self._entered[unit], self._left[unit], set_aside=causes))
        return tuple(found)

    def _append(self, item: Item) -> None:
        self._entered[_unit(item)] += len(item)
        self._bytes += _bytes(item)
        self._items.append(item)

    def _give_up_oldest(self) -> None:
        """Give up the oldest that has any content; that a mask changed is told all the same."""
        place = next((at for at, item in enumerate(self._items) if len(item)), None)
        if place is None:
            self._items.popleft()
            self._bytes = sum(map(_bytes, self._items))
            return
        item = self._items[place]
        del self._items[place]
        self._bytes -= _bytes(item)
        self._given_up[_unit(item)] += len(item)


def _joined(items: Iterable[Item]) -> Iterator[Item]:
    """Neighbouring batches of one mask together, where nobody set the wall clock between them."""
    run: list[FrameBatch] = []
    size = 0
    for item in items:
        if run and not (
            isinstance(item, FrameBatch) and alike(run[-1], item) and size + _bytes(item) <= JOINED_MOST_BYTES
        ):
            yield concatenate(run)
            run, size = [], 0
        if isinstance(item, FrameBatch):
            run.append(replace(item, timebase=run[0].timebase) if run else item)
            size += _bytes(item)
        else:
            yield item
    if run:
        yield concatenate(run)


def _unit(item: Item) -> int:
    return 0 if isinstance(item, FrameBatch) else 1


def _bytes(item: Item) -> int:
    if isinstance(item, FrameBatch):
        return _BATCH_BYTES + len(item) * frame_bytes(item)
    return len(item) * _OBSERVATION_BYTES
