"""The platform's interval arithmetic and sequence state against plain sets of numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.platform.sequence import GREATEST_NUMBER, Arrival, NumberCounts, NumberSet, Sequence, size_of

NUMBERS = st.integers(1, 60)
SPANS = st.tuples(NUMBERS, st.integers(0, 12)).map(lambda span: (span[0], span[0] + span[1]))


def numbers_of(spans: object) -> set[int]:
    assert isinstance(spans, NumberSet | list)
    return {number for first, last in spans for number in range(first, last + 1)}


@given(st.lists(SPANS, max_size=25), SPANS)
def test_a_number_set_is_the_set_of_its_numbers(
    spans: list[tuple[int, int]], window: tuple[int, int]
) -> None:
    held = NumberSet()
    oracle: set[int] = set()
    for first, last in spans:
        held.add(first, last)
        oracle |= set(range(first, last + 1))
        assert numbers_of(held) == oracle
        assert held.size == len(oracle)
        assert held.greatest == max(oracle)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(held))
    asked = set(range(window[0], window[1] + 1))
    assert numbers_of(held.within(*window)) == oracle & asked
    assert numbers_of(held.absent(*window)) == asked - oracle
    assert size_of(held.absent(*window)) == len(asked - oracle)
    assert all((number in held) == (number in oracle) for number in range(80))


EVENTS = st.one_of(
    NUMBERS.map(lambda number: ("record", number, number)),
    SPANS.map(lambda span: ("lost", *span)),
    SPANS.map(lambda span: ("uncertain", *span)),
)


@given(st.lists(EVENTS, max_size=40))
def test_a_sequence_tells_what_a_set_of_numbers_tells(events: list[tuple[str, int, int]]) -> None:
    sequence = Sequence()
    received: set[int] = set()
    lost: set[int] = set()
    uncertain: set[int] = set()
    recovered = 0
    for kind, first, last in events:
        if kind == "lost":
            sequence.report_lost(first, last)
            lost |= set(range(first, last + 1))
            continue
        if kind == "uncertain":
            sequence.report_uncertain(first, last)
            uncertain |= set(range(first, last + 1))
            continue
        expected = (
            Arrival.SEEN
            if first in received
            else Arrival.NEW_BUT_REPORTED_LOST
            if first in lost
            else Arrival.NEW
        )
        recovered += expected is Arrival.NEW_BUT_REPORTED_LOST
        assert sequence.arrive(first) is expected
        received.add(first)
    settled = received | lost | uncertain
    highest = max(settled, default=0)
    watermark = next(number for number in range(200) if number + 1 not in settled)
    assert sequence.highest == highest
    assert sequence.watermark == watermark
    assert numbers_of(sequence.missing()) == set(range(1, highest + 1)) - settled
    assert sequence.missing_count == size_of(sequence.missing())
    assert sequence.lost_count == len(lost - received)
    assert sequence.uncertain_count == len(uncertain - received - lost)
    assert sequence.recovered == recovered
    for last in (0, 1, highest // 2, highest, highest + 5):
        upto = set(range(1, last + 1))
        stored, explained = len(upto & received), len(upto & settled - received)
        assert sequence.counts_to(last) == NumberCounts(stored, explained, last - stored - explained)
    restored = Sequence.restored(sequence.received, sequence.lost, sequence.uncertain)
    assert (restored.watermark, restored.missing()) == (sequence.watermark, sequence.missing())


def test_a_gap_of_any_width_costs_one_span() -> None:
    sequence = Sequence()
    sequence.arrive(GREATEST_NUMBER)
    assert sequence.missing() == [(1, GREATEST_NUMBER - 1)]
    sequence.report_lost(1, GREATEST_NUMBER - 1)
    assert sequence.missing() == []
    assert sequence.watermark == GREATEST_NUMBER
    assert len(sequence.settled) == 1


@pytest.mark.parametrize("number", [0, -1, GREATEST_NUMBER + 1])
def test_a_number_that_no_record_can_have_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="no range of a stream"):
        Sequence().arrive(number)
