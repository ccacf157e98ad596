"""Bit streams, first bit highest: the few codes of which a message's body is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.errors import WireError

UInt64s = npt.NDArray[np.uint64]

ESCAPE_QUOTIENT = 20
"""A Rice quotient from here on is not written out: the whole number follows in 64 bits."""

_LONG_LENGTH = 31
_WORD_BITS = 64


def zigzag(number: int) -> int:
    """Map ..., -2, -1, 0, 1, 2, ... of 64 bits to 3, 1, 0, 2, 4, ..."""
    return number * 2 if number >= 0 else -number * 2 - 1


def unzigzag(code: int) -> int:
    """Undo `zigzag`."""
    return code >> 1 if code & 1 == 0 else -(code >> 1) - 1


def zigzags(residuals: UInt64s) -> UInt64s:
    """`zigzag` of each number, taken as 64 bits two's complement."""
    signed = residuals.view(np.int64)
    return ((signed << np.int64(1)) ^ (signed >> np.int64(63))).view(np.uint64)


def unzigzags(codes: UInt64s) -> UInt64s:
    """Undo `zigzags`."""
    one = np.uint64(1)
    return (codes >> one) ^ (np.uint64(0) - (codes & one))


@dataclass(frozen=True, slots=True)
class Rice:
    """Numbers to be written together with one Rice parameter.

    Attributes:
        codes: uint64 of shape (N,).
        k: bits of each remainder, 0 to 63.
    """

    codes: UInt64s
    k: int


class BitWriter:
    """Collects codes and gives them as bytes, filled up with 0 bits."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def bits(self, number: int, width: int) -> None:
        """Write `number` in `width` bits."""
        if width:
            self._pieces.append(format(number, f"0{width}b"))

    def golomb(self, number: int) -> None:
        """Write a number from 0 in exponential Golomb code of order 0 (ITU-T H.264, 9.1)."""
        digits = format(number + 1, "b")
        self._pieces.append("0" * (len(digits) - 1) + digits)

    def sized(self, number: int) -> None:
        """Write a signed 64-bit number: the length of its zigzag code in 5 bits, then the code.

        The code's leading 1 is left out. A length of 31 or more is 31 in those 5 bits and the length less 31
        in 6 bits more.
        """
        code = zigzag(number)
        length = code.bit_length()
        if length < _LONG_LENGTH:
            self.bits(length, 5)
        else:
            self.bits(_LONG_LENGTH, 5)
            self.bits(length - _LONG_LENGTH, 6)
        if length > 1:
            self.bits(code & ((1 << (length - 1)) - 1), length - 1)

    def rice(self, parts: Iterable[Rice]) -> None:
        """Write all quotients in unary, then all remainders, then the escaped numbers in 64 bits each."""
        kept = [part for part in parts if len(part.codes)]
        if not kept:
            return
        codes = np.concatenate([part.codes for part in kept])
        k = np.repeat(
            np.array([part.k for part in kept], np.uint64), np.array([len(part.codes) for part in kept])
        )
        quotients = np.minimum(codes >> k, np.uint64(ESCAPE_QUOTIENT)).astype(np.int64)
        ends = np.cumsum(quotients + 1)
        unary = np.ones(int(ends[-1]), np.uint8)
        unary[ends - 1] = 0
        self._array(unary)
        escaped = quotients == ESCAPE_QUOTIENT
        self._remainders(codes[~escaped], k[~escaped])
        if escaped.any():
            self._array(np.unpackbits(codes[escaped].astype(">u8").view(np.uint8)))

    def _remainders(self, codes: UInt64s, k: UInt64s) -> None:
        ends = np.cumsum(k.astype(np.int64))
        total = int(ends[-1]) if len(ends) else 0
        remainders = np.zeros(total, np.uint8)
        starts = ends - k.astype(np.int64)
        for width in np.unique(k).tolist():
            chosen = k == width
            for bit in range(width):
                shift = np.uint64(width - 1 - bit)
                remainders[starts[chosen] + bit] = (codes[chosen] >> shift) & np.uint64(1)
        self._array(remainders)

    def _array(self, bits: npt.NDArray[np.uint8]) -> None:
        self._pieces.append((bits | np.uint8(0x30)).tobytes().decode("ascii"))

    @property
    def length(self) -> int:
        """Bits written so far."""
        return sum(map(len, self._pieces))

    def to_bytes(self) -> bytes:
        """All that was written, with up to 7 bits of 0 at the end."""
        digits = np.frombuffer("".join(self._pieces).encode("ascii"), np.uint8)
        return np.packbits(digits & np.uint8(1)).tobytes()


class BitReader:
    """Reads what `BitWriter` writes.

    Its methods raise `WireError` where the bits end too early or are no code.
    """

    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8))
        self._digits = (self._bits | np.uint8(0x30)).tobytes().decode("ascii")
        self._position = 0

    def _end(self, width: int) -> int:
        end = self._position + width
        if end > len(self._digits):
            raise WireError("body ends too early", where=f"bit {self._position}")
        return end

    def bits(self, width: int) -> int:
        """Read a number of `width` bits."""
        if width == 0:
            return 0
        end = self._end(width)
        number = int(self._digits[self._position : end], 2)
        self._position = end
        return number

    def golomb(self, limit: int) -> int:
        """Read a number from 0 to `limit` in exponential Golomb code."""
        first_one = self._digits.find("1", self._position, self._position + _WORD_BITS)
        if first_one < 0:
            raise WireError("body holds no number where one belongs", where=f"bit {self._position}")
        width = first_one - self._position + 1
        self._position = first_one
        number = self.bits(width) - 1
        if number > limit:
            raise WireError(f"body holds {number} where {limit} is the most", where=f"bit {first_one}")
        return number

    def sized(self) -> int:
        """Read a signed 64-bit number; see `BitWriter.sized`."""
        length = self.bits(5)
        if length == _LONG_LENGTH:
            length += self.bits(6)
        if length > _WORD_BITS:
            raise WireError("body holds a number of more than 64 bits", where=f"bit {self._position}")
        if length == 0:
            return 0
        return unzigzag(1 << (length - 1) | self.bits(length - 1))

    def rice(self, counts: Sequence[int], parameters: Sequence[int]) -> list[UInt64s]:
        """Read groups of Rice-coded numbers.

        Args:
            counts: how many numbers each group holds.
            parameters: the bits of a remainder in each group, 0 to 63.

        Returns:
            uint64, one array for each group.
        """
        total = sum(counts)
        if total > len(self._digits) - self._position:
            raise WireError("body ends too early", where=f"bit {self._position}")
        groups = np.array(counts, np.int64)
        quotients = self._quotients(total)
        k = np.repeat(np.array(parameters, np.int64), groups)
        escaped = quotients == ESCAPE_QUOTIENT
        codes = np.zeros(total, np.uint64)
        plain = ~escaped
        codes[plain] = self._remainders(k[plain]) | (
            quotients[plain].astype(np.uint64) << k[plain].astype(np.uint64)
        )
        if (codes[plain] >> k[plain].astype(np.uint64) != quotients[plain].astype(np.uint64)).any():
            raise WireError("body holds a number of more than 64 bits", where=f"bit {self._position}")
        codes[escaped] = self._words(int(escaped.sum()))
        if (codes[escaped] >> k[escaped].astype(np.uint64) < np.uint64(ESCAPE_QUOTIENT)).any():
            raise WireError("body escapes a number that needs no escape", where=f"bit {self._position}")
        bounds = np.cumsum(groups)[:-1].tolist()
        return list(np.split(codes, bounds))

    def _quotients(self, total: int) -> npt.NDArray[np.int64]:
        if total == 0:
            return np.zeros(0, np.int64)
        longest = total * (ESCAPE_QUOTIENT + 1)
        window = self._bits[self._position : self._position + longest]
        zeros = np.flatnonzero(window == 0)[:total]
        quotients = np.diff(zeros, prepend=-1) - 1
        if len(zeros) < total or int(quotients.max()) > ESCAPE_QUOTIENT:
            raise WireError("body holds no Rice code where one belongs", where=f"bit {self._position}")
        self._position += int(zeros[-1]) + 1
        return quotients

    def _remainders(self, k: npt.NDArray[np.int64]) -> UInt64s:
        ends = np.cumsum(k)
        total = int(ends[-1]) if len(ends) else 0
        end = self._end(total)
        bits = self._bits[self._position : end].astype(np.uint64)
        self._position = end
        starts = ends - k
        remainders = np.zeros(len(k), np.uint64)
        for width in np.unique(k).tolist():
            chosen = np.flatnonzero(k == width)
            numbers = np.zeros(len(chosen), np.uint64)
            for bit in range(width):
                numbers = (numbers << np.uint64(1)) | bits[starts[chosen] + bit]
            remainders[chosen] = numbers
        return remainders

    def _words(self, count: int) -> UInt64s:
        end = self._end(count * _WORD_BITS)
        words = np.packbits(self._bits[self._position : end]).view(">u8").astype(np.uint64)
        self._position = end
        return words

    def finish(self) -> None:
        """Refuse more than 7 bits after the last code, and any of them that is not 0."""
        rest = self._digits[self._position :]
        if len(rest) > 7 or "1" in rest:  # noqa: PLR2004 - less than a byte
            raise WireError("body goes on after its end", where=f"bit {self._position}")
