"""A decoder written from the page alone reads what the code writes."""

from __future__ import annotations

import cbor2
import pytest
import zstandard
from hypothesis import given, settings

from edge.clock import TimeQuality
from edge.records import Missing, Value
from edge.wire.item_keys import ItemKeys, wire_key
from edge.wire.message import RecordMessage, encode
from edge.wire.record_columns import Field
from tests.wire import strategies
from tests.wire.drive import drive, drive_keys, message_of, records, walking_records
from tests.wire.fuzz_message import mixed_message, repetitive_message
from tests.wire.plain_decoder import read_body, signed


def in_words(value: Value) -> object:
    if isinstance(value, tuple):
        return tuple(in_words(element) for element in value)
    return value.value if isinstance(value, Missing) else value


def check(message: RecordMessage, keys: ItemKeys) -> None:
    fields = cbor2.loads(encode(message, keys))
    if not message.records:
        assert Field.BODY not in fields
        return
    body = fields[Field.BODY]
    if Field.BODY_BYTES in fields:
        body = zstandard.decompress(body, max_output_size=fields[Field.BODY_BYTES])
    (numbers, times, offsets, qualities, masks, alarms), values = read_body(body, fields[Field.RECORDS])
    names = fields.get(Field.MASKS, [""])
    for place, record in enumerate(message.records):
        assert record.number == signed(fields[Field.FIRST_NUMBER] + place + numbers[place])
        assert record.t_ns == signed(fields[Field.FIRST_TIME] + place * fields[Field.PERIOD] + times[place])
        assert record.timebase.wall_offset_ns == signed(fields[Field.WALL_OFFSET] + offsets[place])
        assert record.timebase.quality == TimeQuality(fields[Field.TIME_QUALITY] + qualities[place])
        assert (record.mask, record.alarm) == (names[masks[place]], bool(alarms[place]))
        expected = {wire_key(item_id, keys): in_words(value) for item_id, value in record.values.items()}
        assert values[place] == expected


@given(strategies.messages)
@settings(max_examples=30, deadline=None)
def test_it_reads_messages_of_every_state(message: RecordMessage) -> None:
    check(message, strategies.KEYS)


@pytest.mark.parametrize(
    "message",
    [
        message_of(records(drive(60, 3), arrays=True)),
        message_of(records(drive(12, 3), arrays=False)),
        message_of(walking_records(10, 3)),
        mixed_message(),
        repetitive_message(),
    ],
    ids=["drive in arrays", "drive in items", "random walks", "every state", "compressed"],
)
def test_it_reads_a_drive(message: RecordMessage) -> None:
    check(message, drive_keys())
