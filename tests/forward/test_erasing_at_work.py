"""Erasing with every thread at work: nothing stands still for good, and no number is lost or given anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass
from tests.forward.busy import Busy

RECORDS = 400
ERASE_AT = (100, 200, 300)
PATIENCE_S = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that other threads bring about."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def test_withdrawals_amid_traffic_lose_no_number_and_leave_no_trace(tmp_path: Path) -> None:
    busy = Busy(tmp_path / "journal", answers=(True, True))
    withdrawn_to = 0
    for number in range(1, RECORDS + 1):
        busy.record()
        until(lambda: busy.opened.journal.committed_number > number - 40)  # noqa: B023 - called at once
        if number in ERASE_AT:
            consent = ERASE_AT.index(number) + 3
            before = busy.opened.journal.committed_number
            request = ErasureRequest(DataClass.POSITION, consents=frozenset({consent}))
            assert busy.erasing.erase([request]).blocks > 0
            withdrawn_to = max(before, number)
            busy.label = f"consent {consent + 1}"
    until(lambda: all(len(one.got) == RECORDS for one in busy.destinations))
    until(lambda: all(one.empty() for one in busy.forwarders.values()))
    assert [one.error for one in busy.destinations] == [None, None]
    for forwarder in busy.forwarders.values():
        assert forwarder.hop().balanced
        assert forwarder.ledger().acknowledged == RECORDS
    assert [one.conflicts for one in busy.destinations] == [0, 0], "what was on its way was waited for"
    with busy.opened.reader() as reader:
        kept = {one.record.number: set(one.record.values) for one in reader.records(1, RECORDS)}
    assert sorted(kept) == list(range(1, RECORDS + 1))
    assert {name for number, names in kept.items() if number <= withdrawn_to for name in names} == {
        "vehicle.speed"
    }
    assert any("gnss.valid" in names for number, names in kept.items() if number > withdrawn_to)
    busy.close()


def test_what_a_policy_goes_on_to_allow_under_an_ended_consent_is_not_kept(tmp_path: Path) -> None:
    busy = Busy(tmp_path / "journal")
    for number in range(60):
        busy.record()
        if number == 30:
            busy.erasing.erase([ErasureRequest(DataClass.POSITION, consents=frozenset({3}))])
    until(lambda: busy.opened.journal.committed_number == 60)
    assert not [one for one in busy.opened.keys.listing() if one.purpose == "consent 3"]
    assert busy.opened.journal.hops()[0].balanced
    busy.close()
