"""When a stream's receipt is due: at once on alarm, else after so many messages or so much time."""

from __future__ import annotations

from dataclasses import dataclass

from edge.clock import NS_PER_S
from simulator.platform.rows import StreamKey


@dataclass(slots=True)
class _Owed:
    since_ns: int
    messages: int = 0
    urgent: bool = False


class ReceiptPacer:
    """Gathers what would be one receipt a message into one a stream and interval.

    Its memory is one entry for each stream that is owed a receipt.

    Attributes:
        interval_s: a receipt is sent at the latest this long after the message that asks for it.
        messages: and at the latest with this many messages.
    """

    def __init__(self, *, interval_s: float = 1.0, messages: int = 20) -> None:
        self.interval_s = interval_s
        self.messages = messages
        self._interval_ns = round(interval_s * NS_PER_S)
        self._owed: dict[StreamKey, _Owed] = {}

    def note(self, stream: StreamKey, now_ns: int, *, urgent: bool = False) -> None:
        """Owe a stream a receipt because of one message; `urgent` makes it due at once."""
        owed = self._owed.setdefault(stream, _Owed(now_ns))
        owed.messages += 1
        owed.urgent |= urgent

    def due(self, now_ns: int) -> list[StreamKey]:
        """The streams whose receipt is due now; they are owed none any more."""
        due = [
            stream
            for stream, owed in self._owed.items()
            if owed.urgent or owed.messages >= self.messages or now_ns - owed.since_ns >= self._interval_ns
        ]
        for stream in due:
            del self._owed[stream]
        return due

    def all_owed(self) -> list[StreamKey]:
        """Every stream that is owed a receipt, due or not; they are owed none any more."""
        owed = list(self._owed)
        self._owed.clear()
        return owed

    def next_due_s(self, now_ns: int) -> float | None:
        """Seconds until the next receipt is due if no further message comes, or None."""
        if not self._owed:
            return None
        if any(owed.urgent or owed.messages >= self.messages for owed in self._owed.values()):
            return 0.0
        first_ns = min(owed.since_ns for owed in self._owed.values())
        return max(0.0, (first_ns + self._interval_ns - now_ns) / NS_PER_S)
