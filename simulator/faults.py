"""`CutProxy`: a loopback TCP proxy that cuts, stalls, throttles or corrupts when it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from edge.closing import Closing

LOOPBACK = "127.0.0.1"

_CHUNK_BYTES = 4096
_POLL_S = 0.2


class CutProxy(Closing):
    """Passes bytes between clients and a server on loopback, and does harm only when told to.

    Args:
        server_port: where the server listens; may change while it runs.
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.settimeout(_POLL_S)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._flows = threading.Event()
        self._flows.set()
        self._refuses = False
        self._bytes_per_s: float | None = None
        self._corrupt_next = False
        self._threads: list[threading.Thread] = []
        self._connections = 0
        self._start(self._accept)

    @property
    def port(self) -> int:
        """Where clients connect to."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many connections were passed on so far."""
        return self._connections

    def cut(self) -> None:
        """Break every connection, and each new one at once, until `mend`."""
        with self._lock:
            self._refuses = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _hang_up(*pair)

    def drop(self) -> None:
        """Break every connection once; new ones pass."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _hang_up(*pair)

    def stall(self) -> None:
        """Hold every byte back and keep the connections open, until `mend`."""
        self._flows.clear()

    def throttle(self, bytes_per_s: float) -> None:
        """Let so many bytes a second pass, each way of each connection, until `mend`."""
        self._bytes_per_s = bytes_per_s

    def corrupt(self) -> None:
        """Turn over every bit of the first byte of the next chunk that goes to the server."""
        self._corrupt_next = True

    def mend(self) -> None:
        """Do no harm from now on."""
        self._refuses = False
        self._bytes_per_s = None
        self._corrupt_next = False
        self._flows.set()

    def close(self) -> None:
        """End everything."""
        self._closed.set()
        self._flows.set()
        self.cut()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            try:
                server = socket.create_connection((LOOPBACK, self.server_port), timeout=5)
            except OSError:
                client.close()
                continue
            self._connections += 1
            with self._lock:
                self._pairs.append((client, server))
            for each in (client, server):
                each.settimeout(_POLL_S)
            self._start(self._pump, client, server, True)
            self._start(self._pump, server, client, False)

    def _pump(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        while not self._closed.is_set():
            try:
                chunk = source.recv(_CHUNK_BYTES)
            except TimeoutError:
                continue
            except OSError:
                break
            if not chunk:
                break
            self._flows.wait()
            if to_server and self._corrupt_next:
                self._corrupt_next = False
                chunk = bytes([chunk[0] ^ 0xFF]) + chunk[1:]
            if self._bytes_per_s is not None:
                self._closed.wait(len(chunk) / self._bytes_per_s)
            try:
                target.settimeout(None)
                target.sendall(chunk)
            except OSError:
                break
        _hang_up(source, target)


def _hang_up(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
