"""`Keeping`: gives a message its place in the journal, sealed, before it is sent for the first time."""

from __future__ import annotations

from collections.abc import Callable

from edge.clock import Clock
from edge.forward.held import Held
from edge.journal.chain import period_of
from edge.journal.cursors import StreamCursor
from edge.journal.opening import OpenJournal
from edge.journal.pending import Edit
from edge.journal.stored import StoredMessage, insertion
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics


class Keeping:
    """Keeps the messages of one destination.

    Args:
        opened: the journal.
        destination: its name in the journal.
        topics: of the vehicle.
        clock: time.
        boot: names the boot.
        draw: draws random bytes.
    """

    def __init__(
        self,
        opened: OpenJournal,
        destination: str,
        topics: VehicleTopics,
        *,
        clock: Clock,
        boot: bytes,
        draw: Callable[[int], bytes],
    ) -> None:
        self._keys = opened.keys
        self._positions = opened.positions()
        self._destination = destination
        self._topics = topics
        self._clock = clock
        self._boot = boot
        self._draw = draw

    def place(
        self, kind: Kind, cursor: StreamCursor | None, payload: bytes, first: int, last: int, count: int
    ) -> tuple[Held, list[Edit]]:
        """A message with its place, and what keeps it in the journal.

        Args:
            kind: what the message is.
            cursor: of the stream of its numbers; None without numbers.
            payload: the signed bytes.
            first: the first number that it answers for; 0 without numbers.
            last: the last.
            count: the records in it.

        Raises:
            JournalError: it cannot be sealed.
        """
        row, topic = next(self._positions), self._topics.up(kind)
        stream, ordinal = (b"", 0) if cursor is None else (cursor.stream, cursor.ordinal)
        item = Outgoing(kind, topic, payload, stream, first, last, count)
        stored = StoredMessage(row, int(kind), topic, ordinal, first, last, count, payload)
        period = period_of(self._clock.wall_ns(), self._boot)
        edit = insertion(stored, self._destination, self._keys, period, self._draw)
        return Held(item, row, ordinal), [edit]
