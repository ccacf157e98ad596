"""`Connection`: one TCP connection, as a rule with TLS; it opens, reads and writes on a thread of its own."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections import deque

from edge.errors import NevgateError
from edge.uplink.dialling import AddressRefusedError, dial
from edge.uplink.failures import Peer, connect_failure, no_such_host
from edge.uplink.gbt.events import Closed, LinkEvent, Opened, Received
from edge.uplink.gbt.tcp_settings import TcpSettings
from edge.uplink.permit import refused_address
from edge.uplink.reasons import CONNECTION_LOST, STOPPED, Pace, Reason
from edge.uplink.tls import tls_context

_READ_BYTES = 65_536
_UNREAD_MOST = 262_144
_MS_PER_S = 1000
_WAITS = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)
_ENDED_BY_PEER = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)

ENDED = Reason("ended-by-platform", "the platform has ended the connection", "See the platform's log")


class Connection:
    """One connection, from the first look-up of its host to its end.

    `run` is on the connection's thread, everything else on the session's.

    Args:
        settings: how it is opened.
        host: name or address; the certificate is verified for it.
        port: TCP port.
        wake: set when something has happened.
    """

    def __init__(self, settings: TcpSettings, host: str, port: int, wake: threading.Event) -> None:
        self._settings = settings
        self._peer = Peer("platform", settings.section, tls_port=None)
        self._host = host
        self._port = port
        self._wake = wake
        self._lock = threading.Lock()
        self._happened: deque[LinkEvent] = deque()
        self._unread = 0
        self._out = bytearray()
        self._ended = False
        self._stands = False
        self._over_told = False
        self._closing = threading.Event()
        self._poked, self._poke = socket.socketpair()
        self._poked.setblocking(False)
        self._poke.setblocking(False)

    def start(self) -> None:
        """Begin, on a thread of its own.

        Raises:
            RuntimeError: the machine has none left.
        """
        try:
            threading.Thread(target=self.run, name="uplink-network", daemon=True).start()
        except RuntimeError:
            self._poke.close()
            self._poked.close()
            raise

    def take(self) -> list[LinkEvent]:
        """What has happened, in order; ends with `Closed` once."""
        if self._ended:
            return []
        with self._lock:
            events = list(self._happened)
            self._happened.clear()
            was_full = self._unread >= _UNREAD_MOST
            self._unread = 0
        if was_full:
            self._stir()
        self._ended = bool(events) and isinstance(events[-1], Closed)
        return events

    def send(self, data: bytes) -> None:
        """Send bytes."""
        with self._lock:
            self._out += data
        self._stir()

    def unsent(self) -> int:
        """Bytes that the kernel has not taken yet."""
        with self._lock:
            return len(self._out)

    def close(self) -> None:
        """End it once what was sent has gone, or soon; one that does not stand yet ends at once.

        The thread of such a one goes its way alone.
        """
        self._closing.set()
        with self._lock:
            if not self._stands:
                self._end(Closed(STOPPED))
        self._wake.set()
        self._stir()

    def run(self) -> None:
        """Open the connection and serve it to its end, of which the session hears in any case."""
        closed = Closed(CONNECTION_LOST)
        try:
            closed = self._run()
        finally:
            with self._lock:
                self._end(closed)
                self._poke.close()
                self._poked.close()
            self._wake.set()

    def _end(self, closed: Closed) -> None:
        """Tell of the end, unless it was told."""
        if not self._over_told:
            self._over_told = True
            self._happened.append(closed)

    def _run(self) -> Closed:
        opened = self._open()
        if isinstance(opened, Reason):
            return Closed(STOPPED if self._closing.is_set() else opened)
        with opened:
            with self._lock:
                if self._over_told:
                    return Closed(STOPPED)
                self._stands = True
            self._tell(Opened())
            try:
                return self._serve(opened)
            except _ENDED_BY_PEER:
                return self._over(Closed(ENDED, by_peer=True))
            except (OSError, ValueError) as error:
                return self._over(Closed(self._lost(error)))

    def _over(self, closed: Closed) -> Closed:
        return Closed(STOPPED) if self._closing.is_set() else closed

    def _lost(self, error: Exception) -> Reason:
        if isinstance(error, ssl.SSLError):
            return self._failure(error)
        return CONNECTION_LOST

    def _open(self) -> socket.socket | Reason:
        settings = self._settings
        try:
            context = None if settings.tls is None else tls_context(settings.tls)
            plain = dial(
                self._host,
                self._port,
                resolve=settings.resolve,
                address_refused=settings.address_refused,
                timeout_s=settings.open_timeout_s,
            )
            return self._secure(plain, context)
        except AddressRefusedError as error:
            return refused_address(error.what)
        except NevgateError as error:
            return Reason("files", str(error), pace=Pace.LATE)
        except OSError as error:
            return self._failure(error)
        except (UnicodeError, ValueError):
            return no_such_host(self._host, self._peer)

    def _secure(self, plain: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
        try:
            self._prepare(plain)
            opened = plain
            if context is not None:
                opened = context.wrap_socket(plain, server_hostname=self._host)
            opened.setblocking(False)
        except (OSError, ValueError):
            plain.close()
            raise
        return opened

    def _failure(self, error: OSError) -> Reason:
        settings = self._settings
        ca_file = None if settings.tls is None else settings.tls.ca_file
        timeout_s = settings.open_timeout_s
        return connect_failure(error, host=self._host, ca_file=ca_file, timeout_s=timeout_s, peer=self._peer)

    def _prepare(self, plain: socket.socket) -> None:
        settings = self._settings
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, settings.unsent_bytes)
        timeout_ms = round(settings.user_timeout_s * _MS_PER_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)

    def _serve(self, opened: socket.socket) -> Closed:
        """Read and write until either side ends it."""
        deadline_s: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(self._poked, selectors.EVENT_READ)
            selector.register(opened, selectors.EVENT_READ)
            while True:
                if self._closing.is_set():
                    now_s = time.monotonic()
                    deadline_s = now_s + self._settings.close_s if deadline_s is None else deadline_s
                    if not self.unsent() or now_s >= deadline_s:
                        with contextlib.suppress(OSError):
                            opened.shutdown(socket.SHUT_WR)
                        return Closed(STOPPED)
                self._write(opened)
                if not self._read(opened):
                    return self._over(Closed(ENDED, by_peer=True))
                interest = self._interest()
                if interest:
                    selector.modify(opened, interest)
                    selector.select(self._settings.close_s if deadline_s is not None else None)
                else:
                    self._wait_to_be_stirred(deadline_s)
                with contextlib.suppress(*_WAITS):
                    self._poked.recv(_READ_BYTES)

    def _interest(self) -> int:
        with self._lock:
            reads = 0 if self._unread >= _UNREAD_MOST else selectors.EVENT_READ
            writes = selectors.EVENT_WRITE if self._out else 0
        return reads | writes

    def _wait_to_be_stirred(self, deadline_s: float | None) -> None:
        with selectors.DefaultSelector() as alone:
            alone.register(self._poked, selectors.EVENT_READ)
            alone.select(self._settings.close_s if deadline_s is not None else None)

    def _write(self, opened: socket.socket) -> None:
        while True:
            with self._lock:
                piece = bytes(self._out[:_READ_BYTES])
            if not piece:
                return
            try:
                taken = opened.send(piece)
            except _WAITS:
                return
            with self._lock:
                del self._out[:taken]
                emptied = not self._out
            if emptied:
                self._wake.set()

    def _read(self, opened: socket.socket) -> bool:
        """Take what is there; False at the other side's end."""
        while True:
            with self._lock:
                if self._unread >= _UNREAD_MOST:
                    return True
            try:
                data = opened.recv(_READ_BYTES)
            except _WAITS:
                return True
            except ssl.SSLEOFError:
                return False
            if not data:
                return False
            with self._lock:
                self._unread += len(data)
            self._tell(Received(data))

    def _tell(self, event: LinkEvent) -> None:
        with self._lock:
            self._happened.append(event)
        self._wake.set()

    def _stir(self) -> None:
        """Have the connection's thread look up."""
        with self._lock, contextlib.suppress(OSError):
            self._poke.send(b"\0")
