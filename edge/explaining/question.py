"""Finds what a person means by a name: a signal, an id, an item, a class, a destination; else the nearest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from edge.database.model import Message, SignalRef
from edge.database.near import did_you_mean
from edge.errors import PolicyError
from edge.explaining.destinations import DestinationAnswer, explain_destination
from edge.explaining.diagnostics import DiagnosticAnswer, explain_diagnostic
from edge.explaining.items import ItemAnswer, explain_item, filled, item_ids
from edge.explaining.media import WORDS, MediaAnswer, camera_names, explain_media
from edge.explaining.payloads import PayloadAnswer, explain_payload, is_known
from edge.explaining.signals import SignalAnswer, explain_signal
from edge.explaining.situation import Situation
from edge.explaining.summary import all_signals
from edge.explaining.uses import ClassAnswer, explain_class
from edge.policy.classes import DataClass

Answer = (
    SignalAnswer
    | PayloadAnswer
    | DiagnosticAnswer
    | ItemAnswer
    | ClassAnswer
    | DestinationAnswer
    | MediaAnswer
)

STANDARD_IDS = 0x7FF
EXTENDED_IDS = 0x1FFF_FFFF
_EXTENDED_DIGITS = 8
_PGNS = 0x3FFFF
_PRIORITY = 6
_LONGEST = 4095
_BUS = r"(?:(?P<bus>[A-Za-z][A-Za-z0-9_-]*)[:.])?"
_ID = re.compile(
    rf"{_BUS}0[xX](?P<id>[0-9a-fA-F]{{1,8}})(?P<extended>[xX]?)"
    r"(?::(?:0[xX])?(?P<message>[0-9a-fA-F]+)|#(?P<data>[0-9a-fA-F]*))?"
)
_PGN = re.compile(rf"{_BUS}pgn:(?P<pgn>0[xX][0-9a-fA-F]+|\d+)", re.IGNORECASE)


def ask(situation: Situation, name: str) -> tuple[Answer, ...]:
    """Answer for everything that a name means.

    Args:
        situation: policy, vehicle and consents.
        name: as the command's help says it.

    Raises:
        PolicyError: it means nothing here, with the nearest name that does; or several signals.
    """
    group = _PGN.fullmatch(name)
    if group:
        return tuple(_group(situation, group))
    identifier = _ID.fullmatch(name)
    if identifier:
        return tuple(_identifier(situation, identifier))
    found: list[Answer] = []
    if name in {*DataClass}:
        found.append(explain_class(situation, DataClass(name)))
    if name in {*WORDS, *camera_names(situation)}:
        found += explain_media(situation, name)
    if name in situation.destinations:
        found.append(explain_destination(situation, name))
    found += [explain_item(situation, item) for item in item_ids(situation, name)]
    found += _signals(situation, name)
    if not found:
        found += _messages(situation, name)
    if not found:
        raise PolicyError(
            f"'{name}' is no signal, message, item, class or destination of this configuration",
            todo=did_you_mean(name, known_names(situation))
            or "'nevgate policy explain --all' lists the signals, and --help what else can be asked",
        )
    return tuple(found)


def known_names(situation: Situation) -> Iterator[str]:
    """All names that can be asked for, but ids."""
    refs = all_signals(situation)
    yield from DataClass
    yield from WORDS
    yield from camera_names(situation)
    yield from situation.destinations
    yield from filled(situation)
    yield from dict.fromkeys(f"{ref.message}.{ref.signal}" for ref in refs)
    yield from (f"{ref.bus}.{ref.message}.{ref.signal}" for ref in refs)
    yield from dict.fromkeys(ref.message for ref in refs)
    yield from (item.id for item in situation.described.catalogue)


def _signals(situation: Situation, name: str) -> Iterator[Answer]:
    """The signals of a name, which one without a bus must mean alone; one with * or ? may mean many."""
    refs = all_signals(situation)
    if "*" in name or "?" in name:
        for ref in refs:
            if any(fnmatchcase(spelt, name) for spelt in _spelt(ref)):
                yield explain_signal(situation, ref)
        return
    found = [ref for ref in refs if name in _spelt(ref)] or [ref for ref in refs if name == ref.signal]
    if len(found) > 1:
        raise PolicyError(
            f"'{name}' means {len(found)} signals",
            todo="Name one: " + ", ".join(f"{ref.bus}.{ref.message}.{ref.signal}" for ref in found[:8]),
        )
    for ref in found:
        yield explain_signal(situation, ref)


def _spelt(ref: SignalRef) -> tuple[str, str, str]:
    name = f"{ref.message}.{ref.signal}"
    return name, f"{ref.bus}.{name}", f"{ref.bus}:{name}"


def _messages(situation: Situation, name: str) -> Iterator[Answer]:
    for bus, message in _all_messages(situation):
        names = [message.name, *(inner.name for inner in message.contained)]
        if any(name in {one, f"{bus}.{one}", f"{bus}:{one}"} for one in names):
            yield explain_payload(situation, bus, message.arbitration_id, extended=message.extended)


def _all_messages(situation: Situation) -> Iterator[tuple[str, Message]]:
    for bus, databases in situation.described.databases.items():
        for classed in databases:
            for message in classed.database.messages:
                yield bus, message


def _group(situation: Situation, found: re.Match[str]) -> Iterator[Answer]:
    number = int(found["pgn"], 0)
    if number > _PGNS:
        raise PolicyError(f"{found['pgn']} has more than 18 bits, and a PGN has no more (SAE J1939-21)")
    arbitration_id = _PRIORITY << 26 | number << 8
    buses = _buses(situation, found["bus"], arbitration_id, extended=True)
    for bus in buses:
        ids = [
            message.arbitration_id
            for of, message in _all_messages(situation)
            if of == bus and message.pgn == number
        ]
        yield explain_payload(situation, bus, ids[0] if ids else arbitration_id, extended=True)


def _identifier(situation: Situation, found: re.Match[str]) -> Iterator[Answer]:
    arbitration_id = int(found["id"], 16)
    extended = (
        bool(found["extended"]) or arbitration_id > STANDARD_IDS or len(found["id"]) == _EXTENDED_DIGITS
    )
    if arbitration_id > EXTENDED_IDS:
        raise PolicyError(f"0x{found['id']} has more than 29 bits, and no id has more")
    for bus in _buses(situation, found["bus"], arbitration_id, extended=extended):
        if found["message"] is not None:
            message = _bytes(found["message"], "a service and its identifier", "0x7E8:0x62F190")
            yield explain_diagnostic(situation, bus, arbitration_id, message, extended=extended)
        else:
            data = (
                None
                if found["data"] is None
                else _bytes(found["data"], "a payload", "0x123#0011223344556677")
            )
            yield explain_payload(situation, bus, arbitration_id, extended=extended, data=data)


def _bytes(digits: str, what: str, such_as: str) -> bytes:
    if len(digits) % 2 or len(digits) > 2 * _LONGEST:
        raise PolicyError(
            f"'{digits}' is not {what} in hexadecimal, two digits a byte", todo=f"Write it such as {such_as}"
        )
    return bytes.fromhex(digits)


def _buses(situation: Situation, bus: str | None, arbitration_id: int, *, extended: bool) -> list[str]:
    """The buses that are meant: the one that is named, else those that know the id, else all."""
    buses = [*situation.gate.masks.buses]
    if bus is not None:
        if bus not in buses:
            raise PolicyError(
                f"there is no bus '{bus}'",
                todo=did_you_mean(bus, buses) or f"The buses are {', '.join(buses)}",
            )
        return [bus]
    known = [one for one in buses if is_known(situation, one, arbitration_id, extended=extended)]
    return known or buses
