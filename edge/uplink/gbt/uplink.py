"""`GbtUplink`: a platform that is spoken to in GB/T 32960.3: a session, its link and its store."""

from __future__ import annotations

from collections.abc import Callable

from edge.clock import NS_PER_S, Clock
from edge.uplink.events import Notice, WakeAt
from edge.uplink.gbt.answered import LiveSettings, SecurityEvent
from edge.uplink.gbt.events import (
    Action,
    Apply,
    Close,
    Event,
    Log,
    LogInAgain,
    Open,
    Perform,
    Send,
    Stop,
    Tick,
)
from edge.uplink.gbt.link import TerminalLink
from edge.uplink.gbt.session import TerminalSession
from edge.uplink.outbox import Store
from edge.uplink.uplink import Uplink

_ORDER_WAITS_NS = 2 * NS_PER_S


class GbtUplink(Uplink):
    """See `Uplink`.

    Args:
        session: the rules.
        link: the connection; nobody else may use it.
        store: the session's own store.
        clock: time.
        notify: told each notice; without one, they go to the log.
        on_settings: told what a platform has set.
        on_security_event: told what belongs into the log of security events.
    """

    def __init__(
        self,
        *,
        session: TerminalSession,
        link: TerminalLink,
        store: Store,
        clock: Clock,
        notify: Callable[[Notice], None] | None = None,
        on_settings: Callable[[LiveSettings], None] = lambda _: None,
        on_security_event: Callable[[SecurityEvent], None] = lambda _: None,
    ) -> None:
        super().__init__(session, store, clock, notify)
        self._session = session
        self._link = link
        self._on_settings = on_settings
        self._on_security_event = on_security_event
        self._orders: list[tuple[int, Callable[[], None]]] = []
        self._log_in_again = False
        link.attach(self.awakened)

    def hurry(self) -> None:
        """See `Uplink.hurry`."""
        self._session.hurry()
        self.wake()

    def log_in_again(self) -> None:
        """The vehicle has other battery packs; any thread may say so."""
        self._log_in_again = True
        self.wake()

    def step(self) -> int | None:
        """See `Uplink.step`."""
        self.awakened.clear()
        deadline_ns = self._stop_deadline_ns()
        if deadline_ns is not None:
            self._tell(Stop(deadline_ns))
        if self._log_in_again:
            self._log_in_again = False
            self._tell(LogInAgain())
        for happened in self._link.poll():
            self._tell(happened)
        wake_ns = self._tell(Tick(self._link.unsent()))
        self._give_orders()
        orders_ns = min((at_ns for at_ns, _ in self._orders), default=None)
        times = [at_ns for at_ns in (wake_ns, self._link.due_ns(), orders_ns) if at_ns is not None]
        return min(times, default=None)

    def _give_orders(self) -> None:
        """Carry out what was ordered once its answer has gone: it may end the process."""
        now_ns = self._clock.boot_ns()
        for at_ns, order in list(self._orders):
            if now_ns >= at_ns or not self._link.unsent():
                self._orders.remove((at_ns, order))
                order()

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
            case Open():
                self._link.open(action.host, action.port)
            case Send():
                self._link.send(action.data)
            case Close():
                self._link.close()
            case Apply():
                self._on_settings(action.changed.live)
            case Perform():
                self._orders.append((self._clock.boot_ns() + _ORDER_WAITS_NS, action.order))
            case Log():
                self._on_security_event(action.event)
            case Notice():
                self._notify(action)
            case WakeAt():
                pass
