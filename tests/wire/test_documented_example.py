"""The worked example in docs/wire-format.md is what the code writes, bit by bit."""

from __future__ import annotations

from pathlib import Path

import cbor2

from edge.clock import Timebase, TimeQuality
from edge.records import Missing, Record
from edge.wire.item_keys import KeyTable
from edge.wire.message import MessageKind, RecordMessage, decode, encode
from edge.wire.record_columns import Field

PAGE = Path(__file__).parents[2] / "docs" / "wire-format.md"
KEYS = KeyTable({"vehicle.speed": (4, 0), "hv.soc": (8, 0), "pack[1].cells": (50, 1)})
TIMEBASE = Timebase(1_764_000_000_000_000_000, TimeQuality.GNSS)
EXAMPLE = RecordMessage(
    MessageKind.LIVE,
    "LNEVGATE000000001",
    bytes(range(16)),
    bytes(range(16, 32)),
    (
        Record(1, 9 * 10**9, TIMEBASE, {"vehicle.speed": 500, "hv.soc": 70, "pack[1].cells": (3700, 3702)}),
        Record(
            2,
            10 * 10**9,
            TIMEBASE,
            {"vehicle.speed": 512, "hv.soc": Missing.INVALID, "pack[1].cells": (3699, 3701)},
        ),
        Record(3, 11 * 10**9, TIMEBASE, {"vehicle.speed": 519, "pack[1].cells": (3690, Missing.ABNORMAL)}),
    ),
)


def blocks() -> list[list[str]]:
    """The indented blocks of the page's last section."""
    section = PAGE.read_text(encoding="utf-8").split("## A worked example")[1]
    found: list[list[str]] = [[]]
    for line in section.splitlines():
        if line.startswith("    "):
            found[-1].append(line.strip())
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


def test_the_page_s_bytes_are_the_message() -> None:
    whole = bytes.fromhex("".join(line.split("  ")[0] for line in blocks()[0]))
    assert whole == encode(EXAMPLE, KEYS)
    assert decode(whole, KEYS) == EXAMPLE


def test_the_page_s_bits_are_the_body() -> None:
    bits = "".join(line.split("  ")[0] for line in blocks()[1]).replace(" ", "")
    body = cbor2.loads(encode(EXAMPLE, KEYS))[Field.BODY]
    assert bits == "".join(f"{byte:08b}" for byte in body)
