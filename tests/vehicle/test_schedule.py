"""Instants are the multiples of the period, each once and in order; frames go with the instant after them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.frames import Frame, FrameBatch
from edge.vehicle.schedule import Schedule


@given(
    st.integers(1, 10**10),
    st.integers(0, 10**15),
    st.lists(st.integers(0, 10**11), max_size=20),
)
def test_instants_never_drift_double_or_drop(period_ns: int, start_ns: int, steps: list[int]) -> None:
    schedule = Schedule(period_ns, start_ns=start_ns)
    now_ns, seen = start_ns, 0
    first = schedule.next_ns
    assert start_ns < first <= start_ns + period_ns
    for step in steps:
        now_ns += min(step, 50 * period_ns)
        for instant_ns in schedule.due(now_ns):
            assert instant_ns == first + seen * period_ns <= now_ns
            assert instant_ns % period_ns == 0
            seen += 1
    assert schedule.next_ns > now_ns


def test_a_stall_is_caught_up_in_order() -> None:
    schedule = Schedule(10, start_ns=0)
    assert list(schedule.due(9)) == []
    assert list(schedule.due(10)) == [10]
    assert list(schedule.due(45)) == [20, 30, 40]
    assert list(schedule.due(45)) == []


@pytest.mark.parametrize("period_ns", [0, -1])
def test_a_period_is_positive(period_ns: int) -> None:
    with pytest.raises(ValueError, match="no period"):
        Schedule(period_ns, start_ns=0)


def test_a_frame_at_the_instant_belongs_to_the_next_record() -> None:
    frames = FrameBatch.from_frames([Frame(t_ns, 1, b"") for t_ns in (5, 9, 10, 11, 35)])
    cuts = [(list(part.t_ns), instant) for part, instant in Schedule(10, start_ns=0).cut(frames, 35)]
    assert cuts == [([5, 9], 10), ([10, 11], 20), ([], 30), ([35], None)]


def test_a_late_frame_stays_where_it_stands() -> None:
    frames = FrameBatch.from_frames([Frame(t_ns, 1, b"") for t_ns in (5, 12, 8, 21)])
    cuts = [(list(part.t_ns), instant) for part, instant in Schedule(10, start_ns=0).cut(frames, 21)]
    assert cuts == [([5], 10), ([12, 8], 20), ([21], None)]


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(0, 300))
def test_cutting_keeps_every_frame_once_and_in_order(stamps: list[int], up_to_ns: int) -> None:
    frames = FrameBatch.from_frames([Frame(t_ns, place, b"") for place, t_ns in enumerate(stamps)])
    parts = [part for part, _ in Schedule(10, start_ns=0).cut(frames, up_to_ns)]
    assert [int(number) for part in parts for number in part.arbitration_id] == list(range(len(stamps)))
