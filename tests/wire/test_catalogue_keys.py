"""The built-in catalogue is what the codec takes its keys from."""

from __future__ import annotations

from edge.catalogue.catalogue import builtin
from edge.clock import Timebase
from edge.records import Missing, Record, Value
from edge.wire.item_keys import ItemKeys
from edge.wire.message import MessageKind, RecordMessage, decode, encode


def test_items_of_the_catalogue_travel_under_its_keys() -> None:
    catalogue: ItemKeys = builtin()
    values: dict[str, Value] = {
        "vehicle.speed": 123,
        "motor[1].speed": -4000,
        "motor[2].speed": Missing.ABNORMAL,
        "pack[1].cells": (3700, Missing.INVALID, 3702),
    }
    sent = RecordMessage(MessageKind.LIVE, "V", bytes(16), bytes(16), (Record(1, 0, Timebase(), values),))
    assert decode(encode(sent, catalogue), catalogue) == sent
