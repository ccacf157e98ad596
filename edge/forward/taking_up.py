"""Takes up what an earlier run left: messages byte for byte, gaps, and numbers to be given anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.clock import NS_PER_DAY, Clock, TimeQuality
from edge.forward.gaps import Gap
from edge.forward.held import Held
from edge.journal.cursors import StreamCursor
from edge.journal.opening import OpenJournal
from edge.journal.pending import Edit
from edge.journal.stored import StoredMessage, deletion
from edge.journal.upkeep.limits import PRIVATE_DAYS
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.loss import LossCause, LossRange


@dataclass(slots=True)
class TakenUp:
    """What an earlier run left for one destination.

    Attributes:
        held: messages that are not acknowledged, in their order.
        gaps: those that none of the messages tells.
        edits: what the database is to be told.
    """

    held: list[Held] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)


def take_up(
    opened: OpenJournal,
    destination: str,
    cursors: Sequence[StreamCursor],
    clock: Clock,
) -> TakenUp:
    """Load messages and gaps of a destination.

    A message that cannot be opened, because its data key was destroyed or its row changed, gives its numbers
    back: their records go in a new message, or are found to be gone. So does one with records that was made
    too long ago: what was in it may be of a class that is kept no longer.

    Args:
        opened: the journal, before anything is committed.
        destination: its name in the journal.
        cursors: of its streams; numbers given back are taken out of them.
        clock: time.

    Raises:
        JournalError: the key store cannot be read.
        apsw.Error: the journal cannot be read.
    """
    found = TakenUp()
    by_ordinal = {cursor.ordinal: cursor for cursor in cursors}
    told: set[tuple[int, int]] = set()
    for stored in opened.messages(destination, oldest_day=_oldest_day(clock)):
        cursor = by_ordinal.get(stored.stream)
        if stored.payload and (cursor is not None or not stored.stream):
            found.held.append(_held(stored, cursor))
            if not stored.records:
                told.add((stored.stream, stored.first))
            continue
        found.edits.append(deletion(stored.position))
        if cursor is not None and stored.records:
            found.edits += cursor.uncover(destination, stored.first, stored.last)
    for ordinal, first, last, cause in opened.gaps(destination):
        cursor = by_ordinal.get(ordinal)
        if cursor is not None and (ordinal, first) not in told:
            found.gaps.append(Gap(cursor, LossRange(first, last, LossCause(cause))))
    return found


def _held(stored: StoredMessage, cursor: StreamCursor | None) -> Held:
    stream = b"" if cursor is None else cursor.stream
    item = Outgoing(
        Kind(stored.kind), stored.topic, stored.payload, stream, stored.first, stored.last, stored.records
    )
    return Held(item, stored.position, stored.stream)


def _oldest_day(clock: Clock) -> int | None:
    """The first UTC day of which private data may be kept; None if the vehicle does not know the day."""
    if clock.timebase().quality is TimeQuality.NONE:
        return None
    return clock.wall_ns() // NS_PER_DAY - math.ceil(PRIVATE_DAYS)
