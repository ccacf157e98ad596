"""What the text formats share: blocks of whole lines in bounded memory, read as such or line by line."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from edge.bus.formats.base import Recording
from edge.bus.formats.fields import Columns, line_count
from edge.bus.formats.rows import CUT_SHORT, MalformedError, Piece, Row, piece_of

BLOCK_BYTES = 2 << 20
"""Decoded at once: of less, each step costs too much; of more, it does not stay in the processor's caches."""
LINE_MAX_BYTES = 64 << 10


class BlockRecording(Recording):
    """A recording in lines of text, whose subclass reads many of them at once."""

    _ended_mid_line = False

    @abstractmethod
    def _block(self, block: bytes, first_line: int) -> Piece:
        """The frames of `block`, whole lines of which the first has the number `first_line`.

        What is malformed goes to `_refuse_line`.
        """

    def _refuse_line(self, cause: str, number: int) -> None:
        begin = self._span.begin
        place = f"line {number} from byte {begin} on" if begin else str(number)
        self._refuse(CUT_SHORT if self._ended_mid_line else cause, place)

    def _take_up(self, file: BinaryIO) -> None:
        """Learn what all before the span would have taught; the span does not begin the file."""

    def _pieces(self) -> Iterator[Piece]:
        with self._path.open("rb") as file:
            begin, end = self._span.begin, self._span.end
            rest, overlong = b"", False
            if begin:
                self._take_up(file)
                rest, overlong = begun_line(file, begin)
                file.seek(begin)
            number = 1
            # A span ends where a block does, so that its blocks are those of the whole file.
            while (end is None or file.tell() < end) and (read := file.read(BLOCK_BYTES)):
                cut = read.rfind(b"\n") + 1
                if not cut:
                    rest += read
                    if len(rest) > LINE_MAX_BYTES:
                        overlong, rest = True, rest[:LINE_MAX_BYTES]
                    continue
                block = b"".join((rest, memoryview(read)[:cut]))
                if overlong:
                    self._refuse_line("line without an end", number)
                    block, overlong, number = block[block.index(b"\n") + 1 :], False, number + 1
                rest = read[cut:]
                if block:
                    yield self._block(block, number)
                number += line_count(block)
            if rest and end is None:
                self._ended_mid_line = True
                self._tally.facts["last line without an end"] += 1
                yield self._block(rest + b"\n", number)


def begun_line(file: BinaryIO, begin: int) -> tuple[bytes, bool]:
    """The line that has begun, and not ended, before the byte `begin`, at most its first 64 KiB.

    Args:
        file: the file, which may be sought in.
        begin: a multiple of `BLOCK_BYTES`, and not 0.

    Returns:
        The line so far, and whether it was given up as one without an end.
    """
    place = begin
    while place:
        place -= BLOCK_BYTES
        file.seek(place)
        cut = file.read(BLOCK_BYTES).rfind(b"\n") + 1
        if cut:
            place += cut
            break
    length = begin - place
    overlong = length >= BLOCK_BYTES and length > LINE_MAX_BYTES
    file.seek(place)
    return file.read(LINE_MAX_BYTES if overlong else length), overlong


class LineRecording(BlockRecording):
    """A recording of which each line stands for itself.

    A subclass says what one line holds; one that can read most lines at once overrides `_block` and leaves
    the others to `_slow_rows`.
    """

    @abstractmethod
    def _row(self, line: bytes) -> Row | None:
        """The frame of `line`, or None if the line is no frame and need not be.

        Args:
            line: one that is not empty, without white space around it.

        Raises:
            MalformedError: if the line should hold a frame and does not.
        """

    def _block(self, block: bytes, first_line: int) -> Piece:
        """See `BlockRecording._block`."""
        return piece_of([row for _, row in self._slow_rows(enumerate(block[:-1].split(b"\n")), first_line)])

    def _with_slow_rows(self, columns: Columns, block: bytes, first_line: int) -> Piece:
        """What was read of `block` at once, and the lines that were not, read one at a time."""
        places = np.flatnonzero(~columns.good).tolist()
        if places:
            lines = block.split(b"\n")
            for place, row in self._slow_rows(((place, lines[place]) for place in places), first_line):
                columns.put(place, row)
        return columns.piece()

    def _slow_rows(self, lines: Iterator[tuple[int, bytes]], first_line: int) -> Iterator[tuple[int, Row]]:
        """Read numbered `lines` one at a time; those that are malformed are counted and named."""
        for place, line in lines:
            stripped = line.strip()
            if not stripped:
                continue
            try:
                row = self._row(stripped)
            except MalformedError as error:
                self._refuse_line(str(error), first_line + place)
            else:
                if row is not None:
                    yield place, row
