"""Reports cross the border whole, though what does not change in them crosses but once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.account import Hop
from edge.bus.condition import BusCondition, Listening
from edge.capturing.border import Decoder, encode
from edge.capturing.message import ABSENT, BorderError, Counts, Report
from edge.capturing.reporting import WORDS_MAX, ReportReader, ReportWriter

COUNTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1 << 62), max_size=4)
HOPS = st.builds(
    Hop,
    st.sampled_from(["bus pt", "door"]),
    st.just("frames"),
    st.integers(0, 1 << 62),
    st.integers(0, 1 << 62),
    COUNTS,
    COUNTS,
    COUNTS,
)
CONDITIONS = st.builds(BusCondition, st.just("pt"), listening=st.sampled_from(Listening))
REPORTS = st.builds(
    Report,
    st.integers(0, 1 << 62),
    st.integers(0, 1 << 62),
    st.lists(HOPS, max_size=3).map(tuple),
    st.sampled_from([None, "area"]),
    st.lists(CONDITIONS, max_size=1).map(tuple),
)
DOOR = Hop("door", "frames", 5, 4, {"nothing allowed": 1})


def told(writer: ReportWriter, *hops: Hop) -> Report | Counts:
    return writer.told(Report(1, 0, hops))


@given(st.lists(REPORTS, max_size=12))
def test_reports_are_what_they_were(reports: list[Report]) -> None:
    writer, reader, decoder = ReportWriter(), ReportReader(), Decoder()
    for report in reports:
        (arrived,) = decoder.feed(encode(writer.told(report)))
        assert isinstance(arrived, Report | Counts)
        assert reader.hear(arrived)() == report.hops
        assert (arrived.t_ns, arrived.adopted) == (report.t_ns, report.adopted)


def test_what_comes_and_goes_is_told_in_words_but_once() -> None:
    writer = ReportWriter()
    waiting = replace(DOOR, set_aside={"nothing allowed": 1, "waiting": 2})
    other = replace(DOOR, facts={"late": 0})
    said = [told(writer, hop) for hop in (DOOR, waiting, other, DOOR, waiting, other, DOOR)]
    assert [isinstance(one, Report) for one in said] == [True, True, True, False, False, False, False]


@pytest.mark.parametrize(
    "news",
    [
        Report(2, 0, (DOOR,), "area"),
        Report(2, 0, (DOOR,), None, (BusCondition("pt"),)),
        Report(2, 0, (DOOR, DOOR)),
        Report(2, 0, (replace(DOOR, name="bus pt"),)),
        Report(2, 0, (replace(DOOR, unit="readings"),)),
    ],
    ids=["place", "bus", "hop", "name", "unit"],
)
def test_anything_but_a_number_that_is_new_is_told_in_words(news: Report) -> None:
    writer = ReportWriter()
    told(writer, DOOR)
    assert writer.told(news) == news
    assert isinstance(writer.told(news), Counts)


def test_numbers_are_a_small_part_of_the_words() -> None:
    writer = ReportWriter()
    words, numbers = (encode(told(writer, *[DOOR] * 8)) for _ in range(2))
    assert len(numbers) < len(words) / 3


def test_words_without_end_are_forgotten_by_both_sides() -> None:
    writer, reader = ReportWriter(), ReportReader()
    for number in range(WORDS_MAX + 10):
        reader.hear(told(writer, replace(DOOR, facts={str(number): 1})))
    (hop,) = reader.hear(told(writer, replace(DOOR, facts={str(number): 2})))()
    assert hop.facts == {str(number): 2}
    assert isinstance(told(writer, replace(DOOR, facts={"0": 1})), Report)


@pytest.mark.parametrize(
    "counts",
    [(), (5, 4), (5, 4, 1, 1), (ABSENT, 4, 1), (5, ABSENT, 1)],
    ids=["none", "few", "many", "not entered", "not left"],
)
def test_numbers_that_belong_to_no_report_are_refused(counts: tuple[int, ...]) -> None:
    reader = ReportReader()
    reader.hear(Report(1, 0, (DOOR,)))
    with pytest.raises(BorderError):
        reader.hear(Counts(2, 0, counts))


def test_numbers_before_any_words_are_refused() -> None:
    with pytest.raises(BorderError):
        ReportReader().hear(Counts(1, 0, ()))


def test_counts_that_cannot_be_are_refused() -> None:
    whole = encode(Counts(1, 0, (1, 2)))
    impossible = encode(Counts(1, 0, (1, -2)))
    cut = bytes([whole[0] - 4]) + whole[1:-4]
    for bad in (impossible, cut, encode(Counts(1 << 63 >> 1 | 1, 0, ()))):
        with pytest.raises(BorderError):
            list(Decoder().feed(bad))
