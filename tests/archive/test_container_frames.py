"""PDUs of containers behind the door: kept, joined, decoded and exported, each class by itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.archive.exporting import ExportRequest, Format, What, export
from edge.archive.frame_files import REASSEMBLED
from edge.archive.joining import FrameReader
from edge.archive.selection import Selection
from edge.archive.signals import Rules
from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.database.model import SignalRef
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import FrameBatch
from edge.policy.classes import DataClass
from edge.policy.door import Door
from tests.archive.kept import archive
from tests.archive.test_signals import DoorRig
from tests.journal.journal_rig import CATALOGUE
from tests.policy.boxed import box
from tests.policy.test_containers import DRIVE, MIXED, SEAT, classed

COLLECT = frozenset({DataClass.OPERATION, DataClass.POSITION, DataClass.HEALTH})


def admitted(door: Door, rig: DoorRig) -> FrameBatch:
    frames = [
        box([(DRIVE, b"\x10\x03"), (MIXED, b"\x77\x88\x99"), (SEAT, b"\x11\x22")], t_ns=1_000_000),
        box([(MIXED, b"\x78\x89\x9a"), (DRIVE, b"\x20\x04")], padding=bytes(8), t_ns=2_000_000),
    ]
    return door.admit(FrameBatch.from_frames(frames, ["bus"], rig.clock.timebase()))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DoorRig]:
    databases = {"bus": [classed()]}
    made = DoorRig(tmp_path / "journal", Door(databases, COLLECT), Rules(databases))
    made.start()
    yield made
    made.stop()


def keep(rig: DoorRig) -> FrameBatch:
    batch = admitted(rig.door, rig)
    rig.open.journal.add_frames(batch)
    assert rig.open.journal.commit()
    return batch


def values(rig: DoorRig, path: Path) -> dict[str, list[str]]:
    with archive(rig.folder) as opened:
        request = ExportRequest(path, What.SIGNALS, Format.CSV, Selection())
        export(opened, request, CATALOGUE, rules=rig.rules)
    found: dict[str, list[str]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(f"{row['message']}.{row['signal']}", []).append(row["value"])
    return found


def test_what_is_kept_comes_back_and_can_be_read(rig: DoorRig, tmp_path: Path) -> None:
    kept = keep(rig)
    with archive(rig.folder) as opened:
        (found,) = list(FrameReader(opened, Selection()))
    assert len(kept) == 4
    assert found.batch.equals(kept)
    assert values(rig, tmp_path / "all.csv") == {
        "Drive.Speed": ["16", "32"],
        "Drive.Gear": ["3", "4"],
        "Mixed.Lane": ["119", "120"],
        "Mixed.Power": ["136", "137"],
        "Mixed.Age": ["153", "154"],
        "Seat.Belt": ["not collected"],
    }


def test_a_class_that_was_erased_leaves_the_others_of_its_pdu(rig: DoorRig, tmp_path: Path) -> None:
    keep(rig)
    rig.open.keys.destroy("position")
    found = values(rig, tmp_path / "rest.csv")
    assert found["Mixed.Lane"] == ["not collected"]
    assert found["Mixed.Power"] == ["136", "137"]
    assert found["Mixed.Age"] == ["153", "154"]


def test_pdus_are_no_frames_of_a_bus_to_a_can_tool(rig: DoorRig, tmp_path: Path) -> None:
    keep(rig)
    with archive(rig.folder) as opened:
        request = ExportRequest(tmp_path / "out.log", What.FRAMES, Format.CANDUMP, Selection())
        about = export(opened, request, CATALOGUE)
    assert (about.written, about.left_out) == (0, {REASSEMBLED: 4})


def test_the_live_path_and_the_offline_one_read_the_same(rig: DoorRig) -> None:
    batch = admitted(rig.door, rig)
    database = classed().database
    latest = LatestValues(DecodePlan({"bus": [database]}, withheld=rig.door.withheld()))
    latest.update(batch)
    found = latest.snapshot()
    last = {"Drive.Speed": 32, "Drive.Gear": 4, "Mixed.Lane": 120, "Mixed.Power": 137, "Mixed.Age": 154}
    assert {f"{ref.message}.{ref.signal}": value for ref, value in found.values.items()} == last
    assert set(found.t_ns.values()) == {2_000_000}
    hop, door = latest.hop(), rig.door.hop()
    assert hop.entered == hop.left == door.left + door.facts["further PDUs of containers"] == 4
    assert not set(found.values) & {SignalRef("bus", "Seat", "Belt")}


def test_an_item_is_bound_to_a_signal_of_a_pdu(tmp_path: Path) -> None:
    path = tmp_path / "boxed.toml"
    path.write_text('[items."vehicle.speed"]\nsignal = "Drive.Speed"\nunit = "km/h"\n', encoding="utf-8")
    binding = load_binding(path, classed().database, builtin())
    (item,) = list(binding)
    assert item.id == "vehicle.speed"
    assert item.freshness_ns > 0
