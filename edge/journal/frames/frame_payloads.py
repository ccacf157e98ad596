"""Payloads of grouped frames by byte columns: only what moves is kept, as the change from frame to frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge import accelerated
from edge.errors import JournalError
from edge.frames import Int64s, UInt8s
from edge.journal.frames.frame_numbers import SectionWriter, read_section
from edge.wire.strict_cbor import CborValue

DRAWERS = 3
"""Columns that move little, more, and much lie apart, so that each gets an entropy code that fits it."""

_CALM = (2, 24)
"""Up to which mean change a column lies in the first and the second drawer."""

_STEADY = 0
_LARGEST_KIND = 2 * DRAWERS
_WORD = 8


@dataclass(frozen=True, slots=True)
class Grouping:
    """How frames lie in groups: all of a group have the same length, and lengths rise from group to group.

    Attributes:
        lengths: bytes of data of each group's frames, int64 of G.
        counts: frames of each group, int64 of G, each at least 1.
        starts: row of each group's first frame, int64 of G.
    """

    lengths: Int64s
    counts: Int64s
    starts: Int64s

    @classmethod
    def of(cls, lengths: Int64s, counts: Int64s) -> Grouping:
        """Groups end to end."""
        return cls(lengths, counts, np.cumsum(counts) - counts)

    @property
    def columns(self) -> int:
        """Byte columns of all groups together."""
        return int(self.lengths.sum())

    def blocks(self) -> Iterator[_Block]:
        """Runs of groups of one length; frames without data are in none."""
        edges = [*np.flatnonzero(np.diff(self.lengths, prepend=-1)).tolist(), len(self.lengths)]
        for first, last in pairwise(edges):
            length = int(self.lengths[first])
            if length:
                counts = self.counts[first:last]
                begin = int(self.starts[first])
                yield _Block(
                    length, begin, begin + int(counts.sum()), counts, self.starts[first:last] - begin
                )


class _Block(NamedTuple):
    """Groups whose frames have one length.

    Attributes:
        length: bytes of data of each frame.
        begin: first row.
        end: row after the last.
        counts: frames of each group.
        starts: each group's first row, counted from `begin`.
    """

    length: int
    begin: int
    end: int
    counts: Int64s
    starts: Int64s

    def cells(self, moves: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which bytes are kept: those of columns that move, but for each group's first frame.

        Args:
            moves: which columns do, bool of (length, groups).

        Returns:
            Bool of (length, frames).
        """
        chosen: npt.NDArray[np.bool_] = np.repeat(moves, self.counts, axis=1)
        chosen[:, self.starts] = False
        return chosen


def write_payloads(
    data: UInt8s, order: Int64s, grouping: Grouping, writer: SectionWriter
) -> tuple[bytes, bytes, list[CborValue]]:
    """Write the data of frames.

    Args:
        data: uint8 of (frames, width) in any order.
        order: for each grouped row the place of its frame in `data`.
        grouping: the groups.
        writer: packs the sections.

    Returns:
        The section of the groups' first payloads, that of the columns' kinds, and the drawers.
    """
    native = accelerated.native
    if native is None:
        firsts, kinds, drawers = _changes_in_numpy(data, order, grouping)
    else:
        data, order = np.ascontiguousarray(data), np.ascontiguousarray(order)
        firsts, kinds, drawers = native.payload_changes(
            data, data.shape[1], order, grouping.lengths, grouping.counts
        )
    return writer.section(firsts), writer.section(kinds), [writer.section(drawer) for drawer in drawers]


def _changes_in_numpy(
    data: UInt8s, order: Int64s, grouping: Grouping
) -> tuple[bytes, bytes, Sequence[bytes]]:
    """What `write_payloads` packs: the first payloads, the columns' kinds, and the drawers."""
    firsts: list[bytes] = []
    moving: list[npt.NDArray[np.bool_]] = []
    by_xor: list[UInt8s] = []
    by_difference: list[UInt8s] = []
    counts: list[Int64s] = []
    for block in grouping.blocks():
        rows = _rows(data, order[block.begin : block.end], block.length)
        change = np.zeros_like(rows)
        np.bitwise_xor(rows[1:], rows[:-1], out=change[1:])
        change[block.starts] = 0
        moves = np.ascontiguousarray((_any_bits(change, block.starts) != 0).T)
        cells = block.cells(moves)
        by_xor.append(np.ascontiguousarray(change.T)[cells])
        np.subtract(rows[1:], rows[:-1], out=change[1:])
        by_difference.append(np.ascontiguousarray(change.T)[cells])
        firsts.append(rows[block.starts].T.tobytes())
        moving.append(moves.ravel())
        counts.append(np.tile(block.counts - 1, block.length)[moves.ravel()])
    if not moving:
        return b"", b"", [b""] * DRAWERS
    kinds = np.concatenate(moving).astype(np.uint8)
    drawers = [b""] * DRAWERS
    if kinds.any():
        chosen, changes = _cheaper(
            np.concatenate(by_xor), np.concatenate(by_difference), np.concatenate(counts)
        )
        kinds[kinds != 0] = chosen
        drawer = np.repeat((chosen - 1) >> 1, np.concatenate(counts))
        drawers = [changes[drawer == number].tobytes() for number in range(DRAWERS)]
    return b"".join(firsts), kinds.tobytes(), drawers


def read_payloads(
    firsts: CborValue, kinds: CborValue, drawers: CborValue, grouping: Grouping, width: int
) -> UInt8s:
    """Read what `write_payloads` wrote.

    Args:
        firsts: the groups' first payloads.
        kinds: the columns' kinds.
        drawers: the changes.
        grouping: the groups; the caller has checked that their frames are not too many and not too long.
        width: columns of the result, at least the greatest length.

    Returns:
        The data of the grouped rows, uint8 of (frames, width).

    Raises:
        JournalError: a section is damaged, or does not fit the groups.
    """
    first = np.frombuffer(read_section(firsts, grouping.columns), np.uint8)
    kind = np.frombuffer(read_section(kinds, grouping.columns), np.uint8)
    counts = np.concatenate(
        [np.tile(block.counts - 1, block.length) for block in grouping.blocks()] or [np.zeros(0, np.int64)]
    )
    moves = kind != _STEADY
    if (kind > _LARGEST_KIND).any() or not counts[moves].all():
        raise JournalError("a column of a block of frames is of an unknown kind")
    changes = _changes(drawers, kind[moves], counts[moves])
    moved = _summed(changes, kind[moves], counts[moves], first[moves])
    data = np.zeros((int(grouping.counts.sum()), width), np.uint8)
    column = cell = 0
    for block in grouping.blocks():
        shape = (block.length, len(block.counts))
        columns = slice(column, column + block.length * len(block.counts))
        column = columns.stop
        rows = np.repeat(first[columns].reshape(shape), block.counts, axis=1)
        cells = block.cells(moves[columns].reshape(shape))
        count = int(np.count_nonzero(cells))
        rows[cells] = moved[cell : cell + count]
        cell += count
        data[block.begin : block.end, : block.length] = rows.T
    return data


def _rows(data: UInt8s, places: Int64s, length: int) -> UInt8s:
    """The first `length` bytes of some frames, as an array of its own."""
    if data.shape[1] % _WORD or not data.flags.c_contiguous:
        return data[places, :length]
    # Taken word by word, which is several times as fast as by bytes.
    words = data.view(np.uint64)
    taken = np.empty((len(places), -(-length // _WORD)), np.uint64)
    for column in range(taken.shape[1]):
        taken[:, column] = words[places, column]
    return np.ascontiguousarray(taken.view(np.uint8)[:, :length])


def _any_bits(change: UInt8s, starts: Int64s) -> UInt8s:
    """The bits that are set in any row of each group: uint8 of (groups, length)."""
    if change.shape[1] % _WORD:
        found: UInt8s = np.bitwise_or.reduceat(change, starts, axis=0)
        return found
    words = np.bitwise_or.reduceat(change.view(np.uint64), starts, axis=0)
    return words.view(np.uint8)


def _cheaper(by_xor: UInt8s, by_difference: UInt8s, counts: Int64s) -> tuple[UInt8s, UInt8s]:
    """Choose for each column how its changes are written.

    A counter steps by the same difference, bits that mean something each flip alone: what gives the smaller
    numbers is taken, differences modulo 256 seen as signed.

    Args:
        by_xor: the bits that changed, all columns end to end.
        by_difference: the differences.
        counts: length of each column.

    Returns:
        The kind of each column, and all changes end to end.
    """
    begins = np.cumsum(counts) - counts
    magnitude = np.minimum(by_difference, -by_difference)
    of_xor = np.add.reduceat(by_xor, begins, dtype=np.int64)
    of_difference = np.add.reduceat(magnitude, begins, dtype=np.int64)
    differs = of_difference < of_xor
    least = np.minimum(of_xor, of_difference)
    drawer = sum((least > calm * counts).astype(np.uint8) for calm in _CALM)
    kinds: UInt8s = (1 + 2 * drawer + differs).astype(np.uint8)
    return kinds, np.where(np.repeat(differs, counts), by_difference, by_xor)


def _changes(drawers: CborValue, kind: UInt8s, counts: Int64s) -> UInt8s:
    """The changes of all moving columns end to end, taken from their drawers."""
    if not isinstance(drawers, list) or len(drawers) != DRAWERS:
        raise JournalError(f"a block of frames has not {DRAWERS} drawers of changes")
    drawer = (kind - 1) >> 1
    of_cell = np.repeat(drawer, counts)
    changes = np.empty(len(of_cell), np.uint8)
    for number, section in enumerate(drawers):
        size = int(counts[drawer == number].sum())
        changes[of_cell == number] = np.frombuffer(read_section(section, size), np.uint8)
    return changes


def _summed(changes: UInt8s, kind: UInt8s, counts: Int64s, first: UInt8s) -> UInt8s:
    """The bytes of all moving columns, from their changes and the first byte of each."""
    if not len(changes):
        return changes
    begins = np.cumsum(counts) - counts
    flipped = np.bitwise_xor.accumulate(changes)
    flipped ^= np.repeat(flipped[begins] ^ changes[begins] ^ first, counts)
    stepped = np.add.accumulate(changes, dtype=np.uint8)
    stepped += np.repeat(first - (stepped[begins] - changes[begins]), counts)
    differs = np.repeat((kind & 1) == 0, counts)
    return np.where(differs, stepped, flipped)
