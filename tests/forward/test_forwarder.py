"""What goes when, what is told of what will not come, and what trouble does not do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from edge.clock import SystemClock, Timebase, TimeQuality
from edge.errors import JournalError
from edge.forward.cose_composer import CoseComposer
from edge.forward.forwarder import Forwarder
from edge.forward.held import VOLATILE_MESSAGES
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules, SupplyLoss
from edge.journal.committer import Committer
from edge.journal.pending import DraftMaker
from edge.journal.reader import Reader
from edge.journal.writer import WriterThread
from edge.records import Record
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.account_message import StreamLedger
from edge.wire.cose import Signer
from edge.wire.loss import LossCause, LossRange
from edge.wire.message import MESSAGE_WEIGHT, RecordMessage
from tests.forward.test_forwarder_machine import numbers, read
from tests.journal.journal_rig import CATALOGUE, DAY_NS, EPOCH_NS, KEY, PLATFORM, VEHICLE, Rig, timebase_at

BOOT = b"second boot_____"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal", checkpoint_blocks=100_000).start()
    yield made
    made.stop()


def forwarder_of(
    rig: Rig, *, reissue_days: float = 0, supply_loss: SupplyLoss = SupplyLoss.SEND
) -> Forwarder:
    recent = Recent()
    rig.open.journal.on_commit.append(lambda done: recent.add(done.records, rig.clock.boot_ns()))
    return Forwarder(
        rig.open,
        ForwardRules(PLATFORM, VEHICLE, reissue_days=reissue_days, supply_loss=supply_loss),
        CoseComposer(VEHICLE, CATALOGUE, Signer(KEY, vehicle=VEHICLE)),
        recent,
        clock=rig.clock,
        boot=rig.boot,
        draw=rig.dice.randbytes,
        own_thread=False,
    )


def add(rig: Rig, count: int, *, alarm: bool = False, timebase: Timebase | None = None) -> None:
    """Commit records, one a second, in one transaction."""
    for _ in range(count):
        rig.after(1)
        made = Record(0, rig.clock.boot_ns(), timebase or rig.clock.timebase(), {"vehicle.speed": 7}, "mask")
        assert rig.open.journal.add_record(replace(made, alarm=alarm))
    assert rig.open.journal.commit()


def sent(forwarder: Forwarder, *kinds: Kind) -> list[Outgoing]:
    """All messages of some kinds, each acknowledged."""
    items = []
    for kind in kinds or tuple(Kind):
        while (found := forwarder.next(kind, 0)) is not None:
            items.append(found[1])
            forwarder.acknowledge(found[0])
    return items


def losses(items: list[Outgoing]) -> list[LossRange]:
    return [entry for item in items if item.numbered for entry in read(item).losses]


def test_live_records_wait_for_company_and_not_for_ever(rig: Rig) -> None:
    forwarder = forwarder_of(rig)
    add(rig, 9)
    assert forwarder.next(Kind.LIVE, 0) is None
    add(rig, 1)
    (whole,) = sent(forwarder, Kind.LIVE)
    assert numbers([whole]) == set(range(1, 11))
    add(rig, 2)
    rig.after(9)
    assert forwarder.next(Kind.LIVE, 0) is None
    rig.after(1)
    assert [numbers([item]) for item in sent(forwarder, Kind.LIVE)] == [{11, 12}]


def test_an_alarm_goes_alone_and_what_came_before_it_at_once(rig: Rig) -> None:
    forwarder = forwarder_of(rig)
    add(rig, 2)
    add(rig, 1, alarm=True)
    assert [numbers([item]) for item in sent(forwarder, Kind.ALARM)] == [{3}]
    assert [numbers([item]) for item in sent(forwarder, Kind.LIVE)] == [{1, 2}]


def test_what_waited_too_long_goes_as_backlog(rig: Rig) -> None:
    forwarder = forwarder_of(rig)
    add(rig, 15)
    rig.after(61)
    assert forwarder.next(Kind.LIVE, 0) is None
    assert [numbers([item]) for item in sent(forwarder, Kind.BACKLOG)] == [set(range(1, 16))]


def test_a_reissue_goes_as_backlog_at_once(rig: Rig) -> None:
    forwarder = forwarder_of(rig)
    for number in range(1, 4):
        rig.after(1)
        made = Record(0, rig.clock.boot_ns(), rig.clock.timebase(), {"vehicle.speed": 7}, "mask")
        rig.open.journal.add_record(replace(made, reissue=number == 2))
    rig.open.journal.commit()
    forwarder.flush()
    assert [numbers([item]) for item in sent(forwarder, Kind.LIVE)] == [{1}, {3}]
    assert [numbers([item]) for item in sent(forwarder, Kind.BACKLOG)] == [{2}]


@pytest.mark.parametrize(("days", "kept"), [(2, True), (4, False)])
def test_the_reissue_window_counts_from_the_newest_record(rig: Rig, days: int, kept: bool) -> None:
    add(rig, 5)
    rig.stop()
    rig.boot = BOOT
    rig.clock.set_timebase(timebase_at(EPOCH_NS + days * DAY_NS))
    rig.start()
    forwarder = forwarder_of(rig, reissue_days=3)
    add(rig, 1)
    items = sent(forwarder, Kind.BACKLOG)
    assert numbers(items) == set(range(1, 6))
    assert losses(items) == ([] if kept else [LossRange(1, 5, LossCause.WITHHELD)])
    with rig.open.reader() as reader:
        assert len(reader.records(1, 5)) == 5
    assert forwarder.hop().set_aside.get("too old to be sent", 0) == (0 if kept else 5)


def test_a_clock_that_was_wrong_withholds_nothing_of_its_boot(rig: Rig) -> None:
    """A dead clock battery: an hour of the year 2000, then the true time; the boot's own clock ran evenly."""
    forwarder = forwarder_of(rig, reissue_days=3)
    add(rig, 5, timebase=Timebase(946_684_800 * 10**9, TimeQuality.RTC))
    rig.after(61)
    add(rig, 1)
    assert losses(sent(forwarder, Kind.BACKLOG)) == []


def test_the_last_minutes_go_first_when_the_supply_goes(rig: Rig) -> None:
    for _ in range(3):
        add(rig, 400)
    rig.rows("INSERT INTO stream (ordinal, id, last_number) VALUES (2, ?, 5)", b"rescued_________")
    rig.stop()
    rig.boot = BOOT
    rig.start()
    forwarder = forwarder_of(rig)
    add(rig, 700)
    rig.after(61)
    forwarder.supply_lost()
    assert forwarder.next(Kind.LIVE, 0) is None
    firsts = [item.first_number for item in sent(forwarder, Kind.BACKLOG)]
    assert firsts[0] == 1_301
    assert 1 in firsts
    assert forwarder.empty()


def test_nothing_new_is_begun_for_a_minute_where_all_is_to_be_kept(rig: Rig) -> None:
    forwarder = forwarder_of(rig, supply_loss=SupplyLoss.KEEP)
    add(rig, 20)
    forwarder.supply_lost()
    assert sent(forwarder) == []
    rig.after(61)
    assert len(numbers(sent(forwarder))) == 20


def test_a_range_entry_that_is_refused_is_told_by_the_next_run(rig: Rig) -> None:
    add(rig, 5)
    rig.rows("UPDATE block SET ciphertext = NULL, size = 0")
    rig.rows("INSERT INTO erased VALUES (1, 1, 5)")
    rig.stop()
    rig.start()
    forwarder = forwarder_of(rig)
    found = forwarder.next(Kind.BACKLOG, 0)
    assert found is not None
    assert losses([found[1]]) == [LossRange(1, 5, LossCause.ERASED)]
    forwarder.set_aside(found[0], "refused")
    assert forwarder.empty(), "the same bytes would be refused again"
    ledger = forwarder.ledger()
    rig.stop()
    rig.start()
    forwarder = forwarder_of(rig)
    assert forwarder.ledger() == ledger
    assert losses(sent(forwarder)) == [LossRange(1, 5, LossCause.ERASED)]
    rig.stop()
    rig.start()
    assert forwarder_of(rig).empty()


def test_a_gap_whose_message_waits_is_told_once(rig: Rig) -> None:
    add(rig, 5)
    rig.rows("UPDATE block SET ciphertext = NULL, size = 0")
    rig.stop()
    rig.start()
    found = forwarder_of(rig).next(Kind.BACKLOG, 0)
    assert found is not None
    rig.stop()
    rig.start()
    forwarder = forwarder_of(rig)
    assert [item.payload for item in sent(forwarder)] == [found[1].payload]
    assert forwarder.empty()


def test_a_gap_whose_message_cannot_be_kept_is_told_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    add(rig, 5)
    rig.rows("UPDATE block SET ciphertext = NULL, size = 0")
    rig.stop()
    rig.start()
    forwarder = forwarder_of(rig)

    def refuse(*_: object) -> None:
        raise JournalError("the key store cannot be written")

    with monkeypatch.context() as broken:
        broken.setattr(rig.open.keys, "key_for", refuse)
        assert forwarder.next(Kind.BACKLOG, 0) is None
    rig.after(61)
    assert losses(sent(forwarder)) == [LossRange(1, 5, LossCause.LOST)]


def test_records_whose_message_is_being_kept_wait(rig: Rig) -> None:
    forwarder = forwarder_of(rig)
    add(rig, 10)
    forwarder.own_thread = True
    assert forwarder.next(Kind.LIVE, 0) is None
    assert not forwarder.empty()
    assert forwarder.ledger() == StreamLedger(0, 10, 0)
    rig.open.journal.commit()
    assert forwarder.next(Kind.LIVE, 0) is not None
    assert forwarder.ledger() == StreamLedger(0, 10, 0)
    forwarder.own_thread = False


def test_a_message_that_could_not_be_kept_goes_when_it_can(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    forwarder = forwarder_of(rig)
    add(rig, 10)

    def refuse(*_: object) -> None:
        raise apsw.FullError("full")

    with monkeypatch.context() as broken:
        broken.setattr(Committer, "_transact", refuse)
        assert forwarder.next(Kind.LIVE, 0) is None
        assert forwarder.ledger() == StreamLedger(0, 10, 0)
    rig.after(61)
    rig.open.journal.pump()
    (item,) = sent(forwarder, Kind.LIVE)
    assert numbers([item]) == set(range(1, 11))
    assert forwarder.empty()


def test_a_record_that_no_reader_would_take_is_told_lost(rig: Rig) -> None:
    forwarder = forwarder_of(rig)
    cells = tuple(range(MESSAGE_WEIGHT))
    for values in ({"vehicle.speed": 1}, {"pack[1].cells": cells}, {"vehicle.speed": 3}):
        rig.after(1)
        rig.open.journal.add_record(Record(0, rig.clock.boot_ns(), rig.clock.timebase(), values, "mask"))
    rig.open.journal.commit()
    forwarder.flush()
    items = sent(forwarder) + sent(forwarder)
    assert numbers(item for item in items if item.record_count) == {1, 3}
    assert losses(items) == [LossRange(2, 2, LossCause.LOST)]


def test_statements_that_wait_hold_no_record_up(rig: Rig) -> None:
    forwarder = forwarder_of(rig)
    for _ in range(300):
        forwarder.send(b"an account")
    rig.open.journal.commit()
    add(rig, 10)
    assert forwarder.next(Kind.LIVE, 0) is not None


@pytest.mark.parametrize("error", [apsw.CorruptError("torn"), apsw.IOError("gone"), JournalError("no key")])
def test_a_journal_that_cannot_be_read_ends_nothing_and_gives_nothing_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    add(rig, 5)
    rig.stop()
    rig.start()
    forwarder = forwarder_of(rig)
    add(rig, 10)

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(Reader, "records", fail)
        assert forwarder.next(Kind.BACKLOG, 0) is None
        assert numbers(sent(forwarder, Kind.LIVE)) == set(range(6, 16)), "live records are in memory"
    assert forwarder.next(Kind.BACKLOG, 0) is None, "it rests a while"
    rig.after(61)
    items = sent(forwarder, Kind.BACKLOG)
    assert numbers(items) == set(range(1, 6))
    assert losses(items) == []
    assert forwarder.hop().facts["messages that had to wait"] == 1


def test_keys_that_cannot_be_had_at_present_give_nothing_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(rig, 5)
    rig.stop()
    rig.start()
    forwarder = forwarder_of(rig)

    def fail(_: bytes) -> bytes:
        raise JournalError("the key store cannot be read")

    def refuse(*_: object) -> None:
        raise JournalError("the key store cannot be written")

    with monkeypatch.context() as broken:
        broken.setattr(rig.open.keys, "key", fail)
        assert forwarder.next(Kind.BACKLOG, 0) is None
    rig.after(61)
    with monkeypatch.context() as broken:
        broken.setattr(rig.open.keys, "key_for", refuse)
        assert forwarder.next(Kind.BACKLOG, 0) is None
        forwarder.send(b"an account")
        assert [item.payload for item in sent(forwarder, Kind.EVENT)] == [b"an account"]
    rig.after(61)
    items = sent(forwarder, Kind.BACKLOG)
    assert (numbers(items), losses(items)) == (set(range(1, 6)), [])
    assert forwarder.ledger().given_up == 0


def test_alarms_in_memory_are_bounded_too(rig: Rig) -> None:
    forwarder = forwarder_of(rig)
    for number in range(1, 3 * VOLATILE_MESSAGES):
        forwarder.put(Outgoing(Kind.ALARM, "topic", b"x", b"past____________", number, number, 1))
    assert forwarder.counts().held.messages == 2 * VOLATILE_MESSAGES
    assert not forwarder.room()
    assert len(forwarder.take_losses()) == VOLATILE_MESSAGES - 1


def test_threads_that_add_commit_send_and_ask_lose_nothing(tmp_path: Path) -> None:
    """As it runs in a vehicle, for a second or two, on a clock that really goes."""
    rig = Rig(tmp_path / "journal", checkpoint_blocks=20)
    rig.settings = replace(rig.settings, block_period_s=0.01)
    rig.clock = clock = SystemClock(TimeQuality.NTP)  # type: ignore[assignment]
    rig.start()
    journal = rig.open.journal
    forwarder = forwarder_of(rig)
    forwarder.own_thread = True
    journal.on_checkpoint.append(forwarder.keep_checkpoint)
    woken, done = threading.Event(), threading.Event()
    forwarder.wake = woken.set
    writer = WriterThread(journal, clock)
    received: list[RecordMessage] = []
    failures: list[BaseException] = []

    def uplink() -> None:
        try:
            while not (done.is_set() and journal.idle() and forwarder.empty()):
                woken.clear()
                for kind in Kind:
                    while (found := forwarder.next(kind, 0)) is not None:
                        if found[1].numbered:
                            received.append(read(found[1]))
                        forwarder.acknowledge(found[0])
                woken.wait(0.01)
        except BaseException as error:  # noqa: BLE001 - told below, on the test's own thread
            failures.append(error)

    sender = threading.Thread(target=uplink)
    writer.start()
    sender.start()
    for number in range(1, 401):
        values = {"vehicle.speed": number}
        made = Record(0, clock.boot_ns(), clock.timebase(), values, "mask", alarm=number % 7 == 0)
        assert journal.add_record(replace(made, reissue=number % 11 == 0))
        forwarder.ledger()
        assert forwarder.hop().balanced
        if number % 50 == 0:
            forwarder.send(b"an account")
            forwarder.send(b"a correction")
    forwarder.flush()
    journal.seal()
    done.set()
    sender.join(30)
    writer.stop()
    assert not failures
    assert not sender.is_alive()
    assert sorted(record.number for each in received for record in each.records) == list(range(1, 401))
    assert all(
        record.values["vehicle.speed"] == record.number for each in received for record in each.records
    )
    assert forwarder.ledger().acknowledged == 400
    forwarder.close()
    rig.stop()


def test_a_record_that_cannot_be_had_is_lost_and_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw hands the records back before it ends the thread that commits."""
    back: list[int] = []
    rig.open.journal.on_failure = lambda records, _: back.extend(one.number for one in records)
    add(rig, 2)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    rig.record()
    with monkeypatch.context() as broken:
        broken.setattr(DraftMaker, "drafts", fail)
        with pytest.raises(ZeroDivisionError):
            rig.open.journal.commit()
    assert back == [3]
    assert rig.open.journal.failure
    rig.after(61)
    rig.open.journal.pump()
    add(rig, 1)
    assert rig.open.journal.committed_number == 3


@pytest.mark.parametrize(("days", "kept"), [(13, True), (16, False)])
def test_a_message_does_not_outlast_what_may_be_kept_of_its_records(rig: Rig, days: int, kept: bool) -> None:
    """Position is kept no longer than 14 days, neither in a block nor in a message that waits."""
    forwarder = forwarder_of(rig)
    add(rig, 12)
    before = forwarder.next(Kind.LIVE, 0)
    assert before is not None
    rig.stop()
    rig.boot = BOOT
    rig.clock.set_timebase(timebase_at(EPOCH_NS + days * DAY_NS))
    rig.start()
    again = forwarder_of(rig)
    assert again.next(Kind.LIVE, 0) == (before if kept else None)
    assert again.waiting == (2 if kept else 12)
    assert again.ledger().total == 12
