"""`GatedLink`: any link, as long as the policy allows the connection; not a message longer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge.uplink.events import Disconnected, LinkEvent, Refused
from edge.uplink.link import Link
from edge.uplink.permit import not_allowed
from edge.uplink.reasons import Reason


class GatedLink(Link):
    """Asks before each connection, and during it before each message and whenever the session looks in.

    While a connection is not allowed, none is begun, and nothing is looked up for one. One that is up when it
    ceases to be allowed is closed, with the last will, and carries no further message.

    Args:
        link: opens and serves the connections.
        may_connect: see `edge.uplink.permit.Permit`; asked often.
    """

    def __init__(self, link: Link, may_connect: Callable[[], str]) -> None:
        self._link = link
        self._may_connect = may_connect
        self._wake = threading.Event()
        self._open = False
        self._refusal: Reason | None = None
        self._ceased: Reason | None = None

    def attach(self, wake: threading.Event) -> None:
        """See `Link.attach`."""
        self._wake = wake
        self._link.attach(wake)

    def connect(self) -> None:
        """See `Link.connect`."""
        why = self._may_connect()
        if why:
            self._refusal = not_allowed(why)
            self._wake.set()
            return
        self._open = True
        self._ceased = None
        self._link.connect()

    def poll(self) -> Sequence[LinkEvent]:
        """See `Link.poll`."""
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            return (Refused(refusal),)
        self._allowed()
        events = self._link.poll()
        if events and isinstance(events[-1], Refused | Disconnected):
            self._open = False
            if self._ceased is not None:
                return (*events[:-1], replace(events[-1], reason=self._ceased))
        return events

    def subscribe(self, topic: str) -> None:
        """See `Link.subscribe`."""
        if self._allowed():
            self._link.subscribe(topic)

    def publish(self, token: int, topic: str, payload: bytes, *, retain: bool) -> None:
        """See `Link.publish`; what is not allowed any more is answered by the connection's end."""
        if self._allowed():
            self._link.publish(token, topic, payload, retain=retain)

    def disconnect(self, *, with_will: bool) -> None:
        """See `Link.disconnect`."""
        if self._open:
            self._open = False
            self._link.disconnect(with_will=with_will)

    def due_ns(self) -> int | None:
        """See `Link.due_ns`; a refusal is there at once."""
        return self._link.due_ns() if self._refusal is None else 0

    def _allowed(self) -> bool:
        """Whether the connection may go on; once it may not, it ends, whatever is allowed meanwhile."""
        if self._ceased is None:
            why = self._may_connect()
            if why:
                self._ceased = not_allowed(why)
                self.disconnect(with_will=True)
                self._wake.set()
        return self._ceased is None
