"""Alarms of level 3 and 4 over both editions, and what a platform judges: ``make gbt-alarms``."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.frames import FrameBatch
from edge.wire.gbt.frame import Command
from simulator.gbt.kpis import KpiReport
from simulator.vehicle.scenario import ForcedAlarm, Phase, Scenario
from simulator.vehicle.vehicle import ReferenceVehicle
from simulator.vehicle.wiring import DATABASES
from tests.conversion.both_at_once import BEGIN_NS, Both, drive
from tests.conversion.comparison import compare, spans
from tests.gateway.rig import WALL_NS, S

ALARM_BODY = {Edition.Y2016: 0x07, Edition.Y2025: 0x06}
PERIOD_S = 10
FROM_S, TO_S, LENGTH_S = 33, 36, 42
"""Of the short drive that tests share."""
BUSES = "".join(
    f'[[bus]]\nname = "{bus}"\n[[bus.database]]\nfile = "{DATABASES / f"nev-{bus}.dbc"}"\n'
    for bus in ReferenceVehicle.buses
)


@dataclass(frozen=True, slots=True)
class AlarmDrive:
    """A drive with one alarm.

    Attributes:
        level: of the alarm.
        from_s: second of the drive in which it comes.
        to_s: in which it goes.
        both: what arrived.
    """

    level: int
    from_s: int
    to_s: int
    both: Both

    def seconds(self, edition: Edition, command: Command) -> list[int]:
        """Of which seconds of the drive reports came as `command`."""
        begin_s = (WALL_NS + BEGIN_NS) // S
        reports = self.both.far[edition].reports
        return sorted(one.time_s - begin_s for one in reports if one.command == command)

    def levels(self, edition: Edition) -> set[int]:
        """The highest alarm levels that were reported."""
        found = set()
        for one in self.both.far[edition].reports:
            for body in one.report.bodies:
                if body.type_id == ALARM_BODY[edition]:
                    found.add(body.raws[0])
        return found

    def kpis(self, edition: Edition) -> KpiReport:
        """What the platform judges by."""
        return self.both.far[edition].platform.kpis()


@cache
def alarm_batches(level: int, from_s: int, to_s: int, length_s: int) -> list[FrameBatch]:
    """A drive of the reference vehicle with an alarm that is forced, in batches of 100 ms."""
    scenario = Scenario(
        "alarm",
        "an alarm while driving",
        ((0, Phase.DRIVE),),
        forced_alarms=(ForcedAlarm(23 if level == 4 else 1, level, from_s, to_s),),
    )
    return list(ReferenceVehicle(1, scenario).frames(length_s))


def drive_with_alarm(
    folder: Path, patch: pytest.MonkeyPatch, level: int, from_s: int, to_s: int, length_s: int
) -> AlarmDrive:
    """Drive so long, with an alarm in the midst."""
    batches = alarm_batches(level, from_s, to_s, length_s)
    return AlarmDrive(level, from_s, to_s, drive(folder, patch, BUSES, batches, period_s=PERIOD_S))


def main() -> int:
    """Print the table."""
    out = sys.stdout.write
    for level in (3, 4):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            told = drive_with_alarm(Path(folder) / "run", patch, level, 61, 75, 160)
            for edition in Edition:
                out(f"\nalarm of level {level} from second 61 to 75, edition of {edition.value}\n")
                out(f"  levels reported: {sorted(told.levels(edition))}\n")
                out(f"  real time: {spans(told.seconds(edition, Command.REAL_TIME))}\n")
                out(f"  reissue:   {spans(told.seconds(edition, Command.REISSUE))}\n")
                for figure in told.kpis(edition).vehicles:
                    verdict = {True: "met", False: "NOT MET", None: "nothing to judge"}[figure.met]
                    value = "-" if figure.value is None else f"{figure.value:.4g}"
                    out(f"  {figure.name:15} {value:>8}  {verdict:16} {figure.basis}\n")
                out(f"  by MQTT and conversion: {compare(told.both, edition)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
