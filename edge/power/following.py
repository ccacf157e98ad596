"""`PowerFollower`: has the run of a gateway do what the supervisor of its power asks for."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.power.keeper import KeeperRules, PowerKeeper
from edge.power.line import PowerEvent, PowerLine
from edge.power.link import PowerLink
from edge.power.supervisor import (
    SHUTDOWN_CAUSES,
    ShutdownRequest,
    SupervisorEvent,
    SupplyFalling,
    Wish,
)

ATTEND_S = 0.1
"""How often the supervisor is heard while the gateway closes."""

SILENT_S = 5.0
"""A supervisor says each second how it stands; what it said before so long holds no more."""

HOP = "power"
OTHER_CAUSE = "another cause"

logger = logging.getLogger("nevgate")


class Watched(Protocol):
    """What is needed of the gateway that runs."""

    @property
    def watched_until_ns(self) -> int | None:
        """Until when the rules ask for the vehicle to be watched."""

    def supply_lost(self) -> None:
        """Commit now."""


class PowerFollower:
    """Hears the supervisor, has its wishes done, and answers when the gateway is closed.

    `step` is for the thread that runs the gateway; within `closing` a thread of its own goes on hearing and
    asking for time. If the supervisor is out of reach, nothing is asked of the gateway; one that gets no
    answer cuts the power when its patience is over, which costs what a power cut costs.

    Args:
        line: to the supervisor; hung up by `closing`.
        rules: how the gateway ends.
        clock: time.

    Attributes:
        keeper: what it goes by.
    """

    def __init__(self, line: PowerLine, rules: KeeperRules, clock: Clock) -> None:
        self._line = line
        self._clock = clock
        self._longest_end_s = rules.longest_end_s
        self._link = PowerLink(line)
        self.keeper = PowerKeeper(self._link, rules)
        self._over = threading.Event()
        self._heard_ns: int | None = None
        self._facts: Counter[str] = Counter()
        self._told = 0

    @property
    def why(self) -> str:
        """Why the supervisor asked for the end; empty while it has not."""
        request = self.keeper.request
        if request is None:
            return ""
        status = self._link.status
        ignition = None if status is None else status.ignition
        at = {None: "", True: ", ignition on", False: ", ignition off"}[ignition]
        return f"{request.cause or OTHER_CAUSE}{at}"

    @property
    def answered(self) -> bool:
        """Whether the supervisor knows that the gateway has ended."""
        return self._link.answered

    def step(self, gateway: Watched, stop: threading.Event) -> None:
        """Hear what was said, have the gateway commit or end where that is asked for."""
        self._hear()
        wish = self.keeper.step(self._clock.boot_ns(), gateway.watched_until_ns)
        if wish is Wish.SAVE:
            gateway.supply_lost()
        elif wish is Wish.END:
            stop.set()

    def drain_s(self, wanted_s: float) -> float:
        """For how long receipts may be waited for; see `PowerKeeper.drain_s`."""
        return self.keeper.drain_s(wanted_s, self._clock.boot_ns())

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Follow the supervisor while the block closes the gateway, then tell it, and hang up.

        Where the block fails, the supervisor is told nothing: it waits as long as it has said.
        """
        thread = threading.Thread(target=self._attend, name="power", daemon=True)
        thread.start()
        try:
            yield
            self.closed()
            self._await_answer()
        finally:
            self._over.set()
            thread.join()
            self._line.hang_up()

    def attend(self, timeout_s: float) -> None:
        """Follow for so long once capture is closed: hear, and ask for time where the end takes it."""
        self._line.attend(timeout_s)
        self._hear()
        self.keeper.step(self._clock.boot_ns())

    def closed(self) -> None:
        """The journal is closed: tell the supervisor, where it has asked for that."""
        self.keeper.closed()
        if self.keeper.ending:
            logger.info("ended: the supervisor of power asked for it: %s", self.why)

    def state(self) -> Mapping[str, object]:
        """How the supervisor stands, for people."""
        status = self._link.status
        now_ns = self._clock.boot_ns()
        if status is None or self._heard_ns is None or now_ns - self._heard_ns > SILENT_S * NS_PER_S:
            status = None
        return {
            "supervisor": "out of reach" if status is None else status.state.words,
            "supply_v": None if status is None or status.supply_mv is None else status.supply_mv / 1000,
            "ignition": None if status is None else status.ignition,
            "ending": self.why,
        }

    def hops(self) -> tuple[Hop, ...]:
        """What the supervisor has told; nothing before it has told anything."""
        if not self._told:
            return ()
        return (Hop(HOP, "events", self._told, self._told, facts=dict(self._facts)),)

    def _attend(self) -> None:
        """Be the thread that follows while the gateway closes."""
        while not self._over.is_set():
            self.attend(ATTEND_S)

    def _await_answer(self) -> None:
        """Wait until the supervisor has taken up that the gateway has ended, or power is cut."""
        if not self.keeper.ending:
            return
        end_ns = self._clock.boot_ns() + round(self._longest_end_s * NS_PER_S)
        while not self.answered and self._clock.boot_ns() < min(end_ns, self.keeper.cut_ns):
            self._clock.wait(self._over, ATTEND_S)
        if self.answered:
            logger.info("the supervisor of power knows that the journal is closed")
        else:
            self._facts["ends not answered for"] += 1
            logger.warning("the supervisor of power has not heard that the journal is closed")

    def _hear(self) -> None:
        now_ns = self._clock.boot_ns()
        said = self._link.hear()
        if said:
            self._heard_ns = now_ns
        for event in said.events:
            self._told += 1
            self._facts[f"events: {event.event.words}"] += 1
            self._take(event, now_ns)

    def _take(self, told: PowerEvent, now_ns: int) -> None:
        match told.event:
            case SupervisorEvent.SHUTDOWN_PLEASE:
                left_s = max(0, told.argument) / 1000
                reason = told.cause if told.cause in SHUTDOWN_CAUSES else OTHER_CAUSE
                if not self.keeper.ending:
                    self._facts[f"asked to end: {reason}"] += 1
                    logger.warning("the supervisor of power asks to end within %.0f s: %s", left_s, reason)
                self.keeper.take(ShutdownRequest(left_s, reason), now_ns)
            case SupervisorEvent.SUPPLY_FALLING:
                logger.warning("the supply falls (%.1f V): all is committed now", told.argument / 1000)
                self.keeper.take(SupplyFalling(told.argument), now_ns)
            case SupervisorEvent.IGNITION:
                logger.info("ignition %s", "on" if told.argument else "off")
            case _:
                logger.info("supervisor of power: %s", told.event.words)
