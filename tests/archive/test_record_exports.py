"""Records come out with names and physical values; what is invalid, abnormal or not collected stays apart."""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcap.reader import make_reader

from edge.archive.export_file import About
from edge.archive.exporting import ExportRequest, Format, What, export
from edge.archive.records import RecordReader
from edge.archive.selection import Selection
from edge.clock import NS_PER_S, TimeQuality
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.damage.salvage import open_or_salvage
from edge.records import Missing, Record, Value
from edge.uplink.outgoing import Kind
from edge.wire.strict_cbor import CborValue, write_cbor
from tests.archive.kept import KeptRig, archive, keep_record
from tests.journal.journal_rig import CATALOGUE, EPOCH_NS, Rig, timebase_at

Told = dict[tuple[int, str, int | None], tuple[float | None, str]]
"""Value and state by number, item and element."""

VALUES: dict[str, Value] = {
    "vehicle.speed": 123,
    "hv.soc": Missing.INVALID,
    "hv.voltage": Missing.ABNORMAL,
    "pack[1].cells": (3300, Missing.INVALID, 3301),
    "gnss.valid": 5,
}
EXPECTED: Told = {
    (1, "vehicle.speed", None): (12.3, "valid"),
    (1, "hv.soc", None): (None, "invalid"),
    (1, "hv.voltage", None): (None, "abnormal"),
    (1, "pack[1].cells", 1): (3.3, "valid"),
    (1, "pack[1].cells", 2): (None, "invalid"),
    (1, "pack[1].cells", 3): (3.301, "valid"),
    (1, "gnss.valid", None): (5, "valid"),
    (2, "vehicle.speed", None): (12.4, "valid"),
}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = KeptRig(tmp_path / "journal").start()
    yield made
    made.stop()


def exported(rig: Rig, path: Path, format_: Format, selection: Selection | None = None) -> About:
    with archive(rig.folder) as opened:
        return export(opened, ExportRequest(path, What.RECORDS, format_, selection or Selection()), CATALOGUE)


class RecordExport(ABC):
    """What holds of every format of records."""

    format: Format

    @abstractmethod
    def read(self, path: Path) -> Told:
        """The values of all records."""

    def test_values_come_back_and_missing_ones_say_why(self, rig: Rig, tmp_path: Path) -> None:
        keep_record(rig, VALUES)
        keep_record(rig, {"vehicle.speed": 124})
        path = tmp_path / "out"
        about = exported(rig, path, self.format)
        assert self.read(path) == EXPECTED
        assert (about.written, about.first_ns) == (2, EPOCH_NS + NS_PER_S + 1)

    def test_one_class_alone(self, rig: Rig, tmp_path: Path) -> None:
        keep_record(rig, VALUES)
        path = tmp_path / "out"
        exported(rig, path, self.format, Selection(classes=frozenset({"position"})))
        assert self.read(path) == {(1, "gnss.valid", None): (5, "valid")}


class TestCsv(RecordExport):
    format = Format.CSV

    def read(self, path: Path) -> Told:
        with path.open(encoding="utf-8", newline="") as file:
            return dict(map(told, csv.DictReader(file)))


class TestParquet(RecordExport):
    format = Format.PARQUET

    def read(self, path: Path) -> Told:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        return dict(map(told, pq.read_table(path).to_pylist()))


def told(row: dict[str, Any]) -> tuple[tuple[int, str, int | None], tuple[float | None, str]]:
    element = row["element"]
    value = row["value"]
    key = (int(row["number"]), row["item"], int(element) if element not in {None, ""} else None)
    return key, (float(value) if value not in {None, ""} else None, row["state"])


class TestMcap(RecordExport):
    format = Format.MCAP

    def read(self, path: Path) -> Told:
        found: Told = {}
        with path.open("rb") as file:
            for _, _, message in make_reader(file).iter_messages():
                said = json.loads(message.data)
                for item, value in said["values"].items():
                    if isinstance(value, list):
                        for place, element in enumerate(value, 1):
                            state = said["missing"].get(f"{item}#{place}", "valid")
                            found[said["number"], item, place] = (element, state)
                    else:
                        found[said["number"], item, None] = (value, said["missing"].get(item, "valid"))
        return found


def records(rig: Rig, selection: Selection | None = None) -> list[Record]:
    with archive(rig.folder) as opened:
        reader = RecordReader(opened, selection or Selection())
        return [record for joined in reader for record in joined.records]


def test_records_are_joined_from_their_classes(rig: Rig) -> None:
    kept = [keep_record(rig, VALUES) for _ in range(5)]
    assert [(one.number, dict(one.values)) for one in records(rig)] == [(one.number, VALUES) for one in kept]


def test_an_erased_class_is_named_and_the_rest_stays(rig: Rig, tmp_path: Path) -> None:
    keep_record(rig, VALUES)
    rig.open.keys.destroy("position")
    about = exported(rig, tmp_path / "out.csv", Format.CSV)
    assert about.not_at_hand == {"position": 1}
    (found,) = records(rig)
    assert found.values.keys() == VALUES.keys() - {"gnss.valid"}


def test_a_later_fix_gives_earlier_records_their_time(rig: Rig, tmp_path: Path) -> None:
    rig.clock.set_timebase(timebase_at(0, TimeQuality.NONE))
    early = keep_record(rig, {"vehicle.speed": 1})
    fixed = timebase_at(EPOCH_NS, TimeQuality.GNSS)
    now_ns = rig.clock.boot_ns() + 1
    note: dict[int, CborValue] = {1: now_ns, 2: [0, 0], 3: [EPOCH_NS, int(TimeQuality.GNSS)], 4: [0, now_ns]}
    rig.open.journal.add_note(
        Draft(BlockKind.TIME, "", write_cbor(note), rig.boot, now_ns, now_ns, fixed, count=1)
    )
    rig.clock.set_timebase(fixed)
    keep_record(rig, {"vehicle.speed": 2})
    about = exported(rig, tmp_path / "out.csv", Format.CSV)
    assert (about.without_wall_time, about.first_ns) == (0, EPOCH_NS + early.t_ns)
    within = Selection(from_ns=EPOCH_NS, to_ns=EPOCH_NS + early.t_ns + 1)
    assert [one.number for one in records(rig, within)] == [1]
    with archive(rig.folder, keys=False) as opened:
        assert [entry.header.number for entry in opened.entries(within)] == []


def test_records_that_were_rescued_keep_the_name_of_their_stream(rig: Rig, tmp_path: Path) -> None:
    old = rig.open.stream
    forwarder = rig.forwarder()
    for _ in range(12):
        keep_record(rig, {"vehicle.speed": 7})
    assert forwarder.next(Kind.LIVE, 0) is not None
    assert rig.open.journal.commit()
    rig.stop()
    rig.opened, _ = open_or_salvage(rig.folder, rig.provider, rig.settings, rig.inside(), found="by hand")
    keep_record(rig, {"vehicle.speed": 8})
    path = tmp_path / "out.csv"
    exported(rig, path, Format.CSV)
    with path.open(newline="") as file:
        found = {(row["stream"], row["number"]): row["value"] for row in csv.DictReader(file)}
    assert found[rig.open.stream.hex(), "1"] == "0.8"
    assert found[old.hex(), "12"] == "0.7"
