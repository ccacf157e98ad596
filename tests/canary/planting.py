"""What a vehicle tells, so that it can be told apart: a pattern for each kind of datum and each second."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import cycle

from edge.policy.classes import DataClass

BYTES = 7
"""Of a canary: 56 bits are met by chance once in 10^7 searches of a gigabyte at any bit for a million."""

TEXT_EVERY_S = 4
"""Messages in segments are sent so seldom."""

_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_NO_DIGITS = "GHJKLMNPRSTUVWXYZghijkmnopqrstuvwxyz"
_LETTERS_AT = (_LETTERS,) * (BYTES - 2) + (_NO_DIGITS,)
"""From what each letter of words is drawn, over and over: no `BYTES` of them can be hexadecimal digits."""


class Kind(IntEnum):
    """Where in what the vehicle tells a canary sits."""

    OPERATION = 0
    HEALTH = 1
    CABIN = 2
    CABIN_AMID = 3
    CABIN_PAGE = 4
    CABIN_NAME = 5
    CABIN_ANSWER = 6
    EXTERIOR = 7
    EXTERIOR_AMID = 8
    IDENTITY = 9
    IDENTITY_AMID = 10
    IDENTITY_NAME = 11
    TRACK = 12
    TRACK_AMID = 13
    UNCLASSIFIED = 14
    UNDESCRIBED = 15
    STRANGER = 16
    ANSWER = 17


CLASS_OF: dict[Kind, DataClass | None] = {
    Kind.OPERATION: DataClass.OPERATION,
    Kind.HEALTH: DataClass.HEALTH,
    Kind.CABIN: DataClass.CABIN,
    Kind.CABIN_AMID: DataClass.CABIN,
    Kind.CABIN_PAGE: DataClass.CABIN,
    Kind.CABIN_NAME: DataClass.CABIN,
    Kind.CABIN_ANSWER: DataClass.CABIN,
    Kind.EXTERIOR: DataClass.EXTERIOR,
    Kind.EXTERIOR_AMID: DataClass.EXTERIOR,
    Kind.IDENTITY: DataClass.IDENTITY,
    Kind.IDENTITY_AMID: DataClass.IDENTITY,
    Kind.IDENTITY_NAME: DataClass.IDENTITY,
    Kind.TRACK: DataClass.POSITION,
    Kind.TRACK_AMID: DataClass.POSITION,
    Kind.UNCLASSIFIED: None,
    Kind.UNDESCRIBED: None,
    Kind.STRANGER: None,
    Kind.ANSWER: None,
}
"""The class of each kind; None for what has none and is never collected."""

TEXT_BYTES = {
    Kind.CABIN_NAME: 24,
    Kind.CABIN_ANSWER: 17,
    Kind.IDENTITY_NAME: 22,
    Kind.ANSWER: 17,
}
"""Kinds that are words, sent in segments, and how long they are."""

SCALE, SHIFT = 0.5, -40.0
"""Of the signal `Kind.CABIN`: its physical value is another number than its bits."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted pattern.

    Attributes:
        kind: where it sits.
        second: in which second of the run it was sent.
    """

    kind: Kind
    second: int

    @property
    def data_class(self) -> DataClass | None:
        """The class of its signal; None for none."""
        return CLASS_OF[self.kind]


@lru_cache(200_000)
def content(kind: Kind, second: int) -> bytes:
    """The bits that are sent: a number of `BYTES`, or words."""
    length = TEXT_BYTES.get(kind, BYTES)
    drawn = hashlib.blake2b(f"canary {kind:d} {second}".encode(), digest_size=length).digest()
    if kind in TEXT_BYTES:
        return "".join(
            letters[one % len(letters)] for letters, one in zip(cycle(_LETTERS_AT), drawn, strict=False)
        ).encode()
    return drawn


def sent_in(kind: Kind, second: int) -> bool:
    """Whether a kind is sent in a second."""
    return kind not in TEXT_BYTES or second % TEXT_EVERY_S == 0


def windows(canary: Canary) -> Iterator[bytes]:
    """Every `BYTES` bytes that tell the canary, bits as they are sent first."""
    bits = content(canary.kind, canary.second)
    for start in range(len(bits) - BYTES + 1):
        yield bits[start : start + BYTES]
    for number in numbers(canary):
        yield struct.pack(">d", number)[:BYTES]


def numbers(canary: Canary) -> Iterator[float]:
    """The numbers that a decoder makes of it; none of words."""
    if canary.kind in TEXT_BYTES:
        return
    bits = content(canary.kind, canary.second)
    # Signals of this bus are little-endian but one.
    raw = int.from_bytes(bits, "big" if canary.kind is Kind.EXTERIOR_AMID else "little")
    yield float(raw)
    if canary.kind is Kind.CABIN:
        yield raw * SCALE + SHIFT
