"""Looks for canaries at any bit of any bytes, in both orders of bits and bytes, and in digits of texts."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.canary.planting import BYTES, Canary, Kind, numbers, windows

_MASK = np.uint64((1 << 8 * BYTES) - 1)
_SIEVE_BITS = 24
_SIEVE = np.uint64((1 << _SIEVE_BITS) - 1)
_CHUNK = 1 << 19
_SECOND_BITS = 32
_HEX = re.compile(rb"[0-9a-fA-F]{14,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_ALL_HEX = re.compile(rb"\d*|[0-9a-f]*|[0-9A-F]*")
"""What is no base64, but for one text of that length in 100,000; most of it is data of frames."""
_DIGITS = re.compile(rb"\d{12,}(?:\.\d+)?|\d\.\d{9,}[eE]\+?\d+")

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that was found.

    Attributes:
        canary: which.
        place: offset in what was searched.
    """

    canary: Canary
    place: int


@dataclass
class Scanner:
    """Knows all canaries of a run.

    Attributes:
        searched: bytes that were searched, each at 8 bit offsets and in two orders of bits.
    """

    _patterns: Words
    _codes: Words
    _sieve: npt.NDArray[np.bool_]
    _second_sieve: npt.NDArray[np.bool_]
    _numbers: dict[str, Canary]
    searched: int = field(default=0)

    @classmethod
    def of(cls, canaries: Iterable[Canary]) -> Scanner:
        """Prepare for some canaries."""
        patterns: list[int] = []
        codes: list[int] = []
        texts: dict[str, Canary] = {}
        for canary in canaries:
            code = canary.kind << _SECOND_BITS | canary.second
            for piece in windows(canary):
                patterns += [int.from_bytes(piece, "little"), int.from_bytes(piece, "big")]
                codes += [code, code]
            for number in numbers(canary):
                texts[_digits(number)] = canary
        found = np.array(patterns, np.uint64)
        order = np.argsort(found)
        found = found[order]
        sieves = []
        for shift in (0, 8 * BYTES - _SIEVE_BITS):
            sieve = np.zeros(1 << _SIEVE_BITS, np.bool_)
            sieve[(found >> np.uint64(shift)) & _SIEVE] = True
            sieves.append(sieve)
        return cls(found, np.array(codes, np.uint64)[order], sieves[0], sieves[1], texts)

    def bits(self, content: bytes) -> Iterator[Hit]:
        """The canaries in `content` as bits."""
        self.searched += len(content)
        for start in range(0, max(0, len(content) - BYTES + 1), _CHUNK):
            yield from self._chunk(content[start : start + _CHUNK + BYTES], start)

    def _chunk(self, content: bytes, start: int) -> Iterator[Hit]:
        octets = np.frombuffer(content + bytes(8), np.uint8).astype(np.uint64)
        count = len(content)
        first = np.zeros(count, np.uint64)
        last = np.zeros(count, np.uint64)
        for place in range(8):
            part = octets[place : place + count]
            first |= part << np.uint64(8 * place)
            last |= part << np.uint64(56 - 8 * place)
        for shift in range(8):
            for words in ((first >> np.uint64(shift)) & _MASK, (last >> np.uint64(8 - shift)) & _MASK):
                maybe = np.flatnonzero(self._sieve[words & _SIEVE])
                if not len(maybe):
                    continue
                high = words[maybe] >> np.uint64(8 * BYTES - _SIEVE_BITS)
                maybe = maybe[self._second_sieve[high]]
                if not len(maybe):
                    continue
                wanted = words[maybe]
                at = np.minimum(np.searchsorted(self._patterns, wanted), len(self._patterns) - 1)
                for row in np.flatnonzero(self._patterns[at] == wanted).tolist():
                    yield Hit(_canary(int(self._codes[at[row]])), start + int(maybe[row]))

    def text(self, content: bytes) -> Iterator[Hit]:
        """The canaries in `content` as bits, decimal digits, hexadecimal digits or base64."""
        yield from self.bits(content)
        for found in _DIGITS.finditer(content):
            canary = self._numbers.get(_digits(float(found[0])))
            if canary is not None:
                yield Hit(canary, found.start())
        pieces = [(found.start(), piece) for found in _HEX.finditer(content) for piece in _unhexed(found[0])]
        pieces += [
            (found.start(), piece)
            for found in _BASE64.finditer(content)
            if not _ALL_HEX.fullmatch(found[0])
            for piece in _unbased(found[0])
        ]
        places = np.cumsum([0, *(len(piece) + 8 for _, piece in pieces)])
        for hit in self.bits(bytes(8).join(piece for _, piece in pieces)):
            row = int(np.searchsorted(places, hit.place, side="right")) - 1
            yield Hit(hit.canary, pieces[row][0])


def _digits(number: float) -> str:
    return f"{number:.11e}"


def _canary(code: int) -> Canary:
    return Canary(Kind(code >> _SECOND_BITS), code & (1 << _SECOND_BITS) - 1)


def _unhexed(digits: bytes) -> Iterator[bytes]:
    for start in (0, 1):
        even = digits[start : start + (len(digits) - start) // 2 * 2]
        yield binascii.unhexlify(even)


def _unbased(letters: bytes) -> Iterator[bytes]:
    plain = letters.replace(b"-", b"+").replace(b"_", b"/")
    for start in range(4):
        part = plain[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        yield base64.b64decode(part + b"=" * (-len(part) % 4))
