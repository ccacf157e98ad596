"""What the platform takes in, what it refuses and why, and what it says has arrived."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import NS_PER_S
from edge.wire.keys import SigningKey
from edge.wire.loss import Exactness, Interval, LossCause, LossRange
from edge.wire.message import MessageKind
from edge.wire.receipt import NumberRange
from edge.wire.receipt import decode as decode_receipt
from edge.wire.receipt import encode as encode_receipt
from simulator.platform.findings import FEWER_ITEMS, OTHER_CONTENTS, findings
from simulator.platform.reader import StoreReader
from simulator.platform.receipts import receipt_of
from simulator.platform.rejected import Cause
from simulator.platform.sequence import Sequence
from simulator.platform.store import StoreError
from tests.simulator.platform_rig import NOW_NS, STREAM, VEHICLE, Rig, Vehicle, record

MUTATED_MESSAGES = int(os.environ.get("NEVGATE_MUTATED_MESSAGES", "3000"))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "platform.db")
    yield made
    made.store.close()


def test_records_are_stored_once_and_acknowledged(rig: Rig) -> None:
    rig.send(rig.vehicle.numbers(1, 10))
    (receipt,) = rig.receipts()
    assert (receipt.stream, receipt.watermark, receipt.missing) == (STREAM, 10, ())
    assert receipt.server_time_ns == NOW_NS
    with StoreReader(rig.path) as reader:
        assert [entry.record for entry in reader.records()] == [record(number) for number in range(1, 11)]
    assert rig.messages == {"stored": 1}
    assert rig.records == {"stored": 10}


def test_gaps_stay_missing_until_records_or_a_range_entry_come(rig: Rig) -> None:
    rig.send(rig.vehicle.numbers(1, 3))
    rig.send(rig.vehicle.numbers(6, 8))
    rig.send(rig.vehicle.numbers(12, 12))
    (receipt,) = rig.receipts()
    assert (receipt.watermark, receipt.highest) == (3, 12)
    assert receipt.missing == (NumberRange(4, 5), NumberRange(9, 11))
    rig.send(rig.vehicle.numbers(4, 5))
    (receipt,) = rig.receipts()
    assert (receipt.watermark, receipt.missing) == (8, (NumberRange(9, 11),))
    rig.send(rig.vehicle.message(losses=(LossRange(9, 11, LossCause.ERASED),)))
    (receipt,) = rig.receipts()
    assert (receipt.watermark, receipt.missing) == (12, ())
    with StoreReader(rig.path) as reader:
        (gap,) = reader.gaps()
        assert (gap.first, gap.last, gap.cause, gap.exactness, gap.final) == (9, 11, "erased", "exact", True)
        assert reader.vehicles()[0].lost == 3


def test_a_message_sent_again_is_a_double_and_is_acknowledged_again(rig: Rig) -> None:
    message = rig.vehicle.numbers(1, 10)
    rig.send(message)
    rig.send(message)
    rig.receipts()
    rig.send(message, rig.vehicle.topic(MessageKind.BACKLOG))
    assert rig.receipts()[0].watermark == 10
    assert rig.messages == {"stored": 1, "double": 2}
    assert rig.records == {"stored": 10, "double": 20}
    assert rig.alerts == []


def test_equal_records_in_another_message_are_doubles_too(rig: Rig) -> None:
    rig.send(rig.vehicle.numbers(1, 10))
    rig.send(rig.vehicle.numbers(8, 12))
    rig.receipts()
    assert rig.messages == {"stored": 2}
    assert rig.records == {"stored": 12, "double": 3}


def test_other_contents_under_a_stored_number_are_a_conflict_and_the_first_stays(rig: Rig) -> None:
    first = record(2)
    other = record(2, speed=1)
    rig.send(rig.vehicle.message(record(1), first))
    rig.send(rig.vehicle.message(other, record(3)))
    assert rig.receipts()[0].watermark == 3
    assert rig.records == {"stored": 3, "conflicting double": 1}
    (alert,) = rig.alerts
    assert "number 2 came again with other contents" in alert.text
    with StoreReader(rig.path) as reader:
        assert [entry.record for entry in reader.records()][1] == first
        (conflict,) = reader.conflicts()
        assert (conflict.vehicle, conflict.number) == (VEHICLE, 2)
        assert reader.evidence(conflict.message_sha256) == rig.vehicle.message(other, record(3))


def test_the_same_record_of_another_boot_is_a_conflict(rig: Rig) -> None:
    rig.send(rig.vehicle.message(record(1)))
    rig.send(rig.vehicle.message(record(1), boot=b"c" * 16))
    assert rig.records == {"stored": 1, "conflicting double": 1}


def test_a_record_that_was_reported_lost_is_kept_when_it_comes(rig: Rig) -> None:
    rig.send(rig.vehicle.message(record(1), losses=(LossRange(2, 5, LossCause.LOST),)))
    rig.send(rig.vehicle.numbers(3, 3))
    assert rig.records == {"stored": 2}
    assert rig.platform.hops()[1].facts["came after being reported lost"] == 1
    rig.receipts()
    with StoreReader(rig.path) as reader:
        assert [(gap.first, gap.last) for gap in reader.gaps()] == [(2, 2), (4, 5)]


def test_the_first_named_predecessor_is_kept(rig: Rig) -> None:
    rig.send(rig.vehicle.message(record(1), predecessor=b"p" * 16))
    rig.send(rig.vehicle.message(record(2)))
    rig.send(rig.vehicle.message(record(3), predecessor=b"q" * 16))
    rig.receipts()
    with StoreReader(rig.path) as reader:
        (stream,) = reader.streams()
        assert stream.predecessor == b"p" * 16
    assert len(rig.alerts) == 1


def test_a_platform_that_starts_again_goes_on_where_it_was(tmp_path: Path) -> None:
    before = Rig(tmp_path / "platform.db")
    before.send(before.vehicle.numbers(1, 3))
    before.send(before.vehicle.numbers(6, 6))
    before.receipts()
    before.store.close()
    after = Rig(tmp_path / "platform.db")
    after.send(after.vehicle.numbers(1, 3))
    after.send(after.vehicle.numbers(7, 7))
    (receipt,) = after.receipts()
    assert (receipt.watermark, receipt.missing) == (3, (NumberRange(4, 5),))
    assert after.records == {"stored": 1, "double": 3}
    after.store.close()


def test_receipts_of_a_stream_are_gathered_but_not_on_alarm(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "platform.db", interval_s=1.0)
    for number in range(1, 4):
        rig.send(rig.vehicle.numbers(number, number))
        assert rig.receipts() == []
    rig.now_ns += NS_PER_S
    assert [receipt.watermark for receipt in rig.receipts()] == [3]
    rig.send(rig.vehicle.message(record(4, alarm=True)))
    assert [receipt.watermark for receipt in rig.receipts()] == [4]
    rig.send(rig.vehicle.message(record(5), kind=MessageKind.ALARM), rig.vehicle.topic(MessageKind.ALARM))
    assert [receipt.watermark for receipt in rig.receipts()] == [5]
    rig.store.close()


def test_a_receipt_that_cannot_name_all_gaps_names_the_lowest_as_one() -> None:
    sequence = Sequence()
    for number in range(1, 20, 2):
        sequence.arrive(number)
    receipt = receipt_of(STREAM, sequence, 0, spans_at_most=3)
    assert receipt.missing == (NumberRange(2, 14), NumberRange(16, 16), NumberRange(18, 18))
    assert (receipt.watermark, receipt.highest) == (1, 19)
    sequence.arrive(2)
    assert receipt_of(STREAM, sequence, 0, spans_at_most=3).watermark == 3


@given(st.sets(st.integers(1, 60), min_size=1), st.integers(1, 8))
def test_a_receipt_is_bounded_acknowledges_the_newest_and_nothing_that_is_not_here(
    numbers: set[int], spans_at_most: int
) -> None:
    sequence = Sequence()
    for number in numbers:
        sequence.arrive(number)
    receipt = receipt_of(STREAM, sequence, 0, spans_at_most)
    assert decode_receipt(encode_receipt(receipt)) == receipt
    assert len(receipt.missing) <= spans_at_most
    acknowledged = {number for number in range(1, 70) if receipt.acknowledges(number)}
    assert acknowledged <= numbers
    assert max(numbers) in acknowledged
    if len(sequence.missing()) <= spans_at_most:
        assert acknowledged == numbers


def test_a_signed_status_is_shown_and_an_unsigned_one_refused(rig: Rig) -> None:
    rig.send(rig.vehicle.status(online=True), rig.vehicle.topics.status)
    status = rig.platform.watch[VEHICLE].status
    assert status is not None
    assert status.online
    rig.send(b"offline", rig.vehicle.topics.status)
    rig.send(b"", rig.vehicle.topics.status)
    status = rig.platform.watch[VEHICLE].status
    assert status is not None
    assert status.online
    assert rig.messages == {"stored": 0, "status word": 2, Cause.UNSIGNED: 1}


STRANGER = Vehicle(key=SigningKey.seeded(b"stranger"))
OTHER = Vehicle("LNEVGATE000000002")
OWN = Vehicle()
REFUSED = {
    "nothing": (OWN.topic(), b"", Cause.UNSIGNED),
    "json": (OWN.topic(), b'{"speed": 12}', Cause.UNSIGNED),
    "cut short": (OWN.topic(), OWN.numbers(1, 5)[:-20], Cause.MALFORMED),
    "one bit of the content": (
        OWN.topic(),
        OWN.numbers(1, 5).replace(VEHICLE.encode(), b"LNEVGATE000000009"),
        Cause.TAMPERED,
    ),
    "a key that nobody knows": (OWN.topic(), STRANGER.numbers(1, 5), Cause.UNKNOWN_KEY),
    "a vehicle that nobody knows": (OTHER.topic(), OTHER.numbers(1, 5), Cause.UNKNOWN_VEHICLE),
    "another vehicle's topic": (OTHER.topic(), OWN.numbers(1, 5), Cause.UNKNOWN_VEHICLE),
    "signed content of another vehicle": (
        OWN.topic(),
        OWN.message(record(1), vehicle="LNEVGATE000000003"),
        Cause.WRONG_VEHICLE,
    ),
    "another kind": (OWN.topic(MessageKind.ALARM), OWN.numbers(1, 5), Cause.WRONG_KIND),
    "a topic that is not there": ("nev/v1/x/up/opinion", OWN.numbers(1, 5), Cause.TOPIC),
    "a foreign topic": ("weather/here", b"rain", Cause.TOPIC),
    "too long": (OWN.topic(), b"\xd2" + bytes(300_000), Cause.OVERSIZED),
    "empty message": (OWN.topic(), OWN.message(), Cause.IMPOSSIBLE),
    "its own predecessor": (OWN.topic(), OWN.message(record(1), predecessor=STREAM), Cause.IMPOSSIBLE),
    "a status played back as a record": (OWN.topic(), OWN.status(online=True), Cause.TAMPERED),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named_and_disturbs_nothing(rig: Rig, case: str) -> None:
    topic, payload, cause = REFUSED[case]
    rig.send(rig.vehicle.numbers(1, 3))
    rig.send(payload, topic)
    rig.send(rig.vehicle.numbers(4, 6))
    assert [receipt.watermark for receipt in rig.receipts()] == [6]
    assert rig.messages == {"stored": 2, cause: 1}
    with StoreReader(rig.path) as reader:
        (rejection,) = reader.rejections()
        assert (rejection.cause, rejection.topic, rejection.size) == (cause, topic, len(payload))
        assert rejection.head == payload[:64]
        assert reader.rejected() == {cause: 1}


def mutate(random_: random.Random, message: bytes) -> bytes:
    """Flip, cut, double, insert or replace bytes."""
    place = random_.randrange(len(message))
    match random_.randrange(6):
        case 0:
            return (
                message[:place] + bytes([message[place] ^ 1 << random_.randrange(8)]) + message[place + 1 :]
            )
        case 1:
            return message[:place]
        case 2:
            return message + message[place:]
        case 3:
            return message[:place] + random_.randbytes(random_.randrange(1, 9)) + message[place:]
        case 4:
            end = place + random_.randrange(1, 33)
            return message[:place] + message[end:]
        case _:
            return message[:place] + bytes(len(message) - place)


def test_mutated_messages_are_counted_and_leave_no_trace_among_the_records(rig: Rig) -> None:
    random_ = random.Random(20_260)  # noqa: S311 - a seed replays the mutations
    originals = [rig.vehicle.numbers(first, first + 9) for first in range(1, 500, 10)]
    sent: Counter[str] = Counter()
    for turn in range(MUTATED_MESSAGES):
        mutated = mutate(random_, random_.choice(originals))
        if mutated in originals:
            continue
        rig.send(mutated)
        sent["mutated"] += 1
        if turn % 100 == 0:
            rig.send(originals[turn // 100 % len(originals)])
            sent["whole"] += 1
            rig.receipts()
    rig.receipts()
    outcome = rig.messages
    rejected = sum(outcome[cause] for cause in Cause if cause in outcome)
    assert rejected == sent["mutated"]
    assert outcome["stored"] + outcome.get("double", 0) == sent["whole"]
    with StoreReader(rig.path) as reader:
        assert sum(reader.rejected().values()) == rejected
        assert len(reader.rejections()) == min(rejected, 1000)
        assert all(entry.record == record(entry.record.number) for entry in reader.records())
        assert reader.fault() is None


def test_nonsense_that_a_vehicle_signs_is_counted_too(rig: Rig) -> None:
    random_ = random.Random(7)  # noqa: S311 - a seed replays the mutations
    contents = [rig.vehicle.content(record(number), record(number + 1)) for number in range(1, 60, 2)]
    for _ in range(MUTATED_MESSAGES // 3):
        rig.send(rig.vehicle.sign(mutate(random_, random_.choice(contents))))
    rig.receipts()
    assert sum(rig.messages.values()) == MUTATED_MESSAGES // 3
    assert rig.messages[Cause.MALFORMED] > 0
    with StoreReader(rig.path) as reader:
        assert len(list(reader.records())) == rig.records["stored"]
        assert reader.fault() is None


def test_a_store_that_fails_takes_nothing_and_acknowledges_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.send(rig.vehicle.numbers(1, 3))
    rig.receipts()
    rig.send(rig.vehicle.numbers(4, 6))

    def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(rig.store, "_keep_streams", fail)
        with pytest.raises(StoreError):
            rig.receipts()
    assert rig.records == {"stored": 3}
    rig.send(rig.vehicle.numbers(4, 6))
    assert [receipt.watermark for receipt in rig.receipts()] == [6]
    assert rig.records == {"stored": 6}


def test_a_record_that_comes_again_with_fewer_items_is_told_from_a_conflict(rig: Rig) -> None:
    whole = record(1)
    fewer = replace(whole, values={"vehicle.speed": whole.values["vehicle.speed"]})
    rig.send(rig.vehicle.message(whole))
    rig.send(rig.vehicle.message(fewer), rig.vehicle.topic(MessageKind.BACKLOG))
    rig.send(rig.vehicle.message(fewer), rig.vehicle.topic(MessageKind.BACKLOG))
    rig.send(rig.vehicle.message(replace(fewer, values={"vehicle.speed": 1})))
    rig.send(rig.vehicle.message(replace(whole, values={**whole.values, "hv.soc": 1})))
    rig.send(rig.vehicle.message(replace(fewer, t_ns=fewer.t_ns + 1)))
    rig.receipts()
    assert rig.records == {
        "stored": 1,
        "repeated with fewer items": 1,
        "double": 1,
        "conflicting double": 3,
    }
    assert len(rig.alerts) == 3
    with StoreReader(rig.path) as reader:
        (stored,) = reader.records()
        assert stored.record == whole
        conflicts = reader.conflicts()
        assert [each.fewer_items for each in conflicts] == [True, False, False, False]
        assert {each.first_sha256 for each in conflicts} == {stored.message_sha256}
        assert reader.evidence(conflicts[0].message_sha256) == rig.vehicle.message(fewer)
        (vehicle,) = reader.vehicles()
        assert (vehicle.fewer, vehicle.conflicts, vehicle.doubles) == (1, 3, 1)
        names = [finding.name for finding in findings(reader)]
        assert names == [FEWER_ITEMS, OTHER_CONTENTS, OTHER_CONTENTS, OTHER_CONTENTS]


def interval(first: int, last: int, from_s: int, to_s: int) -> LossRange:
    span = Interval(b"b" * 16, from_s * NS_PER_S, to_s * NS_PER_S)
    return LossRange(first, last, LossCause.LOST, Exactness.INTERVAL, span)


def test_an_interval_is_final_though_nobody_counted_and_a_record_of_it_is_no_surprise(rig: Rig) -> None:
    entries = (interval(2, 5, 1, 9), interval(2, 5, 20, 30), LossRange(4, 4, LossCause.ERASED))
    rig.send(rig.vehicle.message(record(1), record(7), losses=entries))
    rig.send(rig.vehicle.message(losses=entries))
    (receipt,) = rig.receipts()
    assert (receipt.watermark, receipt.missing) == (5, (NumberRange(6, 6),))
    rig.send(rig.vehicle.numbers(3, 3))
    rig.receipts()
    assert "came after being reported lost" not in rig.platform.hops()[1].facts
    with StoreReader(rig.path) as reader:
        (vehicle,) = reader.vehicles()
        assert (vehicle.lost, vehicle.uncertain, vehicle.missing) == (1, 2, 1)
        told = [(gap.first, gap.last, gap.exactness, gap.interval) for gap in reader.gaps()]
        assert told == [
            (2, 2, "interval", entries[0].interval),
            (2, 2, "interval", entries[1].interval),
            (4, 4, "exact", None),
            (4, 5, "interval", entries[0].interval),
            (4, 5, "interval", entries[1].interval),
            (6, 6, "", None),
        ]


def test_a_week_s_outage_drained_newest_first_costs_a_range_and_no_complaint(rig: Rig) -> None:
    week_s = 7 * 86_400
    rig.send(rig.vehicle.numbers(1, 3))
    rig.send(rig.vehicle.numbers(week_s + 1, week_s + 2))
    (receipt,) = rig.receipts()
    assert (receipt.watermark, receipt.highest) == (3, week_s + 2)
    assert receipt.missing == (NumberRange(4, week_s),)
    backlog = rig.vehicle.topic(MessageKind.BACKLOG)
    live = week_s + 3
    for first in range(week_s - 99, week_s - 3_000, -200):
        rig.send(rig.vehicle.message(record(live, alarm=True)))
        rig.send(rig.vehicle.numbers(first, first + 99), backlog)
        (receipt,) = rig.receipts()
        assert receipt.acknowledges(live)
        assert receipt.acknowledges(first)
        assert not receipt.acknowledges(first - 1)
        assert len(receipt.missing) <= 16
        live += 1
    assert rig.alerts == []
    assert set(rig.messages) == {"stored"}
    newest = rig.platform.watch[VEHICLE].latest
    assert newest is not None
    assert newest.number == live - 1
    assert len(rig.platform.watch[VEHICLE].latencies_s) == live - week_s - 1
