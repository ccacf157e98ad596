"""Every record goes out once and in order, or is counted and its number told to the platform as lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.clock import Timebase
from edge.dispatch import CANNOT_BE_WRITTEN, TOO_LARGE, CoseDispatch, Identity
from edge.records import Missing, Record, Value
from edge.uplink.outbox import Loss, MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.cose import Signer, Verifier
from edge.wire.keys import SigningKey
from edge.wire.message import MESSAGE_WEIGHT, MessageKind, RecordMessage, decode

KEY = SigningKey.seeded(b"vehicle")
IDENTITY = Identity("LNVTEST0000000001", bytes(range(16)), bytes(16))
SIGNER = Signer(KEY, vehicle=IDENTITY.vehicle)
VERIFIER = Verifier({IDENTITY.vehicle: [KEY.public]})
CATALOGUE = builtin()
SPEED, CELLS = "vehicle.speed", "pack[1].cells"


def record(number: int, *, alarm: bool = False, values: Mapping[str, Value] | None = None) -> Record:
    given_values = {SPEED: number % 1000} if values is None else values
    return Record(number, number * 10**9, Timebase(), given_values, "mask", alarm)


def read(message: Outgoing) -> RecordMessage:
    """The message as the platform reads it, within its limits."""
    return decode(VERIFIER.verify(message.payload, vehicle=IDENTITY.vehicle).payload, CATALOGUE)


def loss(first: int, last: int, *, stream: bytes = IDENTITY.stream) -> Loss:
    return Loss("queue full", Kind.LIVE, stream, first, last, 1, last - first + 1, perhaps_received=False)


@dataclass
class Desk:
    """A dispatch, what it handed on, and what its outbox says it lost."""

    live_records: int = 3
    largest: int | None = None
    sent: list[Outgoing] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dispatch = CoseDispatch(
            identity=IDENTITY,
            keys=CATALOGUE,
            signer=SIGNER,
            put=self.sent.append,
            take_losses=self._take,
            live_records=self.live_records,
            largest_payload=lambda _: self.largest,
        )

    def _take(self) -> list[Loss]:
        losses, self.losses = self.losses, []
        return losses

    def add(self, *records: Record) -> None:
        for each in records:
            self.dispatch.add(each)

    def report(self, *, room: int = 1000) -> None:
        """Tell losses while there is room for so many messages more."""
        most = len(self.sent) + room
        self.dispatch.report_losses(lambda: len(self.sent) < most)

    def numbers(self) -> list[int]:
        return [each.number for message in self.sent for each in read(message).records]

    def ranges(self) -> list[tuple[int, int]]:
        return [(entry.first, entry.last) for message in self.sent for entry in read(message).losses]


def test_a_live_message_goes_when_its_records_are_together() -> None:
    desk = Desk(live_records=3)
    desk.add(*map(record, range(1, 6)))
    assert desk.numbers() == [1, 2, 3]
    hop = desk.dispatch.hop()
    assert (hop.entered, hop.left, hop.set_aside) == (5, 3, {"waiting for the next message": 2})
    desk.dispatch.flush()
    desk.dispatch.flush()
    assert [(each.first_number, each.last_number, each.record_count) for each in desk.sent] == [
        (1, 3, 3),
        (4, 5, 2),
    ]
    hop = desk.dispatch.hop()
    assert hop.balanced
    assert (hop.left, hop.set_aside, hop.facts["messages"]) == (5, {}, 2)


def test_an_alarm_goes_at_once_after_the_live_records_before_it() -> None:
    desk = Desk(live_records=30)
    desk.add(record(1), record(2), record(3, alarm=True), record(4))
    assert [(each.kind, each.first_number, each.last_number) for each in desk.sent] == [
        (Kind.LIVE, 1, 2),
        (Kind.ALARM, 3, 3),
    ]
    assert [read(each).kind for each in desk.sent] == [MessageKind.LIVE, MessageKind.ALARM]
    assert [each.topic.rpartition("/")[2] for each in desk.sent] == ["live", "alarm"]


def test_records_of_before_an_alarm_go_as_backlog_and_what_follows_is_live_again() -> None:
    desk = Desk(live_records=3)
    before = [replace(record(number), reissue=True) for number in range(3, 7)]
    desk.add(record(1), record(2, alarm=True), *before, record(7), record(8))
    desk.dispatch.flush()
    assert [(each.kind, each.first_number, each.last_number) for each in desk.sent] == [
        (Kind.LIVE, 1, 1),
        (Kind.ALARM, 2, 2),
        (Kind.BACKLOG, 3, 5),
        (Kind.BACKLOG, 6, 6),
        (Kind.LIVE, 7, 8),
    ]
    assert [read(each).kind for each in desk.sent][2] is MessageKind.BACKLOG


class TestRangeEntries:
    """What the outbox gave up is told once, of the own stream, when there is room."""

    def test_each_loss_of_the_own_stream_is_told_once(self) -> None:
        desk = Desk()
        desk.losses = [loss(2, 4), loss(7, 7, stream=bytes(16)), loss(9, 9), loss(0, 0, stream=b"")]
        desk.report()
        desk.report()
        assert desk.ranges() == [(2, 4), (9, 9)]
        assert [(each.first_number, each.last_number, each.record_count) for each in desk.sent] == [
            (2, 4, 0),
            (9, 9, 0),
        ]
        assert desk.dispatch.hop().facts["range entries"] == 2

    def test_no_more_are_told_than_there_is_room_for_and_the_rest_later(self) -> None:
        desk = Desk()
        desk.losses = [loss(number, number) for number in (1, 3, 5)]
        desk.report(room=0)
        assert desk.ranges() == []
        assert desk.dispatch.gather_losses() == 3
        desk.losses = [loss(7, 8)]
        desk.report(room=2)
        assert desk.ranges() == [(1, 1), (3, 3)]
        assert desk.dispatch.hop().facts["range entries not yet sent"] == 1
        desk.report()
        assert desk.ranges() == [(1, 1), (3, 3), (5, 5), (7, 8)]
        assert "range entries not yet sent" not in desk.dispatch.hop().facts

    def test_telling_of_losses_costs_no_record(self) -> None:
        outbox = MemoryOutbox(max_messages=8, max_bytes=100_000)
        dispatch = CoseDispatch(
            identity=IDENTITY,
            keys=CATALOGUE,
            signer=SIGNER,
            put=outbox.put,
            take_losses=outbox.take_losses,
            live_records=1,
        )
        # Alarms stay, so that each live record given up is a range of its own.
        for number in range(1, 21):
            dispatch.add(record(number, alarm=number % 4 == 0))
        lost = outbox.counts().lost
        dispatch.report_losses(lambda: outbox.counts().held.messages < 4)
        assert outbox.counts().lost == lost
        assert dispatch.gather_losses() > 0

    def test_a_range_entry_that_is_given_up_is_told_again(self) -> None:
        outbox = MemoryOutbox(max_messages=1, max_bytes=100_000)
        dispatch = CoseDispatch(
            identity=IDENTITY,
            keys=CATALOGUE,
            signer=SIGNER,
            put=outbox.put,
            take_losses=outbox.take_losses,
            live_records=1,
        )
        dispatch.add(record(1))
        dispatch.add(record(2))
        outbox.acknowledge(2)
        dispatch.report_losses(lambda: not outbox.counts().held.messages)
        dispatch.add(record(3))
        outbox.acknowledge(4)
        dispatch.report_losses(lambda: not outbox.counts().held.messages)
        found = outbox.next(Kind.LIVE, 0)
        assert found is not None
        assert [(entry.first, entry.last) for entry in read(found[1]).losses] == [(1, 1)]


class TestTooLarge:
    """What does not fit one message goes in several; a record that fits none is set aside."""

    def test_messages_larger_than_the_broker_takes_are_split(self) -> None:
        desk = Desk(live_records=16, largest=280)
        desk.add(*(record(number, values=cells(number, 30)) for number in range(1, 17)))
        assert desk.numbers() == list(range(1, 17))
        assert len(desk.sent) > 1
        assert all(len(each.payload) <= 280 for each in desk.sent)
        assert desk.dispatch.hop().balanced

    def test_a_single_record_is_the_session_s_to_judge(self) -> None:
        desk = Desk(live_records=2, largest=1)
        desk.add(record(1), record(2))
        assert desk.numbers() == [1, 2]

    def test_the_most_that_a_reader_takes_is_never_exceeded(self) -> None:
        desk = Desk(live_records=3000)
        desk.add(*(record(number, values=cells(number, 400)) for number in range(1, 400)))
        desk.dispatch.flush()
        assert desk.numbers() == list(range(1, 400))

    def test_values_that_do_not_compress_are_read_all_the_same(self) -> None:
        desk = Desk(live_records=3000)
        wild = [(number * 0x9E37_79B9_7F4A_7C15) % (1 << 64) - (1 << 63) for number in range(30_000)]
        length = 1000
        for number in range(1, 28):
            part = tuple(wild[(number - 1) * length : number * length])
            desk.add(record(number, values={CELLS: part}))
        desk.dispatch.flush()
        assert desk.numbers() == list(range(1, 28))

    def test_a_record_that_no_reader_would_take_is_set_aside_and_told(self) -> None:
        desk = Desk(live_records=1)
        desk.add(record(1), record(2, values=cells(1, MESSAGE_WEIGHT)), record(3))
        desk.report()
        assert desk.numbers() == [1, 3]
        assert desk.ranges() == [(2, 2)]
        hop = desk.dispatch.hop()
        assert hop.balanced
        assert hop.set_aside == {TOO_LARGE: 1}


class TestCannotBeWritten:
    """A record that the codec refuses costs no other, is counted, named, and told to the platform."""

    def test_it_is_taken_out_of_the_middle_of_a_message(self, caplog: pytest.LogCaptureFixture) -> None:
        desk = Desk(live_records=7)
        desk.add(*map(record, range(1, 4)))
        desk.add(record(4, values={"no.such.item": 1}), record(5, values={SPEED: 1 << 70}))
        desk.add(record(6), record(7))
        desk.report()
        assert desk.numbers() == [1, 2, 3, 6, 7]
        assert desk.ranges() == [(4, 5)]
        hop = desk.dispatch.hop()
        assert hop.balanced
        assert hop.set_aside == {CANNOT_BE_WRITTEN: 2}
        assert [each.message for each in caplog.records if "record 4" in each.message]
        assert len(caplog.records) == 1

    def test_an_alarm_that_cannot_be_written_is_told(self) -> None:
        desk = Desk()
        desk.add(record(1), record(2, alarm=True, values={SPEED: 1 << 70}), record(3, alarm=True))
        desk.report()
        assert desk.numbers() == [1, 3]
        assert desk.ranges() == [(2, 2)]


def cells(number: int, length: int) -> dict[str, Value]:
    """A pack of cells that differ without a rule, one of them invalid."""
    voltages = [3000 + (number * 7919 + place * 104_729) % 1000 for place in range(length - 1)]
    return {SPEED: number % 1000, CELLS: (Missing.INVALID, *voltages)}


STEPS = st.lists(
    st.sampled_from(["live", "live", "alarm", "flush", "report", "bad", "lose"]), min_size=1, max_size=40
)


@settings(max_examples=30, deadline=None)
@given(STEPS, st.integers(1, 5), st.sampled_from([None, 200, 260]))
def test_every_number_is_sent_or_told_lost_exactly_once(
    steps: list[str], live_records: int, largest: int | None
) -> None:
    desk = Desk(live_records=live_records, largest=largest)
    number, lost = 0, set[int]()
    for step in steps:
        if step in {"live", "alarm", "bad"}:
            number += 1
            made = record(number, alarm=step == "alarm")
            desk.add(replace(made, values={"no.such.item": 1}) if step == "bad" else made)
        elif step == "flush":
            desk.dispatch.flush()
        elif step == "report":
            desk.report(room=1)
        elif desk.sent and desk.sent[-1].record_count:
            given_up = desk.sent.pop()
            desk.losses.append(loss(given_up.first_number, given_up.last_number))
            lost.update(range(given_up.first_number, given_up.last_number + 1))
    desk.dispatch.flush()
    desk.report()
    told = [each for first, last in desk.ranges() for each in range(first, last + 1)]
    sent = desk.numbers()
    assert sorted([*sent, *told]) == list(range(1, number + 1))
    assert lost <= set(told)
    assert sent == sorted(sent)
    assert desk.dispatch.hop().balanced
