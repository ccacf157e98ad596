"""`Rests`: when messages of a kind are not begun for a while, and how often trouble was the cause."""

from __future__ import annotations

import logging

from edge.clock import NS_PER_S, Clock
from edge.uplink.outgoing import Kind

REST_S = 60.0

logger = logging.getLogger(__name__)


class Rests:
    """Pauses, by kind.

    Args:
        destination: named in the log.
        clock: time.

    Attributes:
        troubles: how often a message had to wait because the journal or its keys could not be read.
    """

    def __init__(self, destination: str, clock: Clock) -> None:
        self._destination = destination
        self._clock = clock
        self._until_ns = dict.fromkeys(Kind, 0)
        self.troubles = 0

    def begin(self, *kinds: Kind) -> None:
        """Rest from now on."""
        for kind in kinds:
            self._until_ns[kind] = self._clock.boot_ns() + round(REST_S * NS_PER_S)

    def on(self, kind: Kind) -> bool:
        """Whether messages of `kind` rest now."""
        return self._clock.boot_ns() < self._until_ns[kind]

    def trouble(self, error: Exception) -> None:
        """Count what went wrong; the first is told."""
        self.troubles += 1
        if self.troubles == 1:
            logger.warning("a message for %s has to wait: %s", self._destination, error)
