"""The receive buffer that the kernel keeps for a socket: making it larger, and what did not fit into it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

SO_RCVBUFFORCE, SO_MEMINFO = 33, 55
"""Of ``asm-generic/socket.h``; Python's module knows neither."""
LOST = "lost: socket buffer full"
"""The cause under which the account names what did not fit."""

_DROPS_IN_MEMORY_INFO = struct.Struct("=32xI")
"""SK_MEMINFO_DROPS, the ninth word (``linux/sock_diag.h``)."""


def enlarge(opened: socket.socket, wanted_bytes: int) -> int:
    """Enlarge the receive buffer as far as is allowed; tell how large it is."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, wanted_bytes)
    except OSError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted_bytes)
    return opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def dropped(opened: socket.socket) -> int | None:
    """What did not fit since the socket was made, round 2**32; None where the kernel cannot be asked."""
    try:
        information = opened.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _DROPS_IN_MEMORY_INFO.size)
        return int(_DROPS_IN_MEMORY_INFO.unpack(information)[0])
    except (OSError, struct.error):
        return None


class ForeignBuffer:
    """The receive buffer of a socket that a library has opened and will close.

    Not to be used once the library has closed it: its number may be another file's by then.

    Args:
        descriptor: of the socket.
        wanted_bytes: how large the buffer should be.

    Raises:
        OSError: if it is no socket.
    """

    def __init__(self, descriptor: int, wanted_bytes: int) -> None:
        self._descriptor = descriptor
        with self._borrowed() as opened:
            enlarge(opened, wanted_bytes)
            self._seen = dropped(opened) or 0

    def newly_dropped(self) -> int:
        """How many packets did not fit since this was asked last; 0 where the kernel cannot be asked."""
        with self._borrowed() as opened:
            count = dropped(opened)
        if count is None:
            return 0
        new, self._seen = (count - self._seen) % 2**32, count
        return new

    @contextmanager
    def _borrowed(self) -> Iterator[socket.socket]:
        opened = socket.socket(fileno=self._descriptor)
        try:
            yield opened
        finally:
            opened.detach()
