"""`Ask`: a request of a terminal whose answer is waited for before anything else is done."""

from __future__ import annotations

from dataclasses import dataclass

from edge.uplink.gbt.options import AnswerTime
from edge.wire.gbt.message import Message, Report, Values


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that is under way; there is at most one.

    Attributes:
        command: of the request.
        time: that the answer bears; empty if it may bear any.
        due_ns: until when it is waited for, boot time.
    """

    command: int
    time: bytes
    due_ns: int

    def answered_by(self, command: int, time: bytes, taken: AnswerTime) -> bool:
        """Whether a response of that command and time answers it."""
        any_time = not self.time or taken is AnswerTime.ANY
        return command == self.command and (any_time or time == self.time)


def time_of(message: Message) -> bytes:
    """The time that an answer bears; empty where it bears none."""
    content = message.content
    if isinstance(content, Report):
        return content.time
    first = content.raws[0] if isinstance(content, Values) and content.raws else b""
    return first if isinstance(first, bytes) else b""
