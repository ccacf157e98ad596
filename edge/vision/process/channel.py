"""`Channel`: one end of the socket between gateway and a camera's process; neither waits for the other."""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence

from edge.capturing.unsent import Unsent
from edge.closing import Closing
from edge.errors import VisionError
from edge.vision.process.messages import Messages, ToChild, ToGateway

_CHUNK = 1 << 18
_READ_MOST = 64
"""Chunks that are read in a row, so that a sender without end does not hold the reader."""

_MESSAGES_MOST = 4096
"""In one go: far more than a camera has to say while the gateway looks away."""


class Channel(Closing):
    """Messages over a stream socket, by write(2) and recv(2) alone.

    Args:
        stream: the socket.
        incoming: puts together what comes in.

    Attributes:
        ended: whether the other side is gone; what it sent before has been received then.
    """

    def __init__(self, stream: socket.socket, incoming: Messages) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._incoming = incoming
        self._unsent = Unsent()
        self.ended = False

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait until the other side takes them."""
        return self._unsent.size

    def send(self, message: bytes) -> None:
        """Send as much as the other side takes now; the rest goes with the next `receive` or `flush`."""
        self._unsent.put([message])
        self.flush()

    def flush(self) -> None:
        """Send on what waits, as far as the other side takes it."""
        if not self.ended:
            self._unsent.flush(self._stream.fileno())

    def receive(self, timeout_s: float) -> Sequence[tuple[ToChild | ToGateway, bytes]]:
        """Wait for messages, at most so long.

        Raises:
            VisionError: what came is none.
        """
        self.flush()
        if self.ended:
            return ()
        wanted = select.POLLIN | (select.POLLOUT if self._unsent else 0)
        poll = select.poll()
        poll.register(self._stream, wanted)
        poll.poll(max(0.0, timeout_s) * 1000)
        self.flush()
        found: list[tuple[ToChild | ToGateway, bytes]] = []
        for _ in range(_READ_MOST):
            try:
                received = self._stream.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError:
                received = b""
            if not received:
                self.ended = True
                break
            for message in self._incoming.feed(received):
                found.append(message)
                if len(found) > _MESSAGES_MOST:
                    raise VisionError("more messages than anybody has to say")
        return found

    def close(self) -> None:
        """Close this end."""
        self.ended = True
        self._stream.close()
