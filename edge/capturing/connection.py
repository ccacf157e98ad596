"""One end of the socket between a process and the core: sends without waiting, receives messages."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from edge.capturing.border import Decoder, encode
from edge.capturing.message import Message
from edge.closing import Closing

EXACT_S = 0.02
"""Shorter waits are as long as they are asked for, longer ones up to a millisecond longer."""

_CHUNK = 1 << 18
_SELECTABLE = 1024
"""select(2) takes no descriptor from there on (``FD_SETSIZE``)."""


_Message = TypeVar("_Message")


class MessageStream(Closing, Generic[_Message]):
    """Messages over a stream socket; any thread may send, one receives.

    It sends by write(2), the one way that is left to a confined process, and on this descriptor only
    (`edge.capturing.receive_only`).

    Args:
        stream: the socket.
        encode: a message as bytes.
        decode: the messages that are whole with some more bytes; raises `BorderError`.

    Attributes:
        ended: whether the other side is gone; what it sent before has been received then.
    """

    def __init__(
        self,
        stream: socket.socket,
        encode: Callable[[_Message], bytes],
        decode: Callable[[bytes], Iterable[_Message]],
    ) -> None:
        stream.setblocking(False)
        self._stream = stream
        self._encode, self._decode = encode, decode
        self._lock = threading.Lock()
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._poll = select.poll()
        self._poll.register(stream, select.POLLIN)
        self._polls_for = select.POLLIN
        self.ended = False

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait until the other side takes them."""
        return self._unsent_bytes

    def send(self, *messages: _Message) -> None:
        """Send as much as the other side takes now; the rest goes while `exchange` waits."""
        parts = [self._encode(message) for message in messages]
        size = sum(map(len, parts))
        if size <= _CHUNK:
            # One write, so that the other side wakes once.
            parts = [b"".join(parts)]
        with self._lock:
            self._unsent.extend(map(memoryview, parts))
            self._unsent_bytes += size
            self._flush()

    def exchange(self, timeout_s: float) -> Sequence[_Message]:
        """Wait until something comes in or can be sent on, at most `timeout_s`.

        Raises:
            BorderError: what came in is no message.
        """
        if self.ended:
            return ()
        comes_in, takes_more = self._wait(max(0.0, timeout_s))
        if takes_more:
            with self._lock:
                self._flush()
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
        return tuple(self._decode(received))

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

    def _flush(self) -> None:
        while self._unsent:
            try:
                sent = os.write(self._stream.fileno(), self._unsent[0])
            except BlockingIOError:
                return
            except OSError:
                # The other side is gone; what it sent before it went is still to be received.
                self._unsent.clear()
                self._unsent_bytes = 0
                return
            self._unsent_bytes -= sent
            if sent < len(self._unsent[0]):
                self._unsent[0] = self._unsent[0][sent:]
                return
            self._unsent.popleft()


class Connection(MessageStream[Message]):
    """The messages between capture and core."""

    def __init__(self, stream: socket.socket) -> None:
        super().__init__(stream, encode, Decoder().feed)
