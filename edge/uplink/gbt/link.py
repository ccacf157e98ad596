"""`TerminalLink`: what a terminal's session needs of a connection; over TCP, as a rule with TLS."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge.uplink.gbt.connection import Connection
from edge.uplink.gbt.events import Closed, LinkEvent
from edge.uplink.gbt.tcp_settings import TcpSettings
from edge.uplink.permit import not_allowed
from edge.uplink.reasons import Reason
from edge.uplink.tls import tls_context


class TerminalLink(ABC):
    """A connection to one platform, of which there is at most one at a time.

    The contract: `open` is answered by exactly one `Opened` or `Closed`; after `Opened` comes one `Closed`,
    and nothing after it until the next `open`. `close` makes it come soon.

    All calls come from one thread, none blocks, and none raises for what happens on the network.
    """

    @abstractmethod
    def attach(self, wake: threading.Event) -> None:
        """Have `wake` set whenever `poll` has something, or `unsent` has become 0."""

    @abstractmethod
    def poll(self) -> Sequence[LinkEvent]:
        """What has happened since the last call, in order."""

    @abstractmethod
    def open(self, host: str, port: int) -> None:
        """Begin to open a connection."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send bytes, all of them or up to the connection's end."""

    @abstractmethod
    def close(self) -> None:
        """End the connection, or the attempt at one, once what was sent has gone, or soon."""

    @abstractmethod
    def unsent(self) -> int:
        """Bytes that were sent and the network has not taken yet."""

    def due_ns(self) -> int | None:
        """When `poll` will have something of its own accord, for links under a virtual clock; else None."""
        return None


class TcpLink(TerminalLink):
    """The link over TCP, one connection after the other, each on a thread of its own.

    Args:
        settings: how.

    Raises:
        KeyFileError: if a TLS file cannot be used.
    """

    def __init__(self, settings: TcpSettings) -> None:
        if settings.tls is not None:
            tls_context(settings.tls)
        self._settings = settings
        self._wake = threading.Event()
        self._connection: Connection | None = None
        self._refusal: Closed | None = None

    def attach(self, wake: threading.Event) -> None:
        """See `TerminalLink.attach`."""
        self._wake = wake

    def open(self, host: str, port: int) -> None:
        """See `TerminalLink.open`."""
        try:
            connection = Connection(self._settings, host, port, self._wake)
            connection.start()
        except (OSError, RuntimeError) as error:
            what = f"this machine has nothing left to open a connection with: {error}"
            self._refusal = Closed(Reason("exhausted", what, "See what holds so many files or threads"))
            self._wake.set()
            return
        self._connection = connection

    def poll(self) -> Sequence[LinkEvent]:
        """See `TerminalLink.poll`."""
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            return (refusal,)
        if self._connection is None:
            return ()
        events = self._connection.take()
        if events and isinstance(events[-1], Closed):
            self._connection = None
        return events

    def send(self, data: bytes) -> None:
        """See `TerminalLink.send`."""
        if self._connection is not None:
            self._connection.send(data)

    def close(self) -> None:
        """See `TerminalLink.close`."""
        if self._connection is not None:
            self._connection.close()

    def unsent(self) -> int:
        """See `TerminalLink.unsent`."""
        return 0 if self._connection is None else self._connection.unsent()


class GatedTerminalLink(TerminalLink):
    """Any link, as long as the policy allows the connection; not a message longer.

    Args:
        link: opens and serves the connections.
        may_connect: see `edge.uplink.permit.Permit`; asked often.
    """

    def __init__(self, link: TerminalLink, may_connect: Callable[[], str]) -> None:
        self._link = link
        self._may_connect = may_connect
        self._wake = threading.Event()
        self._open = False
        self._refusal: Reason | None = None
        self._ceased: Reason | None = None

    def attach(self, wake: threading.Event) -> None:
        """See `TerminalLink.attach`."""
        self._wake = wake
        self._link.attach(wake)

    def open(self, host: str, port: int) -> None:
        """See `TerminalLink.open`."""
        why = self._may_connect()
        if why:
            self._refusal = not_allowed(why)
            self._wake.set()
            return
        self._open = True
        self._ceased = None
        self._link.open(host, port)

    def poll(self) -> Sequence[LinkEvent]:
        """See `TerminalLink.poll`."""
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            return (Closed(refusal),)
        self._allowed()
        events = self._link.poll()
        if events and isinstance(events[-1], Closed):
            self._open = False
            if self._ceased is not None:
                return (*events[:-1], replace(events[-1], reason=self._ceased, by_peer=False))
        return events

    def send(self, data: bytes) -> None:
        """See `TerminalLink.send`; what is not allowed any more is answered by the connection's end."""
        if self._allowed():
            self._link.send(data)

    def close(self) -> None:
        """See `TerminalLink.close`."""
        if self._open:
            self._open = False
            self._link.close()

    def unsent(self) -> int:
        """See `TerminalLink.unsent`."""
        return self._link.unsent()

    def due_ns(self) -> int | None:
        """See `TerminalLink.due_ns`; a refusal is there at once."""
        return self._link.due_ns() if self._refusal is None else 0

    def _allowed(self) -> bool:
        """Whether the connection may go on; once it may not, it ends, whatever is allowed meanwhile."""
        if self._ceased is None and self._open:
            why = self._may_connect()
            if why:
                self._ceased = not_allowed(why)
                self.close()
                self._wake.set()
        return self._ceased is None
