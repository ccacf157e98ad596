"""Decoded signals: the values of what was kept, and 'not collected' for what was not, or is no longer."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.archive.export_file import About
from edge.archive.exporting import ExportRequest, Format, What, export
from edge.archive.selection import Selection
from edge.archive.signals import OTHER_MASK, Rules
from edge.database.load import load_database
from edge.frames import Frame, FrameBatch, Int64s
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from tests.archive.kept import archive
from tests.gateway.rig import MADE_UP, MOTION
from tests.journal.journal_rig import CATALOGUE, EPOCH_NS, Rig

CLASSES = """
[operation]
signals = ["Motion.Speed"]
[position]
signals = ["Motor.*"]
"""


class DoorRig(Rig):
    """A journal behind a door."""

    def __init__(self, folder: Path, door: Door, rules: Rules) -> None:
        super().__init__(folder)
        self.door = door
        self.rules = rules

    def split(self, batch: FrameBatch) -> dict[DataClass, tuple[FrameBatch, Int64s]]:
        return dict(self.door.split(batch))


@pytest.fixture
def classed(tmp_path: Path) -> ClassedDatabase:
    path = tmp_path / "classes.toml"
    path.write_text(CLASSES)
    return load_classes(path, load_database(MADE_UP))


def frames(made: Rig, classed: ClassedDatabase) -> FrameBatch:
    motor = next(one for one in classed.database.messages if one.name == "Motor").arbitration_id
    both = [
        Frame(1_000_000, MOTION, (3_000).to_bytes(2, "little") + bytes(6), "pt"),
        Frame(2_000_000, motor, bytes([1] * 8), "pt"),
    ]
    return FrameBatch.from_frames(both, ["pt"], made.clock.timebase())


@pytest.fixture
def rig(tmp_path: Path, classed: ClassedDatabase) -> Iterator[DoorRig]:
    databases = {"pt": [classed]}
    door = Door(databases, {DataClass.OPERATION, DataClass.POSITION})
    made = DoorRig(tmp_path / "journal", door, Rules(databases))
    made.start()
    made.open.journal.add_frames(door.admit(frames(made, classed)))
    made.open.journal.commit()
    yield made
    made.stop()


def decoded(rig: DoorRig, path: Path, selection: Selection, rules: Rules) -> tuple[About, set[str], set[str]]:
    """What the export says, the signals with a value, and those that were not collected."""
    with archive(rig.folder) as opened:
        about = export(
            opened, ExportRequest(path, What.SIGNALS, Format.CSV, selection), CATALOGUE, rules=rules
        )
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["t_ns"] for row in rows if row["t_ns"]} <= {
        str(EPOCH_NS + 1_000_000),
        str(EPOCH_NS + 2_000_000),
    }
    values = {f"{row['message']}.{row['signal']}" for row in rows if row["value"] != "not collected"}
    withheld = {f"{row['message']}.{row['signal']}" for row in rows if row["value"] == "not collected"}
    return about, values, withheld


def test_what_the_door_withheld_is_not_collected(rig: DoorRig, tmp_path: Path) -> None:
    _, values, withheld = decoded(rig, tmp_path / "all.csv", Selection(), rig.rules)
    assert {"Motion.Speed", "Motor.Rpm"} <= values
    assert "Battery.Voltage" in withheld
    assert not values & withheld


def test_a_class_that_was_erased_is_not_collected_and_never_zero(rig: DoorRig, tmp_path: Path) -> None:
    rig.open.keys.destroy("position")
    about, values, withheld = decoded(rig, tmp_path / "rest.csv", Selection(), rig.rules)
    assert values == {"Motion.Speed"}
    assert "Motor.Rpm" in withheld
    assert about.not_at_hand == {"position": 1}


def test_a_signal_that_was_collected_at_times_has_its_values_of_these(
    rig: DoorRig, classed: ClassedDatabase, tmp_path: Path
) -> None:
    rig.door.adopt({DataClass.OPERATION}, "later")
    rig.open.journal.add_frames(rig.door.admit(frames(rig, classed)))
    rig.open.journal.commit()
    about, values, withheld = decoded(rig, tmp_path / "some.csv", Selection(), rig.rules)
    assert {"Motion.Speed", "Motor.Rpm"} <= values
    assert "Motor.Rpm" not in withheld
    assert "pt:Motor.Rpm" in about.not_collected_at_times
    assert "pt:Battery.Voltage" in (about.not_collected or ())
    with (tmp_path / "some.csv").open(newline="") as file:
        assert sum(row["signal"] == "Rpm" for row in csv.DictReader(file)) == 1


def test_frames_under_other_rules_are_not_decoded(
    rig: DoorRig, classed: ClassedDatabase, tmp_path: Path
) -> None:
    other = Rules({"pt": [replace(classed, classes={})]})
    about, values, _ = decoded(rig, tmp_path / "none.csv", Selection(), other)
    assert not values
    assert about.left_out[OTHER_MASK] == 2
