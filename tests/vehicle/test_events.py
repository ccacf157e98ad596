"""Events come about at the frame that shows them, with the raw frames around it, however these come in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.condition import Comparison
from edge.clock import Timebase
from edge.database.load import parse_database
from edge.database.model import SignalRef
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.vehicle.event_watch import EventWatch
from edge.vehicle.expression import Expression, SignalComparison
from edge.vehicle.outcome import EventEnded, EventFrames, EventOutcome, EventStarted
from edge.vehicle.trigger import LASTED_LONGEST, RUN_ENDED, TIME_OVER, Trigger
from tests.vehicle.state import S, made_up

MOTION, ALARMS, UNKNOWN = 256, 260, 77


def compare(name: str, sign: str, number: float) -> SignalComparison:
    message, _, signal = name.partition(".")
    return SignalComparison(SignalRef("pt", message, signal), Comparison(sign, number))


FAST = Trigger(
    name="fast",
    expression=Expression(
        all_of=(compare("Motion.Speed", ">", 100),), clear_when=(compare("Motion.Speed", "<", 80),)
    ),
    for_ns=0,
    pre_ns=3 * S,
    post_ns=2 * S,
    longest_ns=6 * S,
    frames=True,
)
HOT_AND_FAST = replace(
    FAST,
    name="hot and fast",
    expression=Expression(
        all_of=(compare("Motion.Speed", ">", 50),),
        any_of=(compare("Alarms.Hot", "!=", 0), compare("Alarms.Thermal", "==", 1)),
    ),
    for_ns=2 * S,
    most_per_hour=2,
)
TRIGGERS = (FAST, HOT_AND_FAST, replace(FAST, name="note only", frames=False, post_ns=0))


def watch(*triggers: Trigger, ring_bytes: int = 1_000_000) -> EventWatch:
    return EventWatch({"pt": [made_up()]}, triggers, ring_bytes=ring_bytes)


def motion(at_s: float, speed: float) -> Frame:
    return Frame(round(at_s * S), MOTION, round(speed * 100).to_bytes(2, "little") + bytes(6), "pt")


def flags(at_s: float, *, hot: bool = False, thermal: bool = False) -> Frame:
    return Frame(round(at_s * S), ALARMS, bytes([hot | thermal << 3, *bytes(7)]), "pt")


def other(at_s: float) -> Frame:
    return Frame(round(at_s * S), UNKNOWN, b"\x01\x02", "pt")


def batch(frames: Sequence[Frame]) -> FrameBatch:
    return FrameBatch.from_frames(frames, buses=["pt"], timebase=Timebase(5))


def outcomes(made: EventWatch, frames: Sequence[Frame], cuts: Iterable[int] = ()) -> list[EventOutcome]:
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(frames)), len(frames)]
    found: list[EventOutcome] = []
    for begin, end in pairwise(places):
        made.take(batch(frames[begin:end]))
        found += made.take_outcomes()
    return found


@dataclass
class Told:
    """One event as somebody who listens puts it together."""

    started: EventStarted
    frames: list[Frame] = field(default_factory=list)
    ended: EventEnded | None = None

    @property
    def times(self) -> list[float]:
        return [frame.t_ns / S for frame in self.frames]


def told(found: Iterable[EventOutcome]) -> dict[str, Told]:
    events: dict[str, Told] = {}
    for outcome in found:
        match outcome:
            case EventStarted():
                assert outcome.event_id not in events
                events[outcome.event_id] = Told(outcome)
            case EventFrames(event_id, frames):
                assert events[event_id].ended is None
                assert len(frames)
                events[event_id].frames += [frames.frame(place) for place in range(len(frames))]
            case EventEnded():
                assert events[outcome.event_id].ended is None
                events[outcome.event_id].ended = outcome
    for event in events.values():
        assert event.ended is None or event.ended.frames == len(event.frames)
    return events


def only(found: Iterable[EventOutcome]) -> Told:
    (event,) = told(found).values()
    return event


def every_half(from_s: float, to_s: float) -> list[Frame]:
    return [other(half / 2) for half in range(round(from_s * 2), round(to_s * 2))]


def in_order(frames: Iterable[Frame]) -> list[Frame]:
    return sorted(frames, key=lambda frame: frame.t_ns)


def test_an_event_is_at_the_frame_that_shows_it_and_has_the_frames_around_it() -> None:
    frames = in_order([*every_half(0, 20), motion(1.1, 90), motion(10.1, 100.5), motion(10.2, 90)])
    event = only(outcomes(watch(FAST), frames))
    assert event.started == EventStarted(
        event_id="fast@10100000000",
        trigger="fast",
        at_ns=10_100_000_000,
        from_ns=7_100_000_000,
        to_ns=12_100_000_000,
        cause="pt.Motion.Speed > 100 (100.5)",
        frames=True,
        locked=False,
        complete_from_ns=7_100_000_000,
    )
    assert event.times == [7.5, 8, 8.5, 9, 9.5, 10, 10.1, 10.2, 10.5, 11, 11.5, 12]
    assert event.ended is not None
    assert (event.ended.to_ns, event.ended.cause, event.ended.again) == (12_100_000_000, TIME_OVER, 0)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_event_is_told_with_the_batch_that_shows_it(size: int) -> None:
    frames = in_order([*every_half(0, 20), motion(1.1, 90), motion(10.1, 120)])
    made = watch(FAST)
    for place in range(0, len(frames), size):
        part = frames[place : place + size]
        made.take(batch(part))
        begun = [each for each in made.take_outcomes() if isinstance(each, EventStarted)]
        assert bool(begun) == any(frame.t_ns == 10_100_000_000 for frame in part)


def test_one_frame_among_many_is_enough() -> None:
    frames = [motion(at / 1000, 150 if at == 7321 else 20) for at in range(10_000)]
    assert only(outcomes(watch(FAST), frames)).started.at_ns == 7_321_000_000


def test_hysteresis_holds_the_condition_until_it_has_cleared() -> None:
    speeds = {1: 110, 2: 95, 3: 105, 9: 85, 10: 110, 20: 70, 21: 101, 30: 0}
    frames = [motion(at, speed) for at, speed in speeds.items()]
    assert [event.started.at_ns // S for event in told(outcomes(watch(FAST), frames)).values()] == [1, 21]


def test_a_condition_has_to_hold_for_its_time_and_is_dated_by_its_beginning() -> None:
    trigger = replace(HOT_AND_FAST, most_per_hour=None)
    frames = [motion(0, 60), flags(10, hot=True), flags(11.9), flags(20, hot=True), motion(30, 60), flags(40)]
    event = only(outcomes(watch(trigger), frames))
    assert event.started.at_ns == 20 * S
    assert (event.started.from_ns, event.started.to_ns) == (17 * S, 24 * S)
    assert event.started.cause == "pt.Motion.Speed > 50 (60) and pt.Alarms.Hot != 0 (1)"
    # Held for exactly its time is held for long enough.
    exact = [motion(0, 60), flags(10, thermal=True), flags(12)]
    assert only(outcomes(watch(trigger), exact)).started.at_ns == 10 * S


def test_a_silent_bus_lets_events_begin_and_end_by_the_clock() -> None:
    made = watch(HOT_AND_FAST)
    made.take(batch([motion(0, 60), flags(10, hot=True)]))
    made.settle(round(11.9 * S))
    assert made.take_outcomes() == ()
    made.settle(12 * S)
    event = only(begun := made.take_outcomes())
    assert event.times == [10]
    made.settle(14 * S)
    assert made.take_outcomes() == ()
    made.settle(14 * S + 1)
    assert only([*begun, *made.take_outcomes()]).ended is not None


def test_what_comes_about_again_prolongs_the_event_up_to_its_longest() -> None:
    frames = in_order(
        [*every_half(0, 30), *(motion(10 + half, 110 if half % 2 else 0) for half in range(1, 10))]
    )
    first, *others = told(outcomes(watch(FAST), frames)).values()
    assert first.started.at_ns == 11 * S
    assert first.ended is not None
    assert (first.ended.to_ns, first.ended.cause) == (17 * S, LASTED_LONGEST)
    assert first.ended.again == 3
    assert [event.started.at_ns // S for event in others] == [19]


def test_no_more_than_so_many_an_hour() -> None:
    trigger = replace(FAST, most_per_hour=2)
    times = [100, 200, 300, 3_699, 3_701, 3_750, 3_801]
    frames = [motion(at + half, 110 - 110 * half) for at in times for half in range(2)]
    made = watch(trigger)
    found = told(outcomes(made, frames))
    assert [event.started.at_ns // S for event in found.values()] == [100, 200, 3_701, 3_801]
    hop = made.hop()
    assert (hop.entered, hop.left, hop.balanced) == (7, 4, True)
    assert dict(hop.set_aside) == {"more than most_per_hour": 3}


def test_the_ring_is_bounded_and_says_from_when_on_it_is_whole() -> None:
    frames = [*every_half(0, 10), motion(10, 110), *every_half(10.5, 14)]
    # Frames of 19 bytes each: four fit.
    event = only(outcomes(watch(FAST, ring_bytes=80), frames))
    assert event.times[:5] == [8, 8.5, 9, 9.5, 10]
    assert event.started.complete_from_ns == 7_500_000_001
    assert event.times[-1] == 12


def test_an_event_right_after_the_start_says_that_its_beginning_is_missing() -> None:
    made = watch(FAST)
    event = only(outcomes(made, [other(8.5), motion(10, 110), other(13)]))
    assert event.started.from_ns == 7 * S
    assert event.started.complete_from_ns == round(8.5 * S)
    assert made.hop().facts["events whose beginning was not kept"] == 1


def test_an_event_that_is_open_ends_with_the_run() -> None:
    made = watch(FAST)
    found = outcomes(made, [motion(10, 110)])
    made.end()
    ended = only([*found, *made.take_outcomes()]).ended
    assert ended is not None
    assert (ended.cause, ended.frames) == (RUN_ENDED, 1)


def test_the_first_events_are_locked_unless_nobody_saw_them_come_about() -> None:
    airbag = replace(FAST, expression=Expression(any_of=(compare("Alarms.Thermal", "!=", 0),)), most_locked=3)
    frames = [flags(at, thermal=at % 20 == 0) for at in range(0, 120, 10)]
    locked = [event.started.locked for event in told(outcomes(watch(airbag), frames)).values()]
    assert locked == [False, True, True, True, False, False]


@pytest.mark.parametrize("cuts", [[], [1], [2], [1, 2]])
def test_frames_of_one_time_belong_to_what_came_before_in_their_order(cuts: list[int]) -> None:
    frames = [other(5), motion(5, 0), motion(5, 120)]
    event = only(outcomes(watch(FAST, ring_bytes=30), frames, cuts))
    assert event.frames == frames[1:]
    assert event.started.complete_from_ns == 5 * S + 1


GROUPS = """VERSION ""
BU_: A B
BO_ 2364540158 FromEngine: 8 A
 SG_ Speed : 0|8@1+ (1,0) [0|255] "" B
BO_ 2364540159 FromBrakes: 8 B
 SG_ Speed : 0|8@1+ (1,0) [0|255] "" A
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_DEF_ "VFrameFormat" "J1939PG";
"""


def test_a_parameter_group_of_another_sender_is_not_taken_for_the_one_asked_for() -> None:
    expression = Expression((SignalComparison(SignalRef("pt", "FromEngine", "Speed"), Comparison(">", 100)),))
    database = parse_database(GROUPS.encode(), Path("groups.dbc"))
    made = EventWatch({"pt": [database]}, [replace(FAST, expression=expression)])
    base = 2364540158 & 0x1FFFFF00
    engine, brakes = (
        Frame(at, base | source, bytes([200, *bytes(7)]), "pt", FrameFlag.EXTENDED)
        for at, source in ((2 * S, 0xFE), (S, 0xFF))
    )
    assert outcomes(made, [brakes]) == []
    assert only(outcomes(made, [engine])).started.at_ns == 2 * S


def test_the_frames_of_an_event_keep_mask_timebase_and_long_payloads() -> None:
    long = Frame(9 * S, 300, bytes(range(64)), "pt")
    made = watch(FAST)
    for frames in ([motion(8, 0), long], [motion(10, 110)]):
        made.take(replace(batch(frames), mask="a mask"))
    pieces = [each.batch for each in made.take_outcomes() if isinstance(each, EventFrames)]
    assert {(piece.mask, piece.timebase) for piece in pieces} == {("a mask", Timebase(5))}
    assert pieces[0].frame(1) == long


def test_only_what_a_condition_asks_for_is_decoded() -> None:
    made = watch(FAST)
    assert {message for _, message in made._plan.messages} == {"Motion"}


DRAWN = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from("mmmfo"), st.integers(0, 3)), min_size=1, max_size=60
)
SPEEDS = (0, 60, 90, 120)


def drawn_frames(drawn: Sequence[tuple[int, str, int]], *, sort: bool) -> list[Frame]:
    frames = [
        motion(at / 10, SPEEDS[number])
        if kind == "m"
        else flags(at / 10, hot=bool(number & 1), thermal=bool(number & 2))
        if kind == "f"
        else other(at / 10)
        for at, kind, number in drawn
    ]
    return in_order(frames) if sort else frames


@settings(max_examples=50, deadline=None)
@given(DRAWN, st.booleans(), st.sets(st.integers(1, 59)), st.sampled_from([60, 200, 1_000_000]))
def test_how_frames_are_batched_makes_no_difference(
    drawn: list[tuple[int, str, int]], sort: bool, cuts: set[int], ring_bytes: int
) -> None:
    frames = drawn_frames(drawn, sort=sort)
    whole, parted = watch(*TRIGGERS, ring_bytes=ring_bytes), watch(*TRIGGERS, ring_bytes=ring_bytes)
    expected = told(outcomes(whole, frames))
    assert told(outcomes(parted, frames, cuts)) == expected
    assert parted.hop() == whole.hop()


def plainly(frames: Sequence[Frame], trigger: Trigger) -> list[tuple[int, int, int]]:
    """Begin, end and number of frames of each event of `FAST`, frame by frame; the last may be open."""
    true, reached = False, 0
    windows: list[tuple[int, int, int]] = []
    members: list[list[int]] = []
    for frame in frames:
        reached = max(reached, frame.t_ns)
        if frame.arbitration_id == MOTION:
            speed = int.from_bytes(frame.data[:2], "little") / 100
            crossed = speed > 100 and not true
            true = speed > 100 or (true and speed >= 80)
            if crossed:
                if windows and reached <= windows[-1][1]:
                    start, _, longest = windows[-1]
                    windows[-1] = (start, min(reached + trigger.post_ns, longest), longest)
                else:
                    windows.append((reached, reached + trigger.post_ns, reached + trigger.longest_ns))
    for at_ns, to_ns, _ in windows:
        time, held = 0, []
        for frame in frames:
            time = max(time, frame.t_ns)
            if time <= to_ns and frame.t_ns >= at_ns - trigger.pre_ns:
                held.append(frame.t_ns)
        members.append(held)
    return [(at, to, len(held)) for (at, to, _), held in zip(windows, members, strict=True)]


@settings(max_examples=50, deadline=None)
@given(DRAWN, st.booleans(), st.sets(st.integers(1, 59)))
def test_events_are_those_that_one_finds_frame_by_frame(
    drawn: list[tuple[int, str, int]], sort: bool, cuts: set[int]
) -> None:
    frames = drawn_frames(drawn, sort=sort)
    made = watch(FAST)
    found = outcomes(made, frames, cuts)
    made.end()
    events = told([*found, *made.take_outcomes()]).values()
    assert [
        (event.started.at_ns, event.ended.to_ns, len(event.frames)) for event in events if event.ended
    ] == plainly(frames, FAST)
