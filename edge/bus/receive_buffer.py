"""The receive buffer that the kernel keeps for a socket: making it larger, and what did not fit into it."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

SO_RCVBUFFORCE, SO_MEMINFO = 33, 55
"""Of ``asm-generic/socket.h``; Python's module knows neither."""
_DROPS_IN_MEMORY_INFO = struct.Struct("=32xI")
"""SK_MEMINFO_DROPS, the ninth word (``linux/sock_diag.h``)."""


def enlarge(opened: socket.socket, wanted_bytes: int) -> int:
    """Enlarge the receive buffer as far as is allowed; tell how large it is."""
    for option in (SO_RCVBUFFORCE, socket.SO_RCVBUF):
        with suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, option, wanted_bytes)
            break
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
        borrowed = socket.socket(fileno=descriptor)
        try:
            enlarge(borrowed, wanted_bytes)
            self._seen = dropped(borrowed) or 0
        finally:
            borrowed.detach()

    def newly_dropped(self) -> int:
        """How many packets did not fit since this was asked last; 0 where the kernel cannot be asked."""
        borrowed = socket.socket(fileno=self._descriptor)
        try:
            count = dropped(borrowed)
        finally:
            borrowed.detach()
        if count is None:
            return 0
        new, self._seen = (count - self._seen) % 2**32, count
        return new
