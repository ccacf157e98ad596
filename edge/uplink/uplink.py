"""`Uplink`: one destination at work: a session, its link and its store, on one thread."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.errors import UplinkError, WireError
from edge.uplink.events import (
    Action,
    Arrived,
    Connect,
    Disconnect,
    Event,
    Notice,
    Publish,
    ReceiptArrived,
    Stop,
    Subscribe,
    Tick,
    WakeAt,
)
from edge.uplink.link import Link
from edge.uplink.outbox import Loss, Store
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.session import Phase, Session
from edge.wire.mac0 import MAC0_HEAD
from edge.wire.receipt import Receipt

STILL_WAITING = "waiting to be acknowledged"

_LONGEST_SLEEP_S = 60.0
_MAC0 = bytes([MAC0_HEAD])
_JOIN_MORE_S = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UplinkState:
    """What a live table shows of an uplink.

    Attributes:
        phase: where the session stands.
        trouble: key of the trouble told and not yet over; empty if there is none.
        waiting_messages: held, not acknowledged.
        waiting_bytes: their payload.
    """

    phase: Phase
    trouble: str
    waiting_messages: int
    waiting_bytes: int


class Uplink:
    """Carries a session's actions to its link, and the link's events to the session.

    Live, `start` runs it on a thread of its own. In replay, simulation and tests, `step` is called instead,
    and the caller moves the clock on to the time that it returns.

    Args:
        session: the rules.
        link: the connection; nobody else may use it.
        store: the session's own store.
        clock: time.
        read_receipt: decodes and checks a receipt's payload; raises `WireError` for one that is not valid.
        notify: told each notice; without one, they go to the log.
    """

    def __init__(
        self,
        *,
        session: Session,
        link: Link,
        store: Store,
        clock: Clock,
        read_receipt: Callable[[bytes], Receipt],
        notify: Callable[[Notice], None] | None = None,
    ) -> None:
        self._session = session
        self._link = link
        self._store = store
        self._clock = clock
        self._read_receipt = read_receipt
        self._notify = notify or _log
        self._wake = threading.Event()
        self._stop_s: float | None = None
        self._thread: threading.Thread | None = None
        self._failure: UplinkError | None = None
        self._facts: Counter[str] = Counter()
        link.attach(self._wake)

    @property
    def done(self) -> bool:
        """Whether it has ended after `stop`."""
        return self._session.done

    @property
    def online(self) -> bool:
        """Whether messages can go now."""
        return self._session.online

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

    def largest_payload(self, kind: Kind) -> int | None:
        """Bytes of the largest payload that should be made for `kind` now; None if no limit is known."""
        return self._session.largest_payload(kind)

    def put(self, item: Outgoing) -> None:
        """Hand a message in; it is stored before this returns."""
        self._store.put(item)
        self.wake()

    def wake(self) -> None:
        """Have the store looked into again soon; any thread may call it."""
        self._wake.set()

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
        self._wake.set()

    def step(self) -> int | None:
        """Do everything that can be done now.

        Returns:
            Boot-monotonic nanoseconds at which to call again if nothing happens before; None if there is no
            such time.
        """
        self._wake.clear()
        if self._stop_s is not None:
            stop_s, self._stop_s = self._stop_s, None
            self._tell(Stop(self._clock.boot_ns() + round(stop_s * NS_PER_S)))
        for happened in self._link.poll():
            event = self._receipt(happened) if isinstance(happened, Arrived) else happened
            if event is not None:
                self._tell(event)
        wake_ns = self._tell(Tick())
        times = [at_ns for at_ns in (wake_ns, self._link.due_ns()) if at_ns is not None]
        return min(times, default=None)

    def state(self) -> UplinkState:
        """The present state."""
        held = self._store.counts().held
        return UplinkState(self._session.phase, self._session.trouble, held.messages, held.payload_bytes)

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
            facts={**self._session.facts(), **self._facts},
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

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:
            # A thread has no caller; whoever waits for messages to go learns it from `check`.
            logger.exception("the uplink failed")
            self._failure = UplinkError(f"the uplink failed: {type(error).__name__}: {error}")

    def _serve(self) -> None:
        while not self._session.done:
            wake_ns = self.step()
            if self._session.done:
                return
            timeout_s = _LONGEST_SLEEP_S
            if wake_ns is not None:
                timeout_s = min(timeout_s, max(0.0, (wake_ns - self._clock.boot_ns()) / NS_PER_S))
            self._clock.wait(self._wake, timeout_s)

    def _receipt(self, message: Arrived) -> ReceiptArrived | None:
        if message.payload[:1] == _MAC0:
            # The topic is the vehicle's; a telemetry node beside the gateway has its receipts there too.
            self._facts["receipts to devices"] += 1
            return None
        try:
            return ReceiptArrived(self._read_receipt(message.payload))
        except WireError as error:
            self._facts["receipts refused"] += 1
            if self._facts["receipts refused"] == 1:
                self._notify(Notice(f"a receipt on {message.topic} was refused: {error}", trouble=True))
            return None

    def _tell(self, event: Event) -> int | None:
        wake_ns = None
        for action in self._session.handle(event, self._clock.boot_ns()):
            if isinstance(action, WakeAt):
                wake_ns = action.t_ns
            else:
                self._carry_out(action)
        return wake_ns

    def _carry_out(self, action: Action) -> None:
        match action:
            case Connect():
                self._link.connect()
            case Subscribe():
                self._link.subscribe(action.topic)
            case Publish():
                self._link.publish(action.token, action.topic, action.payload, retain=action.retain)
            case Disconnect():
                self._link.disconnect(with_will=action.with_will)
            case Notice():
                self._notify(action)
            case WakeAt():
                pass


def _log(notice: Notice) -> None:
    logger.log(logging.WARNING if notice.trouble else logging.INFO, "%s", notice.text)
