"""`WaitingStore`: the records of a platform's store that a destination has yet to be given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise

from edge.clock import NS_PER_DAY, NS_PER_S, Clock
from edge.journal.ranges import RangeSet
from simulator.conversion.converter import Aside, Converter, timed
from simulator.conversion.forward_ledger import ForwardLedger
from simulator.conversion.waiting import LOOK_S, TOO_OLD, Parcel, Waiting
from simulator.platform.rows import StoredRecord

LIVE_MOST = 10_000
"""So many live records wait as such; those beyond go as backlog."""

_READ_MOST = 64
_ARRIVALS_MOST = 4096
_Place = tuple[int, int]


class WaitingStore(Waiting):
    """What a platform's store holds, in the order in which it goes.

    Records that come while the session stands are live, unless they came as backlog themselves; all else is
    backlog: of each stream in order of numbers, the streams in turn. A record without wall time waits until a
    correction gives it one.

    Args:
        ledger: the cursor.
        converter: makes the messages.
        clock: tells how old a record is.
        reissue_days: older backlog does not go; 0 for no such limit.
        refused_again: whether what was refused before is tried again.
        from_now: whether only what comes from now on goes.
        warn: told once of each vehicle of which no VIN is known.
    """

    def __init__(
        self,
        ledger: ForwardLedger,
        converter: Converter,
        clock: Clock,
        *,
        reissue_days: float = 0.0,
        refused_again: bool = False,
        from_now: bool = False,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self.name = f"forwarding to {ledger.destination}"
        self._ledger = ledger
        self._converter = converter
        self._clock = clock
        self._window_ns = round(reissue_days * NS_PER_DAY)
        self._warn = warn
        self._warned: set[str] = set()
        self._up = False
        self._last_row, waiting = ledger.begin(refused_again=refused_again)
        if from_now:
            waiting = {}
        self._backlog: dict[int, RangeSet] = waiting
        self._turn: deque[int] = deque(waiting)
        self._untimed: dict[int, RangeSet] = {}
        self._corrections = ledger.corrections()
        self._live: deque[_Place] = deque()
        self._read: dict[bool, deque[tuple[_Place, StoredRecord]]] = {True: deque(), False: deque()}
        self._looked_ns: int | None = None
        self._entered = sum(numbers.count() for numbers in waiting.values())
        self.following = True

    @property
    def exhausted(self) -> bool:
        """See `Waiting.exhausted`; while `following` there may always come more."""
        return not self.following and not self._waits()

    def connect(self, *, up: bool) -> None:
        """See `Waiting.connect`."""
        self._look(at_once=True)
        self._up = up
        if not up:
            for place in (*(place for place, _ in self._read[False]), *self._live):
                self._later(place)
            self._read[False].clear()
            self._live.clear()

    def take(self, *, backlog: bool) -> Parcel | None:
        """See `Waiting.take`."""
        self._look()
        while True:
            found = self._next(backlog=backlog)
            if found is None:
                return None
            parcel = self._parcel(*found)
            if parcel is not None:
                return self._hand_out(parcel)

    def settle(self, parcel: Parcel) -> None:
        """See `Waiting.settle`."""
        super().settle(parcel)
        self._ledger.settle(*_place(parcel))

    def refuse(self, parcel: Parcel, why: str) -> None:
        """See `Waiting.refuse`."""
        super().refuse(parcel, why)
        self._ledger.refuse(*_place(parcel))

    def again(self, parcel: Parcel) -> None:
        """See `Waiting.again`."""
        self._under_way -= 1
        self._later(_place(parcel))

    def waiting(self) -> int:
        """See `Waiting.waiting`."""
        kept = (*self._backlog.values(), *self._untimed.values())
        return self._held() + sum(numbers.count() for numbers in kept)

    def untimed(self) -> int:
        """How many of these wait for a time correction."""
        return sum(numbers.count() for numbers in self._untimed.values())

    def commit(self) -> None:
        """See `Waiting.commit`."""
        self._ledger.commit()

    def _held(self) -> int:
        return len(self._live) + sum(map(len, self._read.values()))

    def _waits(self) -> bool:
        return bool(self._held() or any(self._backlog.values()))

    def _look(self, *, at_once: bool = False) -> None:
        """See what has come into the store, at most every `LOOK_S` seconds."""
        now_ns = self._clock.boot_ns()
        if not at_once and self._looked_ns is not None and now_ns < self._looked_ns + LOOK_S * NS_PER_S:
            return
        self._looked_ns = now_ns
        while arrivals := self._ledger.arrivals(self._last_row, _ARRIVALS_MOST):
            for arrival in arrivals:
                place = arrival.stream, arrival.number
                if self._up and not arrival.late and len(self._live) < LIVE_MOST:
                    self._live.append(place)
                else:
                    self._later(place)
            self._entered += len(arrivals)
            self._last_row = arrivals[-1].row
        corrections = self._ledger.corrections()
        if corrections != self._corrections:
            self._corrections = corrections
            untimed, self._untimed = self._untimed, {}
            for stream, numbers in untimed.items():
                for first, last in numbers:
                    self._later((stream, first), last)

    def _later(self, place: _Place, last: int | None = None) -> None:
        stream, first = place
        numbers = self._backlog.get(stream)
        if numbers is None:
            numbers = self._backlog[stream] = RangeSet()
            self._turn.append(stream)
        numbers.add(first, first if last is None else last)

    def _next(self, *, backlog: bool) -> tuple[_Place, StoredRecord, bool] | None:
        if not self._read[False] and self._live:
            self._read_live()
        if self._read[False]:
            return *self._read[False].popleft(), False
        if not backlog:
            return None
        if not self._read[True]:
            self._read_backlog()
        return (*self._read[True].popleft(), True) if self._read[True] else None

    def _read_live(self) -> None:
        """Read the next live records, those of a run at once."""
        stream, first = self._live[0]
        run = 1
        for before, after in pairwise(self._live):
            if after != (stream, before[1] + 1) or run == _READ_MOST:
                break
            run += 1
        for _ in range(run):
            self._live.popleft()
        self._take_in(stream, first, first + run - 1, late=False)

    def _read_backlog(self) -> None:
        """Read the next records of the stream whose turn it is."""
        while self._turn and not self._read[True]:
            stream = self._turn.popleft()
            numbers = self._backlog[stream]
            first, last = next(iter(numbers))
            last = min(last, first + _READ_MOST - 1)
            numbers.remove(first, last)
            if numbers:
                self._turn.append(stream)
            else:
                del self._backlog[stream]
            self._take_in(stream, first, last, late=True)

    def _take_in(self, stream: int, first: int, last: int, *, late: bool) -> None:
        self._read[late].extend(
            ((stream, stored.record.number), stored) for stored in self._ledger.records(stream, first, last)
        )

    def _parcel(self, place: _Place, stored: StoredRecord, late: bool) -> Parcel | None:
        if late and self._is_old(stored):
            self._aside[TOO_OLD] += 1
            self._ledger.settle(*place)
            return None
        converted = self._converter.stored(stored, late=late)
        match converted.aside:
            case None:
                return Parcel(place, converted.messages, late)
            case Aside.NO_TIME:
                self._converter.forget(converted)
                self._untimed.setdefault(place[0], RangeSet()).add(place[1], place[1])
                return None
            case Aside.NOTHING_SAID:
                self._ledger.settle(*place)
            case aside:
                self._ledger.refuse(*place)
                if aside is Aside.NO_VIN and stored.vehicle not in self._warned:
                    self._warned.add(stored.vehicle)
                    self._warn(f"{aside.value} '{stored.vehicle}': its records do not go")
        self._aside[converted.aside.value] += 1
        return None

    def _is_old(self, stored: StoredRecord) -> bool:
        record = timed(stored)
        if not self._window_ns or not record.timebase.quality:
            return False
        return record.timebase.wall_ns(record.t_ns) < self._clock.wall_ns() - self._window_ns


def _place(parcel: Parcel) -> _Place:
    match parcel.token:
        case (int(stream), int(number)):
            return stream, number
        case _:
            message = f"{parcel.token!r} is no place in a store"
            raise TypeError(message)
