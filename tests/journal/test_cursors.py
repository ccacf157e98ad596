"""What of a stream waits, and in which order, against the plainest way to say the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.journal.cursors import StreamCursor
from edge.journal.ranges import RangeSet

LAST = 45
RANGES = st.lists(st.tuples(st.integers(1, LAST), st.integers(0, 8)), max_size=6)


def range_set(ranges: list[tuple[int, int]]) -> RangeSet:
    made = RangeSet()
    for first, more in ranges:
        made.add(first, first + more)
    return made


def numbers(ranges: RangeSet) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, LAST), st.integers(0, 8))),
    st.integers(1, 50),
    st.integers(1, 50),
)
def test_ranges_are_the_set_of_their_numbers(
    steps: list[tuple[bool, int, int]], begin: int, end: int
) -> None:
    ranges, plain = RangeSet(), set[int]()
    for adds, first, more in steps:
        if adds:
            ranges.add(first, first + more)
            plain |= set(range(first, first + more + 1))
        else:
            ranges.remove(first, first + more)
            plain -= set(range(first, first + more + 1))
        assert ranges.count() == len(plain)
    between = [number for first, last in ranges.between(begin, end) for number in range(first, last + 1)]
    assert between == sorted(number for number in plain if begin <= number <= end)


@given(RANGES, RANGES, RANGES, st.integers(1, LAST))
def test_the_next_live_range_ends_before_an_alarm_and_a_late_record(
    covered: list[tuple[int, int]], alarms: list[tuple[int, int]], late: list[tuple[int, int]], live_from: int
) -> None:
    cursor = StreamCursor(1, bytes(16), None, LAST, live_from=live_from)
    cursor.covered, cursor.alarms, cursor.late = map(range_set, (covered, alarms, late))
    others = numbers(cursor.covered) | numbers(cursor.alarms) | numbers(cursor.late)
    free = [number for number in range(live_from, LAST + 1) if number not in others]
    run = [number for place, number in enumerate(free) if number == free[0] + place]
    assert cursor.next_live() == ((run[0], run[-1]) if run else None)


@given(RANGES, RANGES, RANGES, st.integers(1, LAST))
def test_backlog_is_all_that_waits_and_is_not_live(
    covered: list[tuple[int, int]], alarms: list[tuple[int, int]], late: list[tuple[int, int]], live_from: int
) -> None:
    cursor = StreamCursor(1, bytes(16), None, LAST, live_from=live_from)
    cursor.covered, cursor.alarms, cursor.late = map(range_set, (covered, alarms, late))
    offered = {number for first, last in cursor.backlog() for number in range(first, last + 1)}
    old = {number for number in range(1, LAST + 1) if number < live_from or number in cursor.late}
    assert offered == old - numbers(cursor.covered)


def test_alarms_that_follow_each_other_closely_go_together_and_before_all_else() -> None:
    cursor = StreamCursor(1, bytes(16), None, 1_000, live_from=1_001)
    for number in (*range(300, 400, 20), 800):
        cursor.alarms.add(number, number)
    assert list(cursor.backlog())[:3] == [(300, 380), (800, 800), (1, 1_000)]


def test_a_long_outage_leaves_the_next_live_record_at_hand() -> None:
    """One look has to be one step through the ranges: a step for each number takes hours after a week."""
    cursor = StreamCursor(1, bytes(16), None, 10**12)
    assert cursor.next_live() == (1, 10**12)
    cursor.alarms.add(5, 10**11)
    cursor.live_from = 6
    assert cursor.next_live() == (10**11 + 1, 10**12)
    assert cursor.next_alarm() == (6, 10**11)
