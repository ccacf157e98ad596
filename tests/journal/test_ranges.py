"""A set of ranges does what a set of numbers does."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.journal.ranges import RangeSet

NUMBER = st.integers(1, 40)
SPAN = st.tuples(NUMBER, NUMBER).map(lambda pair: (min(pair), max(pair)))
CHANGES = st.lists(st.tuples(st.booleans(), SPAN), max_size=30)


def numbers(spans: Iterable[tuple[int, int]]) -> set[int]:
    listed = [number for first, last in spans for number in range(first, last + 1)]
    assert len(listed) == len(set(listed))
    return set(listed)


def made(changes: list[tuple[bool, tuple[int, int]]]) -> tuple[RangeSet, set[int]]:
    ranges, model = RangeSet(), set[int]()
    for adding, (first, last) in changes:
        if adding:
            before = dict(ranges)
            replaced, (begin, end) = ranges.add(first, last)
            assert all(one in before for one in replaced)
            assert (begin, end) in list(ranges)
            model |= set(range(first, last + 1))
        else:
            ranges.remove(first, last)
            model -= set(range(first, last + 1))
    return ranges, model


@given(CHANGES)
def test_it_holds_what_was_added_and_not_removed(changes: list[tuple[bool, tuple[int, int]]]) -> None:
    ranges, model = made(changes)
    assert numbers(ranges) == model
    assert ranges.count() == len(model)
    assert len(ranges) == len(list(ranges))
    assert bool(ranges) == bool(model)
    assert {number for number in range(45) if number in ranges} == model
    assert all(one[1] + 1 < other[0] for one, other in pairwise(ranges))


@given(CHANGES, SPAN)
def test_a_window_shows_what_is_in_it_and_what_is_not(
    changes: list[tuple[bool, tuple[int, int]]], window: tuple[int, int]
) -> None:
    ranges, model = made(changes)
    inside = set(range(window[0], window[1] + 1))
    assert numbers(ranges.between(*window)) == model & inside
    assert numbers(ranges.gaps(*window)) == inside - model


@given(CHANGES)
def test_what_the_database_is_told_rebuilds_it(changes: list[tuple[bool, tuple[int, int]]]) -> None:
    """Rows are keyed by their first number: those that were replaced go, the one that stands there comes."""
    ranges, rows = RangeSet(), dict[int, int]()
    for adding, (first, last) in changes:
        if adding:
            replaced, (begin, end) = ranges.add(first, last)
            for one in replaced:
                if one != begin:
                    del rows[one]
            rows[begin] = end
    assert sorted(rows.items()) == list(ranges)


@given(st.lists(SPAN, max_size=10))
def test_the_order_in_which_it_is_filled_does_not_matter(spans: list[tuple[int, int]]) -> None:
    assert list(RangeSet(spans)) == list(RangeSet(reversed(spans)))
