"""`Schedule`: at which instants records are sampled, and which frames come before each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge.frames import FrameBatch


class Schedule:
    """The multiples of a period on the boot clock, each handed out once and in order.

    Instants are computed, not added up, so that they never drift; after a stall those that were missed follow
    one another at once, none left out.

    Args:
        period_ns: time between two instants.
        start_ns: the first instant is the first multiple of the period after this.

    Raises:
        ValueError: if the period is not positive.
    """

    def __init__(self, period_ns: int, *, start_ns: int) -> None:
        if period_ns <= 0:
            raise ValueError(f"a period of {period_ns} ns is no period")
        self._period_ns = period_ns
        self._next = start_ns // period_ns + 1

    @property
    def period_ns(self) -> int:
        """Time between two instants."""
        return self._period_ns

    @property
    def next_ns(self) -> int:
        """The next instant to be handed out."""
        return self._next * self._period_ns

    def due(self, up_to_ns: int) -> Iterator[int]:
        """Hand out every instant up to and including `up_to_ns` that was not handed out before."""
        while self.next_ns <= up_to_ns:
            instant_ns = self.next_ns
            self._next += 1
            yield instant_ns

    def cut(self, batch: FrameBatch, up_to_ns: int) -> Iterator[tuple[FrameBatch, int | None]]:
        """Cut a batch at the instants that fall due up to `up_to_ns`.

        A record at an instant holds what was received before it, so the frames before the first one stamped
        at or after the instant come with it. A late frame stays where it stands.

        Yields:
            Frames and the instant that follows them; last the frames after all instants, with None.
        """
        reached = np.maximum.accumulate(batch.t_ns)
        start = 0
        for instant_ns in self.due(up_to_ns):
            end = int(np.searchsorted(reached, instant_ns, side="left"))
            yield batch.take(slice(start, end)), instant_ns
            start = end
        yield batch.take(slice(start, None)), None
