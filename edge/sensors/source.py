"""`ItemSource`: what every sensor beside CAN looks like to the gateway."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping

from edge.account import Hop
from edge.closing import Closing
from edge.sensors.observation import Observation


class ItemSource(Closing):
    """A source of items; a context manager that closes itself."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the source is called in the account."""

    @property
    @abstractmethod
    def items(self) -> tuple[str, ...]:
        """Ids of the items that it can provide; those that it lacks now are still named."""

    @abstractmethod
    def read(self, timeout_s: float) -> tuple[Observation, ...] | None:
        """Wait for news.

        Args:
            timeout_s: longest time to wait.

        Returns:
            What was observed, in the order of time; nothing if nothing came in time; None when the source is
            closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the device; a `read` that waits returns None."""

    @abstractmethod
    def hop(self) -> Hop:
        """The account of what the device said."""


def hop_of(name: str, unit: str, counts: Counter[str], facts: Mapping[str, int]) -> Hop:
    """The account of `counts`: ``entered``, ``left``, and each cause for setting something aside."""
    causes = {cause: count for cause, count in counts.items() if cause not in {"entered", "left"}}
    return Hop(name, unit, counts["entered"], counts["left"], causes, facts=facts)
