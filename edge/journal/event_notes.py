"""Events as blocks of the journal: when each began and ended, and why."""

from __future__ import annotations

from edge.clock import Timebase
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.vehicle.outcome import EventEnded, EventStarted
from edge.wire.strict_cbor import CborValue, write_cbor

MOST_LOCKED = 10
_KEPT = 1_000


class EventNotes:
    """Writes the blocks of events, and knows which of them are locked.

    Args:
        boot: names the boot of their times.
        locked_before: how many locked events the journal holds from earlier runs.
        most_locked: further events are kept as others are; at least three collisions are never overwritten
            by later ones (GB 39732), and their sum is bounded by this.
    """

    def __init__(self, boot: bytes, *, locked_before: int = 0, most_locked: int = MOST_LOCKED) -> None:
        self._boot = boot
        self._locks_left = most_locked - locked_before
        self._locked: dict[str, bool] = {}

    def locked(self, event_id: str) -> bool:
        """Whether later events may not displace this one."""
        return self._locked.get(event_id, False)

    def note(self, event: EventStarted | EventEnded, timebase: Timebase) -> Draft:
        """The block that says that an event began or ended (docs/journal-format.md).

        The block of a beginning ends when it was seen: no block reaches beyond the time of its making.
        """
        fields: dict[int, CborValue] = {1: event.event_id, 2: event.trigger, 5: event.cause}
        if isinstance(event, EventStarted):
            locked = event.locked and self._locks_left > 0
            self._locks_left -= locked
            self._locked[event.event_id] = locked
            if len(self._locked) > _KEPT:
                del self._locked[next(iter(self._locked))]
            fields |= {3: 0, 4: [event.from_ns, event.to_ns], 6: event.at_ns, 7: int(locked)}
            fields[8] = event.complete_from_ns
        else:
            fields |= {3: 1, 4: [event.from_ns, event.to_ns], 9: event.frames, 10: event.again}
        return Draft(
            BlockKind.EVENT,
            "",
            write_cbor({key: fields[key] for key in sorted(fields)}),
            self._boot,
            event.from_ns,
            max(event.from_ns, event.at_ns if isinstance(event, EventStarted) else event.to_ns),
            timebase,
            count=1,
            locked=self.locked(event.event_id),
        )
