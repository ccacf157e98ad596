"""`PowerKeeper`: keeps the gateway and the supervisor of its power of one mind, without I/O of its own."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from edge.clock import NS_PER_S
from edge.power.line import KEEP_MAX_S
from edge.power.supervisor import ShutdownRequest, Supervisor, SupplyFalling, Wish


@dataclass(frozen=True, slots=True)
class KeeperRules:
    """How a gateway ends.

    Attributes:
        close_s: what it keeps of the time that is left for closing the journal.
        after_watch_s: so long after a watch power is still wanted: its last records are made and sent.
        renew_s: power is asked for so often while it is wanted; a packet that is lost costs one of these.
        longest_end_s: for so long at the most an end asks for time; the supervisor has a limit of its own.
        wake_after_s: the gateway is to be woken so long after its end; 0 for never.
    """

    close_s: float = 5.0
    after_watch_s: float = 60.0
    renew_s: float = 20.0
    longest_end_s: float = 120.0
    wake_after_s: int = 0


class PowerKeeper:
    """Follows what a supervisor says, and tells the run of a gateway what to do.

    `take` may be called by the thread that reads the supervisor's words, `step` by any; the thread that runs
    the gateway calls `step` while it runs, and another one while it closes.

    Args:
        supervisor: whom it asks.
        rules: how the gateway ends.

    Attributes:
        request: the first request that came; None while none has.
    """

    def __init__(self, supervisor: Supervisor, rules: KeeperRules | None = None) -> None:
        self._supervisor = supervisor
        self._rules = rules or KeeperRules()
        self._lock = threading.Lock()
        self.request: ShutdownRequest | None = None
        self._requested_ns = 0
        self._cut_ns = 0
        self._save = False
        self._closed = False
        self._asked_ns: int | None = None

    @property
    def ending(self) -> bool:
        """Whether the gateway was asked to end."""
        return self.request is not None

    @property
    def cut_ns(self) -> int:
        """When power is cut without an answer, boot-monotonic, as the last request says."""
        return self._cut_ns

    def take(self, said: ShutdownRequest | SupplyFalling, now_ns: int) -> None:
        """Take up what the supervisor says.

        Args:
            said: a request said again renews the time that is left; one after the end is answered once more,
                since the answer was lost.
            now_ns: boot-monotonic.
        """
        with self._lock:
            if isinstance(said, SupplyFalling):
                self._save = True
                return
            self._cut_ns = now_ns + round(said.left_s * NS_PER_S)
            if self.request is None:
                self.request = said
                self._requested_ns = now_ns
                self._asked_ns = None
                # If power is cut without an answer, it is to come back all the same.
                self._wake_later()
            if self._closed:
                self._supervisor.shutdown_done()

    def step(self, now_ns: int, watched_until_ns: int | None = None) -> Wish:
        """Ask for power where it is wanted, and tell what the run is to do.

        Args:
            now_ns: boot-monotonic.
            watched_until_ns: until when the rules ask for the vehicle to be watched (`Gateway`); None for no
                watch.
        """
        with self._lock:
            if self.request is not None:
                self._ask_for_time_to_end(now_ns)
                return Wish.END
            self._ask_to_watch(now_ns, watched_until_ns)
            if self._save:
                self._save = False
                return Wish.SAVE
            return Wish.GO_ON

    def drain_s(self, wanted_s: float, now_ns: int) -> float:
        """For how long the end may wait for receipts: what is wanted, less where power goes before.

        The time that closing takes is kept back. Without a request it is what is wanted.
        """
        if self.request is None:
            return wanted_s
        left_s = (self._cut_ns - now_ns) / NS_PER_S - self._rules.close_s
        return max(0.0, min(wanted_s, left_s))

    def closed(self) -> None:
        """The journal is closed: say so, where that was asked for, now and whenever it is asked for again."""
        with self._lock:
            self._closed = True
            if self.request is not None:
                self._wake_later()
                self._supervisor.shutdown_done()

    def _wake_later(self) -> None:
        if self._rules.wake_after_s:
            self._supervisor.wake_in(self._rules.wake_after_s)

    def _ask_for_time_to_end(self, now_ns: int) -> None:
        """Have power kept in small pieces while the end takes longer than what is left."""
        rules = self._rules
        ended_s = (now_ns - self._requested_ns) / NS_PER_S
        left_s = (self._cut_ns - now_ns) / NS_PER_S
        if self._closed or left_s > 2 * rules.close_s or ended_s > rules.longest_end_s:
            return
        if self._due(now_ns, rules.close_s / 5):
            self._supervisor.keep_power(math.ceil(2 * rules.close_s))

    def _ask_to_watch(self, now_ns: int, until_ns: int | None) -> None:
        if until_ns is not None:
            left_s = (until_ns - now_ns) / NS_PER_S + self._rules.after_watch_s
            if left_s > 0:
                if self._due(now_ns, self._rules.renew_s):
                    self._supervisor.keep_power(min(math.ceil(left_s), KEEP_MAX_S))
                return
        if self._asked_ns is not None:
            self._asked_ns = None
            self._supervisor.keep_power(0)

    def _due(self, now_ns: int, period_s: float) -> bool:
        if self._asked_ns is not None and now_ns - self._asked_ns < round(period_s * NS_PER_S):
            return False
        self._asked_ns = now_ns
        return True
