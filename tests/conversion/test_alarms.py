"""An alarm on its way to the platforms: the half minute before it, the time after it, and their figures."""

from __future__ import annotations

import pytest

from edge.catalogue.item import Edition
from edge.frames import FrameBatch
from edge.wire.gbt.frame import Command
from tests.conversion.alarm_drive import FROM_S, LENGTH_S, TO_S, AlarmDrive, drive_with_alarm
from tests.conversion.both_at_once import Both, drive
from tests.conversion.comparison import compare
from tests.gateway.rig import BINDING, CLASSES, MADE_UP, MS, S, alarm, motion

BEFORE_S = 30


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> AlarmDrive:
    with pytest.MonkeyPatch.context() as patch:
        return drive_with_alarm(tmp_path_factory.mktemp("alarm") / "run", patch, 4, FROM_S, TO_S, LENGTH_S)


@pytest.mark.parametrize(("edition", "level"), [(Edition.Y2016, 3), (Edition.Y2025, 4)])
def test_each_second_of_the_half_minute_before_is_told_late_and_the_alarm_at_once(
    told: AlarmDrive, edition: Edition, level: int
) -> None:
    reissued = told.seconds(edition, Command.REISSUE)
    in_time = told.seconds(edition, Command.REAL_TIME)
    alarm_s = max(reissued) + 1
    assert abs(alarm_s - FROM_S) <= 1
    assert not set(reissued) & set(in_time)
    assert {*range(alarm_s - BEFORE_S, alarm_s)} <= {*reissued, *in_time}
    assert {*range(alarm_s, alarm_s + TO_S - FROM_S)} <= set(in_time)
    assert told.levels(edition) == {0, level}


def test_the_edition_of_2016_goes_on_each_second_for_longer(told: AlarmDrive) -> None:
    after_s = TO_S + 2
    old, new = (told.seconds(edition, Command.REAL_TIME) for edition in Edition)
    assert {*range(after_s, LENGTH_S - 2)} <= set(old)
    assert not {*range(after_s, LENGTH_S - 2)} & set(new)


@pytest.mark.parametrize("edition", Edition)
def test_the_platform_sees_position_and_cells_and_too_much_reissued(
    told: AlarmDrive, edition: Edition
) -> None:
    verdicts = {figure.name: figure.met for figure in told.kpis(edition).vehicles}
    assert verdicts["level-3 alarm"] is True
    assert verdicts["parse errors"] is verdicts["lost"] is verdicts["invalid"] is True
    assert verdicts["reissue share"] is False, "27 of so few reports are more than a fifth"


@pytest.mark.parametrize("edition", Edition)
def test_the_same_comes_by_mqtt_and_conversion(told: AlarmDrive, edition: Edition) -> None:
    found = compare(told.both, edition)
    late = told.seconds(edition, Command.REISSUE)
    assert found.unlike == []
    assert found.messages == len(told.seconds(edition, Command.REAL_TIME))
    # By MQTT each record had gone in time: what waited for an alarm is late on the other way alone.
    assert (found.late_by_tcp, found.late_by_mqtt) == (len(late), 0)
    assert len(found.not_told) == found.records - found.messages - found.late_by_tcp


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """A vehicle that makes a record every 10 s, and each second around an alarm; it lasts from 43 to 47."""
    files = tmp_path_factory.mktemp("sparse")
    (files / "classes.toml").write_text(CLASSES)
    (files / "binding.toml").write_text(BINDING)
    buses = (
        f'[[bus]]\nname = "pt"\n[[bus.database]]\nfile = "{MADE_UP}"\n'
        f'classes = "{files / "classes.toml"}"\nbinding = "{files / "binding.toml"}"\n'
    )
    batches = [
        FrameBatch.from_frames([motion(at_ns, at_ns // S), alarm(at_ns + MS, up=at_ns // S in range(43, 47))])
        for at_ns in range(0, 60 * S, S // 2)
    ]
    with pytest.MonkeyPatch.context() as patch:
        return drive(files / "run", patch, buses, batches, sampling="collect_period_s = 10")


@pytest.mark.parametrize("edition", Edition)
def test_what_an_alarm_alone_has_made_a_record_is_late_on_both_ways(sparse: Both, edition: Edition) -> None:
    found = compare(sparse, edition)
    assert (found.unlike, found.not_told) == ([], [])
    assert (found.late_by_tcp, found.late_by_mqtt) == (0, 0), "command and check code are the same, too"
    assert found.messages == found.records
    assert 25 <= len(found.times_late) <= 28
    assert max(found.times_late) - min(found.times_late) <= 30
