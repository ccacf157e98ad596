"""Draws pairs of container frames whose PDUs differ in what is forbidden alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

from edge.database.container import HEADER_BYTES, little_endian_headers
from edge.frames import FD_BYTES
from edge.policy.classes import DataClass
from edge.proving.messages import Exchange, variants
from edge.proving.reading import Meant, Reading

_ID_BYTES = HEADER_BYTES - 1
_BIT = 8
_UNKNOWN_BYTES = 5

Pdu = tuple[int, bytes]
"""Header id and payload."""


def has_containers(meant: Sequence[Meant]) -> bool:
    """Whether frames of an id may be containers."""
    return any(one.message.contained for one in meant)


def container_exchanges(
    meant: Sequence[Meant], arbitration_id: int, collect: Collection[DataClass], count: int, chance: Random
) -> list[Exchange]:
    """Container frames: each PDU in turn, between others, with its forbidden bits changed.

    Args:
        meant: the containers that frames of the id may be.
        arbitration_id: of the frames.
        collect: the classes that are collected.
        count: payloads of each PDU.
        chance: draws them.
    """
    container = next(one.message for one in meant if one.message.contained)
    order = "little" if little_endian_headers(container) else "big"
    inside = _inside(meant)
    found: list[Exchange] = []
    for header_id, pdus in inside.items():
        reading = Reading(pdus, collect)
        for _ in range(count):
            size = max(0, pdus[0].message.length + chance.choice((0, 0, 0, -1, 2)))
            payload = chance.randbytes(min(size, FD_BYTES - HEADER_BYTES))
            others = _others(inside, chance)
            for changed, bit in variants(reading, payload, chance):
                before, after = (
                    _frame([*others[0], (header_id, one), *others[1]], order, chance)
                    for one in (payload, changed)
                )
                names = () if bit is None else tuple(reading.names(bit))
                frames = ((arbitration_id, before),), ((arbitration_id, after),)
                found.append(Exchange(*frames, before, after, bit, names))
    for _ in range(count):
        unknown = _unknown(inside, chance)
        before, after = (
            _frame([(unknown, chance.randbytes(_UNKNOWN_BYTES))], order, chance) for _ in range(2)
        )
        found.append(
            Exchange(((arbitration_id, before),), ((arbitration_id, after),), before, after, None, ())
        )
    return found


def _inside(meant: Sequence[Meant]) -> Mapping[int, list[Meant]]:
    """The PDUs by header id."""
    found: dict[int, list[Meant]] = {}
    for one in meant:
        for inner in one.message.contained:
            if inner.header_id is not None:
                found.setdefault(inner.header_id, []).append(Meant(one.classed, inner))
    return found


def _others(inside: Mapping[int, Sequence[Meant]], chance: Random) -> tuple[list[Pdu], list[Pdu]]:
    """PDUs that stand before and behind."""
    drawn: tuple[list[Pdu], list[Pdu]] = ([], [])
    for several in drawn:
        if chance.random() < 0.5:  # noqa: PLR2004 - half of them
            header_id, pdus = chance.choice([*inside.items()])
            several.append((header_id, chance.randbytes(min(pdus[0].message.length, _BIT))))
    return drawn


def _unknown(inside: Mapping[int, object], chance: Random) -> int:
    while True:
        header_id = chance.randrange(1, 1 << _BIT * _ID_BYTES)
        if header_id not in inside:
            return header_id


def _frame(pdus: Sequence[Pdu], order: str, chance: Random) -> bytes:
    """PDUs one after the other, and fewer bytes than a header has; what goes beyond a frame is left out."""
    content = b""
    for header_id, payload in pdus:
        piece = _header(header_id, order) + bytes([len(payload)]) + payload
        if len(content) + len(piece) <= FD_BYTES:
            content += piece
    return content + chance.randbytes(min(_ID_BYTES, FD_BYTES - len(content)))


def _header(header_id: int, order: str) -> bytes:
    name = header_id.to_bytes(_ID_BYTES, "big")
    return name if order == "big" else name[::-1]
