"""What is compared: for each body and command of each edition, messages made out of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from edge.catalogue.item import Edition
from edge.wire.gbt.field import FieldKind, table
from edge.wire.gbt.frame import Command, Encryption, Response
from edge.wire.gbt.layout import Layout, layouts
from edge.wire.gbt.message import Body, Message, Opaque, Report, Values
from tests.gbt.fuzz.inputs import VIN, raw_values

_COMMANDS = {
    Edition.Y2016: (0x01, 0x04, 0x05, 0x06),
    Edition.Y2025: (0x01, 0x04, 0x05, 0x06, 0x09, 0x0A, 0x0B),
}
_PRINTABLE = 94


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of message.

    Attributes:
        edition: of it.
        part: what of the tables is compared; ``custom``, or ``encrypted``.
    """

    edition: Edition
    part: str

    def __str__(self) -> str:
        """Such as ``2016 body 01``."""
        return f"{self.edition.value} {self.part}"


CASES = tuple(
    Case(edition, part)
    for edition in Edition
    for part in (
        *(f"body {type_id:02X}" for type_id in table(edition).bodies),
        *(f"command {command:02X}" for command in _COMMANDS[edition]),
        "custom",
        "encrypted",
    )
)
"""All that both sides have a reader for, and what the peer leaves undecoded."""


def messages(case: Case, seed: int) -> Iterator[Message]:
    """Messages of a case without end, the same ones for a seed."""
    chance = Random(f"{seed}/{case}")  # noqa: S311 - inputs, no secrets
    while True:
        yield _message(case, chance)


def _message(case: Case, chance: Random) -> Message:
    known = layouts(case.edition)
    if case.part.startswith("command"):
        command = int(case.part.split()[1], 16)
        raws = _readable(known[case.part], raw_values(chance, known[case.part]), chance)
        return Message(case.edition, command, Response.COMMAND, VIN, Values(case.part, raws))
    if case.part == "encrypted":
        unit = Opaque(chance.randbytes(16 * chance.randint(1, 8)), "encrypted")
        return Message(
            case.edition, Command.REAL_TIME, Response.COMMAND, VIN, unit, encryption=Encryption.AES
        )
    if case.part == "custom":
        body = Body(chance.randint(0x80, 0xFE), (chance.randbytes(chance.randrange(40)),))
    else:
        type_id = int(case.part.split()[1], 16)
        body = Body(type_id, raw_values(chance, known[case.part]))
    signature = raw_values(chance, known["signature"]) if case.edition is Edition.Y2025 else None
    report = Report(_time(chance), (body,), b"", signature)
    return Message(case.edition, Command.REAL_TIME, Response.COMMAND, VIN, report)


def _time(chance: Random) -> bytes:
    return bytes((26, chance.randint(1, 12), chance.randint(1, 28), chance.randrange(24), 59, 0))


def _readable(layout: Layout, raws: tuple[Any, ...], chance: Random) -> tuple[Any, ...]:
    """The same with times that are some, texts of ASCII, and a signature in place of any bytes."""
    values = list(raws)
    for place, field in enumerate(layout.fields):
        if field.kind is FieldKind.TIME:
            values[place] = _time(chance)
        elif field.kind is FieldKind.TEXT and field.count:
            values[place] = tuple(map(_ascii, values[place]))
        elif field.kind is FieldKind.TEXT:
            values[place] = _ascii(values[place])
        elif field.name == "signature":
            r, s = chance.randbytes(32), chance.randbytes(32)
            values[place] = b"\x01\x00\x20" + r + b"\x00\x20" + s
    return tuple(values)


def _ascii(text: bytes) -> bytes:
    return bytes(ord("!") + byte % _PRINTABLE for byte in text)
