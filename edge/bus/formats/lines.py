"""What the text formats share: blocks of whole lines in bounded memory, read as such or line by line."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from edge.bus.formats.base import Recording
from edge.bus.formats.rows import CUT_SHORT, MalformedError, Piece, Row, piece_of

BLOCK_BYTES = 1 << 20
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
        self._refuse(CUT_SHORT if self._ended_mid_line else cause, str(number))

    def _pieces(self) -> Iterator[Piece]:
        with self._path.open("rb") as file:
            rest = b""
            number = 1
            overlong = False
            while read := file.read(BLOCK_BYTES):
                cut = read.rfind(b"\n") + 1
                if not cut:
                    rest += read
                    if len(rest) > LINE_MAX_BYTES:
                        overlong, rest = True, rest[:LINE_MAX_BYTES]
                    continue
                block = rest + read[:cut] if rest else read[:cut]
                if overlong:
                    self._refuse_line("line without an end", number)
                    block, overlong, number = block[block.index(b"\n") + 1 :], False, number + 1
                rest = read[cut:]
                if block:
                    yield self._block(block, number)
                number += block.count(b"\n")
            if rest:
                self._ended_mid_line = True
                self._tally.facts["last line without an end"] += 1
                yield self._block(rest + b"\n", number)


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
