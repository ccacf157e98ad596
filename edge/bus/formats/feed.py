"""`messages`: lines read through one of python-can's readers, so that one bad line costs no other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence

import can

READER_ERRORS = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
)
"""What python-can's text readers let through when a line is not as they expect it."""

Event = tuple[int, can.Message | str | None]
"""A line's place, and its message, None where the reader passed over it, or what it said against it."""


class Feed(io.TextIOBase):
    """Lines as the open text file that python-can wants; after its end it stays at the last line."""

    def __init__(self, heading: Sequence[str], lines: Sequence[str], start: int) -> None:
        super().__init__()
        self._heading = heading
        self._lines = lines
        self._place = start - len(heading)
        self._start = start

    @property
    def place(self) -> int:
        """Place in `lines` of the line handed out last; before the first one, the one before it."""
        return self._place - 1

    def __next__(self) -> str:  # type: ignore[override]
        place = self._place
        if place >= len(self._lines):
            raise StopIteration
        self._place += 1
        return self._lines[place] if place >= self._start else self._heading[place - self._start]

    def close(self) -> None:
        """Stay open; a reader closes its file when it is through, and nothing here needs closing."""


def messages(
    reader: Callable[[Feed], Iterator[can.Message]], heading: Sequence[str], lines: Sequence[str]
) -> Iterator[Event]:
    """Read `lines` through `reader`, beginning anew behind a line that it cannot read.

    Args:
        reader: makes an iterator of messages over an open text file.
        heading: lines that a new reader is shown first, which hold no frame.
        lines: the lines to read.

    Yields:
        For every line its place and what became of it, in order.
    """
    done = 0
    while done < len(lines):
        feed = Feed(heading, lines, done)
        try:
            for message in reader(feed):
                for passed in range(done, feed.place):
                    yield passed, None
                yield feed.place, message
                done = feed.place + 1
        except READER_ERRORS as error:
            at = max(feed.place, done)
            for passed in range(done, min(at, len(lines))):
                yield passed, None
            if at < len(lines):
                yield at, str(error) or type(error).__name__
            done = at + 1
        else:
            for passed in range(done, len(lines)):
                yield passed, None
            done = len(lines)
