"""Reports that are judged without being taken apart get the same figures as those that are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.message import Body, Report, read_report, write_report
from simulator.gbt.shapes import AlarmMonth, Shape, Shapes
from simulator.gbt.value_counts import ValueCounts, report_counter
from tests.gbt.grammar import T_S, editions, examples, reports
from tests.gbt_platform.rig import (
    ALARM_2016,
    CELLS_2016,
    POSITION_2016,
    VEHICLE,
    VEHICLE_2016,
    Rig,
    report,
)

DUE = frozenset({0x01})
Figures = tuple[tuple[int, ...], tuple[bool, ...]]


def slow(one: Report, edition: Edition, *, first: bool) -> Figures:
    counts = ValueCounts()
    facts = report_counter(edition, DUE).count(one, counts, first=first)
    return (counts.values, counts.empty, counts.invalid, counts.abnormal), tuple(facts)


def fast(shape: Shape, unit: bytes, *, first: bool) -> Figures:
    counts, month = ValueCounts(), AlarmMonth()
    shape.add(unit, counts, month, first=first)
    shape.flush()
    figures = (counts.values, counts.empty, counts.invalid, counts.abnormal)
    return figures, (month.alarm, month.position, month.cells)


@given(editions, st.data(), st.booleans())
@settings(max_examples=examples(50), deadline=None)
def test_both_ways_agree(edition: Edition, data: st.DataObject, first: bool) -> None:
    one = data.draw(reports(edition))
    types = [body.type_id for body in one.bodies]
    if one.rest or len(set(types)) < len(types):
        return
    unit = write_report(one, edition)
    shape = Shape(unit, one, edition, report_counter(edition, DUE))
    assert shape.fits(unit)
    assert fast(shape, unit, first=first) == slow(one, edition, first=first)
    # Any other bytes at the same length either do not fit, or are divided in the same way.
    other = bytearray(unit)
    for place in data.draw(st.lists(st.integers(0, len(unit) - 1), max_size=4)):
        other[place] = data.draw(st.sampled_from([0, 1, 0xFE, 0xFF]) | st.integers(0, 255))
    if shape.fits(bytes(other)):
        again = read_report(bytes(other), edition)
        assert [body.type_id for body in again.bodies] == types
        assert fast(shape, bytes(other), first=first) == slow(again, edition, first=first)


def test_a_report_with_all_that_counts() -> None:
    one = Report(time_bytes(T_S), (VEHICLE_2016, POSITION_2016, ALARM_2016, CELLS_2016))
    unit = write_report(one, Edition.Y2016)
    shape = Shape(unit, one, Edition.Y2016, report_counter(Edition.Y2016, DUE))
    # Vehicle 13, position 2 (longitude, latitude), alarm 2, pack 4 and 3 cells, one of them invalid.
    assert fast(shape, unit, first=True) == ((24, 0, 1, 0), (True, True, True))


def test_lengths_of_custom_blocks_are_part_of_the_shape() -> None:
    one = Report(time_bytes(T_S), (Body(0x80, (b"\xaa\xbb",)), Body(0x81, (b"\xcc\xdd\xee",))))
    unit = write_report(one, Edition.Y2016)
    shape = Shape(unit, one, Edition.Y2016, report_counter(Edition.Y2016, DUE))
    # One block of 2 + 3 + 3 = 8 bytes, which hold the same bytes as the second block with its header.
    other = write_report(Report(one.time, (Body(0x80, (unit[9:],)),)), Edition.Y2016)
    assert other[9:] == unit[9:]
    assert not shape.fits(other)


def test_many_at_once_are_kept_apart() -> None:
    rig = Rig()
    vins = [b"LNVGATE00XDEM%04d" % number for number in range(3)]
    peers = [rig.terminal(Edition.Y2016, vin=vin) for vin in vins]
    for second in range(400):
        for place, (vin, peer) in enumerate(zip(vins, peers, strict=True)):
            # The speed of the second vehicle is missing in each other report, of the third in all.
            raws = list(VEHICLE_2016.raws)
            raws[3] = 0xFFFF if place and second % (3 - place) == 0 else 500
            peer.say(report(Edition.Y2016, T_S + second, vin=vin, bodies=(Body(0x01, tuple(raws)),)))
    assert rig.platform.shapes.find(Edition.Y2016, report(Edition.Y2016)[24:-1]) is not None
    rig.platform.kpis()
    counts = [rig.platform.vehicles[vin].figures.counts for vin in vins]
    assert [(one.values, one.invalid) for one in counts] == [(5200, 0), (5200, 200), (5200, 400)]


def test_what_is_remembered_is_bounded() -> None:
    shapes = Shapes()
    counter = report_counter(Edition.Y2025, DUE)
    for length in range(3000):
        one = Report(time_bytes(T_S), (VEHICLE[Edition.Y2025], Body(0x80, (bytes(length % 900),))))
        for _ in range(2):
            shapes.learn(Edition.Y2025, write_report(one, Edition.Y2025), one, counter)
    assert 0 < len(shapes._shapes) <= 256
    assert len(shapes._missed) <= 1024
