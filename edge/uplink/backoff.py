"""Pauses that double up to a cap, with a random part so that a fleet does not return all at once."""

from __future__ import annotations

import random


class Backoff:
    """One row of growing pauses.

    Args:
        first_ns: the first pause, before its random part.
        cap_ns: the longest.
        rng: source of the random part.
    """

    def __init__(self, first_ns: int, cap_ns: int, rng: random.Random) -> None:
        self._first_ns = first_ns
        self._cap_ns = cap_ns
        self._rng = rng
        self._next_ns = first_ns

    def next_ns(self) -> int:
        """The next pause in nanoseconds: between a half and the whole of the present step."""
        step_ns = self._next_ns
        self._next_ns = min(self._cap_ns, 2 * step_ns)
        return step_ns // 2 + round(self._rng.random() * (step_ns - step_ns // 2))

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._next_ns = self._first_ns
