"""Draws pairs of segmented messages that differ in what is forbidden alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from edge.database.layout import PDU1_FORMATS, pgn_of
from edge.policy.classed import DiagnosticChannel, DiagnosticRule
from edge.policy.classes import DataClass
from edge.proving.reading import Reading
from edge.proving.segments import Address, isotp, j1939

MOST_SINGLE_FLIPS = 256
"""Forbidden bits of one segmented message that are flipped one by one; the others change together."""

_SHORTEST, _LONGEST = 9, 1785
_ISOTP_SINGLE = 7
_PADDING = 7
_BROADCAST = 0xFF
_OTHER_SERVICES = (0x49, 0x62, 0x41, 0x7F, 0x5A)
_LONGEST_DATA = 60


@dataclass(frozen=True, slots=True)
class Exchange:
    """One message in two variants.

    Attributes:
        before: ids and payloads of its frames.
        after: the same with other forbidden bits.
        message: its bytes.
        changed: the bytes of the second variant.
        bit: of the message, byte * 8 + bit, that differs; None for padding, or where several do.
        signals: those that the bit may belong to.
    """

    before: Sequence[tuple[int, bytes]]
    after: Sequence[tuple[int, bytes]]
    message: bytes
    changed: bytes
    bit: int | None
    signals: tuple[str, ...]


def group_exchanges(reading: Reading, arbitration_id: int, count: int, chance: Random) -> list[Exchange]:
    """Messages of a J1939 group in transport sessions.

    Args:
        reading: says which bits are forbidden.
        arbitration_id: of the group.
        count: payloads of each length.
        chance: draws them.
    """
    lengths = {max(one.message.length, _SHORTEST) for one in reading.meant if one.message.pgn is not None}
    found: list[Exchange] = []
    for length in sorted(one for one in lengths if one <= _LONGEST):
        for _ in range(count):
            message = chance.randbytes(min(_LONGEST, length + chance.choice((0, 0, 3))))
            address = _address(pgn_of(arbitration_id), chance)
            for changed, bit in variants(reading, message, chance):
                paddings = chance.randbytes(_PADDING), chance.randbytes(_PADDING)
                found.append(
                    Exchange(
                        j1939(message, address, paddings[0]),
                        j1939(changed, address, paddings[1]),
                        message,
                        changed,
                        bit,
                        () if bit is None else tuple(reading.names(bit)),
                    )
                )
    return found


def diagnostic_exchanges(
    channel: DiagnosticChannel,
    reading: Reading,
    arbitration_id: int,
    collect: Collection[DataClass],
    count: int,
    chance: Random,
) -> list[Exchange]:
    """Diagnostic messages: those that a rule means, and some that none does.

    What a rule looks at, service and identifier, is never changed, nor is the length. Of what passes by a
    rule the bits of signals change whose class is not collected; of what does not, everything behind.

    Args:
        channel: with the rules.
        reading: says whose the bits of the message are that describes the channel's single frames.
        arbitration_id: of the channel.
        collect: the classes that are collected.
        count: messages of each kind.
        chance: draws them.
    """
    found: list[Exchange] = []
    for _ in range(count):
        for message, kept in _diagnostics(channel, chance):
            single = len(message) <= _ISOTP_SINGLE
            if single and reading.meant:
                continue
            passes = any(rule.data_class in collect and _means(rule, message) for rule in channel.rules)
            for changed, bit in _diagnostic_variants(reading, message, kept, chance, passes=passes):
                paddings = chance.randbytes(_PADDING), chance.randbytes(_PADDING)
                before, after = (
                    tuple((arbitration_id, frame) for frame in isotp(one, padding))
                    for one, padding in zip((message, changed), paddings, strict=True)
                )
                # The layout of a message that was put together begins with a byte of its length.
                names = () if bit is None else tuple(reading.names(bit + 8))
                found.append(Exchange(before, after, message, changed, bit, names))
    return found


def _diagnostics(channel: DiagnosticChannel, chance: Random) -> Iterator[tuple[bytes, int]]:
    """Messages, and how many of their first bytes a rule looks at."""
    for rule in channel.rules:
        spans = rule.identifiers or ((0, (1 << 8 * rule.identifier_bytes) - 1),)
        identifier = chance.randint(*chance.choice(spans))
        head = bytes([rule.service]) + identifier.to_bytes(rule.identifier_bytes, "big")
        right = chance.randint(0, _LONGEST_DATA) if rule.data_bytes is None else rule.data_bytes
        for size in (right, right + chance.randint(1, 9)):
            yield head + chance.randbytes(size), len(head)
    widest = max((1 + rule.identifier_bytes for rule in channel.rules), default=3)
    service = bytes([chance.choice(_OTHER_SERVICES)])
    yield service + chance.randbytes(widest + chance.randint(0, 30)), max(widest, 3)


def _means(rule: DiagnosticRule, message: bytes) -> bool:
    """Whether a rule means a message: service, identifier and length, read plainly (docs/class-files.md)."""
    head = 1 + rule.identifier_bytes
    if message[0] != rule.service or len(message) < head:
        return False
    if rule.data_bytes is not None and len(message) - head != rule.data_bytes:
        return False
    identifier = int.from_bytes(message[1:head], "big")
    return not rule.identifiers or any(low <= identifier <= high for low, high in rule.identifiers)


def _diagnostic_variants(
    reading: Reading, message: bytes, kept: int, chance: Random, *, passes: bool
) -> Iterator[tuple[bytes, int | None]]:
    if not passes:
        yield message[:kept] + chance.randbytes(len(message) - kept), None
        return
    layout = bytes([len(message) & 0xFF]) + message
    denied = reading.denied(
        np.frombuffer(layout, np.uint8).reshape(1, -1), np.array([len(layout)], np.uint16)
    )[0]
    bits = [bit - 8 for bit in np.flatnonzero(denied).tolist() if bit >= 8 * (1 + kept)]
    yield message, None
    yield from _changes(message, bits, chance)


def variants(reading: Reading, message: bytes, chance: Random) -> Iterator[tuple[bytes, int | None]]:
    """A message with its forbidden bits changed, all at once and one by one, checksums with them.

    Args:
        reading: says which bits are forbidden.
        message: its bytes.
        chance: draws.

    Yields:
        The message, first as it is, and the one bit that differs; None for none or several.
    """
    data = np.frombuffer(message, np.uint8).reshape(1, -1)
    length = np.array([len(message)], np.uint16)
    bits = np.flatnonzero(reading.forbidden(data, length)[0]).tolist()
    yield message, None
    for changed, bit in _changes(message, bits, chance):
        flipped = np.frombuffer(changed, np.uint8).reshape(1, -1) ^ data
        moved = np.unpackbits(flipped, axis=1, bitorder="little").astype(np.bool_)
        extra = reading.dragged(moved, data, length) & ~moved
        noise = int.from_bytes(chance.randbytes(len(message)), "little")
        mask = int.from_bytes(np.packbits(extra, axis=1, bitorder="little").tobytes(), "little")
        value = int.from_bytes(changed, "little") ^ (noise & mask)
        yield value.to_bytes(len(message), "little"), bit


def _changes(message: bytes, bits: Sequence[int], chance: Random) -> Iterator[tuple[bytes, int | None]]:
    """Some bits all at once, then one by one."""
    if not bits:
        return
    value = int.from_bytes(message, "little")
    every = sum(1 << bit for bit in bits)
    noise = int.from_bytes(chance.randbytes(len(message)), "little")
    for mask in (every, every & noise):
        yield (value ^ mask).to_bytes(len(message), "little"), None
    for bit in bits if len(bits) <= MOST_SINGLE_FLIPS else chance.sample(list(bits), MOST_SINGLE_FLIPS):
        yield (value ^ 1 << bit).to_bytes(len(message), "little"), bit


def _address(group: int, chance: Random) -> Address:
    """A broadcast, or a connection; of a group with a destination in its id too."""
    destination = _BROADCAST if chance.random() < 0.5 else chance.randrange(_BROADCAST - 1)  # noqa: PLR2004 - half of them
    source = chance.randrange(_BROADCAST - 1)
    if source == destination:
        source ^= 1
    return Address(group if group >> 8 & 0xFF >= PDU1_FORMATS else group & 0x3FF00, source, destination)
