"""`ControlServer`: answers requests on a Unix domain socket, each connection on a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.closing import Closing
from edge.control.lines import REQUEST_BYTES, LineReader, read_object, write_object
from edge.control.socket_path import listen, remove
from edge.errors import ControlError, NevgateError

MOST_CONNECTIONS = 16
_LAST_ANSWER_S = 1.0
_CREDENTIALS = struct.Struct("3i")

Handler = Callable[[Mapping[str, object]], Mapping[str, object]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the kernel names it (SO_PEERCRED, unix(7)).

    Attributes:
        pid: of the process that connected.
        uid: of its user.
        gid: of its group.
    """

    pid: int
    uid: int
    gid: int

    def __str__(self) -> str:
        return f"process {self.pid} of user {self.uid}"


def refused_answer(error: NevgateError) -> dict[str, object]:
    """An error as the answer to a request."""
    place = f"{error.where}: " if error.where else ""
    return {"ok": False, "what": f"{place}{error.what}", "todo": error.todo}


class ControlServer(Closing):
    """Listens from its making until it is closed.

    A request is answered on its connection, in order; one that makes no sense is answered with what is wrong
    with it. Nothing that a client sends or leaves out ends the server.

    Args:
        path: of the socket.
        handler: answers a request; called on several threads.
        clock: time.
        mode: rights of the socket.
        idle_s: how long a connection may take for its next request, and for taking an answer.

    Raises:
        ControlError: the socket cannot be made, or somebody listens there.
    """

    def __init__(
        self, path: Path, handler: Handler, clock: Clock, *, mode: int = 0o600, idle_s: float = 30.0
    ) -> None:
        self._path = path
        self._handler = handler
        self._clock = clock
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._closing = False
        self._listener = listen(path, mode, MOST_CONNECTIONS)
        self._inode = path.lstat().st_ino
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop to listen, end all connections, delete the socket; a request under way is finished."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            threads = dict(self._connections)
        remove(self._path, self._inode)
        with contextlib.suppress(OSError):
            # Wakes a thread that waits in accept, which closing alone does not.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for how, wait_s in ((socket.SHUT_RD, _LAST_ANSWER_S), (socket.SHUT_RDWR, None)):
            for connection in threads:
                with contextlib.suppress(OSError):
                    connection.shutdown(how)
            for thread in threads.values():
                thread.join(wait_s)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                with self._lock:
                    if self._closing:
                        return
                logger.warning("a control connection could not be taken: %s", error)
                self._clock.wait(threading.Event(), 0.1)
                continue
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        with self._lock:
            if self._closing:
                connection.close()
                return
            if len(self._connections) < MOST_CONNECTIONS:
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name="control connection", daemon=True
                )
                self._connections[connection] = thread
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    return
                del self._connections[connection]
        logger.warning("a control connection was turned away: %d are open", len(self._connections))
        with connection, contextlib.suppress(OSError):
            connection.settimeout(0)
            connection.send(
                write_object(refused_answer(ControlError("too many connections", todo="Try again")))
            )

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                self._converse(connection, _peer(connection))
        finally:
            with self._lock:
                del self._connections[connection]

    def _converse(self, connection: socket.socket, peer: Peer) -> None:
        """Answer line by line until the other side closes, is silent for too long, or sends no line."""
        lines = LineReader(connection, self._clock, REQUEST_BYTES)
        while True:
            try:
                line = lines.line(self._idle_s)
            except ControlError as error:
                logger.warning("%s sent no request: %s", peer, error)
                self._send(connection, refused_answer(error))
                return
            if line is None or self._closing:
                return
            self._send(connection, self._answer(line, peer))

    def _answer(self, line: bytes, peer: Peer) -> Mapping[str, object]:
        try:
            request = read_object(line)
            if request.get("do") != "state":
                logger.info("%s asks for %.40r", peer, request.get("do"))
            return self._handler(request)
        except NevgateError as error:
            logger.info("a request of %s is refused: %s", peer, error)
            return refused_answer(error)
        except Exception:
            # What nobody foresaw may cost this answer, but neither the server nor the gateway.
            logger.exception("a request of %s failed", peer)
            return refused_answer(ControlError("the gateway could not answer", todo="See its log"))

    def _send(self, connection: socket.socket, answer: Mapping[str, object]) -> None:
        connection.settimeout(self._idle_s)
        connection.sendall(write_object(answer))


def _peer(connection: socket.socket) -> Peer:
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(*_CREDENTIALS.unpack(packed))
