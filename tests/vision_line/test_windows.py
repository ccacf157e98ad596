"""Around an event is kept what was asked for, within bounds; all else is overwritten."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.clock import NS_PER_S
from edge.vision.picture import Picture, Pixels
from edge.vision.reasons import Dropped
from edge.vision.windows import Event, EventWindows, WindowSettings
from tests.vision_line.scripted import picture

SIDE = 4
ONE = SIDE * SIDE * 3


def small(number: int, t_s: float) -> Picture:
    return picture(number, t_s, value=200, height=SIDE, width=SIDE)


def stream(windows: EventWindows, first: int, last: int) -> None:
    """Pictures at 10 Hz."""
    for number in range(first, last):
        windows.add(small(number, number / 10))


def ns(t_s: float) -> int:
    return round(t_s * NS_PER_S)


def test_an_event_has_the_pictures_before_and_after_it() -> None:
    windows = EventWindows("front", WindowSettings(before_s=2, rate_hz=10))
    stream(windows, 0, 50)
    event = windows.trigger("brake", ns(4.5), before_s=1, after_s=0.7)
    stream(windows, 50, 60)
    assert [one.number for _, one in windows.taken()] == list(range(35, 53))
    assert windows.ended(ns(5.9)) == [event]
    assert windows.ended(ns(5.9)) == []


def test_what_an_event_has_is_a_copy_and_the_callers() -> None:
    windows = EventWindows("front", WindowSettings(rate_hz=10))
    given_away = small(0, 0.0)
    windows.add(given_away)
    given_away.pixels[...] = 0
    windows.trigger("brake", 0, 1, 1)
    (_, first), *_ = windows.taken()
    assert (first.pixels == 200).all()


def test_events_that_overlap_have_their_own_pictures_each() -> None:
    windows = EventWindows("front", WindowSettings(rate_hz=10))
    stream(windows, 0, 10)
    first = windows.trigger("brake", ns(0.5), 0.2, 1)
    taken = windows.taken()
    second = windows.trigger("collision", ns(0.6), 0.4, 1)
    taken += windows.taken()
    numbers = {event: [one.number for of, one in taken if of is event] for event in (first, second)}
    assert numbers == {first: list(range(3, 10)), second: list(range(2, 10))}
    for _, one in taken:
        assert (one.pixels == 200).all()
        one.pixels[...] = 0


def test_a_faster_camera_is_thinned_to_the_rate_and_a_slower_one_is_not() -> None:
    for camera_hz, kept in ((30, 50), (5, 50), (4.9, 50), (3, 30)):
        windows = EventWindows("front", WindowSettings(before_s=100, rate_hz=5))
        for number in range(int(camera_hz * 10)):
            windows.add(small(number, number / camera_hz))
        assert abs(windows.hop().facts["waiting"] - kept) <= 1


def test_what_gets_too_old_is_counted_as_not_wanted() -> None:
    windows = EventWindows("front", WindowSettings(before_s=1, late_s=0.5, rate_hz=10))
    stream(windows, 0, 100)
    assert windows.hop().set_aside == {str(Dropped.NOT_WANTED): 84}
    assert windows.hop().balanced


def test_what_nothing_wants_any_more_is_overwritten() -> None:
    copies: list[Pixels] = []

    class Seen(np.ndarray):
        def copy(self, *_: object) -> Pixels:  # type: ignore[override]
            copies.append(np.array(self))
            return copies[-1]

    windows = EventWindows("front", WindowSettings(before_s=1, late_s=0, rate_hz=10))
    for number in range(20):
        one = small(number, number / 10)
        windows.add(Picture(one.camera, one.number, one.t_ns, one.pixels.view(Seen)))
    assert [bool(kept.any()) for kept in copies] == [False] * 9 + [True] * 11
    windows.discard(Dropped.POLICY)
    assert not any(kept.any() for kept in copies)


def test_where_memory_is_full_an_event_keeps_what_it_has() -> None:
    windows = EventWindows("front", WindowSettings(before_s=1, rate_hz=10, bytes_most=12 * ONE))
    stream(windows, 0, 20)
    windows.trigger("brake", ns(1.9), 0.5, 10)
    stream(windows, 20, 60)
    assert windows.hop().set_aside[str(Dropped.QUEUE)] == 34
    assert [one.number for _, one in windows.taken()] == list(range(14, 26))
    stream(windows, 60, 62)
    assert [one.number for _, one in windows.taken()] == [60, 61]


def test_events_beyond_a_bound_are_refused() -> None:
    windows = EventWindows("front", WindowSettings(events_most=2))
    assert [windows.trigger("brake", 0, 1, 1) is None for _ in range(4)] == [False, False, True, True]
    assert windows.hop().facts["events refused"] == 2


def test_an_event_without_pictures_ends_by_the_clock() -> None:
    windows = EventWindows("front", WindowSettings(late_s=1))
    event = windows.trigger("brake", 0, 1, 2)
    assert windows.ended(ns(2.9)) == []
    assert windows.ended(ns(3.1)) == [event]


def test_an_event_that_was_discarded_takes_nothing_more() -> None:
    windows = EventWindows("front", WindowSettings(rate_hz=10))
    stream(windows, 0, 10)
    event = windows.trigger("brake", ns(0.9), 1, 5)
    windows.discard(Dropped.POLICY)
    stream(windows, 10, 20)
    assert windows.taken() == []
    assert windows.ended(ns(2)) == [event]


@given(st.lists(st.floats(0, 0.4), max_size=60), st.floats(0, 3), st.floats(0, 3), st.integers(0, 59))
def test_a_window_holds_exactly_what_was_taken_in_it(
    pauses: list[float], before_s: float, after_s: float, at: int
) -> None:
    windows = EventWindows("front", WindowSettings(before_s=3, rate_hz=1e6))
    t_s, times, event = 0.0, [], None
    for number, pause in enumerate(pauses):
        t_s += pause + 1e-5
        windows.add(small(number, t_s))
        times.append(ns(t_s))
        if number == at:
            event = windows.trigger("brake", ns(t_s), before_s, after_s)
    taken = [one.t_ns for _, one in windows.taken()]
    assert taken == ([t for t in times if event.from_ns <= t <= event.to_ns] if event else [])


class AnyOrder(RuleBasedStateMachine):
    """Whatever is done in whatever order, memory stays in its bound and every picture is accounted for."""

    @initialize(most=st.integers(1, 12), events=st.integers(1, 3))
    def open(self, most: int, events: int) -> None:
        bounds = WindowSettings(before_s=2, rate_hz=5, bytes_most=most * ONE, events_most=events)
        self.windows = EventWindows("front", bounds)
        self.most = most
        self.number = 0
        self.t_s = 0.0
        self.handed: list[tuple[Event, Picture]] = []

    @rule(pause=st.floats(0.01, 1.5))
    def add(self, pause: float) -> None:
        self.t_s += pause
        self.windows.add(small(self.number, self.t_s))
        self.number += 1

    @rule(ago=st.floats(0, 1), before_s=st.floats(0, 2), after_s=st.floats(0, 2))
    def trigger(self, ago: float, before_s: float, after_s: float) -> None:
        self.windows.trigger("brake", ns(self.t_s - ago), before_s, after_s)

    @rule(most=st.one_of(st.none(), st.integers(0, 3)))
    def take(self, most: int | None) -> None:
        taken = self.windows.taken(most)
        assert most is None or len(taken) <= most
        self.handed += taken

    @rule()
    def end(self) -> None:
        self.windows.ended(ns(self.t_s))

    @rule()
    def discard(self) -> None:
        self.windows.discard(Dropped.POLICY)
        assert self.windows.bytes_kept == 0

    @invariant()
    def is_bounded_and_balanced(self) -> None:
        hop = self.windows.hop()
        assert self.windows.bytes_kept <= self.most * ONE
        assert hop.balanced
        assert hop.entered + hop.facts["waiting"] == self.number
        assert hop.left == len({one.number for _, one in self.handed})
        assert len({(event, one.number) for event, one in self.handed}) <= len(self.handed)
        assert all(event.from_ns <= one.t_ns <= event.to_ns for event, one in self.handed)


AnyOrder.TestCase.settings = settings(max_examples=15, stateful_step_count=40)
TestAnyOrder = AnyOrder.TestCase
