"""Accounts and time corrections on the wire: kept whole, one encoding each, refused when anything is off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pycddl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.wire
from edge.account import Account, Hop
from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.wire import account_message, time_corrections
from edge.wire.account_message import COUNTS, HOPS, NAME_BYTES, AccountMessage, StreamLedger
from edge.wire.strict_cbor import CborValue, read_cbor, write_cbor
from edge.wire.time_corrections import CORRECTIONS, TimeCorrection, TimeCorrections, corrected
from edge.wire.up_kinds import UpKind, peek_kind
from tests.wire import strategies
from tests.wire.test_receipt_status import SmallMessage

SCHEMA = (Path(edge.wire.__file__).parent / "nevgate.cddl").read_text()
ACCOUNT_SCHEMA = pycddl.Schema("root = account\n" + SCHEMA)
CORRECTIONS_SCHEMA = pycddl.Schema("root = time-corrections\n" + SCHEMA)
BOOT = bytes(range(16, 32))
GNSS = Timebase(1_764_000_000_000_000_000, TimeQuality.GNSS)
SAMPLE = AccountMessage(
    "LNEVGATE000000001",
    bytes(range(16)),
    BOOT,
    7_200_000_000_000,
    GNSS,
    7_200,
    Account.of(
        (
            Hop("bus pt", "frames", 900, 890, {"reader queue full": 10}, {"controller overflow": 2}),
            Hop("uplink", "records", 7_200, 7_000, {"waiting": 190, "lost": 10}, facts={"messages": 700}),
        )
    ),
    3_600_000_000_000,
    StreamLedger(7_000, 190, 10),
)
CORRECTED = TimeCorrections(
    "LNEVGATE000000001",
    bytes(range(16)),
    (
        TimeCorrection(BOOT, 0, 60_000_000_000, GNSS),
        TimeCorrection(bytes(16), -5, 5, Timebase(3, TimeQuality.NTP)),
    ),
)

counts: st.SearchStrategy[Mapping[str, int]] = st.dictionaries(
    st.text(min_size=1, max_size=20), st.integers(0, strategies.INT64_MAX), max_size=5
)
uint63s = st.integers(0, strategies.INT64_MAX)
names = st.text(min_size=1, max_size=20)
hops = st.builds(Hop, names, names, uint63s, uint63s, counts, counts, counts)


@st.composite
def accounts(draw: st.DrawFn) -> AccountMessage:
    since_ns, t_ns = sorted((draw(strategies.int64s), draw(strategies.int64s)))
    return AccountMessage(
        draw(names),
        draw(strategies.ids16),
        draw(strategies.ids16),
        t_ns,
        draw(strategies.timebases),
        draw(uint63s),
        Account.of(draw(st.lists(hops, min_size=1, max_size=5))),
        since_ns,
        draw(st.none() | st.builds(StreamLedger, uint63s, uint63s, uint63s)),
    )


@st.composite
def spans(draw: st.DrawFn) -> TimeCorrection:
    from_ns, to_ns = sorted((draw(strategies.int64s), draw(strategies.int64s)))
    return TimeCorrection(draw(strategies.ids16), from_ns, to_ns, draw(strategies.timebases))


class TestAccount(SmallMessage):
    def sample(self) -> bytes:
        hop = Hop("door", "frames", 9, 7, {"a": 2}, {"b": 1}, {"c": 300})
        return account_message.encode(replace(SAMPLE, vehicle="v", account=Account.of([hop])))

    def again(self) -> Callable[[bytes], bytes]:
        return lambda data: account_message.encode(account_message.decode(data))


class TestTimeCorrections(SmallMessage):
    def sample(self) -> bytes:
        return time_corrections.encode(CORRECTED)

    def again(self) -> Callable[[bytes], bytes]:
        return lambda data: time_corrections.encode(time_corrections.decode(data))


@given(accounts())
@settings(max_examples=75, deadline=None)
def test_an_account_survives(given_account: AccountMessage) -> None:
    data = account_message.encode(given_account)
    ACCOUNT_SCHEMA.validate_cbor(data)
    assert account_message.decode(data) == given_account
    assert peek_kind(data) is UpKind.ACCOUNT


@given(st.builds(TimeCorrections, names, strategies.ids16, st.lists(spans(), min_size=1).map(tuple)))
@settings(max_examples=50, deadline=None)
def test_time_corrections_survive(given_corrections: TimeCorrections) -> None:
    data = time_corrections.encode(given_corrections)
    CORRECTIONS_SCHEMA.validate_cbor(data)
    assert time_corrections.decode(data) == given_corrections
    assert peek_kind(data) is UpKind.TIME_CORRECTIONS


@given(st.binary(max_size=40))
def test_noise_has_no_kind(data: bytes) -> None:
    with pytest.raises(WireError):
        peek_kind(data)


def test_counts_that_are_out_of_order_or_twice_are_refused() -> None:
    fields = read_cbor(account_message.encode(SAMPLE))
    assert isinstance(fields, dict)
    wrong: list[CborValue] = [
        [["b", 1], ["a", 1]],
        [["a", 1], ["a", 1]],
        [["a", -1]],
        [["", 1]],
        [["a"]],
        ["a", 1],
    ]
    for pairs in wrong:
        fields[10] = [["uplink", "records", 1, 1, pairs, [], []]]
        with pytest.raises(WireError):
            account_message.decode(write_cbor(fields))


@pytest.mark.parametrize(
    "account",
    [
        Account(()),
        Account.of([Hop("h", "frames", 0, 0)] * (HOPS + 1)),
        Account.of([Hop("h" * (NAME_BYTES + 1), "frames", 0, 0)]),
        Account.of([Hop("\udcff", "frames", 0, 0)]),
        Account.of([Hop("", "frames", 0, 0)]),
        Account.of([Hop("h", "frames", -1, 0)]),
        Account.of([Hop("h", "frames", 0, 0, {"lost": 2**63})]),
        Account.of([Hop("h", "frames", 0, 0, {str(n): n for n in range(COUNTS + 1)})]),
    ],
)
def test_an_account_beyond_the_bounds_is_refused_when_it_is_made(account: Account) -> None:
    with pytest.raises(WireError):
        replace(SAMPLE, account=account)


def test_an_account_larger_than_a_message_is_not_written() -> None:
    wide = Hop("h", "frames", 0, 0, {f"{n:0500}": n for n in range(COUNTS)})
    with pytest.raises(WireError, match="exceeds"):
        account_message.encode(replace(SAMPLE, account=Account.of([wide])))


def test_times_that_run_backwards_are_refused() -> None:
    with pytest.raises(WireError):
        replace(SAMPLE, since_ns=SAMPLE.t_ns + 1)
    with pytest.raises(WireError):
        TimeCorrection(BOOT, 6, 5, GNSS)
    with pytest.raises(WireError):
        replace(CORRECTED, corrections=())
    with pytest.raises(WireError):
        replace(CORRECTED, corrections=CORRECTED.corrections * CORRECTIONS)


def test_the_best_correction_holds_and_of_equals_the_last() -> None:
    rtc, early, late = (
        Timebase(1, TimeQuality.RTC),
        Timebase(2, TimeQuality.NTP),
        Timebase(3, TimeQuality.NTP),
    )
    known = [TimeCorrection(BOOT, 0, 100, each) for each in (early, late, rtc)]
    none = Timebase(0, TimeQuality.NONE)
    assert corrected(known, BOOT, 0, none) == late
    assert corrected(known, BOOT, 100, Timebase(0, TimeQuality.NTP)) == late
    assert corrected(known, BOOT, 101, none) is None
    assert corrected(known, BOOT, -1, none) is None
    assert corrected(known, bytes(16), 50, none) is None
    assert corrected(known, BOOT, 50, GNSS) is None
