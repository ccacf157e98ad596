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
        start_ns: the first instant is the first multiple after this.
        between_ns: a second period, whose multiples are handed out too; None for none.

    Raises:
        ValueError: if a period is not positive.
    """

    def __init__(self, period_ns: int, *, start_ns: int, between_ns: int | None = None) -> None:
        self._periods = (period_ns,) if between_ns is None else (period_ns, between_ns)
        for period in self._periods:
            if period <= 0:
                raise ValueError(f"a period of {period} ns is no period")
        self._reached_ns = start_ns

    @property
    def next_ns(self) -> int:
        """The next instant to be handed out."""
        return min((self._reached_ns // period + 1) * period for period in self._periods)

    def due(self, up_to_ns: int) -> Iterator[int]:
        """Hand out every instant up to and including `up_to_ns` that was not handed out before."""
        while self.next_ns <= up_to_ns:
            self._reached_ns = self.next_ns
            yield self._reached_ns

    def cut(self, batch: FrameBatch, up_to_ns: int) -> Iterator[tuple[FrameBatch, int | None]]:
        """Cut a batch at the instants that fall due up to `up_to_ns`.

        A record at an instant holds what was received before it, so the frames before the first one stamped
        at or after the instant come with it. A late frame stays where it stands.

        Yields:
            Frames and the instant that follows them; last the frames after all instants, with None.
        """
        if self.next_ns > up_to_ns:
            yield batch, None
            return
        reached = np.maximum.accumulate(batch.t_ns)
        start = 0
        for instant_ns in self.due(up_to_ns):
            end = int(np.searchsorted(reached, instant_ns, side="left"))
            yield batch.take(slice(start, end)), instant_ns
            start = end
        yield batch.take(slice(start, None)), None
