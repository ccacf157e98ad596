"""Inputs for fuzzing: messages out of the tables, what mutation makes of them, and noise."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from edge.catalogue.item import Edition
from edge.wire.gbt.field import Field, FieldKind, table
from edge.wire.gbt.frame import HEADER_BYTES, STARTS, Command, Response, check_code
from edge.wire.gbt.layout import Layout, layouts
from edge.wire.gbt.message import REPORTS, Body, Content, Message, Opaque, Report, Values

VIN = b"LNVGATE06XDEM0001"
PER_CHUNK = 1_000
"""Inputs that one generator of randomness makes: any chunk can be made again alone."""

_EDITIONS = tuple(Edition)
_COMMANDS = (*Command, *[Command.REAL_TIME, Command.REISSUE] * 5, 0x0C, 0x83, 0xC0)
_PARTS = {Command.QUERY: "query", Command.SET: "parameters", Command.CONTROL: "control"}
_EMPTY = frozenset({Command.HEARTBEAT, Command.TIME_SYNC})
_EDGES = (0x00, 0x01, 0x7F, 0x80, 0xC8, 0xFA, 0xFD, 0xFE, 0xFF)
_KNOWN_PARAMETERS = (0x06, 0x0A, 0x0B, 0x0F)
_CELL_NUMBERS = frozenset({"cells_total", "cells_first"})
_POOL = 200
_SHORTEST_REPAIRED = HEADER_BYTES + 1


def chunk(seed: int, number: int) -> Iterator[bytes]:
    """The inputs of one chunk, the same whenever it is made."""
    chance = Random(f"{seed}/{number}")  # noqa: S311 - inputs, no secrets
    pool: list[bytes] = []
    for _ in range(PER_CHUNK):
        kind = chance.random()
        if kind < 0.25 or not pool:
            data = _message(chance).write()
            if len(pool) < _POOL:
                pool.append(data)
            else:
                pool[chance.randrange(_POOL)] = data
            yield data
        elif kind < 0.85:
            yield _mutated(chance, pool)
        else:
            yield _noise(chance)


def _message(chance: Random) -> Message:
    edition = chance.choice(_EDITIONS)
    command = chance.choice(_COMMANDS)
    known = layouts(edition)
    content: Content
    if command in REPORTS:
        content = _report(chance, edition)
    elif command in _EMPTY:
        content = Opaque(b"", "empty")
    elif (part := _PARTS.get(command, f"command {command:02X}")) in known:
        content = Values(part, raw_values(chance, known[part]))
    else:
        content = Opaque(chance.randbytes(chance.randrange(20)), "")
    return Message(edition, command, Response.COMMAND, VIN, content)


def _report(chance: Random, edition: Edition) -> Report:
    known = layouts(edition)
    types = chance.choices(table(edition).bodies, k=chance.randrange(6))
    bodies = [Body(type_id, raw_values(chance, known[f"body {type_id:02X}"])) for type_id in types]
    if chance.random() < 0.2:
        bodies.append(Body(chance.randint(0x80, 0xFE), (chance.randbytes(chance.randrange(12)),)))
    signed = edition is Edition.Y2025 and chance.random() < 0.5
    signature = raw_values(chance, known["signature"]) if signed else None
    return Report(beijing(chance), tuple(bodies), b"", signature)


def beijing(chance: Random) -> bytes:
    """A time, now and then none."""
    if chance.random() < 0.1:
        return chance.randbytes(6)
    return bytes((26, chance.randint(1, 12), chance.randint(1, 28), chance.randrange(24), 59, 0))


def raw_values(chance: Random, layout: Layout) -> tuple[Any, ...]:
    """Raw values of a part, counts true."""
    values: list[Any] = [None] * len(layout.fields)
    places = {name: place for place, name in enumerate(layout.names)}
    for place, field in enumerate(layout.fields):
        if field.count:
            counted = field.count.removeprefix("sum(").removesuffix(")")
            length = _length(chance, layout, field, values, places[counted])
            values[place] = _elements(chance, layout, field, values, places, length)
        elif field.size:
            values[place] = chance.randbytes(chance.randrange(9))
            if field.size != "rest":
                values[places[field.size]] = len(values[place])
        elif field.kind is FieldKind.TIME:
            values[place] = beijing(chance)
        elif field.kind is FieldKind.TEXT:
            values[place] = chance.randbytes(field.width)
        elif field.name == "code_length":
            values[place] = chance.randrange(5)
        elif values[place] is None:
            values[place] = _number(chance, field)
    return tuple(values)


def _length(chance: Random, layout: Layout, field: Field, values: list[Any], counted: int) -> int:
    if field.count.startswith("sum("):
        return sum(values[counted])
    told = layout.fields[counted]
    if told.coding.value == "yes" and chance.random() < 0.1:
        values[counted] = chance.choice((told.invalid, told.abnormal))
        return 0
    longest = 200 if field.kind is FieldKind.NUMBER and chance.random() < 0.05 else 4
    values[counted] = chance.randrange(longest)
    return int(values[counted])


def _elements(
    chance: Random, layout: Layout, field: Field, values: list[Any], places: dict[str, int], length: int
) -> tuple[Any, ...]:
    if field.kind is FieldKind.GROUP:
        return tuple(raw_values(chance, layout.inner[field.name]) for _ in range(length))
    if field.kind is FieldKind.PARAMETERS:
        return tuple((chance.choice(_KNOWN_PARAMETERS), chance.randrange(1 << 16)) for _ in range(length))
    if field.kind is FieldKind.TEXT:
        width = field.width or values[places[field.size]]
        return tuple(chance.randbytes(width) for _ in range(length))
    if field.name == "packs":
        return tuple(chance.randrange(4) for _ in range(length))
    return tuple(_number(chance, field) for _ in range(length))


def _number(chance: Random, field: Field) -> int:
    """A raw value: valid mostly, else at a border or anywhere."""
    kind = chance.random()
    if field.name in _CELL_NUMBERS and kind < 0.98:
        return chance.randint(1, 260)
    top = field.invalid
    if kind < 0.7:
        return chance.randint(field.least or 0, top if field.most is None else field.most)
    if kind < 0.9:
        edges = (0, field.least or 0, field.most or 0, (field.most or 0) + 1, top - 2, top - 1, top)
        return min(max(chance.choice(edges), 0), top)
    return chance.randint(0, top)


def _mutated(chance: Random, pool: list[bytes]) -> bytes:
    data = bytearray(chance.choice(pool))
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        _change(chance, data, pool)
    if chance.random() < 0.75 and len(data) >= _SHORTEST_REPAIRED:
        length = len(data) - _SHORTEST_REPAIRED
        if length < 1 << 16:
            data[22:24] = length.to_bytes(2)
            data[0:2] = chance.choice(tuple(STARTS.values())) if data[0] != data[1] else data[0:2]
            data[-1] = check_code(bytes(data[2:-1]))
    return bytes(data)


def _change(chance: Random, data: bytearray, pool: list[bytes]) -> None:
    place = chance.randrange(len(data) + 1)
    what = chance.randrange(7)
    if what == 0 and place < len(data):
        data[place] ^= 1 << chance.randrange(8)
    elif what == 1 and place < len(data):
        data[place] = chance.choice(_EDGES)
    elif what == 2:
        del data[place : place + chance.randrange(1, 9)]
    elif what == 3:
        data[place:place] = data[place : place + chance.randrange(1, 30)]
    elif what == 4:
        data[place:place] = chance.randbytes(chance.randrange(1, 9))
    elif what == 5:
        other = chance.choice(pool)
        start = chance.randrange(len(other))
        data[place : place + chance.randrange(20)] = other[start : start + chance.randrange(1, 60)]
    else:
        data[place : place + 2] = chance.choice((b"\xff\xff", b"\xff\xfe", b"\x00\x00", b"##", b"$$"))


def _noise(chance: Random) -> bytes:
    data = chance.randbytes(chance.choice((0, 1, 24, 25, 40, 100, 300)))
    if chance.random() < 0.5:
        return chance.choice(tuple(STARTS.values())) + data
    return data
