"""Records come back from blocks as they were, split by class, and never in a block that nobody takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import Timebase, TimeQuality
from edge.errors import JournalError
from edge.journal.record_block import CARRIER, decode_records, encode_records, join_records
from edge.policy.classes import DataClass
from edge.records import Missing, Record, Value
from tests.journal.journal_rig import CATALOGUE, EPOCH_NS, Rig

OPERATION, POSITION = ("vehicle.speed", "vehicle.odometer"), ("gnss.valid", "gnss.lon")
STEPS = st.integers(-(1 << 40), 1 << 40)
VALUES: st.SearchStrategy[dict[str, Value]] = st.dictionaries(
    st.sampled_from([*OPERATION, *POSITION]), STEPS | st.sampled_from(Missing), max_size=4
)
RECORDS = st.lists(
    st.tuples(
        st.integers(1, 3), st.integers(0, 1 << 50), VALUES, st.booleans(), st.sampled_from(["", "m", "n"])
    ),
    min_size=1,
    max_size=12,
)


def class_of(name: str) -> DataClass:
    return CATALOGUE.item(name).data_class


def numbered(drawn: list[tuple[int, int, dict[str, Value], bool, str]]) -> list[Record]:
    number, records = 0, []
    for step, t_ns, values, alarm, mask in drawn:
        number += step
        records.append(Record(number, t_ns, Timebase(EPOCH_NS, TimeQuality.NTP), values, mask, alarm=alarm))
    return records


@given(RECORDS)
def test_records_come_back_as_they_were(drawn: list[tuple[int, int, dict[str, Value], bool, str]]) -> None:
    records = numbered(drawn)
    parts = encode_records(records, class_of, CATALOGUE)
    assert next(iter(parts)) is CARRIER
    joined = join_records([decode_records(part, CATALOGUE) for part in parts.values()])
    assert joined == records


@given(RECORDS)
def test_a_part_holds_its_class_alone(drawn: list[tuple[int, int, dict[str, Value], bool, str]]) -> None:
    for data_class, part in encode_records(numbered(drawn), class_of, CATALOGUE).items():
        names = {name for one in decode_records(part, CATALOGUE) for name in one.values}
        assert {class_of(name) for name in names} <= {data_class}


def test_what_the_carrier_does_not_name_is_left_out() -> None:
    timebase = Timebase(EPOCH_NS, TimeQuality.NTP)
    head, other = (Record(number, 5, timebase, {}) for number in (1, 2))
    assert join_records([[head], [other]]) == [head]


def test_damage_is_told_as_such() -> None:
    (part,) = encode_records([Record(1, 5, Timebase(0, TimeQuality.NONE), {})], class_of, CATALOGUE).values()
    for broken in (b"", part[:-1], part + b"\0", bytes(len(part)), bytes(300_000)):
        with pytest.raises(JournalError):
            decode_records(broken, CATALOGUE)


@pytest.mark.parametrize(("records", "cells"), [(1_500, 300), (4_096, 1), (700, 400)])
def test_many_records_at_once_go_into_as_many_blocks_as_can_be_read_again(
    tmp_path: Path, records: int, cells: int
) -> None:
    rig = Rig(tmp_path / "journal").start()
    for second in range(records):
        rig.after(1)
        values: dict[str, Value] = {
            "pack[1].cells": tuple(3_000 + (second * 7 + n * 13) % 500 for n in range(cells))
        }
        rig.open.journal.add_record(Record(0, rig.clock.boot_ns(), rig.clock.timebase(), values, "mask"))
    assert rig.open.journal.commit()
    with rig.open.reader() as reader:
        read = reader.records(1, records)
    assert [one.record.number for one in read] == list(range(1, records + 1))
    assert read[-1].record.values == values
    assert not rig.verify(contents=True).fault_count
    rig.stop()


def test_a_record_that_cannot_be_written_is_counted_and_costs_no_other(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "journal").start()
    for number in range(1, 8):
        values = {"no.such.item": 1} if number in {3, 6} else {"vehicle.speed": number}
        rig.open.journal.add_record(Record(0, number, rig.clock.timebase(), values, "mask"))
    assert rig.open.journal.commit()
    with rig.open.reader() as reader:
        assert [one.record.number for one in reader.records(1, 7)] == [1, 2, 4, 5, 7]
    (hop,) = [hop for hop in rig.open.journal.hops() if hop.unit == "records"]
    assert (hop.entered, hop.left, hop.balanced) == (7, 5, True)
    rig.stop()
