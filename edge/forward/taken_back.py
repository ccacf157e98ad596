"""`TakenBack`: messages that an erasure took back after they were sent, whose answer may still come."""

from __future__ import annotations

from dataclasses import dataclass

from edge.clock import NS_PER_S, Clock
from edge.journal.cursors import StreamCursor
from edge.journal.pending import Edit
from edge.uplink.outgoing import Outgoing

ANSWER_S = 60.0


@dataclass(frozen=True, slots=True)
class _Sent:
    cursor: StreamCursor
    first: int
    last: int
    records: int
    until_ns: int


class TakenBack:
    """Keeps the numbers of such messages, not their bytes, from going again while an answer may come.

    What the platform has of them already would be a double with other contents. The database counts these
    numbers as not given, so that after a crash they go again in any case.

    Args:
        destination: its name in the journal.
        clock: time.
    """

    def __init__(self, destination: str, clock: Clock) -> None:
        self._destination = destination
        self._clock = clock
        self._sent: dict[int, _Sent] = {}

    def take(self, position: int, cursor: StreamCursor, item: Outgoing) -> None:
        """A message that was sent, at a position, has been taken back."""
        cursor.unanswered.add(item.first_number, item.last_number)
        until_ns = self._clock.boot_ns() + round(ANSWER_S * NS_PER_S)
        self._sent[position] = _Sent(cursor, item.first_number, item.last_number, item.record_count, until_ns)

    def arrived(self, position: int) -> tuple[int, list[Edit]] | None:
        """The message has arrived after all: how many records it had, and what the database is to be told."""
        sent = self._release(position)
        if sent is None:
            return None
        return sent.records, sent.cursor.cover(self._destination, sent.first, sent.last)

    def failed(self, position: int) -> None:
        """No answer will come: its numbers go again."""
        self._release(position)

    def expire(self) -> None:
        """Give up waiting for answers that are overdue."""
        if not self._sent:
            return
        now_ns = self._clock.boot_ns()
        for position in [one for one, sent in self._sent.items() if sent.until_ns <= now_ns]:
            self._release(position)

    def _release(self, position: int) -> _Sent | None:
        sent = self._sent.pop(position, None)
        if sent is not None:
            sent.cursor.unanswered.remove(sent.first, sent.last)
        return sent
