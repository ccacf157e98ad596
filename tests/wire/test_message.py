"""What a record message must keep: every state of every value, and one encoding of each message."""

from __future__ import annotations

from pathlib import Path

import pycddl
import pytest
from hypothesis import example, given, settings

import edge.wire
from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.records import Missing, Record, Value
from edge.wire.item_keys import KeyTable
from edge.wire.limits import Limits
from edge.wire.message import MessageKind, RecordMessage, decode, encode
from tests.wire import strategies
from tests.wire.drive import drive, drive_keys, message_of, records
from tests.wire.strategies import KEYS

SCHEMA = (Path(edge.wire.__file__).parent / "nevgate.cddl").read_text()
MESSAGE_SCHEMA = pycddl.Schema("root = record-message\n" + SCHEMA)
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def message(*values: dict[str, Value]) -> RecordMessage:
    made = tuple(
        Record(number, number * 1_000_000_000, Timebase(17, TimeQuality.NTP), each, "m")
        for number, each in enumerate(values, start=1)
    )
    return RecordMessage(MessageKind.LIVE, "V", bytes(16), bytes(range(16)), made)


@given(strategies.messages)
@settings(max_examples=50, deadline=None)
@example(message({"item1": INT64_MIN}, {"item1": INT64_MAX}, {"item1": INT64_MIN}))
@example(message({}, {}))
@example(message({"pack[1].cells": ()}, {"pack[1].cells": Missing.INVALID}, {}))
def test_a_message_survives_and_has_one_encoding(given_message: RecordMessage) -> None:
    for compress in (False, True):
        data = encode(given_message, KEYS, compress=compress)
        MESSAGE_SCHEMA.validate_cbor(data)
        read = decode(data, KEYS)
        assert read == given_message
        assert encode(read, KEYS, compress=compress) == data


def test_no_entry_invalid_and_abnormal_stay_three_things() -> None:
    sent = message({"item1": Missing.INVALID}, {"item1": Missing.ABNORMAL}, {}, {"item1": 0})
    read = decode(encode(sent, KEYS), KEYS)
    assert [record.values for record in read.records] == [record.values for record in sent.records]


def test_array_elements_are_missing_one_by_one_while_lengths_change() -> None:
    invalid, abnormal = Missing.INVALID, Missing.ABNORMAL
    cells: list[Value] = [(1, invalid, 3), (abnormal, 2, 3), (), (4,), invalid, (1, 2, 3, 4)]
    sent = message(*({"pack[1].cells": each} for each in cells))
    assert decode(encode(sent, KEYS), KEYS) == sent


@pytest.mark.parametrize("lasting", [Missing.INVALID, Missing.ABNORMAL])
def test_a_cell_that_stays_missing_in_a_drive_survives_beside_the_others(lasting: Missing) -> None:
    made = records(drive(30, seed=4), arrays=True)
    for record in made:
        cells = record.values["pack[1].cells"]
        assert isinstance(cells, tuple)
        assert isinstance(record.values, dict)
        record.values["pack[1].cells"] = (*cells[:5], lasting, *cells[6:])
    sent = message_of(made)
    data = encode(sent, drive_keys())
    assert decode(data, drive_keys()) == sent
    assert encode(decode(data, drive_keys()), drive_keys()) == data


def test_records_of_several_timebases_masks_and_steps_share_a_message() -> None:
    timebases = [Timebase(0), Timebase(0), Timebase(1_700_000_000_000_000_000, TimeQuality.GNSS)]
    made = tuple(
        Record(number, t_ns, timebase, {"item2": number}, mask, alarm)
        for number, t_ns, timebase, mask, alarm in zip(
            (3, 4, 90), (10, 11, -5), timebases, ("b", "a", "b"), (False, True, False), strict=True
        )
    )
    sent = RecordMessage(MessageKind.BACKLOG, "V", bytes(16), bytes(16), made, predecessor=bytes(range(16)))
    assert decode(encode(sent, KEYS), KEYS) == sent


def test_an_item_that_the_catalogue_lacks_keeps_its_number() -> None:
    data = encode(message({"item3": 5, "motor[2].speed": 6}), KEYS)
    read = decode(data, KeyTable({}))
    assert read.records[0].values == {"#9": 5, "#7[2]": 6}
    assert encode(read, KeyTable({})) == data


def test_a_compressed_body_is_smaller_and_says_the_same() -> None:
    fault_codes: list[dict[str, Value]] = [
        {"item5": tuple((n * 7919 + k * k * 104_729) % 2**31 for k in range(40 - n % 2))} for n in (1, 2) * 20
    ]
    sent = message(*fault_codes)
    plain, packed = encode(sent, KEYS, compress=False), encode(sent, KEYS)
    assert len(packed) < len(plain)
    MESSAGE_SCHEMA.validate_cbor(packed)
    assert decode(packed, KEYS) == decode(plain, KEYS) == sent


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (message({"nobody": 1}), "no wire key"),
        (message({"item1": INT64_MAX + 1}), "64 bits"),
        (message({"item1": (1, INT64_MIN - 1)}), "64 bits"),
        (message({"item1": 1.5}), "whole number"),  # type: ignore[dict-item] # what the check is for
        (message({"item3": 1, "#9": 1}), "share"),
        (RecordMessage(MessageKind.LIVE, "", bytes(16), bytes(16)), "name"),
        (RecordMessage(MessageKind.LIVE, "V", bytes(15), bytes(16)), "16 bytes"),
        (RecordMessage(MessageKind.LIVE, "V", bytes(16), bytes(16), predecessor=b""), "16 bytes"),
        (RecordMessage(MessageKind.LIVE, "V", bytes(16), bytes(16), message({}, {}).records[:1] * 2), "rise"),
        (
            RecordMessage(MessageKind.LIVE, "V", bytes(16), bytes(16), (Record(0, 0, Timebase(), {}),)),
            "from 1",
        ),
    ],
)
def test_what_could_not_be_read_is_not_written(broken: RecordMessage, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        encode(broken, KEYS)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(message_bytes=80),
        Limits(body_bytes=10),
        Limits(records=1),
        Limits(columns=1),
        Limits(values=3),
        Limits(text_bytes=0),
    ],
)
def test_each_limit_holds(limits: Limits) -> None:
    data = encode(message({"item1": (1, 2, 3), "item2": 4}, {"item1": (1, 2), "item2": 4}), KEYS)
    assert len(data) > 80
    with pytest.raises(WireError):
        decode(data, KEYS, limits)
