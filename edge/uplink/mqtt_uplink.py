"""`MqttUplink`: a platform that is reached over MQTT: a session, its link and its store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from edge.clock import Clock
from edge.errors import WireError
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
from edge.uplink.outbox import Store
from edge.uplink.session import Session
from edge.uplink.uplink import Uplink
from edge.wire.mac0 import MAC0_HEAD
from edge.wire.receipt import Receipt

_MAC0 = bytes([MAC0_HEAD])


class MqttUplink(Uplink):
    """See `Uplink`.

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
        super().__init__(session, store, clock, notify)
        self._session = session
        self._link = link
        self._read_receipt = read_receipt
        self._facts: Counter[str] = Counter()
        link.attach(self.awakened)

    def facts(self) -> Mapping[str, int]:
        """See `Uplink.facts`."""
        return {**super().facts(), **self._facts}

    def step(self) -> int | None:
        """See `Uplink.step`."""
        self.awakened.clear()
        deadline_ns = self._stop_deadline_ns()
        if deadline_ns is not None:
            self._tell(Stop(deadline_ns))
        for happened in self._link.poll():
            event = self._receipt(happened) if isinstance(happened, Arrived) else happened
            if event is not None:
                self._tell(event)
        wake_ns = self._tell(Tick())
        times = [at_ns for at_ns in (wake_ns, self._link.due_ns()) if at_ns is not None]
        return min(times, default=None)

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
