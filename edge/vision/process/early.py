"""`EarlyOrders`: what a camera was asked for before it was ready, kept for a while."""

from __future__ import annotations

from collections import deque

from edge.vision.process.messages import Request, Trigger

KEPT_S = 10.0
"""A picture that is asked for is one of now; models are loaded and a camera is opened within some seconds."""

_MOST = 64


class EarlyOrders:
    """Keeps orders until a camera is ready; each is either handed on once or counted as lost."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, Request | Trigger]] = deque()

    def keep(self, order: Request | Trigger, now_s: float) -> bool:
        """Keep an order that came at `now_s`; tell whether there is room for it."""
        if len(self._kept) >= _MOST:
            return False
        self._kept.append((now_s, order))
        return True

    def hand_on(self) -> list[Request | Trigger]:
        """The camera is ready: all that are kept, in their order."""
        orders = [order for _, order in self._kept]
        self._kept.clear()
        return orders

    def lapsed(self, now_s: float) -> int:
        """Let go of those that have waited for longer than `KEPT_S`; tell how many."""
        count = 0
        while self._kept and now_s - self._kept[0][0] > KEPT_S:
            self._kept.popleft()
            count += 1
        return count

    def let_go(self) -> int:
        """Let go of all; tell how many."""
        return len(self.hand_on())
