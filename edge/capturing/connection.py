"""One end of the socket between capture and core: sends without waiting, receives messages."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Sequence

from edge.capturing.border import Decoder, encode
from edge.capturing.message import Message
from edge.capturing.unsent import Unsent
from edge.closing import Closing

EXACT_S = 0.02
"""Shorter waits are as long as they are asked for, longer ones up to a millisecond longer."""

_CHUNK = 1 << 18
_SELECTABLE = 1024
"""select(2) takes no descriptor from there on (``FD_SETSIZE``)."""


class Connection(Closing):
    """Messages over a stream socket; any thread may send, one receives.

    It sends by write(2), the one way that is left to a process of capture, and on this descriptor only
    (`edge.capturing.receive_only`).

    Attributes:
        ended: whether the other side is gone; what it sent before has been received then.
    """

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._lock = threading.Lock()
        self._unsent = Unsent()
        self._decoder = Decoder()
        self._poll = select.poll()
        self._poll.register(stream, select.POLLIN)
        self._polls_for = select.POLLIN
        self.ended = False

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait until the other side takes them."""
        return self._unsent.size

    def send(self, *messages: Message) -> None:
        """Send as much as the other side takes now; the rest goes while `exchange` waits."""
        parts = [encode(message) for message in messages]
        size = sum(map(len, parts))
        if size <= _CHUNK:
            # One write, so that the other side wakes once.
            parts = [b"".join(parts)]
        with self._lock:
            self._unsent.put(parts)
            self._unsent.flush(self._stream.fileno())

    def exchange(self, timeout_s: float) -> Sequence[Message]:
        """Wait until something comes in or can be sent on, at most `timeout_s`.

        Raises:
            BorderError: what came in is no message.
        """
        if self.ended:
            return ()
        comes_in, takes_more = self._wait(max(0.0, timeout_s))
        if takes_more:
            with self._lock:
                self._unsent.flush(self._stream.fileno())
        if not comes_in:
            return ()
        try:
            received = self._stream.recv(_CHUNK)
        except BlockingIOError:
            return ()
        except OSError:
            received = b""
        if not received:
            self.ended = True
        return tuple(self._decoder.feed(received))

    def close(self) -> None:
        """Close this end."""
        self.ended = True
        self._stream.close()

    def _wait(self, timeout_s: float) -> tuple[bool, bool]:
        """Wait; tell whether something comes in or the other side is gone, and whether more can be sent."""
        if timeout_s < EXACT_S and self._stream.fileno() < _SELECTABLE:
            # poll(2) takes whole milliseconds, of which a reading every few would lose one each time.
            own = [self._stream]
            readable, writable, _ = select.select(own, own if self._unsent else [], [], timeout_s)
            return bool(readable), bool(writable)
        wanted = select.POLLIN | (select.POLLOUT if self._unsent else 0)
        if wanted != self._polls_for:
            self._poll.modify(self._stream, wanted)
            self._polls_for = wanted
        happened = self._poll.poll(timeout_s * 1000)
        events = happened[0][1] if happened else 0
        return bool(events & ~select.POLLOUT), bool(events & select.POLLOUT)
