"""`MediaPurge`: removes stills and clips that have arrived, where a configuration keeps them no longer."""

from __future__ import annotations

from collections.abc import Collection

import apsw

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.forward.media.given import sent_to_all
from edge.journal.upkeep.condemned import empty_blocks

PERIOD_S = 10.0
ARRIVED = "arrived, and not to be kept"
_AT_ONCE = 64


class MediaPurge:
    """Empties blocks of media between two commits (`Journal.chores`).

    What some destination has whole and no other waits for goes; what is withheld from all stays.

    Args:
        destinations: names in the journal of all that stills and clips are sent to.
        clock: time.
    """

    def __init__(self, destinations: Collection[str], clock: Clock) -> None:
        self._destinations = tuple(destinations)
        self._clock = clock
        self._due_ns = 0
        self._removed = 0

    def step(self, connection: apsw.Connection) -> bool:
        """Remove some; tell whether there is more to do.

        Raises:
            apsw.Error: the disk refuses; nothing was changed.
        """
        if not self._destinations or self._clock.boot_ns() < self._due_ns:
            return False
        found = sent_to_all(connection, self._destinations, _AT_ONCE)
        if found:
            empty_blocks(connection, found)
            self._removed += len(found)
        more = len(found) == _AT_ONCE
        self._due_ns = 0 if more else self._clock.boot_ns() + round(PERIOD_S * NS_PER_S)
        return more

    def hops(self) -> tuple[Hop, ...]:
        """What was removed in this run."""
        if not self._removed:
            return ()
        return (Hop("journal media", "media", self._removed, 0, {ARRIVED: self._removed}),)
