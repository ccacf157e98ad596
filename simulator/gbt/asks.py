"""`Ask`: a command of the platform's operator to a terminal: query, set, control (annex B)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import FieldKind, table
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message, Values

ORDERS = MappingProxyType(
    {
        "upgrade": 1,
        "shutdown": 2,
        "reset": 3,
        "factory-reset": 4,
        "drop-link": 5,
        "alarm": 6,
        "sampling": 7,
    }
)
"""Names of the orders of control, as the operator writes them."""

PARAMETERS_MOST = 252
_LAST_ID = 0xFE
_LENGTHS = MappingProxyType({0x05: 0x04, 0x0E: 0x0D})
_WRITTEN = (
    "write 'query ID…', 'set ID=VALUE…' or 'control ORDER [ARGUMENT]', such as 'query 02 09', 'set 02=10',"
    " 'control reset'"
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A command to a terminal.

    Attributes:
        command: query, set or control.
        ids: parameters to query.
        entries: parameters to set: a number, or bytes.
        order: of control.
        argument: of the order.
    """

    command: Command
    ids: tuple[int, ...] = ()
    entries: tuple[tuple[int, int | bytes], ...] = ()
    order: int = 0
    argument: bytes = b""

    def message(self, edition: Edition, vin: bytes, unix_s: int) -> Message:
        """The command as a message.

        Raises:
            GbtError: a value does not fit its parameter in that edition.
        """
        time = time_bytes(unix_s)
        if self.command is Command.QUERY:
            content = Values("query", (time, len(self.ids), self.ids))
        elif self.command is Command.SET:
            content = Values("parameters", (time, len(self.entries), self.entries))
        else:
            content = Values("control", (time, self.order, self.argument))
        return Message(edition, self.command, Response.COMMAND, vin, content)

    def __str__(self) -> str:
        """As an operator writes it."""
        if self.command is Command.QUERY:
            return " ".join(("query", *(f"{one:02X}" for one in self.ids)))
        if self.command is Command.SET:
            return " ".join(("set", *(f"{key:02X}={parameter_text(value)}" for key, value in self.entries)))
        name = next((name for name, order in ORDERS.items() if order == self.order), f"{self.order:02X}")
        return f"control {name} 0x{self.argument.hex()}" if self.argument else f"control {name}"


def parameter_text(value: int | bytes) -> str:
    """A parameter's value for people: a number, a text, or hex."""
    if isinstance(value, int):
        return str(value)
    text = value.rstrip(b"\0")
    return (
        text.decode("ascii") if text.isascii() and text.decode("ascii").isprintable() else "0x" + value.hex()
    )


def parse_ask(text: str) -> Ask:
    """Read a command as an operator writes it.

    Such as ``query 02 09``, ``set 02=10 05=example.org``, ``control reset``. A name's length
    (parameters 04 and 0D) is put before it.

    Raises:
        GbtError: it is none, or a value does not fit its parameter in either edition.
    """
    verb, *words = text.split() or [""]
    if verb == "query" and words:
        ask = Ask(Command.QUERY, ids=tuple(_id(word) for word in words))
    elif verb == "set" and words:
        ask = Ask(Command.SET, entries=_entries(words))
    elif verb == "control" and 1 <= len(words) <= 2:  # noqa: PLR2004 - an order and its argument
        order = ORDERS.get(words[0]) or _id(words[0])
        ask = Ask(Command.CONTROL, order=order, argument=_octets(words[1]) if len(words) > 1 else b"")
    else:
        raise GbtError(f"'{text}' is no command", todo=_WRITTEN)
    if max(len(ask.ids), len(ask.entries)) > PARAMETERS_MOST:
        raise GbtError(f"'{verb}' has more than {PARAMETERS_MOST} parameters")
    _try(ask)
    return ask


def _try(ask: Ask) -> None:
    """Refuse what no edition can say, before a terminal is there to be asked."""
    faults = []
    for edition in Edition:
        try:
            ask.message(edition, bytes(17), 1_700_000_000).write()
        except GbtError as error:
            faults.append(error)
    if len(faults) == len(Edition):
        raise faults[0]


def _entries(words: Sequence[str]) -> tuple[tuple[int, int | bytes], ...]:
    entries: list[tuple[int, int | bytes]] = []
    for word in words:
        name, equals, value = word.partition("=")
        key = _id(name)
        if not equals:
            raise GbtError(f"'{word}' gives parameter {key:02X} no value", todo=_WRITTEN)
        field = next(
            (rows[0] for edition in Edition if (rows := table(edition).fields(f"parameter {key:02X}"))), None
        )
        plain = field is None or field.kind in {FieldKind.TEXT, FieldKind.BYTES}
        if not plain:
            if not value.isdecimal():
                raise GbtError(f"parameter {key:02X} is a number, not '{value}'")
            entries.append((key, int(value)))
            continue
        octets = _octets(value)
        length = _LENGTHS.get(key)
        if length is not None and (not entries or entries[-1][0] != length):
            entries.append((length, len(octets)))
        if field is not None and field.width:
            octets = octets.ljust(field.width, b"\0")
        entries.append((key, octets))
    return tuple(entries)


def _id(word: str) -> int:
    if not re.fullmatch(r"(0[xX])?[0-9A-Fa-f]{1,2}", word) or not 1 <= int(word, 16) <= _LAST_ID:
        raise GbtError(f"'{word}' is no id in hex, from 01 to FE", todo=_WRITTEN)
    return int(word, 16)


def _octets(word: str) -> bytes:
    if word.startswith(("0x", "0X")):
        try:
            return bytes.fromhex(word[2:])
        except ValueError:
            raise GbtError(f"'{word}' is no hex") from None
    try:
        return word.encode("gb18030")
    except UnicodeEncodeError:
        raise GbtError(f"'{word}' cannot be said in GB 18030") from None
