"""The sum of a journal: what it counts is what is there, and each destination's share is the forwarder's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.archive.block_view import view
from edge.archive.destinations import read_destinations
from edge.archive.opening import open_archive
from edge.archive.overview import SeriesSummary, sum_up
from edge.archive.selection import Selection
from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.upkeep.erase import erase
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass
from edge.uplink.outgoing import Kind
from tests.archive.kept import KeptRig, archive, drawn_second, keep_frames
from tests.journal.journal_rig import CATALOGUE, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = KeptRig(tmp_path / "journal").start()
    yield made
    made.stop()


def by_series(rig: Rig, *, keys: bool = True) -> dict[tuple[BlockKind, str], SeriesSummary]:
    with archive(rig.folder, keys=keys) as opened:
        return {(one.kind, one.data_class): one for one in sum_up(opened).series}


def test_blocks_are_counted_by_kind_and_class(rig: Rig) -> None:
    rig.records(5)
    keep_frames(rig, drawn_second(rig))
    found = by_series(rig)
    assert {series: one.blocks for series, one in found.items()} == {
        (BlockKind.FRAMES, "operation"): 1,
        (BlockKind.FRAMES, "position"): 1,
        (BlockKind.RECORDS, "operation"): 5,
        (BlockKind.RECORDS, "position"): 5,
    }
    records = found[BlockKind.RECORDS, "operation"]
    assert (records.first_number, records.last_number) == (1, 5)
    assert records.bytes == sum(
        size for (size,) in rig.rows("SELECT size FROM block WHERE kind = 2 AND class = 'operation'")
    )
    with archive(rig.folder) as opened:
        overview = sum_up(opened)
    assert (overview.last_block, overview.removed, overview.last_number) == (12, 0, 5)
    assert (overview.checkpoints, overview.covered, overview.countersigned) == (1, 8, 0)


def test_what_was_erased_is_told_from_what_retention_took(rig: Rig) -> None:
    rig.records(3)
    rig.rows("UPDATE block SET ciphertext = NULL, size = 0 WHERE class = 'operation' AND number < 3")
    erase(rig.open, ErasureRequest(DataClass.POSITION), rig.inside())
    found = by_series(rig)
    taken = {one.data_class: (one.deleted, one.erased) for one in found.values() if one.data_class}
    assert taken == {"operation": (1, 0), "position": (3, 3)}
    assert by_series(rig, keys=False)[BlockKind.RECORDS, "position"].erased is None


def test_rows_that_retention_removed_are_counted(rig: Rig) -> None:
    rig.records(8)
    rig.rows("DELETE FROM block WHERE number <= 8")
    with archive(rig.folder) as opened:
        overview = sum_up(opened)
        assert view(opened, 9).linked, "a checkpoint ends with the block before"
        with pytest.raises(JournalError, match="there is no block 3"):
            view(opened, 3)
    assert (overview.last_block, overview.removed) == (16, 8)


def test_a_destination_has_what_its_forwarder_says(rig: Rig) -> None:
    forwarder = rig.forwarder()
    rig.records(10)
    first = forwarder.next(Kind.LIVE, 0)
    assert first is not None
    rig.records(10)
    assert forwarder.next(Kind.LIVE, first[0]) is not None
    rig.records(5)
    forwarder.acknowledge(first[0])
    assert rig.open.journal.commit()
    with archive(rig.folder) as opened:
        (state,) = read_destinations(opened.connection)
    (share,) = state.shares
    ledger = forwarder.ledger()
    assert (share.acknowledged, share.held + share.unsent, share.given_up) == (
        ledger.acknowledged,
        ledger.waiting,
        ledger.given_up,
    )
    assert (state.messages, share.held, share.first_unsent) == (1, 10, 21)


def test_a_changed_block_shows_what_does_not_hold(rig: Rig) -> None:
    rig.records(2)
    rig.rows("UPDATE block SET link = zeroblob(32) WHERE number = 2")
    rig.rows("UPDATE block SET ciphertext = zeroblob(length(ciphertext)) WHERE number = 4")
    with archive(rig.folder) as opened:
        first, second, fourth = (view(opened, number) for number in (1, 2, 4))
    assert (first.linked, first.sealed, first.committed, first.holds) == (True, True, True, True)
    assert (second.linked, second.holds) == (False, False)
    assert (fourth.sealed, fourth.committed, fourth.holds) == (False, False, False)
    assert fourth.why_closed


def test_everything_seen_is_of_one_moment(rig: Rig) -> None:
    rig.records(3)
    with archive(rig.folder) as opened:
        before = sum_up(opened)
        rig.records(3)
        assert sum_up(opened).series == before.series
    with archive(rig.folder) as opened:
        assert sum_up(opened).last_number == 6


def test_looking_at_a_journal_changes_nothing(rig: Rig) -> None:
    rig.records(3)
    rig.stop()

    def state() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in rig.folder.iterdir() if path.is_file()}

    before = state()
    with archive(rig.folder) as opened:
        sum_up(opened)
        list(opened.entries(Selection()))
    after = state()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"journal.db-wal", "journal.db-shm"}


def test_a_medium_that_cannot_be_written_is_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.records(3)
    rig.stop()
    monkeypatch.setattr(os, "access", lambda *_: False)
    before = {path.name for path in rig.folder.iterdir()}
    with open_archive(rig.folder, None, CATALOGUE) as opened:
        assert sum_up(opened).last_number == 3
        assert {path.name for path in rig.folder.iterdir()} == before
