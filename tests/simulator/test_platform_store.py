"""What the platform's store keeps, and what it refuses to be opened on."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import Timebase, TimeQuality
from edge.records import Missing, Record, Value
from edge.wire.loss import LossCause, LossRange
from simulator.platform.body import decode_body, encode_body
from simulator.platform.reader import StoreReader
from simulator.platform.rows import Evidence, Rejection
from simulator.platform.schema import APPLICATION_ID, MIGRATIONS
from simulator.platform.store import Store, StoreError
from tests.simulator.platform_rig import record as rig_record

VEHICLE = "LNEVGATE000000001"
STREAM = b"0123456789abcdef"
WALL = Timebase(1_700_000_000_000_000_000, TimeQuality.GNSS)

ELEMENTS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.sampled_from(Missing))
VALUES = st.one_of(ELEMENTS, st.lists(ELEMENTS, max_size=5).map(tuple))


def evidence(text: bytes = b"signed", kind: str = "live") -> Evidence:
    return Evidence(hashlib.sha256(text).digest(), kind, b"key", True, b"b" * 16, 5, text)


def record(number: int, **values: Value) -> Record:
    return Record(number, number * 1000, WALL, values, mask="m1", alarm=number % 2 == 0)


def keep(store: Store, *records: Record, text: bytes = b"signed") -> None:
    stream = store.stream(VEHICLE, STREAM, 5)
    for entry in records:
        stream.sequence.arrive(entry.number)
    store.add_records(stream, store.add_message(stream, evidence(text)), records)


@given(st.dictionaries(st.text("abc.[]0", min_size=1), VALUES, max_size=8))
def test_a_body_keeps_every_value(values: dict[str, Value]) -> None:
    assert decode_body(list(values), encode_body(tuple(values.values()))) == values


def test_a_record_comes_back_as_it_was_made(tmp_path: Path) -> None:
    records = (
        record(1, speed=123, cells=(3650, Missing.INVALID, Missing.ABNORMAL), odometer=Missing.ABNORMAL),
        record(2, speed=-5),
        record(3),
    )
    store = Store(tmp_path / "platform.db")
    keep(store, *records)
    found = store.record(store.stream(VEHICLE, STREAM, 9), 1)
    assert found is not None
    assert found.record == records[0]
    store.commit()
    store.close()
    with StoreReader(tmp_path / "platform.db") as reader:
        stored = list(reader.records())
        assert [entry.record for entry in stored] == list(records)
        assert {entry.vehicle for entry in stored} == {VEHICLE}
        assert stored[0].provable
        assert reader.evidence(stored[0].message_sha256) == b"signed"
        window = reader.records(since_ns=WALL.wall_ns(2000), until_ns=WALL.wall_ns(3000))
        assert [entry.record.number for entry in window] == [2]
        assert list(reader.records(vehicle="OTHER")) == []


def test_a_stream_comes_back_with_its_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db")
    keep(store, record(1), record(2), record(7))
    stream = store.stream(VEHICLE, STREAM, 5)
    stream.sequence.report_lost(3, 4)
    stream.sequence.doubles = 3
    stream.predecessor = b"p" * 16
    store.add_loss(stream, 1, LossRange(3, 4, LossCause.ERASED))
    store.commit()
    store.close()
    again = Store(tmp_path / "platform.db").stream(VEHICLE, STREAM, 6)
    assert again == stream
    assert again.sequence.missing() == [(5, 6)]
    with StoreReader(tmp_path / "platform.db") as reader:
        assert [(gap.first, gap.last, gap.cause) for gap in reader.gaps()] == [
            (3, 4, "erased"),
            (5, 6, ""),
        ]
        (vehicle,) = reader.vehicles()
        assert (vehicle.records, vehicle.missing, vehicle.lost, vehicle.doubles) == (3, 2, 2, 3)


def test_what_was_not_committed_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db")
    keep(store, record(1, speed=1))
    store.commit()
    keep(store, record(2, power=2), text=b"second")
    store.rollback()
    stream = store.stream(VEHICLE, STREAM, 5)
    assert list(stream.sequence.received) == [(1, 1)]
    assert not store.knows_message(hashlib.sha256(b"second").digest())
    keep(store, record(2, power=3), text=b"third")
    store.commit()
    store.close()
    with StoreReader(tmp_path / "platform.db") as reader:
        assert [entry.record for entry in reader.records()] == [record(1, speed=1), record(2, power=3)]


def test_a_number_is_never_kept_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db")
    keep(store, record(1))
    stream = store.stream(VEHICLE, STREAM, 5)
    with pytest.raises(StoreError, match="UNIQUE"):
        store.add_records(stream, 1, [record(1)])


def test_only_the_latest_rejections_are_kept_but_all_are_counted(tmp_path: Path) -> None:
    store = Store(tmp_path / "platform.db", rejections_kept=10)
    for batch in range(3):
        for place in range(15):
            size = batch * 15 + place
            store.add_rejection(Rejection(size, "t", "malformed", "", size, b"h" * 32, b"head"))
        store.commit()
    store.close()
    with StoreReader(tmp_path / "platform.db") as reader:
        assert [entry.size for entry in reader.rejections()] == list(range(44, 34, -1))
        assert reader.rejected() == {"malformed": 45}


def test_streams_that_leave_memory_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.platform.store.STREAMS_IN_MEMORY", 2)
    store = Store(tmp_path / "platform.db")
    for round_ in range(1, 4):
        for place in range(6):
            stream = store.stream(VEHICLE, bytes([place] * 16), 5)
            stream.sequence.arrive(round_)
            store.touch(stream)
        store.commit()
    streams = [store.stream(VEHICLE, bytes([place] * 16), 5) for place in range(6)]
    assert [stream.sequence.watermark for stream in streams] == [3] * 6


def test_a_store_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(StoreError, match="another program"):
        Store(path)
    with pytest.raises(StoreError, match="another program"):
        StoreReader(path)


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    Store(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match="version"):
        Store(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError):
        Store(path)
    with pytest.raises(StoreError):
        StoreReader(path)
    with pytest.raises(StoreError, match="no such store"):
        StoreReader(tmp_path / "absent.db")


def test_a_store_of_the_first_version_is_brought_up_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "platform.db"
    with sqlite3.connect(path) as old:
        old.executescript((Path(__file__).parent / "stores" / "version_1.sql").read_text("utf-8"))
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
    with pytest.raises(StoreError, match="version 1"):
        StoreReader(path)
    store = Store(path)
    stream = store.stream("LNEVGATE000000001", bytes(range(16)), 5)
    store.close()
    assert list(stream.sequence.received) == [(1, 3), (7, 7), (10, 10)]
    assert list(stream.sequence.lost) == [(4, 4)]
    assert list(stream.sequence.uncertain) == [(5, 6)]
    assert stream.predecessor == b"p" * 16
    with StoreReader(path) as reader:
        assert [entry.record for entry in reader.records()] == [rig_record(n) for n in (1, 2, 3, 7)] + [
            rig_record(10, alarm=True)
        ]
        gaps = [(gap.first, gap.last, gap.cause, gap.exactness) for gap in reader.gaps()]
        assert gaps == [(4, 4, "erased", "exact"), (5, 6, "lost", "interval"), (8, 9, "", "")]
        assert [(each.number, each.fewer_items) for each in reader.conflicts()] == [(2, False)]
        assert reader.rejected() == {"unsigned": 1}
        assert reader.fault() is None


def test_an_interrupted_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "platform.db"
    Store(path).close()
    monkeypatch.setattr(
        "simulator.platform.schema.MIGRATIONS",
        (*MIGRATIONS, "CREATE TABLE extra (x); SELECT no_such_function();"),
    )
    with pytest.raises(StoreError):
        Store(path)
    monkeypatch.setattr("simulator.platform.schema.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (x);"))
    Store(path).close()
    with sqlite3.connect(path) as migrated:
        assert migrated.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
        assert migrated.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
