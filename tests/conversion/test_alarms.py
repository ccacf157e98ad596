"""An alarm on its way to the platforms: the half minute before it, the time after it, and their figures."""

from __future__ import annotations

import pytest

from edge.catalogue.item import Edition
from edge.wire.gbt.frame import Command
from tests.conversion.alarm_drive import AlarmDrive, drive_with_alarm
from tests.conversion.both_at_once import as_reissue, late

FROM_S, TO_S, LENGTH_S = 33, 36, 42
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
    converted = told.both.converted(edition)
    for second, messages in told.both.reported(edition).items():
        expected = converted[second]
        if late(messages):
            expected = as_reissue(expected)
        assert [one.write() for one in messages] == [one.write() for one in expected]
