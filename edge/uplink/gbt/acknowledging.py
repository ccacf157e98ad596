"""What counts as received: reports under way, and what lets go of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from edge.wire.gbt.beijing import TIME_BYTES
from edge.wire.gbt.frame import Frame, Response


@dataclass(slots=True, eq=False)
class Part:
    """One frame of a message, and what has become of it.

    Attributes:
        position: of its message in the store.
        frame: as it was composed, in plain.
        command: as it was sent last; 0 before.
        sent_ns: when.
        order: its place among all that were sent.
        beat: how many heartbeats had been sent on the connection before.
        refusals: how often it was answered with an error.
        due_ns: when it may go again after one.
        skipped: on how many connections it went unanswered while later ones were answered.
        cuts: how many connections were closed by the platform while it was under way.
        alone_cuts: those after it was sent alone.
        over: why it is not sent any more; empty while it may be.
        arrived: whether the platform has it.
    """

    position: int
    frame: Frame
    command: int = 0
    sent_ns: int = 0
    order: int = 0
    beat: int = 0
    refusals: int = 0
    due_ns: int = 0
    skipped: int = 0
    cuts: int = 0
    alone_cuts: int = 0
    over: str = ""
    arrived: bool = False

    @property
    def time(self) -> bytes:
        """The time of collection, by which an answer names it."""
        return self.frame.unit[:TIME_BYTES]

    @property
    def bytes(self) -> int:
        """That it is counted with, before encryption."""
        return len(self.frame.unit)

    @property
    def settled(self) -> bool:
        """Whether it needs nothing more."""
        return self.arrived or bool(self.over)


@dataclass(frozen=True, slots=True)
class Judged:
    """What an answer says of one report.

    Attributes:
        part: the report, which is no longer under way.
        flag: the answer.
        sure: whether it was meant for this one; not where it may have been meant for another of that second.
    """

    part: Part
    flag: int
    sure: bool = True


class UnderWay(ABC):
    """The reports of one connection that were sent and are not known to be received, in the order of sending.

    Attributes:
        bytes: of their plain data units.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._parts: deque[Part] = deque()
        self._order = 0

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """They, the oldest first."""
        return tuple(self._parts)

    def sent(self, part: Part) -> None:
        """A report has been sent."""
        self._order += 1
        part.order = self._order
        self._parts.append(part)
        self.bytes += part.bytes

    def withdraw(self) -> Part:
        """The report sent last was not sent after all."""
        part = self._parts.pop()
        self.bytes -= part.bytes
        return part

    def of(self, command: int, time: bytes) -> tuple[Part, ...]:
        """Those of a command and time, which is all that an answer names; the oldest first."""
        return tuple(part for part in self._parts if part.command == command and part.time == time)

    def answered(self, command: int, time: bytes, flag: int) -> tuple[Judged, ...] | None:
        """The platform has answered a report.

        Returns:
            What this says of which reports, as far as that can be said yet; None if it answers none.
        """
        named = self.of(command, time)
        return self._judge(named, flag) if named else None

    def clear(self) -> None:
        """The connection is gone."""
        self._parts.clear()
        self.bytes = 0

    @abstractmethod
    def _judge(self, named: tuple[Part, ...], flag: int) -> tuple[Judged, ...]:
        """See `answered`; `named` are those that may be meant."""

    @abstractmethod
    def beaten(self, beats: int) -> tuple[Part, ...]:
        """The heartbeat of that number, counted from 1, was answered; let go of what has thereby arrived."""

    @abstractmethod
    def waits_since_ns(self) -> int | None:
        """Since when an answer is owed without which the connection is of no use; None if none is."""

    @property
    @abstractmethod
    def by_heartbeat(self) -> bool:
        """Whether a heartbeat lets go of reports."""

    def _take(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._parts.remove(part)
            self.bytes -= part.bytes


class Silence(UnderWay):
    """No error, and a heartbeat sent later on the same connection was answered.

    The standard has a correct report not answered (annex B). A platform works off one connection in order, so
    that the answer to what came later says that it is past what came before.
    """

    @property
    def by_heartbeat(self) -> bool:
        """See `UnderWay.by_heartbeat`."""
        return True

    def beaten(self, beats: int) -> tuple[Part, ...]:
        """See `UnderWay.beaten`."""
        arrived = tuple(part for part in self._parts if part.beat < beats)
        self._take(arrived)
        return arrived

    def _judge(self, named: tuple[Part, ...], flag: int) -> tuple[Judged, ...]:
        """See `UnderWay.answered`: which of several is in error is unknown, as right ones go unanswered."""
        sure = len(named) == 1
        if flag == Response.SUCCESS and not sure:
            return ()
        self._take(named)
        return tuple(Judged(part, flag, sure) for part in named)

    def waits_since_ns(self) -> int | None:
        """See `UnderWay.waits_since_ns`: the heartbeats have a time of their own."""
        return None


class Responses(UnderWay):
    """The platform answers each report with success.

    Those of one second count together: their answers name no one of them, and belong to them in order once
    there are as many. Where one is missing, nobody knows whose.
    """

    def __init__(self) -> None:
        super().__init__()
        self._flags: dict[tuple[int, bytes], list[int]] = {}

    @property
    def by_heartbeat(self) -> bool:
        """See `UnderWay.by_heartbeat`."""
        return False

    def beaten(self, beats: int) -> tuple[Part, ...]:
        """See `UnderWay.beaten`: it says nothing of reports."""
        del beats
        return ()

    def clear(self) -> None:
        """See `UnderWay.clear`."""
        super().clear()
        self._flags.clear()

    def _judge(self, named: tuple[Part, ...], flag: int) -> tuple[Judged, ...]:
        """See `UnderWay.answered`."""
        key = (named[0].command, named[0].time)
        flags = [*self._flags.pop(key, ()), flag]
        if len(flags) < len(named):
            self._flags[key] = flags
            return ()
        self._take(named)
        return tuple(Judged(part, one) for part, one in zip(named, flags, strict=True))

    def waits_since_ns(self) -> int | None:
        """See `UnderWay.waits_since_ns`."""
        return self._parts[0].sent_ns if self._parts else None


def under_way(acknowledge: str) -> UnderWay:
    """By the configuration's word: ``silence`` or ``response``."""
    return Responses() if acknowledge == "response" else Silence()
