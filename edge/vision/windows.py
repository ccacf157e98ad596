"""`EventWindows`: pictures of the last seconds in memory, out of which an event takes those around it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from edge.account import Hop
from edge.clock import NS_PER_S
from edge.vision.picture import Picture
from edge.vision.reasons import Dropped
from edge.vision.redaction import destroy

_EARLY_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """What is kept for an event that may come.

    Attributes:
        before_s: how far back pictures are kept.
        late_s: how long after an event it may be told of and still find all that was before it.
        rate_hz: pictures a second, at most; others are not wanted.
        bytes_most: of all pixels kept, also of those that wait to be handed out.
        events_most: how many events may be open; more are refused.
    """

    before_s: float = 5.0
    late_s: float = 1.0
    rate_hz: float = 5.0
    bytes_most: int = 256 << 20
    events_most: int = 8


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """What pictures are kept around; one that is told twice is two.

    Attributes:
        name: of it.
        t_ns: when it was, nanoseconds of the boot clock.
        from_ns: pictures from here on are kept.
        to_ns: to here, included.
    """

    name: str
    t_ns: int
    from_ns: int
    to_ns: int


@dataclass(slots=True, eq=False)
class _Slot:
    """A picture and how many want it yet: the ring, and each event that has not been handed it."""

    picture: Picture
    holders: int
    handed: bool = False


@dataclass(slots=True, eq=False)
class _Window:
    event: Event
    slots: deque[_Slot] = field(default_factory=deque)
    over: bool = False


class EventWindows:
    """Keeps copies of a camera's pictures for a while, and hands those around an event out one by one.

    Each event has its own pictures, in order of their time: they are to go through a line of their own, so
    that two events that overlap do not take each other's. What nothing wants any more is overwritten.

    Where memory is full, what is kept in case of an event goes first, the oldest before all; then pictures
    that come are counted as `Dropped.QUEUE` until some were handed out. What an event has is not taken away.

    Args:
        camera: its name, for the account.
        settings: what is kept.
    """

    def __init__(self, camera: str, settings: WindowSettings) -> None:
        self._camera = camera
        self._settings = settings
        self._ring: deque[_Slot] = deque()
        self._windows: list[_Window] = []
        self._bytes = 0
        self._waiting = 0
        self._next_ns: int | None = None
        self._entered = 0
        self._left = 0
        self._set_aside: Counter[Dropped] = Counter()
        self._facts: Counter[str] = Counter()

    def add(self, picture: Picture) -> None:
        """Take in the next picture, later than all before; a copy is kept, the picture stays the caller's."""
        self._entered += 1
        self._let_go(picture.t_ns)
        if not self._is_due(picture.t_ns):
            self._set_aside[Dropped.NOT_WANTED] += 1
            return
        room = self._settings.bytes_most - picture.pixels.nbytes
        while self._bytes > room and (oldest := self._oldest_of_ring_alone()) is not None:
            self._ring.remove(oldest)
            self._release(oldest)
        if self._bytes > room:
            self._set_aside[Dropped.QUEUE] += 1
            return
        copy = Picture(picture.camera, picture.number, picture.t_ns, picture.pixels.copy())
        slot = _Slot(copy, holders=1)
        self._bytes += copy.pixels.nbytes
        self._waiting += 1
        self._ring.append(slot)
        for window in self._windows:
            if not window.over and window.event.from_ns <= picture.t_ns <= window.event.to_ns:
                slot.holders += 1
                window.slots.append(slot)

    def trigger(self, name: str, t_ns: int, before_s: float, after_s: float) -> Event | None:
        """Keep what is around an event; None where too many are open already.

        Args:
            name: of the event.
            t_ns: when it was.
            before_s: from how long before it; what was not kept so long is missing.
            after_s: to how long after it.
        """
        if len(self._windows) >= self._settings.events_most:
            self._facts["events refused"] += 1
            return None
        event = Event(name, t_ns, t_ns - round(before_s * NS_PER_S), t_ns + round(after_s * NS_PER_S))
        window = _Window(event)
        for slot in self._ring:
            if event.from_ns <= slot.picture.t_ns <= event.to_ns:
                slot.holders += 1
                window.slots.append(slot)
        self._windows.append(window)
        self._facts["events"] += 1
        return event

    def taken(self, most: int | None = None) -> list[tuple[Event, Picture]]:
        """Hand out pictures of events, the oldest event first; they are the caller's from now on.

        Args:
            most: how many at most; None for all that there are.
        """
        out: list[tuple[Event, Picture]] = []
        for window in self._windows:
            while window.slots and (most is None or len(out) < most):
                out.append((window.event, self._hand_out(window.slots.popleft())))
        return out

    def ended(self, now_ns: int) -> list[Event]:
        """Events whose time is over and whose pictures were all handed out, each told once.

        Args:
            now_ns: the time of the boot clock; pictures that come are not older than `late_s` before it.
        """
        late_ns = round(self._settings.late_s * NS_PER_S)
        over = [
            window
            for window in self._windows
            if not window.slots and (window.over or now_ns > window.event.to_ns + late_ns)
        ]
        self._windows = [window for window in self._windows if window not in over]
        return [window.event for window in over]

    def discard(self, reason: Dropped) -> None:
        """Drop all pictures and end all events, such as where nothing may be kept any more."""
        for window in self._windows:
            window.over = True
            self._release_all(window.slots, reason)
        self._release_all(self._ring, reason)

    def hop(self) -> Hop:
        """The account: a picture left when an event was handed it; one that still waits has not entered."""
        set_aside = {str(reason): self._set_aside[reason] for reason in Dropped if self._set_aside[reason]}
        return Hop(
            name=f"windows of {self._camera}",
            unit="frames",
            entered=self._entered - self._waiting,
            left=self._left,
            set_aside=set_aside,
            facts={
                "waiting": self._waiting,
                **{name: self._facts[name] for name in sorted(self._facts)},
            },
        )

    @property
    def pending(self) -> bool:
        """Whether an event has a picture that was not handed out."""
        return any(window.slots for window in self._windows)

    @property
    def bytes_kept(self) -> int:
        """Of the pixels that are kept now."""
        return self._bytes

    def _is_due(self, t_ns: int) -> bool:
        """Whether the rate allows a picture now; a little early is in time, or the rate would halve."""
        period_ns = NS_PER_S / self._settings.rate_hz
        if self._next_ns is not None and t_ns < self._next_ns - _EARLY_SHARE * period_ns:
            return False
        late = self._next_ns is None or t_ns - self._next_ns > period_ns
        self._next_ns = round((t_ns if late or self._next_ns is None else self._next_ns) + period_ns)
        return True

    def _oldest_of_ring_alone(self) -> _Slot | None:
        return next((slot for slot in self._ring if slot.holders == 1), None)

    def _let_go(self, now_ns: int) -> None:
        for window in self._windows:
            window.over = window.over or now_ns > window.event.to_ns
        kept_ns = round((self._settings.before_s + self._settings.late_s) * NS_PER_S)
        while self._ring and self._ring[0].picture.t_ns < now_ns - kept_ns:
            self._release(self._ring.popleft())

    def _hand_out(self, slot: _Slot) -> Picture:
        """The picture itself for the last who wants it, a copy for others."""
        self._facts["handed out"] += 1
        if not slot.handed:
            slot.handed = True
            self._left += 1
            self._waiting -= 1
        picture = slot.picture
        if slot.holders == 1:
            self._forget(slot)
            return picture
        slot.holders -= 1
        return Picture(picture.camera, picture.number, picture.t_ns, picture.pixels.copy())

    def _release_all(self, slots: deque[_Slot], reason: Dropped) -> None:
        while slots:
            self._release(slots.popleft(), reason)

    def _release(self, slot: _Slot, reason: Dropped = Dropped.NOT_WANTED) -> None:
        slot.holders -= 1
        if slot.holders:
            return
        destroy(slot.picture.pixels)
        if not slot.handed:
            self._set_aside[reason] += 1
            self._waiting -= 1
        self._forget(slot)

    def _forget(self, slot: _Slot) -> None:
        slot.holders = 0
        self._bytes -= slot.picture.pixels.nbytes
