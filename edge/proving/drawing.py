"""Draws payloads for an id: edges, every value of each multiplexer, random ones, and lengths that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from edge.database.model import Message, MultiplexCondition, Signal
from edge.frames import CLASSIC_BYTES, FD_BYTES, UInt8s, UInt16s
from edge.proving.reading import Meant

EDGES = (0x00, 0xFF, 0x55, 0xAA)
_FD_LENGTHS: tuple[int, ...] = (8, 12, 16, 20, 24, 32, 48, 64)
_MOST_STEERED = 256
_ODD_LENGTH = 0.2


def draw_payloads(meant: Sequence[Meant], frames: int, chance: Random) -> tuple[UInt8s, UInt16s]:
    """Payloads of frames of one id.

    Args:
        meant: the messages that they may be; none for an id that nobody describes.
        frames: how many random ones.
        chance: draws them.

    Returns:
        uint8 of (frames, 8 or 64), and the length of each; bytes past it are 0.
    """
    longest = min(max((one.message.length for one in meant), default=CLASSIC_BYTES), FD_BYTES)
    width = CLASSIC_BYTES if longest <= CLASSIC_BYTES else FD_BYTES
    lengths = sorted({min(one.message.length, FD_BYTES) for one in meant}) or [CLASSIC_BYTES]
    drawn = [(bytes([edge]) * width, longest) for edge in EDGES]
    drawn += [(chance.randbytes(width), _length(lengths, width, chance)) for _ in range(frames)]
    for one in meant:
        drawn += [
            (_steered(one.message, signal, chance, width), min(one.message.length, width))
            for signal in _alternatives(one.message)
        ]
    length = np.array([each for _, each in drawn], np.uint16)
    data = np.frombuffer(b"".join(payload for payload, _ in drawn), np.uint8).reshape(-1, width).copy()
    data[np.arange(width) >= length[:, None]] = 0
    return data, length


def _length(lengths: Sequence[int], width: int, chance: Random) -> int:
    """Mostly as a message has it, sometimes too short or too long."""
    if chance.random() >= _ODD_LENGTH:
        return chance.choice(lengths)
    if width == CLASSIC_BYTES:
        return chance.randint(0, CLASSIC_BYTES)
    return int(chance.choice([*range(CLASSIC_BYTES), *_FD_LENGTHS]))


def _alternatives(message: Message) -> Iterator[Signal]:
    """One signal for each different condition of presence."""
    seen: set[tuple[MultiplexCondition, ...]] = set()
    for signal in message.signals:
        if signal.conditions and signal.conditions not in seen and len(seen) < _MOST_STEERED:
            seen.add(signal.conditions)
            yield signal


def _steered(message: Message, signal: Signal, chance: Random, width: int) -> bytes:
    """A random payload whose multiplexers select a signal."""
    payload = int.from_bytes(chance.randbytes(width), "little")
    for condition in signal.conditions:
        multiplexer = next((one for one in message.signals if one.name == condition.multiplexer), None)
        if multiplexer is not None and condition.values:
            value = chance.choice(sorted(condition.values))
            for place, bit in enumerate(multiplexer.bits):
                payload = payload & ~(1 << bit) | (value >> place & 1) << bit
    return (payload & (1 << 8 * width) - 1).to_bytes(width, "little")
