"""Rows of numbers of different lengths, end to end: one NumPy pass serves all series of a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.wire.bits import ESCAPE_QUOTIENT, Int64s, UInt64s

SHORT_K_MAX = 12
"""The greatest Rice parameter that a coding names by itself; a greater one costs `LONG_K_BITS` more."""

LONG_K_BITS = 6
K_MAX = 63

_CELLS_AT_ONCE = 1 << 17


@dataclass(frozen=True, slots=True)
class Segments:
    """Rows of numbers, end to end.

    Attributes:
        words: uint64 of shape (T,), all rows.
        lengths: int64 of shape (S,), each 1 or more; their sum is T.
        starts: int64 of shape (S,), where each row begins.
    """

    words: UInt64s
    lengths: Int64s
    starts: Int64s

    @classmethod
    def of(cls, words: UInt64s, lengths: Int64s) -> Segments:
        """Rows of known lengths."""
        return cls(words, lengths, np.cumsum(lengths) - lengths)

    @classmethod
    def joined(cls, rows: Sequence[UInt64s]) -> Segments:
        """Rows that stand apart; there is at least one, and none is empty."""
        return cls.of(np.concatenate(rows), np.array([len(row) for row in rows], np.int64))

    def take(self, rows: Int64s) -> Segments:
        """Some of the rows, one or more, in the order in which they are asked for."""
        return Segments.of(cut(self.words, self.starts[rows], self.lengths[rows]), self.lengths[rows])

    def spread(self, numbers: UInt64s) -> UInt64s:
        """One number for each row, repeated for each of its elements."""
        return np.repeat(numbers, self.lengths)

    def moving(self) -> npt.NDArray[np.bool_]:
        """Whether a row holds different numbers, (S,)."""
        changes = self.words != self.spread(self.words[self.starts])
        return np.logical_or.reduceat(changes, self.starts)

    def zeros(self) -> Int64s:
        """How many zeros each row holds, (S,)."""
        return np.add.reduceat(self.words == 0, self.starts, dtype=np.int64)

    def medians(self) -> UInt64s:
        """The lower median of each row, its numbers taken as signed, (S,)."""
        if (self.lengths == self.lengths[0]).all():
            table = self.words.reshape(len(self.lengths), -1)
            return lower_median(table.view(np.int64), 1).view(np.uint64)
        medians = np.empty(len(self.lengths), np.uint64)
        for length in np.unique(self.lengths).tolist():
            chosen = self.lengths == length
            table = self.words[self.starts[chosen][:, np.newaxis] + np.arange(length)]
            medians[chosen] = lower_median(table.view(np.int64), 1).view(np.uint64)
        return medians


def cut(words: UInt64s, starts: Int64s, lengths: Int64s) -> UInt64s:
    """Pieces of a row, end to end; a piece may be empty."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return words[np.repeat(starts - ends + lengths, lengths) + np.arange(total)]


def lower_median(table: Int64s, axis: int) -> Int64s:
    """The lower median along an axis of a table, exact over 64 bits."""
    middle = (table.shape[axis] - 1) // 2
    ordered: Int64s = np.partition(table, middle, axis=axis)
    return ordered[:, middle] if axis else ordered[middle]


def best_parameters(codes: Segments, counts: Int64s) -> tuple[Int64s, Int64s]:
    """The cheapest Rice parameter of each row, the smallest of several, and what the row takes with it.

    Args:
        codes: the rows. Zeros may stand in a row that are not to be written.
        counts: how many numbers of each row are to be written, (S,).

    Returns:
        Parameters and bits, (S,) each; the bits include `LONG_K_BITS` of a parameter that needs them.
    """
    greatest = int(codes.words.max())
    cell = np.dtype(np.uint32 if greatest < 1 << 32 else np.uint64)
    words = codes.words.astype(cell)
    ks = np.arange(min(greatest.bit_length(), K_MAX) + 1)[:, np.newaxis]
    escaping = (greatest // ESCAPE_QUOTIENT).bit_length()
    # An escaped number takes ESCAPE_QUOTIENT bits and 64, but none of the k that are counted below.
    escaped = (ESCAPE_QUOTIENT + 64 - ks).astype(cell)
    table = np.empty((len(ks), len(counts)), np.int64)
    together = max(1, _CELLS_AT_ONCE // len(words))
    for start in range(0, len(ks), together):
        end = start + together
        quotients = words >> ks[start:end].astype(cell)
        high = quotients[: max(escaping - start, 0)]
        np.copyto(high, escaped[start : start + len(high)], where=high >= cell.type(ESCAPE_QUOTIENT))
        table[start:end] = np.add.reduceat(quotients, codes.starts, axis=1, dtype=cell)
    table += (ks + 1) * counts
    table[SHORT_K_MAX + 1 :] += LONG_K_BITS
    best = table.argmin(axis=0)
    return best, table[best, np.arange(len(counts))]
