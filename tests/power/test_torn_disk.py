"""Power cuts at every write: what SQLite's settings promise holds, and the rig notices when it does not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from tests.power.claims import FORGOTTEN, Claim, broken
from tests.power.cuts import Reopener, every_cut, recorded_run
from tests.power.platter import SECTOR_BYTES, Cut, Platter, Truncate, Write, drawn
from tests.power.sharpness import without_all, without_each_sync
from tests.power.standin import StandIn
from tests.power.torn_disk import Changed, Disk, SyncKind, record, recorded

SHORT = StandIn(commits=10, largest_bytes=9000, checkpoint_pages=8, seed=1)
WRITTEN = [Claim("block", number, f"digest {number}") for number in range(1, 6)]


@pytest.mark.parametrize(
    "workload",
    [
        SHORT,
        replace(SHORT, keys_journal="truncate"),
        replace(SHORT, keys_journal="delete", keys_synchronous="extra"),
    ],
    ids=lambda workload: workload.name,
)
def test_claims_hold_after_a_cut_at_every_write(workload: StandIn) -> None:
    recording = recorded_run(workload)
    tally = every_cut(workload, recording, seeds=[1])
    assert tally.faults == []
    assert tally.states > len(recording.events)


def test_claims_hold_when_the_power_fails_again_during_recovery() -> None:
    first = recorded_run(SHORT)
    reopener = Reopener(SHORT)
    random = drawn(7)
    for _ in range(3):
        end = random.randrange(len(first.events) // 2, len(first.events))
        disk = Disk(first.before)
        for event in first.events[:end]:
            disk.take(event)
        left = disk.after(Cut.TORN, random)
        second = recorded_run(replace(SHORT, commits=3, seed=2), left)
        assert every_cut(SHORT, second, seeds=[1], first=second.standing, reopener=reopener).faults == []


def test_a_deleted_rollback_journal_that_comes_back_is_noticed() -> None:
    # With synchronous=FULL nothing syncs the folder after the deletion that is the commit.
    workload = replace(SHORT, commits=4, keys_journal="delete", keys_synchronous="full")
    tally = every_cut(workload, recorded_run(workload), seeds=[1], enough=1)
    assert "key: 1 was announced" in tally.faults[0].faults[0]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (SyncKind.WAL, "blocks.db-wal"),
        (SyncKind.WAL, "keys.db-wal"),
        (SyncKind.DATABASE, "blocks.db"),
        (SyncKind.FOLDER, "."),
    ],
)
def test_no_kind_of_sync_can_be_left_out(kind: SyncKind, name: str) -> None:
    assert without_all(SHORT, recorded_run(SHORT), kind, name, seeds=[1, 2]) is not None


def test_no_single_sync_under_a_claim_can_be_left_out() -> None:
    recording = recorded_run(SHORT)
    under_claims = [
        one
        for one in without_each_sync(
            SHORT, recording, seeds=[1, 2], chosen=lambda sync, _covers: sync.kind is SyncKind.WAL
        )
        if one.hung
    ]
    assert len(under_claims) > SHORT.commits // 2
    assert [one for one in under_claims if one.fault is None] == []


def test_no_single_sync_of_a_checkpoint_can_be_left_out() -> None:
    recording = recorded_run(SHORT)
    found = without_each_sync(
        SHORT, recording, seeds=range(6), chosen=lambda sync, _covers: sync.name == "blocks.db"
    )
    checkpoints = [one for one in found if recording.claims(one.at)]
    assert len(checkpoints) >= 3
    assert [one for one in checkpoints if one.fault is None] == []


def test_the_sync_of_a_new_wal_header_is_needed_before_several_pages() -> None:
    workload = StandIn(commits=16, largest_bytes=9000, checkpoint_pages=12, seed=0)
    found = without_each_sync(
        workload,
        recorded_run(workload),
        seeds=range(8),
        chosen=lambda sync, covers: sync.name == "blocks.db-wal" and covers == 1,
    )
    assert any(one.fault for one in found)


def test_files_that_are_not_sqlites_are_cut_too(tmp_path: Path) -> None:
    def run(folder: Path, _announce: object) -> None:
        descriptor = os.open(folder / "waiting", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"key")
        os.fsync(descriptor)
        os.close(descriptor)
        (folder / "waiting").rename(folder / "key")
        entries = os.open(folder, os.O_RDONLY)
        os.fsync(entries)
        os.close(entries)

    recording = record(run, tmp_path)
    left = []
    for end in range(len(recording.events) + 1):
        disk = Disk({})
        for event in recording.events[:end]:
            disk.take(event)
        left.append(disk.after(Cut.NOTHING, drawn(0)))
    assert left[-1] == {"key": b"key"}
    assert all(files == {} for files in left[:-1])


def test_files_that_were_there_before_are_watched_too(tmp_path: Path) -> None:
    def run(folder: Path, _announce: object) -> None:
        (folder / "key").unlink()
        entries = os.open(folder, os.O_RDONLY)
        os.fsync(entries)
        os.close(entries)

    (tmp_path / "key").write_bytes(b"old")
    recording = record(run, tmp_path)
    disk = Disk(recording.before)
    assert disk.after(Cut.NOTHING, drawn(0)) == {"key": b"old"}
    for event in recording.events:
        disk.take(event)
    assert disk.after(Cut.NOTHING, drawn(0)) == {}


def test_a_reader_beside_the_writer_works_while_recorded(tmp_path: Path) -> None:
    with recorded(tmp_path):
        writer = apsw.Connection(str(tmp_path / "some.db"))
        writer.pragma("journal_mode", "wal")
        writer.execute("CREATE TABLE one(a); INSERT INTO one VALUES (7)")
        reader = apsw.Connection(str(tmp_path / "some.db"), flags=apsw.SQLITE_OPEN_READONLY)
        assert reader.execute("SELECT a FROM one").get == 7
        reader.close()
        writer.close()
    assert not [name for name in apsw.vfs_names() if name.startswith("torn")]


def test_torn_writes_leave_whole_sectors_and_other_bytes_alone() -> None:
    platter = Platter(b"o" * 3000)
    platter.change(Write(100, b"n" * 2000))
    for seed in range(20):
        left = platter.after(Cut.TORN, drawn(seed))
        assert left[:100] + left[2100:] == b"o" * 1000
        pieces = [
            set(left[max(at, 100) : min(at + SECTOR_BYTES, 2100)]) for at in range(0, 2100, SECTOR_BYTES)
        ]
        assert all(len(piece) == 1 for piece in pieces)
    assert len({platter.after(Cut.TORN, drawn(seed)) for seed in range(20)}) > 5


def test_synced_bytes_survive_every_cut() -> None:
    platter = Platter()
    platter.change(Write(10, b"kept"))
    platter.change(Truncate(12))
    platter.sync()
    platter.change(Write(400, b"lost or not"))
    for cut in Cut:
        assert platter.after(cut, drawn(3))[:12] == bytes(10) + b"ke"


def test_a_cut_of_one_seed_is_the_same_again() -> None:
    recording = recorded_run(SHORT)
    disk = Disk(recording.before)
    for event in recording.events[: len(recording.events) // 2]:
        disk.take(event)
    assert disk.after(Cut.NOISE, drawn(5)) == disk.after(Cut.NOISE, drawn(5))
    assert any(isinstance(event, Changed) for event in recording.events)


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        ([1, 2, 3], ""),
        ([1, 2, 3, 4], ""),
        ([1, 2], "block: 3 was announced, 2 is there"),
        ([], "block: 3 was announced, nothing is there"),
        ([1, 3], "have gaps"),
        ([1, 2, 2, 3], "have gaps, repeats"),
        ([1, 2, 3, 4, 5, 6], "block 6: was never written"),
        ([2, 3], "block: begins at 2, deleted was up to 0"),
    ],
)
def test_broken_claims_are_told(held: list[int], fault: str) -> None:
    faults = broken(WRITTEN[:3], WRITTEN, {"block": [(number, f"digest {number}") for number in held]})
    assert (not faults and not fault) or (fault and fault in "; ".join(faults))


def test_another_thing_under_a_number_is_told() -> None:
    found = {"block": [(1, "digest 1"), (2, "digest 3"), (3, "digest 3")]}
    assert broken(WRITTEN[:3], WRITTEN, found) == ["block 2: is not what was written under this number"]


def test_what_was_deleted_on_purpose_is_not_missed() -> None:
    announced = [*WRITTEN[:3], Claim("block", 2, FORGOTTEN)]
    assert broken(announced, WRITTEN, {"block": [(3, "digest 3")]}) == []
    assert broken(announced, WRITTEN, {"block": [(2, "digest 2"), (3, "digest 3")]}) == []
