"""`Uplink`: one destination at work, on one thread, whatever tongue it speaks."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.errors import UplinkError
from edge.uplink.events import Notice
from edge.uplink.outbox import Loss, Store
from edge.uplink.outgoing import Kind, Outgoing

STILL_WAITING = "waiting to be acknowledged"

_LONGEST_SLEEP_S = 60.0
_JOIN_MORE_S = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UplinkState:
    """What a live table shows of an uplink.

    Attributes:
        phase: where the session stands; its value is for people.
        trouble: key of the trouble told and not yet over; empty if there is none.
        waiting_messages: held, not acknowledged.
        waiting_bytes: their payload.
    """

    phase: Enum
    trouble: str
    waiting_messages: int
    waiting_bytes: int


class Standing(Protocol):
    """What an uplink of any tongue tells of its session; see `Uplink` for what each says."""

    @property
    def done(self) -> bool:
        """See `Uplink.done`."""

    @property
    def online(self) -> bool:
        """See `Uplink.online`."""

    @property
    def phase(self) -> Enum:
        """See `Uplink.phase`."""

    @property
    def trouble(self) -> str:
        """See `Uplink.trouble`."""

    def largest_payload(self, kind: Kind) -> int | None:
        """See `Uplink.largest_payload`."""

    def facts(self) -> Mapping[str, int]:
        """See `Uplink.facts`."""


class Uplink(ABC):
    """Carries a session's actions to its link, and the link's events to the session.

    Live, `start` runs it on a thread of its own. In replay, simulation and tests, `step` is called instead,
    and the caller moves the clock on to the time that it returns.

    Args:
        session: the rules.
        store: the session's own store.
        clock: time.
        notify: told each notice; without one, they go to the log.

    Attributes:
        awakened: set whenever `step` may have something to do.
    """

    def __init__(
        self, session: Standing, store: Store, clock: Clock, notify: Callable[[Notice], None] | None
    ) -> None:
        self.awakened = threading.Event()
        self._standing = session
        self._store = store
        self._clock = clock
        self._notify = notify or _log
        self._stop_s: float | None = None
        self._thread: threading.Thread | None = None
        self._failure: UplinkError | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended after `stop`."""
        return self._standing.done

    @property
    def online(self) -> bool:
        """Whether messages can go now."""
        return self._standing.online

    @property
    def phase(self) -> Enum:
        """Where the session stands; its value is for people."""
        return self._standing.phase

    @property
    def trouble(self) -> str:
        """The key of the trouble last told and not yet over; empty if there is none."""
        return self._standing.trouble

    def largest_payload(self, kind: Kind) -> int | None:
        """Bytes of the largest payload that should be made for `kind` now; None if no limit is known."""
        return self._standing.largest_payload(kind)

    def facts(self) -> Mapping[str, int]:
        """Exact counts that explain the hop and are no part of its balance."""
        return self._standing.facts()

    @abstractmethod
    def step(self) -> int | None:
        """Do everything that can be done now.

        Returns:
            Boot-monotonic nanoseconds at which to call again if nothing happens before; None if there is no
            such time.
        """

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def failed(self) -> bool:
        """Whether its thread has failed, so that nothing will be sent any more."""
        return self._failure is not None

    def check(self) -> None:
        """Do nothing while all is well.

        Raises:
            UplinkError: if it has `failed`.
        """
        if self._failure is not None:
            raise self._failure

    def put(self, item: Outgoing) -> None:
        """Hand a message in; it is stored before this returns."""
        self._store.put(item)
        self.wake()

    def hurry(self) -> None:
        """The end is near: learn soon what has arrived; any thread may say so."""
        self.wake()

    def wake(self) -> None:
        """Have the store looked into again soon; any thread may call it."""
        self.awakened.set()

    def start(self) -> None:
        """Run on a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._thread.start()

    def stop(self, drain_s: float) -> bool:
        """Send what waits for up to `drain_s`, sign off, end the thread; True if nothing was left."""
        self.ask_to_stop(drain_s)
        if self._thread is not None:
            self._thread.join(drain_s + _JOIN_MORE_S)
        return self._store.empty()

    def ask_to_stop(self, drain_s: float) -> None:
        """As `stop`, without waiting for it: for use with `step`."""
        self._stop_s = drain_s
        self.awakened.set()

    def state(self) -> UplinkState:
        """The present state."""
        held = self._store.counts().held
        return UplinkState(self.phase, self.trouble, held.messages, held.payload_bytes)

    def take_losses(self) -> tuple[Loss, ...]:
        """Number ranges given up since the last call, to be told to the platform as range entries."""
        return self._store.take_losses()

    def hops(self) -> tuple[Hop, Hop]:
        """The account in messages and in records: entered = acknowledged + waiting + each loss."""
        counts = self._store.counts()
        waiting = counts.held
        messages = Hop(
            name="uplink",
            unit="messages",
            entered=counts.entered.messages,
            left=counts.acknowledged.messages,
            set_aside={
                **{cause: lost.messages for cause, lost in counts.lost.items()},
                **({STILL_WAITING: waiting.messages} if waiting.messages else {}),
            },
            facts=self.facts(),
        )
        records = Hop(
            name="uplink",
            unit="records",
            entered=counts.entered.records,
            left=counts.acknowledged.records,
            set_aside={
                **{cause: lost.records for cause, lost in counts.lost.items()},
                **({STILL_WAITING: waiting.records} if waiting.records else {}),
            },
        )
        return messages, records

    def _stop_deadline_ns(self) -> int | None:
        """Until when what waits may still go, once after each time that a stop was asked for."""
        if self._stop_s is None:
            return None
        stop_s, self._stop_s = self._stop_s, None
        return self._clock.boot_ns() + round(stop_s * NS_PER_S)

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:
            # A thread has no caller; whoever waits for messages to go learns it from `check`.
            logger.exception("the uplink failed")
            self._failure = UplinkError(f"the uplink failed: {type(error).__name__}: {error}")

    def _serve(self) -> None:
        while not self.done:
            wake_ns = self.step()
            if self.done:
                return
            timeout_s = _LONGEST_SLEEP_S
            if wake_ns is not None:
                timeout_s = min(timeout_s, max(0.0, (wake_ns - self._clock.boot_ns()) / NS_PER_S))
            self._clock.wait(self.awakened, timeout_s)


def _log(notice: Notice) -> None:
    logger.log(logging.WARNING if notice.trouble else logging.INFO, "%s", notice.text)
