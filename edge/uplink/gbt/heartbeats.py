"""`Heartbeats`: when one is sent, which was answered, and when the platform is no longer there."""

from __future__ import annotations

from collections import deque

from edge.uplink.gbt.rules import SessionRules
from edge.uplink.settings import ns


class Heartbeats:
    """Their answers bear nothing: each is taken for that of the oldest one on the connection.

    A platform that passes some over thus puts off what their answers let go of, the more the longer it lasts.
    Where that counts, one that lies unanswered for as long as all tries take ends the connection too.

    Args:
        rules: in numbers; may be set anew.
        counted: whether it counts which one was answered.

    Attributes:
        count: how many were sent.
    """

    def __init__(self, rules: SessionRules, *, counted: bool) -> None:
        self.rules = rules
        self._counted = counted
        self.count = 0
        self._open: deque[tuple[int, int]] = deque()
        self._sent_ns = 0
        self._heard_ns = 0

    def begin(self, now_ns: int) -> None:
        """The session is logged in."""
        self._open.clear()
        self._sent_ns = self._heard_ns = now_ns

    def due_ns(self, *, wanted: bool) -> int:
        """When the next is to be sent.

        Args:
            wanted: whether something waits for its answer.
        """
        rules = self.rules
        if self._missing():
            return self._sent_ns + ns(min(rules.heartbeat_s, rules.answer_timeout_s))
        return self._sent_ns + ns(min(rules.heartbeat_s, rules.probe_s) if wanted else rules.heartbeat_s)

    def sent(self, now_ns: int) -> None:
        """One has been sent."""
        self.count += 1
        self._sent_ns = now_ns
        self._open.append((self.count, now_ns))

    def answered(self, now_ns: int) -> int | None:
        """One was answered: its number; None if none was to be answered."""
        self._heard_ns = now_ns
        if not self._open:
            return None
        number, _ = self._open.popleft()
        if not self._counted:
            self._open.clear()
        return number

    def given_up_ns(self) -> int | None:
        """When the platform counts as gone unless it answers before; None while that cannot be said."""
        missing = self._missing()
        tries = int(self.rules.heartbeat_tries)
        timeout_ns = ns(self.rules.answer_timeout_s)
        times = [missing[tries - 1] + timeout_ns] if len(missing) >= tries else []
        if self._counted and self._open:
            times.append(self._open[0][1] + tries * timeout_ns)
        return min(times, default=None)

    def _missing(self) -> list[int]:
        """When those were sent that were not answered since the last answer."""
        return [sent_ns for _, sent_ns in self._open if sent_ns >= self._heard_ns]
