"""`BackOff`: when a process that died is started again, later each time."""

from __future__ import annotations

FIRST_S, MAX_S = 1.0, 30.0
STEADY_S = 60.0
"""A process that has run for so long was well: the next back-off begins anew."""


class BackOff:
    """Says when the next start is due; it begins with one at `now_s`.

    Attributes:
        due_s: before that time nothing is to be started.
    """

    def __init__(self, now_s: float) -> None:
        self.due_s = now_s
        self._delay_s = FIRST_S

    def died(self, now_s: float, *, ran_s: float) -> float:
        """Put the next start off; tell by how much.

        Args:
            now_s: the present time.
            ran_s: for how long it had run; 0 if it never got so far.
        """
        if ran_s > STEADY_S:
            self._delay_s = FIRST_S
        delay_s = self._delay_s
        self.due_s = now_s + delay_s
        self._delay_s = min(2 * delay_s, MAX_S)
        return delay_s
