"""A journal in whatever state never stops the gateway, and what waits in it goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.damage.integrity import Scrub
from edge.journal.damage.salvage import Salvage, open_or_salvage
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.cose import Verifier
from edge.wire.loss import LossCause
from edge.wire.message import RecordMessage, decode
from tests.journal.journal_rig import CATALOGUE, KEY, PLATFORM, VEHICLE, Rig

PAGE = 4096


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal").start()
    yield made
    made.stop()


def read(item: Outgoing) -> RecordMessage:
    verifier = Verifier({VEHICLE: [KEY.public]})
    return decode(verifier.verify(item.payload, vehicle=VEHICLE).payload, CATALOGUE)


def numbers_in(messages: list[Outgoing]) -> list[int]:
    return sorted(record.number for one in messages for record in read(one).records)


def sent(rig: Rig) -> list[Outgoing]:
    """All messages that a forwarder has to send."""
    forwarder = rig.forwarder()
    forwarder.flush()
    found = []
    for kind in Kind:
        position = 0
        while (item := forwarder.next(kind, position)) is not None:
            position = item[0]
            found.append(item[1])
    forwarder.close()
    return found


def salvage(rig: Rig, found: str = "") -> tuple[Salvage, ...]:
    rig.stop()
    rig.opened, told = open_or_salvage(rig.folder, rig.provider, rig.settings, rig.inside(), found=found)
    return told


def filled(rig: Rig) -> list[Outgoing]:
    """Six records in messages that wait, six more that are in none; all in the database's own file."""
    rig.records(6)
    made = sent(rig)
    rig.records(6)
    checkpointed(rig)
    return made


def checkpointed(rig: Rig) -> None:
    """Close the journal with everything in the database's own file."""
    assert rig.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0
    rig.stop()


def overwrite(path: Path, place: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


def pages_of(rig: Rig, name: str) -> list[int]:
    connection = apsw.Connection(str(rig.folder / "journal.db"))
    try:
        return [n for (n,) in connection.execute("SELECT pageno FROM dbstat WHERE name = ?", (name,))]
    finally:
        connection.close()


def test_a_sound_journal_is_opened_as_it_is(rig: Rig) -> None:
    filled(rig)
    assert salvage(rig) == ()
    assert not list(rig.folder.glob("damaged-*"))
    assert rig.open.journal.committed_number == 12


def test_what_waits_in_a_damaged_journal_goes_on_under_its_own_stream(rig: Rig) -> None:
    stream = rig.open.stream
    before = filled(rig)
    (told,) = salvage(rig, found="damage that showed in use")
    assert (told.stream, told.rescued.lost, told.rescued.messages) == (stream, 0, len(before))
    assert rig.open.stream != stream
    assert rig.open.predecessor == stream
    after = sent(rig)
    assert [one.payload for one in after[: len(before)]] == [one.payload for one in before]
    numbers = numbers_in(after)
    assert numbers == list(range(1, 13))
    assert {one.stream for one in after} == {stream}
    assert not [loss for one in after for loss in read(one).losses]
    report = rig.verify(contents=True)
    assert report.holds, report.faults


def test_new_records_have_a_stream_of_their_own_that_names_the_one_before(rig: Rig) -> None:
    stream = rig.open.stream
    filled(rig)
    salvage(rig, found="damage")
    rig.records(2)
    new = [read(one) for one in sent(rig) if one.stream == rig.open.stream]
    assert [record.number for one in new for record in one.records] == [1, 2]
    assert new[0].predecessor == stream


def test_the_damaged_journal_stays_as_it_was(rig: Rig) -> None:
    filled(rig)
    before = (rig.folder / "journal.db").read_bytes()
    (told,) = salvage(rig, found="damage")
    sent(rig)
    assert (rig.folder / told.kept_in / "journal.db").read_bytes() == before


def test_acknowledged_records_are_not_rescued(rig: Rig) -> None:
    rig.records(6)
    rig.rows("INSERT INTO covered VALUES (?, 1, 1, 4)", PLATFORM)
    (told,) = salvage(rig, found="damage")
    assert (told.rescued.records, told.rescued.blocks) == (2, 4)
    assert numbers_in(sent(rig)) == [5, 6]


def test_records_that_cannot_be_read_are_told_as_lost(rig: Rig) -> None:
    rig.records(30)
    checkpointed(rig)
    (leaf, *_) = pages_of(rig, "block")[1:]
    overwrite(rig.folder / "journal.db", (leaf - 1) * PAGE, bytes(PAGE))
    (told,) = salvage(rig, found="a page reads as zeros")
    assert 0 < told.rescued.lost < 30
    after = [read(one) for one in sent(rig)]
    numbers = {record.number for one in after for record in one.records}
    lost = {n for one in after for loss in one.losses for n in range(loss.first, loss.last + 1)}
    assert numbers | lost == set(range(1, 31))
    assert numbers.isdisjoint(lost)
    assert len(lost) == told.rescued.lost
    assert {loss.cause for one in after for loss in one.losses} == {LossCause.LOST}


@pytest.mark.parametrize("table", ["stream", "message", "covered", "checkpoint", "total"])
def test_a_broken_page_of_a_small_table_is_found_at_opening(rig: Rig, table: str) -> None:
    before = filled(rig)
    (page, *_) = pages_of(rig, table)
    overwrite(rig.folder / "journal.db", (page - 1) * PAGE, bytes(PAGE))
    (told,) = salvage(rig)
    assert told.what == "journal"
    after = sent(rig)
    assert sorted({n for one in after for record in read(one).records for n in [record.number]}) == list(
        range(1, 13)
    )
    if table in {"checkpoint", "total"}:
        assert {one.payload for one in before} <= {one.payload for one in after}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"not a database" * 1000),
        lambda path: overwrite(path, 0, bytes(PAGE)),
        lambda path: overwrite(path, 20, b"\xa5" * 40),
        lambda path: os.truncate(path, 5 * PAGE + 100),
    ],
    ids=["something else", "first page zeroed", "header garbled", "cut off"],
)
def test_a_file_that_is_no_database_any_more_is_put_aside(rig: Rig, spoil: Callable[[Path], None]) -> None:
    filled(rig)
    spoil(rig.folder / "journal.db")
    (told,) = salvage(rig)
    assert (rig.folder / told.kept_in / "journal.db").exists()
    rig.records(2)
    assert rig.open.journal.committed_number == 2
    assert rig.verify().holds


def test_an_empty_file_with_a_log_is_put_aside(rig: Rig) -> None:
    rig.records(3)
    saved = rig.folder.parent / "saved"
    shutil.copytree(rig.folder, saved)
    rig.stop()
    shutil.rmtree(rig.folder)
    saved.rename(rig.folder)
    os.truncate(rig.folder / "journal.db", 0)
    (told,) = salvage(rig)
    assert told.cause == "the file is empty"
    assert (rig.folder / told.kept_in / "journal.db-wal").stat().st_size


def test_an_empty_file_alone_is_a_journal_that_begins(rig: Rig) -> None:
    rig.stop()
    for path in rig.folder.glob("journal.db*"):
        path.unlink()
    (rig.folder / "journal.db").touch()
    assert salvage(rig) == ()


def test_a_database_of_something_else_is_refused(rig: Rig) -> None:
    rig.stop()
    for path in rig.folder.glob("journal.db*"):
        path.unlink()
    with apsw.Connection(str(rig.folder / "journal.db")) as connection:
        connection.pragma("application_id", 77)
        connection.execute("CREATE TABLE precious (thing)")
    connection.close()
    with pytest.raises(JournalError, match="something else"):
        salvage(rig)
    assert not list(rig.folder.glob("damaged-*"))


def test_a_newer_journal_is_refused(rig: Rig) -> None:
    rig.rows("PRAGMA user_version = 999")
    with pytest.raises(JournalError, match="version 999"):
        salvage(rig)


def test_a_damaged_key_store_is_put_aside_and_the_stream_goes_on(rig: Rig) -> None:
    stream = rig.open.stream
    filled(rig)
    overwrite(rig.folder / "keys.db", 2 * PAGE, os.urandom(2 * PAGE))
    (told,) = salvage(rig)
    assert told.what == "key store"
    assert rig.open.stream == stream
    rig.records(2)
    after = [read(one) for one in sent(rig)]
    assert sorted(n for one in after for record in one.records for n in [record.number]) == [13, 14]
    lost = {n for one in after for loss in one.losses for n in range(loss.first, loss.last + 1)}
    assert lost == set(range(1, 13))
    assert rig.verify(contents=True).holds


def test_without_its_wrapping_key_the_journal_is_kept_whole_for_the_day_it_comes_back(rig: Rig) -> None:
    stream = rig.open.stream
    filled(rig)
    key = rig.folder / "wrapping-1.key"
    saved = key.read_bytes()
    key.unlink()
    (told,) = salvage(rig)
    assert (told.what, told.stream) == ("wrapping key", stream)
    assert rig.open.predecessor == stream
    rig.records(1)
    assert [record.number for one in sent(rig) for record in read(one).records] == [1]
    kept = rig.folder / told.kept_in
    assert {path.name for path in kept.iterdir()} >= {"journal.db", "keys.db"}
    again = Rig(kept)
    (kept / "wrapping-1.key").write_bytes(saved)
    (kept / "wrapping-1.key").chmod(0o600)
    again.start()
    with again.open.reader() as reader:
        assert [one.record.number for one in reader.records(1, 12)] == list(range(1, 13))
    again.stop()


def test_what_happened_stands_in_the_chain(rig: Rig) -> None:
    filled(rig)
    salvage(rig, found="damage")
    assert rig.rows("SELECT count(*) FROM block WHERE kind = ?", int(BlockKind.SECURITY)) == [(1,)]
    assert rig.rows("SELECT max(number) FROM block") == rig.rows(
        "SELECT number FROM block WHERE kind = ?", int(BlockKind.SECURITY)
    )


@pytest.mark.parametrize("renames", range(5))
def test_a_move_that_is_interrupted_is_finished(
    rig: Rig, renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = rig.open.stream
    rig.records(5)
    saved = rig.folder.parent / "saved"
    shutil.copytree(rig.folder, saved)
    rig.stop()
    shutil.rmtree(rig.folder)
    saved.rename(rig.folder)
    real, left = Path.rename, [renames]

    def rename(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("power cut")
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(OSError, match="power cut"):
            salvage(rig, found="damage")
    told = salvage(rig)
    if not told:
        assert rig.open.stream == stream
    assert numbers_in(sent(rig)) == [1, 2, 3, 4, 5]


def test_a_rescue_that_is_interrupted_is_done_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(rig)

    def refuse(*_: object) -> None:
        raise JournalError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("edge.journal.damage.rescue._cursors", refuse)
        with pytest.raises(JournalError, match="power cut"):
            salvage(rig, found="damage")
    (told,) = salvage(rig)
    assert told.rescued.records == 12
    assert sorted({record.number for one in sent(rig) for record in read(one).records}) == list(range(1, 13))


def test_two_damages_leave_two_rescued_streams(rig: Rig) -> None:
    rig.records(3)
    salvage(rig, found="first")
    rig.records(3)
    salvage(rig, found="second")
    rig.records(3)
    after = sent(rig)
    assert len({one.stream for one in after}) == 3
    assert numbers_in(after) == [
        1,
        1,
        1,
        2,
        2,
        2,
        3,
        3,
        3,
    ]


def test_the_scrub_finds_a_changed_block_and_a_broken_page(rig: Rig) -> None:
    rig.frames(1_000)
    rig.records(10)
    scrub = Scrub(rig.clock, period_s=0)
    assert rig.open.journal.run_with_connection(scrub.step)
    assert (scrub.hop().left, scrub.hop().set_aside) == (21, {})
    rig.rows("UPDATE block SET ciphertext = zeroblob(size) WHERE number = 5")
    rig.open.journal.run_with_connection(scrub.step)
    assert scrub.damaged == {5: "its sealed content was changed"}
    assert scrub.hop().balanced
    checkpointed(rig)
    overwrite(rig.folder / "journal.db", (pages_of(rig, "block")[2] - 1) * PAGE, bytes(PAGE))
    rig.start()
    rig.open.journal.chores.append(Scrub(rig.clock, period_s=0).step)
    rig.open.journal.pump()
    assert rig.open.journal.corrupt
