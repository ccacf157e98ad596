"""`Reports`: what a terminal sends out of its store: in which order, again when, and given up when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from edge.clock import NS_PER_S
from edge.uplink.gbt.acknowledging import Judged, Part, under_way
from edge.uplink.gbt.rules import SessionRules
from edge.uplink.outbox import Progress, Store
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.settings import ns
from edge.wire.gbt.beijing import unix_seconds
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import HEADER_BYTES, OVERHEAD_BYTES, Command, Frame, Response, read_frame

NO_REPORT = "no reports of GB/T 32960.3"
TOO_LONG = "too long once encrypted"
NEVER_ANSWERED = "not answered, though later reports were"
BREAKS_CONNECTION = "the connection was closed each time it was sent"

_REPORTS = frozenset({Command.REAL_TIME, Command.REISSUE})
_NEW = (Kind.ALARM, Kind.LIVE, Kind.EVENT)


def refused_cause(flag: int) -> str:
    """What a report is counted under that was answered with this flag until it was given up."""
    name = Response(flag).name.lower().replace("_", " ") if flag in set(Response) else f"flag {flag:02X}"
    return f"the platform answered '{name}' each time"


@dataclass(slots=True)
class _Message:
    """A message of which something was sent."""

    position: int
    item: Outgoing
    parts: list[Part]
    again: bool = False
    waiting: list[Part] = field(default_factory=list)


class Reports:
    """The messages of one store, frame by frame.

    New ones go at once: alarm, then live, each in order. What goes again, and backlog, goes while the link
    has passed on all but a little: in the idle time between live frames. On one connection real-time reports
    never step back: what goes again, was collected before the login, or was overtaken by an alarm goes as
    reissue, of which command and check code alone are different; the signature does not cover them.

    Nothing is sent twice on one connection but what was answered with an error.

    Args:
        store: holds the messages until they are let go of here.
        rules: in numbers.
        acknowledge: what counts as received.
    """

    def __init__(
        self, store: Store, rules: SessionRules, acknowledge: Literal["silence", "response"]
    ) -> None:
        self.rules = rules
        self._store = store
        self._under_way = under_way(acknowledge)
        self._messages: dict[int, _Message] = {}
        self._unsent: dict[int, _Message] = {}
        self._cursor: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self._refused: list[Part] = []
        self._next_alone: Part | None = None
        self._newest: dict[bytes, int] = {}
        self._last_answered = 0
        self._causes: list[tuple[str, str]] = []
        self.facts: Counter[str] = Counter()

    @property
    def by_heartbeat(self) -> bool:
        """Whether a heartbeat lets go of reports."""
        return self._under_way.by_heartbeat

    @property
    def under_way(self) -> int:
        """How many reports were sent and are not known to be received."""
        return len(self._under_way)

    @property
    def urgent(self) -> bool:
        """Whether what may be sent waits for what is under way."""
        half_full = 2 * self._under_way.bytes > self.rules.in_flight_bytes
        return half_full or self._alone() or self._next_alone is not None

    def empty(self) -> bool:
        """Whether nothing is left to be sent or to be let go of."""
        return self._store.empty()

    def largest_payload(self, kind: Kind) -> int | None:
        """Bytes of the largest payload that should be made for `kind`; None if nothing limits it."""
        return int(self.rules.backlog_bytes) if kind is Kind.BACKLOG else None

    def take_causes(self) -> list[tuple[str, str]]:
        """Messages given up since the last call, each with the cause and what it was."""
        causes, self._causes = self._causes, []
        return causes

    def next(self, now_ns: int, wall_s: int, login_ns: int, unsent: int, beats: int) -> Frame | None:
        """The frame that goes now, in plain; None if none does.

        Args:
            now_ns: boot time.
            wall_s: Unix time.
            login_ns: when the session was logged in.
            unsent: bytes that the link has not passed on.
            beats: how many heartbeats were sent on this connection.
        """
        found = self._choose(now_ns, unsent)
        if found is None:
            return None
        message, part = found
        frame = part.frame
        if frame.command == Command.REAL_TIME and self._is_late(message, part, now_ns, wall_s, login_ns):
            frame = replace(frame, command=Command.REISSUE)
            self.facts["real-time reports sent as reissue"] += 1
        elif frame.command == Command.REAL_TIME:
            self._newest[message.item.stream] = message.item.first_number
        if part.command:
            self.facts["reports sent again"] += 1
        part.command, part.sent_ns, part.beat = frame.command, now_ns, beats
        if part in self._refused:
            self._refused.remove(part)
        else:
            message.waiting.remove(part)
            if not message.waiting:
                del self._unsent[message.position]
        self._under_way.sent(part)
        self._store.note(message.position, Progress.IN_FLIGHT)
        return frame

    def too_long(self) -> None:
        """The frame that `next` gave last cannot be sent: encrypted it does not fit a frame."""
        part = self._under_way.withdraw()
        part.over = TOO_LONG
        self._settle(part)

    def answered(self, command: int, time: bytes, flag: int, now_ns: int) -> bool:
        """The platform has answered a report; False if it answers none that is under way."""
        judged = self._under_way.answered(command, time, flag)
        if judged is None:
            return False
        for one in judged:
            if one.flag == Response.SUCCESS:
                one.part.arrived = True
                self._last_answered = max(self._last_answered, one.part.order)
                self._settle(one.part)
            else:
                self._refuse(one, now_ns)
        return True

    def _refuse(self, judged: Judged, now_ns: int) -> None:
        """A report was answered with an error, or one of its second: it goes again, alone of its second."""
        part = judged.part
        if judged.sure:
            self.facts[f"reports answered with flag {judged.flag:02X}"] += 1
        else:
            self.facts["reports of a second of which one was answered with an error"] += 1
        part.refusals += judged.sure
        if part.refusals > self.rules.report_retries:
            part.over = refused_cause(judged.flag)
            self._settle(part)
        else:
            part.due_ns = now_ns + ns(self.rules.report_retry_s)
            self._refused.append(part)

    def beaten(self, beats: int) -> None:
        """The heartbeat of that number on this connection was answered."""
        for part in self._under_way.beaten(beats):
            part.arrived = True
            self._settle(part)

    def overdue_ns(self) -> int | None:
        """When the connection is of no use, unless a report is answered before; None if none need be."""
        since_ns = self._under_way.waits_since_ns()
        return None if since_ns is None else since_ns + ns(self.rules.answer_timeout_s)

    def due_ns(self) -> int | None:
        """When something goes again, at the earliest."""
        return min((part.due_ns for part in self._refused), default=None)

    def cut(self, *, by_peer: bool) -> None:
        """The connection is gone: what was under way goes again on the next, as reissue.

        Args:
            by_peer: whether the platform has ended it, which may be for what was sent.
        """
        lost = self._under_way.parts
        self._under_way.clear()
        self._next_alone = None
        self._newest.clear()
        if lost and lost[0].order < self._last_answered:
            # Later ones were answered: it was passed over, not lost.
            lost[0].skipped += 1
            if lost[0].skipped >= self.rules.unanswered_cuts:
                lost[0].over = NEVER_ANSWERED
        self._last_answered = 0
        if by_peer:
            self._blame(lost)
        for part in lost:
            message = self._messages.get(part.position)
            if message is not None and not part.over:
                message.waiting.append(part)
        for message in self._messages.values():
            message.waiting.sort(key=message.parts.index)
            message.again = True
            if message.waiting:
                self._unsent[message.position] = message
            self._store.note(message.position, Progress.WAITING)
        for part in lost:
            if part.over:
                self._settle(part)

    def _blame(self, lost: Sequence[Part]) -> None:
        for part in lost:
            if len(lost) == 1 and self._suspect(part):
                part.alone_cuts += 1
            part.cuts += 1
            if part.alone_cuts >= self.rules.alone_cuts:
                part.over = BREAKS_CONNECTION

    def _choose(self, now_ns: int, unsent: int) -> tuple[_Message, Part] | None:
        if self._alone() or (self._next_alone is not None and self._under_way):
            return None
        alone, self._next_alone = self._next_alone, None
        if alone is not None and alone in self._refused + self._waiting_parts(alone.position):
            message = self._held(alone.position)
            if message is not None:
                return message, alone
        for part, message in self._candidates(now_ns, unsent):
            if self._suspect(part) and self._under_way:
                # What comes meanwhile waits too, or this one might never find nothing under way.
                self._next_alone = part
                return None
            if self._under_way and self._under_way.bytes + part.bytes > self.rules.in_flight_bytes:
                return None
            return message, part
        return None

    def _alone(self) -> bool:
        """Whether a report is under way with which no other may be."""
        return len(self._under_way) == 1 and self._suspect(self._under_way.parts[0])

    def _suspect(self, part: Part) -> bool:
        return part.cuts >= self.rules.unanswered_cuts

    def _candidates(self, now_ns: int, unsent: int) -> Iterator[tuple[Part, _Message]]:
        """What could go, the first that may first."""
        for kind in _NEW:
            yield from self._of_kind(kind)
        if unsent > self.rules.ahead_bytes:
            return
        for part in sorted(self._refused, key=lambda one: one.due_ns):
            if part.due_ns > now_ns:
                break
            # An answer would not tell it from another of its second that is under way.
            if self._under_way.of(Command.REISSUE, part.time):
                continue
            if (message := self._held(part.position)) is not None:
                yield part, message
        for position in sorted(self._unsent):
            if self._unsent[position].again and (message := self._held(position)) is not None:
                yield from ((part, message) for part in message.waiting)
        if sum(part.bytes for part in self._refused) < self.rules.in_flight_bytes:
            # Of a platform that refuses all, no more is held in memory than may be under way.
            yield from self._of_kind(Kind.BACKLOG)

    def _of_kind(self, kind: Kind) -> Iterator[tuple[Part, _Message]]:
        """What was begun of a kind on this connection, then what is new."""
        for position, begun in list(self._unsent.items()):
            if begun.item.kind is kind and not begun.again and self._held(position) is not None:
                yield from ((part, begun) for part in begun.waiting)
        while (found := self._store.next(kind, self._cursor[kind])) is not None:
            position, item = found
            self._cursor[kind] = position
            message = self._begin(position, item)
            if message is not None:
                yield from ((part, message) for part in message.waiting)

    def _begin(self, position: int, item: Outgoing) -> _Message | None:
        if not item.payload:
            self._store.acknowledge(position)
            return None
        try:
            frames = list(frames_of(item.payload))
        except GbtError as error:
            self._give_up(position, item, f"{NO_REPORT}: {error.what}")
            return None
        parts = [Part(position, frame) for frame in frames]
        message = _Message(position, item, parts, waiting=list(parts))
        self._messages[position] = self._unsent[position] = message
        return message

    def _waiting_parts(self, position: int) -> list[Part]:
        """What waits of a message that was begun."""
        message = self._unsent.get(position)
        return [] if message is None else message.waiting

    def _held(self, position: int) -> _Message | None:
        """A message that was begun, unless the store has let go of it meanwhile."""
        if self._store.get(position) is not None:
            return self._messages[position]
        self._forget(position)
        self.facts["messages that the store let go of under way"] += 1
        return None

    def _forget(self, position: int) -> None:
        del self._messages[position]
        self._unsent.pop(position, None)
        self._refused = [part for part in self._refused if part.position != position]

    def _is_late(self, message: _Message, part: Part, now_ns: int, wall_s: int, login_ns: int) -> bool:
        """Whether a real-time report goes as reissue."""
        item = message.item
        if message.again or part.command:
            return True
        if item.numbered and item.first_number < self._newest.get(item.stream, 0):
            return True
        collected_s = unix_seconds(part.time)
        # By ages, so that a clock that is set during a session makes nothing late.
        return collected_s is not None and (wall_s - collected_s) * NS_PER_S > now_ns - login_ns + NS_PER_S

    def _settle(self, part: Part) -> None:
        """A part needs nothing more; neither does its message if it was the last."""
        message = self._messages.get(part.position)
        if message is None or not all(one.settled for one in message.parts):
            return
        self._forget(part.position)
        cause = next((one.over for one in message.parts if one.over), "")
        if cause:
            self._give_up(message.position, message.item, cause)
        elif not self._store.acknowledge(message.position):
            self.facts["acknowledged after being given up"] += 1

    def _give_up(self, position: int, item: Outgoing, cause: str) -> None:
        self._store.set_aside(position, cause)
        self._causes.append((cause, str(item)))


def frames_of(payload: bytes) -> Iterator[Frame]:
    """The frames of a payload, one behind the other.

    Raises:
        GbtError: it is none, or holds something else than reports.
    """
    position = 0
    while position < len(payload):
        length = int.from_bytes(payload[position + HEADER_BYTES - 2 : position + HEADER_BYTES])
        end = position + OVERHEAD_BYTES + length
        frame = read_frame(payload[position:end])
        if frame.command not in _REPORTS or frame.response != Response.COMMAND:
            raise GbtError(f"command {frame.command:02X} is no report", offset=position)
        yield frame
        position = end
