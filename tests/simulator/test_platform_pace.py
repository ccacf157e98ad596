"""Receipts are gathered per stream, but never late, and an alarm does not wait."""

from __future__ import annotations

from edge.clock import NS_PER_S
from simulator.platform.pace import ReceiptPacer

FIRST = ("VIN1", b"a" * 16, b"")
SECOND = ("VIN1", b"b" * 16, b"")


def test_messages_of_one_interval_share_a_receipt() -> None:
    pacer = ReceiptPacer(interval_s=1.0, messages=20)
    for step in range(5):
        pacer.note(FIRST, step * NS_PER_S // 10)
    assert pacer.due(NS_PER_S - 1) == []
    assert pacer.next_due_s(NS_PER_S // 2) == 0.5
    assert pacer.due(NS_PER_S) == [FIRST]
    assert pacer.due(NS_PER_S * 9) == []
    assert pacer.next_due_s(NS_PER_S * 9) is None


def test_many_messages_do_not_wait_for_the_interval() -> None:
    pacer = ReceiptPacer(interval_s=60.0, messages=3)
    for _ in range(2):
        pacer.note(FIRST, 0)
    pacer.note(SECOND, 0)
    assert pacer.due(0) == []
    pacer.note(FIRST, 0)
    assert pacer.next_due_s(0) == 0.0
    assert pacer.due(0) == [FIRST]
    assert pacer.all_owed() == [SECOND]


def test_an_alarm_does_not_wait() -> None:
    pacer = ReceiptPacer(interval_s=60.0)
    pacer.note(FIRST, 0)
    pacer.note(FIRST, 0, urgent=True)
    assert pacer.due(0) == [FIRST]
