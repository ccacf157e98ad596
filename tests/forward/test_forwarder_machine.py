"""Whatever happens in whatever order: no number is lost, doubled or given anew, and no message changes."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.forward.forwarder import Forwarder
from edge.journal.block import BlockKind
from edge.journal.cursors import OWN_STREAM
from edge.journal.journal import Committed
from edge.journal.stored import MESSAGES
from edge.records import Record
from edge.uplink.outbox import Progress
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.cose import Verifier
from edge.wire.message import RecordMessage, decode
from tests.journal.faulty_disk import Fault, FaultyDisk
from tests.journal.journal_rig import CATALOGUE, KEY, VEHICLE, Rig

KINDS = [Kind.ALARM, Kind.LIVE, Kind.BACKLOG]
Span = tuple[int, int, int]


def read(item: Outgoing) -> RecordMessage:
    verified = Verifier({VEHICLE: [KEY.public]}).verify(item.payload, vehicle=VEHICLE)
    return decode(verified.payload, CATALOGUE)


def span_of(item: Outgoing) -> Span:
    """First and last number, and how many records: what tells a message from all others of a stream."""
    return item.first_number, item.last_number, item.record_count


def numbers(items: Iterable[Outgoing]) -> set[int]:
    return {number for item in items for number in range(item.first_number, item.last_number + 1)}


@dataclass
class Model:
    """What must hold.

    Attributes:
        speeds: of each record committed, by its number.
        sent: the bytes of each message that the session has seen.
        acknowledged: numbers of records that have arrived.
        given_up: numbers whose range entry has arrived, or waits for the next run.
        erased: numbers whose block was emptied.
        aside: numbers of messages with records that were given up.
    """

    speeds: dict[int, int] = field(default_factory=dict)
    sent: dict[Span, bytes] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    given_up: set[int] = field(default_factory=set)
    erased: set[int] = field(default_factory=set)
    aside: set[int] = field(default_factory=set)


class ForwarderMachine(RuleBasedStateMachine):
    """A journal with its forwarder, a session that takes its messages, and a disk that fails."""

    @initialize()
    def begin(self) -> None:
        logging.disable(logging.CRITICAL)
        self.root = Path(tempfile.mkdtemp())
        self.disk = FaultyDisk(self.root)
        self.rig = Rig(self.root / "journal", checkpoint_blocks=5)
        self.model = Model()
        self.speed = 0
        self.open()

    def open(self) -> None:
        self.rig.start()
        self.forwarder: Forwarder = self.rig.forwarder()
        self.rig.open.journal.on_commit.append(self.committed)
        self.after = dict.fromkeys(Kind, 0)
        self.positions: list[int] = []

    def committed(self, committed: Committed) -> None:
        for record in committed.records:
            assert record.number == len(self.model.speeds) + 1
            speed = record.values["vehicle.speed"]
            assert isinstance(speed, int)
            self.model.speeds[record.number] = speed

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        try:
            self.disk.fault = Fault.NONE
            self.rig.after(61)
            self.settle()
        finally:
            self.disk.fault = Fault.NONE
            self.rig.stop()
            self.disk.unregister()
            shutil.rmtree(self.root)
            logging.disable(logging.NOTSET)

    @rule(
        seconds=st.sampled_from([1.0, 1.0, 9.0, 70.0]),
        count=st.integers(1, 12),
        alarm=st.booleans(),
        reissue=st.booleans(),
        commit=st.booleans(),
    )
    def record(self, seconds: float, count: int, alarm: bool, reissue: bool, commit: bool) -> None:
        for place in range(count):
            self.rig.after(seconds)
            self.speed += 1
            now_ns, timebase = self.rig.clock.boot_ns(), self.rig.clock.timebase()
            made = Record(0, now_ns, timebase, {"vehicle.speed": self.speed}, "m")
            made = replace(made, alarm=alarm and place == 0, reissue=reissue and place == 1)
            taken = self.rig.open.journal.add_record(made)
            assert (taken is None) == bool(self.rig.open.journal.failure)
        if commit:
            self.commit()

    @rule()
    def commit(self) -> None:
        journal = self.rig.open.journal
        assert journal.commit() == (not journal.failure)

    @precondition(lambda self: self.disk.fault is Fault.NONE and self.model.speeds)
    @rule(fault=st.sampled_from([Fault.FULL, Fault.READ_ONLY, Fault.GONE]), left=st.integers(0, 60_000))
    def fail(self, fault: Fault, left: int) -> None:
        self.disk.fault, self.disk.left = fault, left

    @precondition(lambda self: self.disk.fault is not Fault.NONE)
    @rule()
    def heal(self) -> None:
        self.disk.fault = Fault.NONE
        self.rig.after(61)
        assert self.rig.open.journal.commit()
        assert not self.forwarder._making

    @precondition(lambda self: self.model.speeds)
    @rule(most=st.integers(1, 4))
    def send(self, most: int) -> None:
        for _ in range(most):
            for kind in KINDS:
                self.send_one(kind)

    def send_one(self, kind: Kind) -> None:
        found = self.forwarder.next(kind, self.after[kind])
        if found is None:
            return
        position, item = found
        self.after[kind] = position
        self.positions.append(position)
        self.forwarder.note(position, Progress.IN_FLIGHT)
        before = self.model.sent.setdefault(span_of(item), item.payload)
        assert before == item.payload
        for record in read(item).records:
            assert record.values["vehicle.speed"] == self.model.speeds[record.number]

    @precondition(lambda self: self.positions)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(self.positions))
        self.positions.remove(position)
        item = self.forwarder.get(position)
        assert item is not None
        assert self.forwarder.acknowledge(position)
        assert not self.forwarder.acknowledge(position)
        target = self.model.acknowledged if item.record_count else self.model.given_up
        target |= numbers([item])

    @precondition(lambda self: self.positions)
    @rule(data=st.data())
    def set_aside(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(self.positions))
        self.positions.remove(position)
        item = self.forwarder.get(position)
        assert item is not None
        assert self.forwarder.set_aside(position, "refused")
        if item.record_count:
            self.model.aside |= numbers([item])
        else:
            self.model.given_up |= numbers([item])

    @precondition(lambda self: self.model.speeds and self.disk.fault is Fault.NONE)
    @rule(data=st.data(), told=st.booleans())
    def erase(self, data: st.DataObject, told: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.speeds)))
        spans = self.rig.rows(
            "SELECT number, first_number, last_number FROM block WHERE kind = ? AND size > 0"
            " AND first_number <= ? AND last_number >= ?",
            int(BlockKind.RECORDS),
            number,
            number,
        )
        for block, first, last in spans:
            self.rig.rows("UPDATE block SET ciphertext = NULL, size = 0 WHERE number = ?", block)
            if told:
                self.rig.rows("INSERT OR REPLACE INTO erased VALUES (1, ?, ?)", first, last)
            self.model.erased |= set(range(first, last + 1))

    @precondition(lambda self: self.disk.fault is Fault.NONE and self.model.speeds)
    @rule()
    def restart(self) -> None:
        self.rig.stop()
        acknowledged = set(self.model.acknowledged)
        self.reopened()
        assert self.model.acknowledged == acknowledged, "an orderly end forgets nothing"

    @precondition(lambda self: self.model.speeds)
    @rule()
    def crash(self) -> None:
        self.disk.fault = Fault.NONE
        self.forwarder.close()
        self.rig.open._stack.close()
        self.reopened()

    @precondition(lambda self: self.disk.fault is Fault.NONE and self.model.sent)
    @rule()
    def lose_the_key_of_messages(self) -> None:
        """Messages that wait cannot be opened at the next start: their numbers are given in others."""
        self.rig.open.keys.destroy(data_class=MESSAGES)
        self.crash()
        self.model.sent.clear()

    def reopened(self) -> None:
        """What was not committed is as if it had not been: that of the session must show."""
        self.open()
        own = self.forwarder._cursors[0]
        assert own.last == len(self.model.speeds)
        held = [one.item for one in self.forwarder._held.all() if one.stream == OWN_STREAM]
        for item in held:
            assert self.model.sent.get(span_of(item), item.payload) == item.payload
        again = numbers(item for item in held if item.record_count)
        again |= {
            number for first, last in own.covered.gaps(1, own.last) for number in range(first, last + 1)
        }
        self.model.acknowledged -= again
        self.model.aside -= again
        told = numbers(item for item in held if not item.record_count) | self.untold()
        self.model.given_up -= told
        assert not told & self.model.acknowledged

    def untold(self) -> set[int]:
        entries = [gap.entry for gap in self.forwarder._gaps._untold]
        return {number for entry in entries for number in range(entry.first, entry.last + 1)}

    @invariant()
    def each_number_is_in_one_place(self) -> None:
        if not hasattr(self, "root"):
            return
        own = self.forwarder._cursors[0]
        waiting = {
            number for first, last in own.covered.gaps(1, own.last) for number in range(first, last + 1)
        }
        made = [one.item for one in (*self.forwarder._held.all(), *self.forwarder._making.values())]
        made = [item for item in made if item.numbered]
        held = numbers(item for item in made if item.record_count)
        assert len(held) == sum(item.record_count for item in made)
        given_up = (
            self.untold() | numbers(item for item in made if not item.record_count) | self.model.given_up
        )
        places = [waiting, held, self.model.acknowledged, given_up]
        assert sum(map(len, places)) == len(set.union(*places)) == len(self.model.speeds)
        assert given_up <= self.model.erased | self.model.aside
        ledger = self.forwarder.ledger()
        assert ledger.total == own.last == len(self.model.speeds)
        assert (ledger.acknowledged, ledger.waiting) == (len(self.model.acknowledged), len(waiting | held))

    @invariant()
    def the_account_balances(self) -> None:
        if not hasattr(self, "root"):
            return
        assert all(hop.balanced for hop in (*self.rig.open.journal.hops(), self.forwarder.hop()))
        counts = self.forwarder.counts()
        lost = sum(one.records for one in counts.lost.values())
        assert counts.entered.records == counts.acknowledged.records + counts.held.records + lost

    def settle(self) -> None:
        """With a sound disk and a platform that answers, everything comes to its end."""
        self.restart()
        for _ in range(400):
            for kind in Kind:
                found = self.forwarder.next(kind, 0)
                if found is None:
                    continue
                self.forwarder.acknowledge(found[0])
                item = found[1]
                target = self.model.acknowledged if item.record_count else self.model.given_up
                target |= numbers([item])
            self.rig.open.journal.commit()
            if self.forwarder.empty():
                break
        assert self.forwarder.empty()
        assert self.model.acknowledged | self.model.given_up == set(self.model.speeds)
        assert not self.model.acknowledged & self.model.given_up
        assert not self.rig.rows("SELECT * FROM message")
        assert not self.rig.rows("SELECT * FROM gap")
        assert not self.rig.verify(contents=True).fault_count


TestForwarderMachine = ForwarderMachine.TestCase
TestForwarderMachine.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
