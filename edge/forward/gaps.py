"""`Gaps`: numbers that will not come, kept until the platform has been told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from edge.journal.cursors import OWN_STREAM, StreamCursor
from edge.journal.pending import Edit
from edge.wire.loss import LossRange

GIVEN_UP = "given up"
_TOTAL = "INSERT OR REPLACE INTO total (hop, name, count) VALUES (?, ?, ?)"
_NOTE = "INSERT OR REPLACE INTO gap (destination, stream, first, last, cause) VALUES (?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM gap WHERE destination = ? AND stream = ? AND first = ?"


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers of a stream that the platform has yet to be told of."""

    cursor: StreamCursor
    entry: LossRange


class Gaps:
    """The gaps of one destination, in the order in which they came about.

    A gap stays in the database until its message is acknowledged, so that whatever becomes of the message, a
    later run tells it.

    Args:
        destination: its name in the journal.
        gaps: those that no message tells yet.
        given_up: how many numbers of the own stream were given up so far.

    Attributes:
        given_up: as above, with those of this run.
    """

    def __init__(self, destination: str, gaps: Iterable[Gap], given_up: int) -> None:
        self._destination = destination
        self._untold = deque(gaps)
        self.given_up = given_up

    def __len__(self) -> int:
        return len(self._untold)

    def note(self, cursor: StreamCursor, entry: LossRange) -> list[Edit]:
        """Take a gap up; returns what the database is to be told."""
        self._untold.append(Gap(cursor, entry))
        edits: list[Edit] = []
        if cursor.ordinal == OWN_STREAM:
            self.given_up += entry.last - entry.first + 1
            edits.append((_TOTAL, (ledger_name(self._destination), GIVEN_UP, self.given_up)))
        values = (self._destination, cursor.ordinal, entry.first, entry.last, int(entry.cause))
        return [*edits, (_NOTE, values)]

    def first(self) -> Gap | None:
        """The first gap that no message tells yet."""
        return self._untold[0] if self._untold else None

    def told(self) -> None:
        """The first gap has its message."""
        self._untold.popleft()

    def acknowledged(self, stream: int, first: int) -> Edit:
        """What forgets a gap whose message has arrived."""
        return (_FORGET, (self._destination, stream, first))


def ledger_name(destination: str) -> str:
    """What the sums of a destination are called in the journal and in the account."""
    return f"forward to {destination}"
