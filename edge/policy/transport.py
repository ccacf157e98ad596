"""What J1939 and ISO-TP reassembly share: bounded sessions, and an account of every segment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

MERGED = "merged into a reassembled message"
LOST = "segment not reassembled"
CONTROL = "transport control frame"
DUPLICATE = "duplicate segment"
WAITING = "waiting for the rest of a message"

SESSIONS = 1024
"""Sessions that may be open at once; the one opened first makes room for another."""

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Segment:
    """One frame of a transport protocol.

    Attributes:
        bus: bus number.
        t_ns: its time.
        arbitration_id: 11 or 29 bits.
        extended: 29-bit id.
        data: its bytes.
    """

    bus: int
    t_ns: int
    arbitration_id: int
    extended: bool
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reassembled:
    """A whole message.

    Attributes:
        arbitration_id: the id that a single frame of it would have.
        payload: its bytes.
    """

    arbitration_id: int
    payload: bytes = field(repr=False)


@dataclass(slots=True)
class Session:
    """A message on its way.

    Attributes:
        arbitration_id: see `Reassembled`.
        size: bytes of the message.
        timeout_ns: longest time between its frames.
        last_ns: time of its last frame.
        payload: the bytes so far; places of packets that are missing are 0.
        received: numbers of the packets that have come.
        segments: frames that wait for the rest.
    """

    arbitration_id: int
    size: int
    timeout_ns: int
    last_ns: int
    payload: bytearray = field(repr=False)
    received: set[int]
    segments: int = 1

    def late(self, t_ns: int) -> bool:
        """Whether a frame at `t_ns` comes after the time-out."""
        return t_ns - self.last_ns > self.timeout_ns


class Reassembler(ABC, Generic[Key]):
    """Puts segments together; each that entered is in exactly one count, or waits in a session.

    A session ends by its own frames only, never by the time of others, so that the outcome is the same
    however the frames are cut into batches. Time-outs are measured on the frames' own times.
    """

    def __init__(self) -> None:
        self.set_aside: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self._sessions: dict[Key, Session] = {}

    @abstractmethod
    def push(self, segment: Segment) -> Reassembled | None:
        """Take a segment; hand out the message that it completes.

        All segments of a completed message but the last are counted as merged; the last one is for the
        caller to count, as the message.
        """

    def waiting(self, now_ns: int) -> tuple[int, int]:
        """Segments that wait, and segments whose session is over by the time `now_ns`."""
        waiting = sum(session.segments for session in self._sessions.values() if not session.late(now_ns))
        return waiting, sum(session.segments for session in self._sessions.values()) - waiting

    def forget(self) -> None:
        """Give up what is not whole yet: from now on other rules hold than when it began."""
        for key in tuple(self._sessions):
            self._lose(key, "the policy changed before it was whole")

    def _open(self, key: Key, session: Session) -> None:
        self._lose(key, "a new message began before the last was whole")
        if len(self._sessions) >= SESSIONS:
            self._lose(next(iter(self._sessions)), "too many messages at once")
        self._sessions[key] = session

    def _live(self, key: Key, t_ns: int) -> Session | None:
        """The session of `key`, unless there is none or it has timed out by now."""
        session = self._sessions.get(key)
        if session is not None and session.late(t_ns):
            self._lose(key, "timed out")
            return None
        return session

    def _lose(self, key: Key, cause: str) -> None:
        session = self._sessions.pop(key, None)
        if session is not None and session.segments:
            self.set_aside[LOST] += session.segments
            self.facts[f"messages lost: {cause}"] += 1

    def _refuse(self, cause: str) -> None:
        """Count the segment at hand as lost."""
        self.set_aside[LOST] += 1
        self.facts[f"segments refused: {cause}"] += 1

    def _complete(self, session: Session) -> Reassembled:
        self.set_aside[MERGED] += session.segments - 1
        self.facts["messages reassembled"] += 1
        session.segments = 0
        return Reassembled(session.arbitration_id, bytes(session.payload[: session.size]))
