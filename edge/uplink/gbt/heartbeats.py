"""`Heartbeats`: when one is sent, which was answered, and when the platform is no longer there."""

from __future__ import annotations

from collections import deque

from edge.uplink.gbt.rules import SessionRules
from edge.uplink.settings import ns


class Heartbeats:
    """Those of one connection. Their answers bear nothing: each is taken for that of the oldest one.

    Args:
        rules: in numbers; may be set anew.

    Attributes:
        count: how many were sent.
    """

    def __init__(self, rules: SessionRules) -> None:
        self.rules = rules
        self.count = 0
        self._open: deque[tuple[int, int]] = deque()
        self._sent_ns = 0
        self._heard_ns = 0

    def begin(self, now_ns: int) -> None:
        """The session is logged in."""
        self.count = 0
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
        return self._open.popleft()[0] if self._open else None

    def given_up_ns(self) -> int | None:
        """When the platform counts as gone unless it answers before; None while that cannot be said."""
        missing = self._missing()
        tries = int(self.rules.heartbeat_tries)
        return missing[tries - 1] + ns(self.rules.answer_timeout_s) if len(missing) >= tries else None

    def _missing(self) -> list[int]:
        """When those were sent that were not answered since the last answer."""
        return [sent_ns for _, sent_ns in self._open if sent_ns >= self._heard_ns]
