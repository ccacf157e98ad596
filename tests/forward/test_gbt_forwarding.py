"""A journal told in GB/T 32960.3: how often, what goes around an alarm, after a cut, a crash, an erasure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.clock import Timebase, TimeQuality
from edge.forward.arrivals import NOT_DUE
from edge.forward.forwarder import NOTHING_SAID, TOO_OLD
from edge.policy.classes import DataClass
from edge.records import Record
from edge.wire.gbt.message import Report
from tests.forward.gbt_site import CITY, GbtSite, Heard
from tests.journal.journal_rig import DAY_NS, EPOCH_NS, timebase_at

Make = Callable[..., GbtSite]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[GbtSite] = []

    def site(edition: Edition = Edition.Y2025, **more: object) -> GbtSite:
        made.append(GbtSite(tmp_path, edition, **more))  # type: ignore[arg-type]
        return made[-1]

    yield site
    for one in made:
        one.stop()


def times(heard: list[Heard], *, late: bool | None = None) -> list[int]:
    return sorted(one.at_s for one in heard if late is None or one.late is late)


def test_a_quiet_vehicle_is_told_of_every_ten_seconds_and_the_rest_is_accounted_for(make: Make) -> None:
    site = make()
    site.drive([0] * 60)
    site.finish()
    said = times(site.heard, late=False)
    assert said == times(site.heard)
    assert [after - before for before, after in pairwise(said)] == [10] * 5
    assert site.set_aside == {NOT_DUE: 54}


@pytest.mark.parametrize(("edition", "level"), [(Edition.Y2016, 3), (Edition.Y2025, 3), (Edition.Y2025, 4)])
def test_around_an_alarm_every_second_is_told_once_and_before_it_as_reissue(
    make: Make, edition: Edition, level: int
) -> None:
    site = make(edition)
    start = site.now_s() + 1
    site.drive([0] * 47)
    before = times(site.heard)
    alarm = site.now_s() + 1
    site.drive([level] * 5)
    site.drive([0] * 60)
    site.finish()
    end = alarm + 30 if edition is Edition.Y2016 else alarm + 5
    window = [one for one in site.heard if alarm - 30 <= one.at_s <= end]
    assert times(window) == list(range(alarm - 30, end + 1))
    reissued = times(site.heard, late=True)
    assert reissued == [at for at in range(alarm - 30, alarm) if at not in before]
    outside = [at for at in times(site.heard) if not alarm - 30 <= at <= end]
    assert len(outside) <= 10
    assert min(outside) == start
    assert len(site.heard) + site.set_aside[NOT_DUE] == 112


def test_a_second_alarm_of_2016_lengthens_the_window_by_its_own_half_minute(make: Make) -> None:
    site = make(Edition.Y2016)
    site.drive([0] * 31)
    first = site.now_s() + 1
    site.drive([3, 0] + [0] * 18 + [3] + [0] * 50)
    site.finish()
    told = times(site.heard)
    assert [at for at in told if first <= at <= first + 50] == list(range(first, first + 51))
    assert first + 51 not in told


def test_what_a_cut_kept_back_comes_later_as_reissue_and_once(make: Make) -> None:
    site = make()
    site.drive([0] * 20)
    site.drive([0] * 180, linked=False)
    site.drive([0] * 20)
    site.finish()
    said = times(site.heard)
    assert len(said) == len(set(said))
    assert {after - before for before, after in pairwise(said)} == {10}
    assert len(times(site.heard, late=True)) in range(11, 14)


def test_an_alarm_during_a_cut_still_gets_what_was_before_it(make: Make) -> None:
    site = make()
    site.drive([0] * 100, linked=False)
    alarm = site.now_s() + 1
    site.drive([4] * 3 + [0] * 20, linked=False)
    site.drive([0] * 5)
    site.finish()
    told = times(site.heard)
    assert [at for at in told if at in range(alarm - 30, alarm + 4)] == list(range(alarm - 30, alarm + 4))
    assert len(told) == len(set(told))


def test_after_a_crash_what_rested_is_told_and_nothing_twice(make: Make) -> None:
    site = make()
    site.drive([0] * 44, together=11)
    before = times(site.heard)
    assert site.rig.open.journal.commit()
    site.crash()
    site.drive([4] + [0] * 9)
    site.finish()
    told = times(site.heard)
    assert len(told) == len(set(told))
    assert set(range(site.now_s() - 9 - 30, site.now_s() - 8)) <= set(told)
    assert set(before) <= set(told)


def test_the_last_half_minute_of_the_watch_after_power_off_gets_a_report(make: Make) -> None:
    site = make(report_s=30.0)
    site.drive([None] * 40)
    site.rig.after(3390)
    site.drive([None] * 1)
    assert times(site.heard, late=False)[-1] == site.now_s()


def test_a_reissue_of_the_sampler_goes_whatever_is_due(make: Make) -> None:
    site = make()
    site.drive([0] * 5)
    for _ in range(3):
        site.rig.after(1)
        record = Record(0, site.rig.clock.boot_ns(), site.rig.clock.timebase(), {"vehicle.speed": 1}, "mask")
        site.rig.open.journal.add_record(replace(record, reissue=True))
    site.rig.open.journal.commit()
    site.carry()
    assert times(site.heard, late=True) == [site.now_s() - 2, site.now_s() - 1, site.now_s()]


def test_records_of_before_the_clock_was_set_wait_for_it(make: Make) -> None:
    site = make(report_s=1.0)
    true = site.rig.clock.timebase()
    site.rig.clock.set_timebase(Timebase())
    site.drive([0] * 3, timebase=Timebase(0, TimeQuality.NONE))
    assert site.heard == []
    site.rig.clock.set_timebase(true)
    site.rig.after(61)
    site.carry()
    site.finish()
    assert len(times(site.heard)) == 3
    assert set(site.set_aside) <= {NOT_DUE}


def test_what_is_too_old_costs_the_platform_no_message(make: Make) -> None:
    site = make(report_s=1.0)
    site.drive([0] * 5, linked=False)
    site.forwarder.close()
    site.rig.stop()
    site.rig.boot = b"second boot_____"
    site.rig.clock.set_timebase(timebase_at(EPOCH_NS + 8 * DAY_NS))
    site.start()
    site.drive([0] * 2)
    site.finish()
    assert len(site.heard) == 2
    assert site.set_aside == {TOO_OLD: 5}
    assert not list(site.rig.open.gaps(CITY))


def test_what_the_policy_leaves_nothing_of_is_left_out(make: Make) -> None:
    site = make(report_s=1.0, view=lambda record: replace(record, values={}))
    site.drive([0] * 30)
    site.finish()
    assert site.heard == []
    assert site.set_aside == {NOTHING_SAID: 30}
    assert not site.forwarder.counts().held.messages


def test_a_class_that_may_go_no_more_is_taken_out_of_frames_that_wait(make: Make) -> None:
    hidden: set[str] = set()

    def shown(record: Record) -> Record:
        values = {name: value for name, value in record.values.items() if name not in hidden}
        return replace(record, values=values)

    site = make(report_s=1.0, view=shown)
    site.drive([0] * 6, linked=False)
    site.carry(acknowledged=False)
    hidden.add("gnss.valid")
    assert site.erasing.recompose(CITY, DataClass.POSITION) > 0
    site.carry()
    site.finish()
    types = [
        {body.type_id for body in message.content.bodies}
        for message in site.messages
        if isinstance(message.content, Report)
    ]
    assert times(site.heard) == list(range(site.now_s() - 5, site.now_s() + 1))
    assert not any(0x05 in one for one in types)
