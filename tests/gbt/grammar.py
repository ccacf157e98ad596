"""Hypothesis strategies out of the tables themselves: raw values of every part, and records of every item."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition, Item, Kind
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.records import Missing, Record, Value
from edge.wire.gbt.field import Field, FieldKind, table
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.layout import Layout, layouts
from edge.wire.gbt.message import REPORTS, Body, Message, Opaque, Report, Values

VIN = b"LNVGATE00XDEM0001"
T_S = 1_772_323_200
"""2026-03-01 00:00:00 UTC, 08:00:00 in Beijing."""


def examples(count: int) -> int:
    """How many examples to try: `count`, times NEVGATE_GBT_TIMES for a long run."""
    return count * int(os.environ.get("NEVGATE_GBT_TIMES", "1"))


editions = st.sampled_from(Edition)
EMPTY = frozenset({Command.HEARTBEAT, Command.TIME_SYNC})


def raw_numbers(field: Field) -> st.SearchStrategy[int]:
    """Raw values at and around every border of a field."""
    top = field.invalid
    edges = {0, 1, top, top - 1, top - 2}
    for edge in (field.least, field.most):
        if edge is not None:
            edges |= {edge - 1, edge, edge + 1}
    return st.sampled_from(sorted(one for one in edges if 0 <= one <= top)) | st.integers(0, top)


@st.composite
def raws(draw: st.DrawFn, layout: Layout) -> tuple[Any, ...]:  # noqa: C901, PLR0912 - a case a kind of field
    """Raw values of a part, counts true."""
    values: list[Any] = [None] * len(layout.fields)
    places = {name: place for place, name in enumerate(layout.names)}
    for place, field in enumerate(layout.fields):
        if field.count:
            counted = field.count.removeprefix("sum(").removesuffix(")")
            told = layout.fields[places[counted]]
            if field.count.startswith("sum("):
                length = sum(values[places[counted]])
            elif told.kind is FieldKind.COUNT and told.coding.value == "yes" and draw(st.integers(0, 9)) == 0:
                values[places[counted]] = draw(st.sampled_from([told.invalid, told.abnormal]))
                length = 0
            else:
                length = draw(st.integers(0, 3))
                values[places[counted]] = length
            if field.kind is FieldKind.GROUP:
                element: st.SearchStrategy[Any] = raws(layout.inner[field.name])
            elif field.kind is FieldKind.PARAMETERS:
                values[place] = draw(parameters(length))
                continue
            elif field.kind is FieldKind.TEXT:
                width = field.width or values[places[field.size]]
                element = st.binary(min_size=width, max_size=width)
            else:
                element = raw_numbers(field)
            values[place] = tuple(draw(st.lists(element, min_size=length, max_size=length)))
        elif field.size:
            values[place] = draw(st.binary(max_size=9))
            if field.size != "rest":
                values[places[field.size]] = len(values[place])
        elif field.kind in {FieldKind.TIME, FieldKind.TEXT}:
            values[place] = draw(st.binary(min_size=field.width, max_size=field.width))
        elif field.name == "code_length":
            values[place] = draw(st.integers(0, 5))
        elif field.name == "packs" and layout.fields[0].part == "command 01":
            values[place] = ()
        elif values[place] is None:
            values[place] = draw(raw_numbers(field))
    return tuple(values)


@st.composite
def parameters(draw: st.DrawFn, length: int) -> tuple[tuple[int, int | bytes], ...]:
    """Parameters of terminals that both editions write alike, names behind their lengths."""
    entries: list[tuple[int, int | bytes]] = []
    while len(entries) < length:
        if length - len(entries) > 1 and draw(st.booleans()):
            name = draw(st.binary(max_size=6))
            key = draw(st.sampled_from([0x04, 0x0D]))
            entries += [(key, len(name)), (key + 1, name)]
        else:
            entries.append((draw(st.sampled_from([0x06, 0x0A, 0x0B, 0x0F])), draw(st.integers(0, 0xFFFF))))
    return tuple(entries)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A message of any command."""
    edition = draw(editions)
    known = layouts(edition)
    command = draw(st.sampled_from(Command) | st.sampled_from([0x0C, 0x83, 0xC0, 0xFE]))
    response = Response.COMMAND
    content: Report | Values | Opaque
    if command in REPORTS:
        content = draw(reports(edition))
    elif command in EMPTY:
        content = Opaque(b"", "empty")
    else:
        names = {0x80: "query", 0x81: "parameters", 0x82: "control"}
        part = names.get(command, f"command {command:02X}")
        if part in known:
            content = Values(part, draw(raws(known[part])))
        else:
            data = draw(st.binary(max_size=20))
            content = Opaque(data, "no table describes its command" if data else "empty")
    return Message(edition, command, response, VIN, content)


@st.composite
def reports(draw: st.DrawFn, edition: Edition) -> Report:
    """A report of any bodies."""
    known = layouts(edition)
    ids = st.sampled_from(table(edition).bodies)
    types = draw(st.lists(ids, max_size=4))
    bodies = [Body(type_id, draw(raws(known[f"body {type_id:02X}"]))) for type_id in types]
    if draw(st.booleans()):
        bodies.append(Body(draw(st.integers(0x80, 0xFE)), (draw(st.binary(max_size=12)),)))
    signed = edition is Edition.Y2025 and draw(st.booleans())
    signature = draw(raws(known["signature"])) if signed else None
    rest = b"" if signed else draw(st.sampled_from([b"", b"\x0a\x01", b"\x7f"]))
    return Report(draw(st.binary(min_size=6, max_size=6)), tuple(bodies), rest, signature)


def steps(item: Item) -> st.SearchStrategy[int]:
    """Values of an item or of an element, those at the borders of both editions often."""
    edges = {item.least_steps, item.most_steps}
    for encoding in item.editions.values():
        if encoding.raw_maximum is not None and encoding.resolution is not None:
            for raw in (0, 1, encoding.raw_maximum):
                at = int((encoding.offset + raw * encoding.resolution) / item.resolution)
                edges |= {at - 1, at, at + 1}
    if item.kind is Kind.ENUM:
        edges = set(item.names)
    held = sorted(one for one in edges if item.least_steps <= one <= item.most_steps)
    return st.sampled_from(held) | st.integers(item.least_steps, item.most_steps)


def values(item: Item) -> st.SearchStrategy[Value]:
    """Values of an item, missing ones too."""
    element = steps(item) | st.sampled_from(Missing)
    if not item.is_list:
        return element
    if item.kind is not Kind.ARRAY:
        good = st.lists(steps(item), max_size=4).map(tuple)
        return good | st.lists(element, max_size=6).map(tuple) | st.sampled_from(Missing)
    many = st.builds(
        lambda part, times: tuple(part) * times, st.lists(element, min_size=1, max_size=5), LENGTHS
    )
    return st.lists(element, max_size=6).map(tuple) | many | st.sampled_from(Missing)


LENGTHS = st.sampled_from([1, 40, 100, 130])
SAMPLED = [item for item in builtin() if not item.static]


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record of any items of the catalogue."""
    entries: dict[str, Value] = {}
    for item in draw(st.lists(st.sampled_from(SAMPLED), max_size=25)):
        item_id = item.id
        if item.indexed:
            number = draw(st.sampled_from([1, 2, 3, 50, 51, 250, 251, 253]))
            item_id = item_id.replace("[i]", f"[{number}]")
        entries[item_id] = draw(values(item))
    return record_of(entries, draw(st.booleans()))


def record_of(entries: dict[str, Value], reissue: bool = False) -> Record:
    """A record of that second."""
    offset_ns = 1_700_000_000 * NS_PER_S
    return Record(
        7, T_S * NS_PER_S - offset_ns, Timebase(offset_ns, TimeQuality.GNSS), entries, "mask", False, reissue
    )
