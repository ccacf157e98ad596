"""`merge`: several sources as one, in order of time by a stated rule, no frame dropped."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from edge.account import Hop
from edge.bus.source import WAITING, FrameSource
from edge.clock import NS_PER_S, Clock, Timebase, TimeQuality
from edge.errors import SourceError
from edge.frames import FrameBatch, Indices, Int64s, concatenate

LONG_AGO = -(1 << 62)
LIVE_SLICE_S = 0.005
"""How long one of several live sources is waited for before the next one is asked."""

BUSES_MAX = 256
_SPAN_MAX_NS = (1 << 62) // BUSES_MAX
"""Times that lie closer together fit in one number with the rank of a bus, which sorts faster than two."""

logger = logging.getLogger(__name__)


def merge(
    sources: Sequence[FrameSource],
    *,
    horizon_s: float = 1.0,
    align: Literal["wall", "start"] = "wall",
    clock: Clock | None = None,
) -> MergedSource:
    """Read several sources as one, in order of time; also puts a single recording in order.

    The rule. Frames are handed on in order of `t_ns`, those of equal time by name of their bus, then as they
    arrived. A frame waits for older ones until a frame `horizon_s` younger than it has arrived, or the
    sources have ended; of live sources, which have each bus in order, it waits no longer than until every
    other bus has shown a younger frame, or every source has said that it is complete up to that frame
    (`FrameSource.complete_ns`), and with a `clock` no longer than `horizon_s` by that. A frame older than one
    that was already handed on is handed on at once, at the place of its arrival, and counted as the fact
    ``late``. The outcome depends on the order of arrival alone, not on how frames were batched; what one
    reading brings of several live sources came at one time.

    Recordings are read in step: next always the one that is furthest behind.

    One timebase. Live sources share the boot-monotonic time of the machine. Recordings are moved, exactly, to
    the timebase of the one of the best quality (the first among equals) by the difference of their wall
    offsets; if nothing is known of any one's wall time, all are taken to share one clock. With
    ``align="start"`` their first frames are put at the same instant instead.

    Args:
        sources: what to read; the merged source closes them.
        horizon_s: the longest that a frame waits for older ones.
        align: how the times of several recordings relate.
        clock: for live sources, so that a silent bus delays others no longer than the horizon.

    Raises:
        SourceError: if the wall time of some recordings is known and of others is not, with ``align="wall"``.
        ValueError: if there are no sources, or `horizon_s` is negative.
    """
    return MergedSource(sources, horizon_s=horizon_s, align=align, clock=clock)


class MergedSource(FrameSource):
    """Several sources as one; see `merge` for the rule.

    A source that fails is done with, which the log says at once; the others go on. When they have ended too,
    `read` raises its error once. Live frames that were received before `close` can still be read after it.
    """

    def __init__(
        self,
        sources: Sequence[FrameSource],
        *,
        horizon_s: float = 1.0,
        align: Literal["wall", "start"] = "wall",
        clock: Clock | None = None,
    ) -> None:
        if not sources or horizon_s < 0:
            raise ValueError("merging takes at least one source and a horizon of at least 0 s")
        self.sources = tuple(sources)
        self.live = all(source.live for source in sources)
        self._clock = clock if self.live else None
        self._horizon_ns = round(horizon_s * NS_PER_S)
        self._running = dict.fromkeys(range(len(self.sources)), LONG_AGO)
        self._failures: list[SourceError] = []
        self._raised = False
        self._closed = False
        self._first: dict[int, FrameBatch] = {}
        self._index: dict[str, int] = {}
        self._timebase, self._shifts = self._common_time(align)

        self._waiting = FrameBatch.empty()
        self._newest = LONG_AGO
        self._bound = LONG_AGO
        self._shown: dict[int, int] = {}
        self._handed = LONG_AGO
        self._left = 0
        self._late = 0

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return tuple(dict.fromkeys([*self._index, *(bus for source in self.sources for bus in source.buses)]))

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`."""
        return self._timebase

    @property
    def behind(self) -> bool:
        """See `FrameSource.behind`."""
        return any(self.sources[place].behind for place in self._running)

    @property
    def failures(self) -> tuple[SourceError, ...]:
        """Why sources failed, in the order in which they did."""
        return tuple(self._failures)

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; batches may be larger than those of the sources."""
        if self._closed and not self.live:
            return None
        left_s = timeout_s
        while True:
            arrived, waited_s = self._arrivals(left_s)
            left_s -= waited_s
            ended = not self._running
            batch = self._release(arrived, ended=ended)
            if len(batch):
                return batch
            if ended:
                if self._failures and not (self._raised or self._closed):
                    self._raised = True
                    raise self._failures[0]
                return None
            if left_s <= 0 and (self.live or not any(map(len, arrived))):
                return batch

    def close(self) -> None:
        """See `FrameSource.close`; closes the sources."""
        self._closed = True
        for source in self.sources:
            source.close()

    def hop(self) -> Hop:
        """See `FrameSource.hop`; the sources' own hops are summed up in it."""
        hops = [source.hop() for source in self.sources]
        set_aside: Counter[str] = Counter()
        at_least: Counter[str] = Counter()
        facts: Counter[str] = Counter()
        for hop in hops:
            set_aside.update(hop.set_aside)
            at_least.update(hop.at_least)
            facts.update(hop.facts)
        facts["late"] += self._late
        facts["failed sources"] = len(self._failures)
        held = sum(hop.left for hop in hops) - self._left
        if held:
            set_aside["unread when closed" if self._closed else WAITING] += held
        return Hop(
            name=hops[0].name if len(hops) == 1 else "merged buses",
            unit="frames",
            entered=sum(hop.entered for hop in hops),
            left=self._left,
            set_aside=dict(set_aside),
            at_least=dict(at_least),
            facts=dict(facts),
        )

    def _common_time(self, align: Literal["wall", "start"]) -> tuple[Timebase, dict[int, int | None]]:
        """The common timebase, and by how much each source is moved to it (None: by its wall offset)."""
        timebases = [source.timebase for source in self.sources]
        reference = max(range(len(timebases)), key=lambda place: (timebases[place].quality, -place))
        if self.live or len(timebases) == 1:
            return timebases[reference], dict.fromkeys(range(len(timebases)), 0)
        if align == "start":
            starts = {}
            for place in list(self._running):
                batch = self._read_source(place, 0)
                if batch is not None and len(batch):
                    self._first[place] = batch
                    starts[place] = int(batch.t_ns.min())
            origin = starts.get(reference, 0)
            return timebases[reference], {
                place: origin - starts.get(place, origin) for place in range(len(timebases))
            }
        known = [base.quality > TimeQuality.NONE or base.wall_offset_ns != 0 for base in timebases]
        if not any(known):
            return timebases[reference], dict.fromkeys(range(len(timebases)), 0)
        if not all(known):
            place = known.index(False)
            raise SourceError(
                "does not say when it was recorded, and others do",
                where=self.sources[place].hop().name,
                todo="Merge with align='start' to put the beginnings at the same instant",
            )
        return timebases[reference], dict.fromkeys(range(len(timebases)))

    def _arrivals(self, timeout_s: float) -> tuple[list[FrameBatch], float]:
        """What came in from one or all sources, and how long that was waited for at most."""
        if not self.live:
            if not self._running:
                return [], 0.0
            place = min(self._running, key=lambda candidate: (self._running[candidate], candidate))
            batch = self._arrival(place, timeout_s)
            if batch is None:
                return [], 0.0
            return [batch], 0.0 if len(batch) else timeout_s
        slice_s = max(0.0, timeout_s)
        if len(self._running) > 1:
            slice_s = min(slice_s, LIVE_SLICE_S)
        arrived: list[FrameBatch] = []
        waited_s = 0.0
        for place in list(self._running):
            batch = self._arrival(place, 0.0 if arrived else slice_s)
            if batch is not None and len(batch):
                arrived.append(batch)
            else:
                waited_s += slice_s
        return arrived, max(waited_s, LIVE_SLICE_S / 100)

    def _arrival(self, place: int, timeout_s: float) -> FrameBatch | None:
        """The next batch of one source on the common time and bus index."""
        batch = self._first.pop(place, None)
        if batch is None:
            batch = self._read_source(place, timeout_s)
        if batch is None or not len(batch):
            return batch
        shift = self._shifts[place]
        if shift is None:
            shift = batch.timebase.wall_offset_ns - self._timebase.wall_offset_ns
        if self.live:
            self._timebase = batch.timebase
        for name in batch.buses:
            self._index.setdefault(name, len(self._index))
        if len(self._index) > BUSES_MAX:
            raise SourceError("more than 256 buses", where=self.hop().name)
        places = np.array([self._index[name] for name in batch.buses], np.uint8)
        moved = replace(
            batch,
            t_ns=batch.t_ns + shift if shift else batch.t_ns,
            bus=places[batch.bus],
            buses=tuple(self._index),
            timebase=Timebase(),
        )
        self._running[place] = max(self._running[place], int(moved.t_ns.max()))
        return moved

    def _read_source(self, place: int, timeout_s: float) -> FrameBatch | None:
        """Read one source; one that has ended or failed is not read again."""
        try:
            batch = self.sources[place].read(timeout_s)
        except SourceError as error:
            self._failures.append(error)
            if len(self._running) > 1:
                logger.warning("%s; the other sources go on", error)
            batch = None
        if batch is None:
            del self._running[place]
        return batch

    def _release(self, arrived: list[FrameBatch], *, ended: bool) -> FrameBatch:
        """Take in what arrived and hand on what need not wait any more."""
        pool = [part for part in (self._waiting, *arrived) if len(part)]
        if not pool:
            return self._nothing()
        old = len(self._waiting)
        batch = concatenate(pool)
        bounds = self._live_bound(arrived) if self.live else self._bounds(batch.t_ns[old:])
        # The step at which each frame may go: that of the arrival that puts it behind the bound; one that
        # arrives behind the bound already goes at its own.
        steps = bounds.searchsorted(batch.t_ns)
        out_of_turn = False
        if not self.live:
            own = np.maximum(np.arange(len(batch)) - old, 0)
            out_of_turn = bool((own > steps).any())
            steps = np.maximum(steps, own)
        going = steps < len(bounds)
        if ended or going.all():
            self._waiting = FrameBatch.empty()
        elif not going.any():
            self._waiting = batch
            return self._nothing()
        else:
            self._waiting = batch.take(~going)
            batch, steps = batch.take(going), steps[going]
        handed_on = batch.take(_rising(batch, steps if out_of_turn else None))
        self._left += len(handed_on)
        newest = np.maximum.accumulate(handed_on.t_ns)
        self._late += int(np.count_nonzero(handed_on.t_ns < np.maximum(newest, self._handed)))
        self._handed = max(self._handed, int(newest[-1]))
        return replace(handed_on, timebase=self._timebase)

    def _nothing(self) -> FrameBatch:
        return replace(FrameBatch.empty(tuple(self._index)), timebase=self._timebase)

    def _live_bound(self, arrived: list[FrameBatch]) -> Int64s:
        """Up to which time frames of live sources may go: what one reading brought of all came at once."""
        for part in arrived:
            self._newest = max(self._newest, int(part.t_ns.max()))
            present = np.flatnonzero(np.bincount(part.bus)).tolist()
            for place in present:
                own = part.t_ns if len(present) == 1 else part.t_ns[part.bus == place]
                self._shown[place] = max(self._shown.get(place, LONG_AGO), int(own.max()))
        places = [self._index.setdefault(name, len(self._index)) for name in self.buses]
        shown = min((self._shown.get(place, LONG_AGO) for place in places), default=LONG_AGO)
        bounds = [self._bound, self._newest - self._horizon_ns, shown - 1]
        if self._clock is not None:
            bounds += [self._clock.boot_ns() - self._horizon_ns, self._complete() - 1]
        self._bound = max(bounds)
        return np.array([self._bound])

    def _bounds(self, t_ns: Int64s) -> Int64s:
        """After each arrival of recordings: up to which time frames may go."""
        newest = np.maximum.accumulate(np.concatenate([[self._newest], t_ns]))[1:]
        bounds = newest - self._horizon_ns
        if len(t_ns):
            self._newest = int(newest[-1])
        bounds = np.maximum.accumulate(np.concatenate([[self._bound], bounds]))[1:]
        if len(bounds):
            self._bound = int(bounds[-1])
        return bounds

    def _complete(self) -> int:
        """Boot time up to which every source that goes on has handed on all it had."""
        said = [self.sources[place].complete_ns for place in self._running]
        return min((LONG_AGO if one is None else one for one in said), default=LONG_AGO)


def _rising(batch: FrameBatch, steps: Indices | None) -> Indices:
    """The order of frames: by step where there are any, then by time, by name of bus, by arrival."""
    names = np.argsort(np.argsort(np.array(batch.buses))).take(batch.bus)
    begin = batch.t_ns.min()
    if steps is None and int(batch.t_ns.max()) - int(begin) < _SPAN_MAX_NS:
        return np.argsort((batch.t_ns - begin) * BUSES_MAX + names, kind="stable")
    return np.lexsort([names, batch.t_ns] if steps is None else [names, batch.t_ns, steps])
