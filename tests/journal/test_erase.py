"""What is erased on request is gone from every file, and all else stays, chain and numbers included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from edge.clock import Timebase
from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.keys.key_store import KeyStore
from edge.journal.upkeep.erase import erase
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.cose import Verifier
from edge.wire.loss import LossCause
from edge.wire.message import RecordMessage, decode
from edge.wire.strict_cbor import read_cbor
from tests.journal.journal_rig import CATALOGUE, DAY_NS, EPOCH_NS, KEY, VEHICLE, Rig

TODAY = EPOCH_NS // DAY_NS
POSITION = ErasureRequest(DataClass.POSITION, reason="asked for by the owner")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal").start()
    yield made
    made.stop()


def everything(rig: Rig) -> bytes:
    """All bytes of all files of the journal."""
    return b"".join(path.read_bytes() for path in rig.folder.rglob("*") if path.is_file())


def read(item: Outgoing) -> RecordMessage:
    verifier = Verifier({VEHICLE: [KEY.public]})
    return decode(verifier.verify(item.payload, vehicle=VEHICLE).payload, CATALOGUE)


def sent(rig: Rig) -> dict[tuple[int, int], Outgoing]:
    """All messages that a forwarder has to send, by their numbers."""
    forwarder = rig.forwarder()
    forwarder.flush()
    found = {}
    for kind in Kind:
        position = 0
        while (item := forwarder.next(kind, position)) is not None:
            position = item[0]
            found[item[1].first_number, item[1].last_number] = item[1]
    forwarder.close()
    return found


def reopened(rig: Rig) -> Rig:
    rig.stop()
    return rig.start()


def test_position_goes_and_operation_stays(rig: Rig) -> None:
    rig.records(6)
    rig.frames()
    rig.frames(arb_id=0x101)
    keys = rig.open.keys
    doomed = {
        entry.key_id: keys.key(entry.key_id) for entry in keys.listing() if entry.data_class == "position"
    }
    result = erase(rig.open, POSITION, rig.inside())
    assert set(result.key_ids) == set(doomed)
    assert result.blocks == 7
    assert {name for _, name, _ in rig.kept()} == {"operation", ""}
    with rig.open.reader() as reader:
        records = reader.records(1, 6)
    assert [one.record.number for one in records] == [1, 2, 3, 4, 5, 6]
    assert {name for one in records for name in one.record.values} == {"vehicle.speed"}
    report = rig.verify(contents=True)
    assert report.holds, report.faults
    assert report.erased == {(BlockKind.RECORDS, "position"): 6, (BlockKind.FRAMES, "position"): 1}


def test_neither_keys_nor_wrapped_keys_are_in_any_file(rig: Rig) -> None:
    rig.records(4)
    assert len(sent(rig)) > 0
    wrapped = [bytes(row[0]) for row in key_rows(rig)]
    reopened(rig)
    old = {entry.key_id for entry in rig.open.keys.listing() if entry.data_class in {"position", "message"}}
    plain = {key_id: rig.open.keys.key(key_id) for key_id in old}
    erase(rig.open, POSITION, rig.inside())
    listing = rig.open.keys.listing()
    assert old.isdisjoint(entry.key_id for entry in listing)
    assert len({entry.key_id for entry in listing if entry.data_class == "message"}) <= 1
    assert rig.rows("SELECT count(*) FROM message WHERE key_id IN (SELECT key_id FROM erasing)") == [(0,)]
    rig.stop()
    files = everything(rig)
    assert not [key for key in plain.values() if key is not None and key in files]
    assert not [one for one in wrapped if one in files], "rows of the key store, wrapped under the old key"
    generations = [path.name for path in rig.folder.glob("wrapping-*.key")]
    assert generations == ["wrapping-2.key"]


def key_rows(rig: Rig) -> list[tuple[bytes]]:
    """The wrapped keys as the store's file has them."""
    rig.stop()
    with apsw.Connection(str(rig.folder / "keys.db")) as connection:
        rows = list(connection.execute("SELECT wrapped FROM data_key"))
    rig.start()
    return rows


def test_messages_that_wait_lose_the_class_and_keep_their_numbers(rig: Rig) -> None:
    rig.records(5)
    before = sent(rig)
    reopened(rig)
    result = erase(rig.open, POSITION, rig.inside())
    assert result.messages == len(before)
    after = sent(reopened(rig))
    numbers = [record.number for item in after.values() for record in read(item).records]
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    items = {name for item in after.values() for record in read(item).records for name in record.values}
    assert items == {"vehicle.speed"}
    assert {name for one in before.values() for record in read(one).records for name in record.values} > items


def test_messages_without_the_class_stay_byte_for_byte(rig: Rig) -> None:
    for _ in range(3):
        rig.record(position=False)
    rig.open.journal.commit()
    before = sent(rig)
    reopened(rig)
    rig.records(2)
    result = erase(rig.open, POSITION, rig.inside())
    assert result.resealed == len(before) > 0
    after = sent(reopened(rig))
    assert {numbers: after[numbers].payload for numbers in before} == {
        numbers: item.payload for numbers, item in before.items()
    }


def test_only_the_days_that_are_meant_go(rig: Rig) -> None:
    rig.records(3)
    rig.after(86_400)
    rig.records(3)
    sent(rig)
    reopened(rig)
    request = ErasureRequest(DataClass.POSITION, first_day=TODAY, last_day=TODAY)
    assert erase(rig.open, request, rig.inside()).blocks == 3
    assert [first for _, name, first in rig.kept() if name == "position"] == [4, 5, 6]
    after = sent(reopened(rig))
    assert {
        n
        for item in after.values()
        for one in read(item).records
        if "gnss.valid" in one.values
        for n in [one.number]
    } == {4, 5, 6}
    assert sorted(one.number for item in after.values() for one in read(item).records) == list(range(1, 7))


def test_boots_without_wall_time_go_where_no_day_is_named(rig: Rig) -> None:
    rig.clock.set_timebase(Timebase())
    rig.records(3)
    request = ErasureRequest(DataClass.POSITION, first_day=0)
    assert erase(rig.open, request, rig.inside()).key_ids == ()
    assert erase(rig.open, POSITION, rig.inside()).blocks == 3


def test_erased_records_are_told_as_erased(rig: Rig) -> None:
    rig.records(4)
    erase(rig.open, ErasureRequest(DataClass.OPERATION), rig.inside())
    told = [loss for item in sent(reopened(rig)).values() for loss in read(item).losses]
    assert [(one.first, one.last, one.cause) for one in told] == [(1, 4, LossCause.ERASED)]
    rig.records(1)
    assert rig.open.journal.committed_number == 5
    assert rig.verify().holds


def test_the_chain_says_what_was_erased(rig: Rig) -> None:
    rig.records(2)
    result = erase(rig.open, ErasureRequest(DataClass.POSITION, TODAY, TODAY, reason="why"), rig.inside())
    with rig.open.reader() as reader:
        (block,) = [one for one in reader.blocks() if one.header.kind is BlockKind.ERASURE]
        opened = reader.plaintext(block)
    assert opened is not None
    assert read_cbor(opened[1]) == {
        1: "position",
        2: TODAY,
        3: TODAY,
        5: "why",
        6: 2,
        7: list(result.key_ids),
        8: 0,
    }


def test_new_data_of_the_same_day_are_kept_under_a_new_key(rig: Rig) -> None:
    rig.records(2)
    erase(rig.open, POSITION, rig.inside())
    rig.records(2)
    with rig.open.reader() as reader:
        found = reader.records(1, 4)
    assert [("gnss.valid" in one.record.values) for one in found] == [False, False, True, True]


def test_an_interrupted_erasure_is_finished_at_the_next_opening(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.records(4)
    sent(rig)
    reopened(rig)
    old = {entry.key_id for entry in rig.open.keys.listing() if entry.data_class in {"position", "message"}}

    def refuse(*_: object) -> None:
        raise JournalError("the disk refuses")

    with monkeypatch.context() as patch:
        patch.setattr(KeyStore, "destroy_keys", refuse)
        with pytest.raises(JournalError, match="refuses"):
            erase(rig.open, POSITION, rig.inside())
        reopened(rig)
    assert old & {entry.key_id for entry in rig.open.keys.listing()}
    reopened(rig)
    assert not old & {entry.key_id for entry in rig.open.keys.listing()}
    assert sorted(n for item in sent(rig).values() for one in read(item).records for n in [one.number]) == [
        1,
        2,
        3,
        4,
    ]
    assert rig.verify(contents=True).holds


def test_nothing_to_erase_changes_nothing(rig: Rig) -> None:
    rig.records(1)
    assert erase(rig.open, ErasureRequest(DataClass.CABIN), rig.inside()).key_ids == ()
    assert rig.rows("SELECT count(*) FROM block WHERE kind = 10") == [(0,)]
