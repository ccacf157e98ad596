"""The journal keeps what it claimed whenever the power fails, and needs each kind of sync for that."""

from __future__ import annotations

import pytest

from tests.power.cuts import Reopener, every_cut, recorded_run
from tests.power.journal_store import JournalStore
from tests.power.platter import Cut, drawn
from tests.power.sharpness import without_all
from tests.power.torn_disk import Disk, Recording, SyncKind

STORE = JournalStore(commits=9, checkpoint_pages=12, seed=1)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return recorded_run(STORE)


def test_the_run_claims_everything_a_journal_claims(recording: Recording) -> None:
    assert {claim.series for claim in recording.claims()} == {
        "block",
        "record",
        "checkpoint",
        "message",
        "erased",
    }


def test_claims_hold_whenever_the_power_fails(recording: Recording) -> None:
    tally = every_cut(STORE, recording, seeds=[1], first=2, step=29)
    assert tally.faults == []
    assert tally.states > 50


def test_claims_hold_when_the_power_fails_again_during_recovery(recording: Recording) -> None:
    disk = Disk(recording.before)
    for event in recording.events[: len(recording.events) * 2 // 3]:
        disk.take(event)
    second = recorded_run(JournalStore(commits=1, seed=2), disk.after(Cut.TORN, drawn(1)))
    assert every_cut(STORE, second, seeds=[1], first=second.standing, step=29).faults == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (SyncKind.WAL, "journal/journal.db-wal"),
        (SyncKind.DATABASE, "journal/journal.db"),
        (SyncKind.JOURNAL, "journal/keys.db-journal"),
        (SyncKind.DATABASE, "journal/keys.db"),
        (SyncKind.FOLDER, "journal"),
        (SyncKind.FOLDER, "wrapping"),
        (SyncKind.FILE, "wrapping/.wrapping-1.key.new"),
    ],
)
def test_no_kind_of_sync_can_be_left_out(recording: Recording, kind: SyncKind, name: str) -> None:
    assert without_all(STORE, recording, kind, name, seeds=[1]) is not None


def test_the_cleared_folder_of_an_empty_disk_opens(recording: Recording) -> None:
    assert recording.before == {}
    assert Reopener(STORE).faults({}, [], recording.claims()) == []
