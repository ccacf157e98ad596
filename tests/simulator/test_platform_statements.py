"""What a vehicle states beside its records: kept once, countersigned, held against the platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.account import Hop
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.records import Record
from edge.wire.account_message import StreamLedger
from edge.wire.checkpoint import signed_hash
from edge.wire.loss import LossCause, LossRange
from edge.wire.message import MessageKind
from edge.wire.time_corrections import TimeCorrection
from simulator.platform.chain import Standing
from simulator.platform.comparison import Disagreement
from simulator.platform.findings import RECORDS_MISSING, Finding, checkpoint_looks, findings
from simulator.platform.reader import StoreReader
from simulator.platform.rejected import Cause
from tests.simulator.platform_rig import BOOT, NOW_NS, STREAM, VEHICLE, Rig, record

EVENT = f"nev/v1/{VEHICLE}/up/event"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "platform.db", interval_s=60.0)
    yield made
    made.store.close()


def found(rig: Rig) -> list[Finding]:
    with StoreReader(rig.path) as reader:
        return list(findings(reader))


def standings(rig: Rig) -> list[tuple[int, int, Standing, int]]:
    with StoreReader(rig.path) as reader:
        return [
            (look.checkpoint.first, look.checkpoint.last, look.standing, look.missing)
            for look in checkpoint_looks(reader)
        ]


def test_a_checkpoint_is_countersigned_at_once_even_without_records(rig: Rig) -> None:
    checkpoint = rig.vehicle.checkpoint(1, 5, last_number=0)
    rig.send(checkpoint, EVENT)
    (receipt,) = rig.receipts()
    assert (receipt.stream, receipt.watermark, receipt.missing) == (STREAM, 0, ())
    assert receipt.hash == signed_hash(checkpoint)
    assert rig.messages == {"stored": 1}
    assert found(rig) == []
    with StoreReader(rig.path) as reader:
        assert reader.evidence(signed_hash(checkpoint)) == checkpoint


def test_every_later_receipt_names_the_newest_checkpoint(rig: Rig) -> None:
    first = rig.vehicle.checkpoint(1, 5, last_number=3)
    second = rig.vehicle.checkpoint(6, 9, last_number=8, previous=first)
    rig.send(rig.vehicle.numbers(1, 3))
    rig.send(first, EVENT)
    assert [(receipt.watermark, receipt.hash) for receipt in rig.receipts()] == [(3, signed_hash(first))]
    rig.send(second, EVENT)
    rig.send(first, EVENT)
    assert [receipt.hash for receipt in rig.receipts()] == [signed_hash(second)]
    rig.send(rig.vehicle.message(record(4, alarm=True)))
    assert [(receipt.watermark, receipt.hash) for receipt in rig.receipts()] == [(4, signed_hash(second))]
    assert rig.messages == {"stored": 4, "double": 1}
    assert standings(rig) == [(1, 5, Standing.FIRST, 0), (6, 9, Standing.FOLLOWS, 4)]


def test_records_of_a_checkpoint_that_are_not_here_are_a_finding_until_they_come(rig: Rig) -> None:
    rig.send(rig.vehicle.numbers(1, 3))
    rig.send(rig.vehicle.checkpoint(1, 5, last_number=10), EVENT)
    rig.receipts()
    (finding,) = found(rig)
    assert (finding.name, finding.numbers, finding.open) == (RECORDS_MISSING, 7, True)
    rig.send(rig.vehicle.message(record(12), losses=(LossRange(4, 6, LossCause.ERASED),)))
    rig.receipts()
    assert [finding.numbers for finding in found(rig)] == [4]
    rig.send(rig.vehicle.numbers(7, 10))
    rig.receipts()
    assert found(rig) == []


def test_checkpoints_may_come_in_any_order(rig: Rig) -> None:
    first = rig.vehicle.checkpoint(1, 5, last_number=0)
    second = rig.vehicle.checkpoint(6, 9, last_number=0, previous=first)
    third = rig.vehicle.checkpoint(10, 10, last_number=0, previous=second)
    rig.send(third, EVENT)
    assert [receipt.hash for receipt in rig.receipts()] == [signed_hash(third)]
    (finding,) = found(rig)
    assert (finding.name, finding.open) == (Standing.WAITS, True)
    rig.send(first, EVENT)
    rig.send(second, EVENT)
    assert [receipt.hash for receipt in rig.receipts()] == [signed_hash(third)]
    assert [entry[2] for entry in standings(rig)] == [Standing.FIRST, Standing.FOLLOWS, Standing.FOLLOWS]
    assert found(rig) == []
    assert rig.alerts == []


def test_a_checkpoint_that_forks_leaps_or_shrinks_is_a_finding_and_not_countersigned(rig: Rig) -> None:
    first = rig.vehicle.checkpoint(1, 5, last_number=2)
    wrong = {
        Standing.FORKS: rig.vehicle.checkpoint(1, 6, last_number=2),
        Standing.LEAPS: rig.vehicle.checkpoint(7, 9, last_number=2, previous=first),
        Standing.FEWER: rig.vehicle.checkpoint(6, 9, last_number=1, previous=first),
    }
    rig.send(rig.vehicle.numbers(1, 2))
    rig.send(first, EVENT)
    for expected, checkpoint in wrong.items():
        other = Rig(rig.path.with_name(f"{expected.name}.db"), interval_s=60.0)
        for each in (rig.vehicle.numbers(1, 2), first, checkpoint):
            other.send(each, EVENT)
        assert [receipt.hash for receipt in other.receipts()] == [signed_hash(first)]
        (finding,) = found(other)
        assert (finding.name, finding.open) == (expected, False)
        assert finding.message_sha256 == signed_hash(checkpoint)
        assert [expected in alert.text for alert in other.alerts] == [True]
        other.store.close()


def test_a_checkpoint_that_turns_out_to_leap_is_countersigned_no_more(rig: Rig) -> None:
    first = rig.vehicle.checkpoint(1, 5, last_number=0)
    leaping = rig.vehicle.checkpoint(8, 9, last_number=0, previous=first)
    rig.send(leaping, EVENT)
    assert [receipt.hash for receipt in rig.receipts()] == [signed_hash(leaping)]
    rig.send(first, EVENT)
    assert [receipt.hash for receipt in rig.receipts()] == [signed_hash(first)]
    assert [entry[2] for entry in standings(rig)] == [Standing.FIRST, Standing.LEAPS]


def test_a_countersignature_outlives_the_platform(tmp_path: Path) -> None:
    checkpoint = Rig(tmp_path / "other.db").vehicle.checkpoint(1, 5, last_number=0)
    before = Rig(tmp_path / "platform.db")
    before.send(checkpoint, EVENT)
    before.receipts()
    before.store.close()
    after = Rig(tmp_path / "platform.db")
    after.send(after.vehicle.numbers(1, 1))
    assert [receipt.hash for receipt in after.receipts()] == [signed_hash(checkpoint)]
    after.store.close()


def test_an_account_that_agrees_is_no_finding_whatever_is_on_the_road(rig: Rig) -> None:
    rig.send(rig.vehicle.numbers(1, 80))
    rig.send(rig.vehicle.message(losses=(LossRange(91, 95, LossCause.LOST),)))
    rig.send(rig.vehicle.numbers(101, 120))
    rig.send(rig.vehicle.account(100, StreamLedger(70, 25, 5)), EVENT)
    rig.receipts()
    with StoreReader(rig.path) as reader:
        ((account, wrong),) = reader.accounts()
    assert wrong == []
    counts = account.counts
    assert (counts.stored, counts.explained, counts.missing) == (80, 5, 15)
    assert account.under_way == 10
    assert found(rig) == []


def test_what_the_vehicle_takes_for_stored_and_is_not_here_is_counted_exactly(rig: Rig) -> None:
    rig.send(rig.vehicle.numbers(1, 80))
    rig.send(rig.vehicle.account(100, StreamLedger(90, 10, 0)), EVENT)
    rig.receipts()
    (finding,) = found(rig)
    assert (finding.name, finding.numbers) == (Disagreement.NOT_HERE, 10)
    assert finding.detail == "90 of 100 acknowledged, 80 stored"
    assert len(rig.alerts) == 1
    rig.send(rig.vehicle.numbers(81, 90))
    rig.receipts()
    assert [each.numbers for each in found(rig)] == [10], "an account is held against what was here then"


def test_a_ledger_that_does_not_add_up_and_a_hop_that_does_not_balance_are_findings(rig: Rig) -> None:
    rig.send(rig.vehicle.numbers(1, 10))
    unbalanced = Hop("door", "frames", 100, 90, {"nothing allowed": 7})
    rig.send(rig.vehicle.account(10, StreamLedger(5, 2, 0), unbalanced), EVENT)
    rig.receipts()
    assert [(each.name, each.numbers) for each in found(rig)] == [
        (Disagreement.SUM, 3),
        (Disagreement.UNBALANCED, 3),
    ]


def test_an_account_that_knows_of_fewer_numbers_than_an_earlier_one_is_a_finding(rig: Rig) -> None:
    rig.send(rig.vehicle.account(50, None, t_s=7200), EVENT)
    rig.send(rig.vehicle.account(40, None, t_s=3600), EVENT)
    rig.send(rig.vehicle.account(30, None, t_s=100, boot=b"c" * 16), EVENT)
    rig.receipts()
    assert found(rig) == []
    rig.send(rig.vehicle.account(45, None, t_s=10_800), EVENT)
    rig.receipts()
    assert [(each.name, each.numbers) for each in found(rig)] == [(Disagreement.BACKWARDS, 5)]


def test_accounts_and_corrections_ask_for_no_receipt(rig: Rig) -> None:
    rig.send(rig.vehicle.account(0, None), EVENT)
    rig.send(rig.vehicle.corrections(TimeCorrection(BOOT, 0, 1, Timebase(NOW_NS, TimeQuality.NTP))), EVENT)
    assert rig.platform.commit(rig.now_ns, all_receipts=True) == []
    assert rig.platform.hops()[0].facts == {"accounts": 1, "time corrections": 1}


def cold(number: int, quality: TimeQuality = TimeQuality.RTC) -> Record:
    """A record of a vehicle whose clock stood at 1970."""
    return Record(number, number * NS_PER_S, Timebase(0, quality), {"vehicle.speed": number})


def test_a_correction_stands_beside_the_record_and_rewrites_nothing(rig: Rig) -> None:
    records = [cold(1), cold(2, TimeQuality.GNSS), cold(3), cold(4)]
    rig.send(rig.vehicle.message(*records))
    fix = Timebase(NOW_NS, TimeQuality.NTP)
    rig.send(rig.vehicle.corrections(TimeCorrection(BOOT, 0, 3 * NS_PER_S, fix)), EVENT)
    rig.receipts()
    with StoreReader(rig.path) as reader:
        stored = {entry.record.number: entry for entry in reader.records()}
        assert [stored[number].record for number in (1, 2, 3, 4)] == records
        assert [stored[number].corrected for number in (1, 2, 3, 4)] == [fix, None, fix, None]
        since = reader.records(since_ns=NOW_NS)
        assert [entry.record.number for entry in since] == [1, 3]
        before = reader.records(until_ns=NOW_NS)
        assert [entry.record.number for entry in before] == [2, 4]


def test_the_best_and_then_the_latest_correction_of_the_boot_holds(rig: Rig) -> None:
    ntp, later, gnss = (
        Timebase(NOW_NS, TimeQuality.NTP),
        Timebase(NOW_NS + 1, TimeQuality.NTP),
        Timebase(NOW_NS + 2, TimeQuality.GNSS),
    )
    rig.send(
        rig.vehicle.corrections(
            TimeCorrection(BOOT, NS_PER_S, NS_PER_S, gnss), TimeCorrection(BOOT, 0, 9 * NS_PER_S, ntp)
        ),
        EVENT,
    )
    rig.send(
        rig.vehicle.corrections(
            TimeCorrection(BOOT, 0, 2 * NS_PER_S, later), TimeCorrection(b"c" * 16, 0, 9 * NS_PER_S, gnss)
        ),
        EVENT,
    )
    rig.send(rig.vehicle.message(cold(1), cold(2), cold(3)))
    rig.receipts()
    with StoreReader(rig.path) as reader:
        assert {entry.record.number: entry.corrected for entry in reader.records()} == {
            1: gnss,
            2: later,
            3: ntp,
        }


def test_what_is_wrong_with_a_statement_is_named(rig: Rig) -> None:
    account = rig.vehicle.account(0, None)
    beyond = TimeCorrection(BOOT, 0, 2**63 - 1, Timebase(NOW_NS, TimeQuality.NTP))
    for topic, payload, cause in (
        (rig.vehicle.topic(), account, Cause.MALFORMED),
        (rig.vehicle.topic(MessageKind.BACKLOG), account, Cause.MALFORMED),
        (EVENT, rig.vehicle.corrections(beyond), Cause.IMPOSSIBLE),
        (EVENT, rig.vehicle.checkpoint(1, 1, last_number=0, vehicle="OTHER"), Cause.WRONG_VEHICLE),
        (EVENT, rig.vehicle.sign(b"\xa2\x01\x01\x02\x07"), Cause.MALFORMED),
        (EVENT, rig.vehicle.sign(b"\xa2\x01\x01\x02\x04"), Cause.MALFORMED),
        (EVENT, account[:-1] + b"\0", Cause.TAMPERED),
    ):
        before = rig.messages.get(cause, 0)
        rig.send(payload, topic)
        assert rig.messages.get(cause, 0) == before + 1, cause
    assert rig.messages["stored"] == 0
    rig.receipts()
    assert found(rig) == []


@pytest.mark.parametrize("kind", MessageKind)
def test_records_of_every_kind_are_taken_as_events(rig: Rig, kind: MessageKind) -> None:
    rig.send(rig.vehicle.message(record(1), kind=kind), EVENT)
    assert rig.messages == {"stored": 1}
