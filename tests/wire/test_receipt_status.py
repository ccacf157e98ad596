"""Receipts, the status and checkpoints: kept whole, one encoding each, and refused when anything is off."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest
from hypothesis import given, settings

import edge.wire
from edge.clock import TimeQuality
from edge.errors import WireError
from edge.wire import checkpoint, receipt, status
from edge.wire.checkpoint import Checkpoint
from edge.wire.limits import Limits
from edge.wire.receipt import NumberRange, Receipt
from edge.wire.status import Status
from tests.wire import strategies

SCHEMA = (Path(edge.wire.__file__).parent / "nevgate.cddl").read_text()
RECEIPT_SCHEMA = pycddl.Schema("root = receipt\n" + SCHEMA)
STATUS_SCHEMA = pycddl.Schema("root = status\n" + SCHEMA)
CHECKPOINT_SCHEMA = pycddl.Schema("root = checkpoint\n" + SCHEMA)
STREAM = bytes(range(16))
SEALED = Checkpoint(
    "LNEVGATE000000001",
    STREAM,
    101,
    160,
    bytes(range(32)),
    bytes(range(32, 64)),
    bytes(range(64, 96)),
    bytes(range(96, 112)),
    60_000_000_000,
    1_764_000_000_000_000_000,
    TimeQuality.GNSS,
    4711,
)


class SmallMessage(ABC):
    """What holds for every small message: nothing but the message's own bytes is accepted."""

    @abstractmethod
    def sample(self) -> bytes:
        """An encoded message."""

    @abstractmethod
    def again(self) -> Callable[[bytes], bytes]:
        """Decode and encode."""

    def test_each_truncation_is_refused(self) -> None:
        data = self.sample()
        for place in range(len(data)):
            with pytest.raises(WireError):
                self.again()(data[:place])
        with pytest.raises(WireError):
            self.again()(data + b"\0")

    def test_each_changed_byte_is_refused_or_gives_the_same_bytes_again(self) -> None:
        data = self.sample()
        accepted = 0
        for place in range(len(data)):
            for byte in range(place % 4, 256, 4):
                changed = bytearray(data)
                changed[place] = byte
                try:
                    assert self.again()(bytes(changed)) == changed
                except WireError:
                    continue
                accepted += 1
        assert accepted > len(data) / 4

    def test_foreign_cbor_is_refused(self) -> None:
        fields = cbor2.loads(self.sample())
        for other in (
            None,
            [],
            {},
            1.0,
            {**fields, 99: 1},
            {**fields, 1: 2},
            {**fields, 1: True},
            list(fields),
        ):
            with pytest.raises(WireError):
                self.again()(cbor2.dumps(other))


class TestReceipt(SmallMessage):
    def sample(self) -> bytes:
        gaps = (NumberRange(901, 901), NumberRange(1000, 70_000))
        return receipt.encode(Receipt(STREAM, 900, gaps, 1_764_000_000_000_000_000, bytes(32), 70_020))

    def again(self) -> Callable[[bytes], bytes]:
        return lambda data: receipt.encode(receipt.decode(data))


class TestStatus(SmallMessage):
    def sample(self) -> bytes:
        return status.encode(Status(True, STREAM, "nevgate 0.1.0", 4711, 1_764_000_000_000_000_000))

    def again(self) -> Callable[[bytes], bytes]:
        return lambda data: status.encode(status.decode(data))


class TestCheckpoint(SmallMessage):
    def sample(self) -> bytes:
        return checkpoint.encode(SEALED)

    def again(self) -> Callable[[bytes], bytes]:
        return lambda data: checkpoint.encode(checkpoint.decode(data))


@given(strategies.receipts())
@settings(max_examples=75, deadline=None)
def test_a_receipt_survives(given_receipt: Receipt) -> None:
    data = receipt.encode(given_receipt)
    RECEIPT_SCHEMA.validate_cbor(data)
    assert receipt.decode(data) == given_receipt


@given(strategies.statuses)
@settings(max_examples=50, deadline=None)
def test_a_status_survives(given_status: Status) -> None:
    data = status.encode(given_status)
    STATUS_SCHEMA.validate_cbor(data)
    assert status.decode(data) == given_status


@given(strategies.checkpoints())
@settings(max_examples=50, deadline=None)
def test_a_checkpoint_survives(given_checkpoint: Checkpoint) -> None:
    data = checkpoint.encode(given_checkpoint)
    CHECKPOINT_SCHEMA.validate_cbor(data)
    assert checkpoint.decode(data) == given_checkpoint


@pytest.mark.parametrize(
    "fields",
    [
        {"vehicle": ""},
        {"vehicle": "é" * 65},
        {"stream": bytes(15)},
        {"boot": bytes(17)},
        {"first": 0},
        {"last": 100},
        {"last": 2**63},
        {"root": bytes(31)},
        {"link": bytes(33)},
        {"previous": bytes(31)},
        {"previous": None},
        {"first": 1},
        {"t_ns": 2**63},
        {"last_number": -1},
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        replace(SEALED, **fields)


def test_a_receipt_acknowledges_all_but_what_it_misses_up_to_its_highest() -> None:
    told = Receipt(STREAM, 10, (NumberRange(11, 12), NumberRange(15, 15)), highest=20)
    acknowledged = [number for number in range(1, 30) if told.acknowledges(number)]
    assert acknowledged == [*range(1, 11), 13, 14, 16, 17, 18, 19, 20]


def test_a_receipt_without_highest_says_the_least_that_it_implies() -> None:
    assert Receipt(STREAM, 10).highest == 10
    assert Receipt(STREAM, 10, (NumberRange(11, 12),)).highest == 13


@pytest.mark.parametrize(
    ("watermark", "missing", "highest"),
    [
        (10, ((12, 13),), 20),
        (10, ((10, 13),), 20),
        (10, ((11, 13), (14, 15)), 20),
        (10, ((11, 13), (12, 15)), 20),
        (10, ((11, 13),), 13),
        (10, (), 11),
        (-1, (), 0),
    ],
)
def test_a_receipt_that_contradicts_itself_is_refused(
    watermark: int, missing: tuple[tuple[int, int], ...], highest: int
) -> None:
    with pytest.raises(WireError):
        Receipt(STREAM, watermark, tuple(NumberRange(*gap) for gap in missing), 0, None, highest)


def test_a_receipt_of_too_many_ranges_is_refused() -> None:
    gaps = tuple(NumberRange(2 * n + 1, 2 * n + 1) for n in range(5))
    with pytest.raises(WireError):
        receipt.decode(receipt.encode(Receipt(STREAM, 0, gaps)), Limits(losses=4))
