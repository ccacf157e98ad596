"""Numbered tokens that stand in frames, and what finds them again in any bytes, in whatever form."""

from __future__ import annotations

import string
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

_MAGIC_BITS, _NUMBER_BITS, _CHECK_BITS = 29, 15, 6
NUMBERS = 1 << _NUMBER_BITS
_TAIL_BYTES = 3
_TAIL_BITS = 8 * _TAIL_BYTES
_PYTHON_DIGIT_BITS = 30
"""Of one digit of an integer in CPython's memory (Include/cpython/longintrepr.h)."""

_HEXADECIMAL_TO_LETTERS = bytes.maketrans(b"0123456789abcdef", b"GHIJKLMNOPQRSTUV")

LAT_OUTSIDE, LAT_INSIDE, LON = 31.2, 31.7, 121.3
POSITION_STEP = 1e-6
_WAY = 0.1
_EXACTLY = 1e-3


class Kind(IntEnum):
    """What a token is of: a class of data, or nothing that a class file knows."""

    OPERATION = 0
    POSITION = 1
    CABIN = 2
    IDENTITY = 3
    EXTERIOR = 4
    HEALTH = 5
    UNCLASSIFIED = 6
    UNDESCRIBED = 7


Found = Mapping[Kind, frozenset[int]]
"""The numbers of the tokens that were found, by kind."""


@dataclass(frozen=True)
class Tokens:
    """Tokens of 53 bits: a magic number that only its maker knows, the kind, a number, and a check.

    A float holds such a token whole. Four bytes of its magic stand next to each other in each form, so that a
    gigabyte is searched in seconds. The check is for memory that was given back and is partly overwritten,
    where another number would be read otherwise; it is neither 0 nor 1.

    Args:
        seed: decides the magic number.
    """

    seed: int
    magic: int = field(init=False)

    def __post_init__(self) -> None:
        drawn = int(np.random.default_rng(self.seed).integers(1 << _MAGIC_BITS - 1))
        object.__setattr__(self, "magic", 1 << _MAGIC_BITS - 1 | drawn)

    def token(self, kind: Kind, number: int) -> int:
        """The token of a kind and number."""
        return self.magic << _TAIL_BITS | _tail(kind, number)

    def text(self, kind: Kind, number: int) -> bytes:
        """The same as 16 letters, as a person's name would stand in frames."""
        return self._letters + b"%08d" % _tail(kind, number)

    def found(self, content: bytes) -> Found:
        """All tokens that are in `content`.

        Looked for are integers and floats of both byte orders, CPython's integers, decimal and hexadecimal
        digits, the latter of both byte orders, and letters.
        """
        numbers: dict[Kind, set[int]] = {kind: set() for kind in Kind}
        for tail in self._tails(content):
            above = tail >> _CHECK_BITS
            kind, number = Kind((above >> _NUMBER_BITS) % len(Kind)), above % NUMBERS
            if tail == _tail(kind, number):
                numbers[kind].add(number)
        return {kind: frozenset(each) for kind, each in numbers.items()}

    def _tails(self, content: bytes) -> Iterator[int]:
        """What stands behind the magic number in each form: kind and number."""
        little = self.magic.to_bytes(4, "little")
        double = struct.pack("<d", self.magic << _TAIL_BITS)[_TAIL_BYTES:]
        shift = _PYTHON_DIGIT_BITS - _TAIL_BITS
        python = bytes([self.magic & (1 << shift) - 1]) + (self.magic >> shift).to_bytes(4, "little")
        for word in (little, double, python):
            for piece in _pieces(content, word, -_TAIL_BYTES):
                yield int.from_bytes(piece, "little")
        for word in (little[::-1], double[::-1]):
            for piece in _pieces(content, word, _TAIL_BYTES):
                yield int.from_bytes(piece, "big")
        yield from self._in_hexadecimal(content, little)
        yield from self._in_digits(content)
        for piece in _pieces(content, self._letters, 8):
            if _all_in(piece, string.digits):
                yield int(piece)

    def _in_hexadecimal(self, content: bytes, little: bytes) -> Iterator[int]:
        for upper in (False, True):
            behind, before = (
                (word.upper() if upper else word).encode() for word in (little[::-1].hex(), little.hex())
            )
            for piece in _pieces(content, behind, 2 * _TAIL_BYTES):
                if _all_in(piece, string.hexdigits):
                    yield int(piece, 16)
            for piece in _pieces(content, before, -2 * _TAIL_BYTES):
                if _all_in(piece, string.hexdigits):
                    yield int.from_bytes(bytes.fromhex(piece.decode()), "little")

    def _in_digits(self, content: bytes) -> Iterator[int]:
        low = self.magic << _TAIL_BITS
        high = low | (1 << _TAIL_BITS) - 1
        first, last = str(low).encode(), str(high).encode()
        same = next(place for place in range(len(first)) if first[place] != last[place])
        for piece in _pieces(content, first[:same], len(first) - same):
            if _all_in(piece, string.digits) and low <= (value := int(first[:same] + piece)) <= high:
                yield value - low

    @cached_property
    def _letters(self) -> bytes:
        return (b"%08x" % self.magic).translate(_HEXADECIMAL_TO_LETTERS)


def _tail(kind: Kind, number: int) -> int:
    assert number < NUMBERS
    check = 2 + (37 * number + 11 * kind) % 61
    return (kind << _NUMBER_BITS | number) << _CHECK_BITS | check


def _pieces(content: bytes, word: bytes, count: int) -> Iterator[bytes]:
    """What stands behind each `word`, or with a negative count before it."""
    at = content.find(word)
    while at >= 0:
        begin = at + (len(word) if count > 0 else count)
        if begin >= 0 and begin + abs(count) <= len(content):
            yield content[begin : begin + abs(count)]
        at = content.find(word, at + 1)


def _all_in(piece: bytes, letters: str) -> bool:
    return all(chr(one) in letters for one in piece)


def latitude(number: int, *, inside: bool) -> float:
    """Where the vehicle is when it sends a number, which tells the number."""
    return round((LAT_INSIDE if inside else LAT_OUTSIDE) + number * POSITION_STEP, 6)


def latitudes_in(content: bytes) -> tuple[set[int], set[int]]:
    """The numbers of latitudes outside and inside of the area that `content` holds in a program's memory.

    Looked for at any byte are floats, and CPython's integers of one digit, in steps as records have them.
    """
    found: tuple[set[int], set[int]] = (set(), set())
    for begin in range(min(8, len(content))):
        count = (len(content) - begin) // 8
        floats = np.frombuffer(content, np.float64, count, begin)
        words = np.frombuffer(content, np.uint64, count, begin)
        digits = words[1:][words[:-1] == 1] & np.uint64((1 << 32) - 1)
        for latitudes in (floats, digits * POSITION_STEP):
            outside, inside = numbers_of(latitudes)
            found[0].update(outside)
            found[1].update(inside)
    return found


def numbers_of(latitudes: npt.NDArray[np.float64]) -> tuple[set[int], set[int]]:
    """The numbers that were sent outside and inside of the area, of latitudes among other values."""
    found: list[set[int]] = []
    for base in (LAT_OUTSIDE, LAT_INSIDE):
        near = latitudes[(latitudes >= base - POSITION_STEP) & (latitudes < base + _WAY)]
        steps = (near - base) / POSITION_STEP
        found.append({int(one) for one in np.round(steps[np.abs(steps - np.round(steps)) < _EXACTLY])})
    return found[0], found[1]
