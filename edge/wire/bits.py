"""Bit streams, first bit highest: the few codes of which a message's body is made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.errors import WireError

UInt64s = npt.NDArray[np.uint64]
Int64s = npt.NDArray[np.int64]

ESCAPE_QUOTIENT = 20
"""A Rice quotient from here on is not written out: the whole number follows in 64 bits."""

_ESCAPES = np.array(ESCAPE_QUOTIENT, np.uint64)
_LONG_LENGTH = 31
_WORD_BITS = 64


def unzigzag(code: int) -> int:
    """Undo the mapping of ..., -2, -1, 0, 1, 2, ... to 3, 1, 0, 2, 4, ..."""
    return code >> 1 if code & 1 == 0 else -(code >> 1) - 1


def zigzags(residuals: UInt64s) -> UInt64s:
    """Map ..., -2, -1, 0, 1, 2, ... to 3, 1, 0, 2, 4, ..., each taken as 64 bits two's complement."""
    signed = residuals.view(np.int64)
    codes = signed << np.int64(1)
    codes ^= signed >> np.int64(63)
    return codes.view(np.uint64)


def unzigzags(codes: UInt64s) -> UInt64s:
    """Undo `zigzags`."""
    one = np.uint64(1)
    return (codes >> one) ^ (np.uint64(0) - (codes & one))


def bit_lengths(words: UInt64s) -> Int64s:
    """`int.bit_length` of each number."""
    # A float holds 32 bits exactly, so that its exponent is their length.
    if not len(words) or int(words.max()) < 1 << 32:
        return np.frexp(words.astype(np.float64))[1].astype(np.int64)
    high = words >> np.uint64(32)
    long = np.frexp(np.where(high != 0, high, words).astype(np.float64))[1]
    return np.where(high != 0, long + 32, long).astype(np.int64)


@lru_cache(maxsize=4096)
def golomb_digits(number: int) -> str:
    """A number from 0 in exponential Golomb code of order 0 (ITU-T H.264, 9.1)."""
    digits = format(number + 1, "b")
    return "0" * (len(digits) - 1) + digits


class Codewords(NamedTuple):
    """Rows of numbers, each in so many bits, to be written one after the other.

    Attributes:
        numbers: uint64 of shape (S, F); bits above a number's width are left out.
        widths: int64 of shape (S, F), 0 for no bits at all.
    """

    numbers: UInt64s
    widths: Int64s

    @classmethod
    def side_by_side(cls, parts: Sequence[Codewords]) -> Codewords:
        """The rows of all parts, each row after the row of the part before."""
        return cls(
            np.concatenate([part.numbers for part in parts], axis=1),
            np.concatenate([part.widths for part in parts], axis=1),
        )

    @classmethod
    def golomb(cls, numbers: npt.NDArray[np.int64 | np.uint64]) -> Codewords:
        """Numbers from 0, (S, F), in exponential Golomb code; see `golomb_digits`."""
        following = numbers.astype(np.uint64) + np.uint64(1)
        return cls(following, bit_lengths(following) * 2 - 1)

    @classmethod
    def sized(cls, numbers: UInt64s) -> Codewords:
        """Signed 64-bit numbers, (S,): the length of the zigzag code in 5 bits, then the code.

        The code's leading 1 is left out. A length of 31 or more is 31 in those 5 bits and the length less 31
        in 6 bits more.
        """
        codes = zigzags(numbers)
        lengths = bit_lengths(codes)
        fields = np.empty((len(codes), 3), np.uint64)
        fields[:, 0] = np.minimum(lengths, _LONG_LENGTH)
        fields[:, 1] = lengths - _LONG_LENGTH
        fields[:, 2] = codes
        widths = np.empty(fields.shape, np.int64)
        widths[:, 0] = 5
        widths[:, 1] = (lengths >= _LONG_LENGTH) * 6
        widths[:, 2] = np.maximum(lengths - 1, 0)
        return cls(fields, widths)

    def rows(self, places: slice | Sequence[int]) -> Codewords:
        """Some of the rows."""
        return Codewords(self.numbers[places], self.widths[places])


class BitWriter:
    """Collects codes and gives them as bytes, filled up with 0 bits."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def bits(self, number: int, width: int) -> None:
        """Write `number` in `width` bits."""
        if width:
            self._pieces.append(format(number, f"0{width}b").encode())

    def golomb(self, number: int) -> None:
        """Write a number from 0; see `golomb_digits`."""
        self.digits(golomb_digits(number))

    def digits(self, digits: str) -> None:
        """Write bits that are given as a text of 0 and 1."""
        self._pieces.append(digits.encode())

    def sized(self, number: int) -> None:
        """Write a signed 64-bit number; see `Codewords.sized`."""
        self.codewords(Codewords.sized(np.array([number], np.int64).view(np.uint64)))

    def codewords(self, codewords: Codewords) -> None:
        """Write all rows, each from its first column to its last."""
        self._numbers(codewords.numbers.reshape(-1), codewords.widths.reshape(-1))

    def rice(self, codes: UInt64s, parameters: Int64s) -> None:
        """Write all quotients in unary, then all remainders, then the escaped numbers in 64 bits each.

        Args:
            codes: the numbers, (M,).
            parameters: bits of each one's remainder, 0 to 63, (M,).
        """
        if not len(codes):
            return
        quotients = np.minimum(codes >> parameters.view(np.uint64), _ESCAPES).view(np.int64)
        ends = np.cumsum(quotients + 1)
        unary = np.ones(int(ends[-1]), np.uint8)
        unary[ends - 1] = 0
        self._pieces.append(unary.tobytes())
        escaped = quotients == ESCAPE_QUOTIENT
        self._numbers(codes, np.where(escaped, 0, parameters))
        if escaped.any():
            self._pieces.append(np.unpackbits(codes[escaped].astype(">u8").view(np.uint8)).tobytes())

    def _numbers(self, numbers: UInt64s, widths: Int64s) -> None:
        """Write each number in its width, the highest bit first."""
        ends = np.cumsum(widths)
        total = int(ends[-1]) if len(ends) else 0
        shifts = (np.repeat(ends - 1, widths) - np.arange(total)).view(np.uint64)
        bits = (np.repeat(numbers, widths) >> shifts).astype(np.uint8) & np.uint8(1)
        self._pieces.append(bits.tobytes())

    def to_bytes(self) -> bytes:
        """All that was written, with up to 7 bits of 0 at the end."""
        # A piece holds its bits as the bytes 0 and 1, or as the digits "0" and "1": the lowest bit of each.
        bits = np.frombuffer(b"".join(self._pieces), np.uint8) & np.uint8(1)
        return np.packbits(bits).tobytes()


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

    def sized_numbers(self, count: int) -> list[int]:
        """Read `count` numbers as `sized` does."""
        digits, position, numbers = self._digits, self._position, []
        for _ in range(count):
            start = position + 5
            length = int(digits[position:start] or "0", 2)
            if length == _LONG_LENGTH or start + length > len(digits):
                self._position = position
                numbers.append(self.sized())
                position = self._position
                continue
            if length:
                position = start + length - 1
                code = 1 << (length - 1) | int(digits[start:position] or "0", 2)
                numbers.append(code >> 1 if code & 1 == 0 else -(code >> 1) - 1)
            else:
                position = start
                numbers.append(0)
        self._position = position
        return numbers

    def skip(self, digits: str) -> bool:
        """Go past the bits of a text of 0 and 1 if they come next; tell whether they do."""
        found = self._digits.startswith(digits, self._position)
        if found:
            self._position += len(digits)
        return found

    def since(self, position: int) -> str:
        """The bits from `position` up to here, as a text of 0 and 1."""
        return self._digits[position : self._position]

    @property
    def position(self) -> int:
        """How many bits have been read."""
        return self._position

    def rice(self, counts: Sequence[int], parameters: Sequence[int]) -> UInt64s:
        """Read groups of Rice-coded numbers.

        Args:
            counts: how many numbers each group holds.
            parameters: the bits of a remainder in each group, 0 to 63.

        Returns:
            The numbers of all groups, end to end.
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
        return codes

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
        shifts = (np.repeat(ends - 1, k) - np.arange(total)).view(np.uint64)
        remainders = np.zeros(len(k), np.uint64)
        written = np.flatnonzero(k)
        if len(written):
            remainders[written] = np.add.reduceat(bits << shifts, (ends - k)[written])
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
