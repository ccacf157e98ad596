"""`Unsent`: what waits until the other side of a stream socket takes it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable


class Unsent:
    """Bytes in order, sent by write(2): the one way that is left to a confined process.

    Attributes:
        size: how many bytes wait.
    """

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self.size = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._parts)

    def put(self, parts: Iterable[bytes]) -> None:
        """Have more wait, behind what does already."""
        for part in parts:
            self._parts.append(memoryview(part))
            self.size += len(part)

    def flush(self, descriptor: int) -> None:
        """Send as much as the other side takes now; all is let go where that is gone."""
        while self._parts:
            try:
                sent = os.write(descriptor, self._parts[0])
            except BlockingIOError:
                return
            except OSError:
                # What the other side sent before it went is still to be received.
                self._parts.clear()
                self.size = 0
                return
            self.size -= sent
            if sent < len(self._parts[0]):
                self._parts[0] = self._parts[0][sent:]
                return
            self._parts.popleft()
