"""However messages overtake each other, come twice or are cut off, the platform ends with the same store."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.uplink.events import Connected, Disconnected, Puback, Refused
from edge.wire.account_message import StreamLedger
from edge.wire.checkpoint import signed_hash
from edge.wire.loss import Exactness, Interval, LossCause, LossRange
from edge.wire.message import MessageKind
from edge.wire.receipt import Receipt
from edge.wire.time_corrections import TimeCorrection
from simulator.platform.findings import checkpoint_looks, findings
from simulator.platform.reader import StoreReader
from simulator.virtual_link import LinkFaults, VirtualLink
from tests.simulator.platform_rig import BOOT, NOW_NS, STREAM, Rig, Vehicle, record

VEHICLE = Vehicle()
EVENT = VEHICLE.topic(MessageKind.EVENT)
BACKLOG = VEHICLE.topic(MessageKind.BACKLOG)
FIRST = VEHICLE.checkpoint(1, 4, last_number=10)
SECOND = VEHICLE.checkpoint(5, 9, last_number=22, previous=FIRST)
THIRD = VEHICLE.checkpoint(10, 11, last_number=30, previous=SECOND)
SENT = (
    (VEHICLE.topic(), VEHICLE.message(*(record(number) for number in range(21, 31)))),
    (VEHICLE.topic(MessageKind.ALARM), VEHICLE.message(record(19, alarm=True), kind=MessageKind.ALARM)),
    (BACKLOG, VEHICLE.numbers(1, 9)),
    (BACKLOG, VEHICLE.numbers(10, 12)),
    (BACKLOG, VEHICLE.message(losses=(LossRange(13, 14, LossCause.ERASED),))),
    (
        BACKLOG,
        VEHICLE.message(
            losses=(
                LossRange(
                    15, 18, LossCause.LOST, Exactness.INTERVAL, Interval(BOOT, 15 * NS_PER_S, 18 * NS_PER_S)
                ),
            ),
        ),
    ),
    (BACKLOG, VEHICLE.numbers(20, 20)),
    (EVENT, FIRST),
    (EVENT, SECOND),
    (EVENT, THIRD),
    (EVENT, VEHICLE.account(22, StreamLedger(0, 22, 0))),
    (
        EVENT,
        VEHICLE.corrections(
            TimeCorrection(BOOT, 0, 9 * NS_PER_S, Timebase(NOW_NS + 5, TimeQuality.GNSS)),
            TimeCorrection(BOOT, 5 * NS_PER_S, 12 * NS_PER_S, Timebase(NOW_NS + 7, TimeQuality.GNSS)),
        ),
    ),
)


def assert_all_is_there(rig: Rig, last_receipt: Receipt) -> None:
    """Every record once, every gap explained, the chain whole, and nothing to complain of."""
    assert (last_receipt.stream, last_receipt.watermark, last_receipt.missing) == (STREAM, 30, ())
    assert last_receipt.hash == signed_hash(THIRD)
    assert rig.alerts == []
    assert rig.records["stored"] == 24
    with StoreReader(rig.path) as reader:
        stored = {entry.record.number: entry for entry in reader.records()}
        assert sorted(stored) == [*range(1, 13), *range(19, 31)]
        for number, entry in stored.items():
            assert entry.record == record(number, alarm=number == 19)
            expected = 7 if 5 <= number <= 12 else 5 if number < 5 else None
            offset_ns = None if entry.corrected is None else entry.corrected.wall_offset_ns - NOW_NS
            assert offset_ns == expected
        assert [(gap.first, gap.last, gap.cause, gap.exactness) for gap in reader.gaps()] == [
            (13, 14, "erased", "exact"),
            (15, 18, "lost", "interval"),
        ]
        assert all(look.standing.sound and not look.missing for look in checkpoint_looks(reader))
        assert list(findings(reader)) == []


@given(
    st.permutations(range(len(SENT))),
    st.lists(st.integers(0, len(SENT) - 1), max_size=12),
    st.integers(1, 5),
)
@settings(max_examples=40, deadline=None)
def test_order_and_repeats_change_nothing(order: list[int], again: list[int], at_once: int) -> None:
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder) / "platform.db")
        receipts: list[Receipt] = []
        for place, which in enumerate([*order, *again]):
            topic, payload = SENT[which]
            rig.send(payload, topic)
            if place % at_once == 0:
                receipts += rig.receipts()
        receipts += rig.receipts()
        assert rig.messages["stored"] == len(SENT)
        assert rig.messages.get("double", 0) == len(again)
        assert_all_is_there(rig, receipts[-1])
        rig.store.close()


@given(st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_a_link_that_breaks_and_doubles_changes_nothing(seed: int) -> None:
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder) / "platform.db")
        clock = VirtualClock()
        link = VirtualLink(
            clock,
            random.Random(seed),  # noqa: S311 - a seed replays the run
            lambda topic, payload: rig.send(payload, topic),
            faults=LinkFaults(refuse=0.1, cut=0.05, duplicate=0.3),
        )
        waiting = dict(enumerate(SENT))
        link.connect()
        while waiting:
            due_ns = link.due_ns()
            assert due_ns is not None
            clock.advance_to(due_ns)
            for event in link.poll():
                match event:
                    case Connected():
                        for token, (topic, payload) in waiting.items():
                            link.publish(token, topic, payload, retain=False)
                    case Disconnected() | Refused():
                        link.connect()
                    case Puback():
                        waiting.pop(event.token, None)
        last = rig.platform.commit(rig.now_ns, all_receipts=True)
        assert_all_is_there(rig, rig.read(last[-1]))
        rig.store.close()
