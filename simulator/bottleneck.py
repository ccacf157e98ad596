"""`Bottleneck`: one way of a link of finite rate, where packets wait in order until they have left."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.clock import NS_PER_S

_BITS = 8


@dataclass(slots=True)
class _Packet:
    bits_left: float
    depart: Callable[[int], None]


class Bottleneck:
    """Store and forward: a packet begins to leave when the one before has left.

    Args:
        bits_per_s: how fast packets leave; 0 lets none leave.
    """

    def __init__(self, bits_per_s: float) -> None:
        self._bits_per_s = bits_per_s
        self._queue: deque[_Packet] = deque()
        self._since_ns = 0

    def set_rate(self, bits_per_s: float, now_ns: int) -> None:
        """Change the rate from `now_ns` on, also for the rest of the packet that is just leaving."""
        self.run(now_ns)
        if self._queue:
            self._queue[0].bits_left -= (now_ns - self._since_ns) * self._bits_per_s / NS_PER_S
        self._since_ns = now_ns
        self._bits_per_s = bits_per_s

    def put(self, packet_bytes: int, depart: Callable[[int], None], now_ns: int) -> None:
        """Take a packet in; `depart` is called by `run` with the time at which its last bit has left."""
        self.run(now_ns)
        if not self._queue:
            self._since_ns = now_ns
        self._queue.append(_Packet(packet_bytes * _BITS, depart))

    def run(self, now_ns: int) -> None:
        """Let everything depart that has left by `now_ns`."""
        while (due_ns := self.due_ns()) is not None and due_ns <= now_ns:
            self._since_ns = due_ns
            self._queue.popleft().depart(due_ns)

    def due_ns(self) -> int | None:
        """When the packet that is leaving will have left; None if there is none, or the rate is 0."""
        if not self._queue or not self._bits_per_s:
            return None
        return self._since_ns + math.ceil(max(0.0, self._queue[0].bits_left) / self._bits_per_s * NS_PER_S)

    def queued_bytes(self, now_ns: int) -> int:
        """Bytes that have not left by `now_ns`, in whole bytes."""
        self.run(now_ns)
        if not self._queue:
            return 0
        gone = (now_ns - self._since_ns) * self._bits_per_s / NS_PER_S
        return math.ceil((sum(packet.bits_left for packet in self._queue) - gone) / _BITS)

    def clear(self) -> None:
        """Forget every packet: the connection is gone."""
        self._queue.clear()
