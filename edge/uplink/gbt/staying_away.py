"""`StayingAway`: how long a terminal stays away from a platform after a connection has ended."""

from __future__ import annotations

import random

from edge.uplink.backoff import Backoff
from edge.uplink.gbt.rules import SessionRules
from edge.uplink.settings import ns

_SHORT_SESSIONS = 3


class StayingAway:
    """Growing pauses, which begin anew once a session has lasted.

    Args:
        rules: in numbers.
        rng: source of all jitter.

    Attributes:
        settled: whether the present session has lasted so long that it counts as good.
    """

    def __init__(self, rules: SessionRules, rng: random.Random) -> None:
        self.settled = False
        self._rules = rules
        self._pauses = Backoff(ns(rules.reconnect_first_s), ns(rules.reconnect_cap_s), rng)
        self._short_sessions = 0

    def begin(self) -> None:
        """A session is logged in."""
        self.settled = False

    def settles_ns(self, login_ns: int) -> int | None:
        """When the present session counts as good; None if it does."""
        return None if self.settled else login_ns + ns(self._rules.settled_s)

    def settle(self) -> None:
        """The present session counts as good from now on."""
        self.settled = True
        self._short_sessions = 0
        self._pauses.reset()

    def thrown_out(self) -> bool:
        """The platform has ended a session; whether it has done so several times soon after the login."""
        if self.settled:
            return False
        self._short_sessions += 1
        return self._short_sessions >= _SHORT_SESSIONS

    def next_ns(self) -> int:
        """The next pause."""
        return self._pauses.next_ns()
