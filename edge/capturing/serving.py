"""What the process of capture does all the time: reads, keeps what may be kept, hands it on when asked."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from edge.capture import MaskedSource
from edge.capturing.buffer import HandOverBuffer, Item
from edge.capturing.connection import Connection
from edge.capturing.message import (
    Adopt,
    Ask,
    Close,
    Done,
    Ended,
    Failed,
    Message,
    Observed,
    PowerAsk,
    PowerTold,
    Report,
)
from edge.capturing.pace import Pace
from edge.capturing.quoting import place_of
from edge.capturing.reporting import ReportWriter
from edge.clock import NS_PER_S, Clock
from edge.errors import NevgateError
from edge.frames import FrameBatch
from edge.policy.classes import DataClass
from edge.power.line import PowerLine

RECORDING_WAIT_S = 0.02
"""How often it is looked whether the core has taken enough of a recording that more can be read."""

REPORT_S = 1.0
AHEAD_BYTES = 1 << 20
"""How far a recording is read ahead of the core."""

ATTEND_S = 0.03
"""How often core and supervisor of power are looked at in turn when nothing else is left."""

STALLED_S = 30.0
"""A core that takes nothing for so long after it has asked for the end is taken to have gone."""

logger = logging.getLogger(__name__)


class Serving:
    """Serves one core over a connection until the sources end, or the core does.

    Frames are read, and what may not be collected is removed, whether the core asks or not. What a slow core
    leaves waiting is bounded; of live sources the oldest batch then makes room, a recording waits.

    Args:
        connection: to the core.
        capture: what is read; closed at the end.
        clock: stamps reports.
        buffer_bytes: memory for what waits.
        pace: when live sources are read.
        power: to the supervisor of power; spoken with, also when the sources have ended, until the core is
            gone.
    """

    def __init__(
        self,
        connection: Connection,
        capture: MaskedSource,
        *,
        clock: Clock,
        buffer_bytes: int,
        pace: Pace,
        power: PowerLine | None = None,
    ) -> None:
        self._connection = connection
        self._capture = capture
        self._clock = clock
        self._limit_bytes = buffer_bytes
        self._pace = pace
        self._power = power
        self._pressing = False
        self._buffer = HandOverBuffer(buffer_bytes)
        self._reports = ReportWriter()
        self._adopted = 0
        self._asked: Ask | None = None
        self._due_s = 0.0
        self._looked = False
        self._look_at_s = 0.0
        self._reported_s = 0.0
        self._closing = False
        self._last: Message | None = None
        self._told_last = False
        self._progress = (0.0, 0)

    def run(self, early: Sequence[Message] = ()) -> None:
        """Serve until the end.

        Args:
            early: what the core has sent already.
        """
        with self._capture:
            for message in early:
                self._obey(message)
            while not (self._told_last and not self._connection.unsent_bytes):
                for message in self._connection.exchange(self._wait_s()):
                    self._obey(message)
                if self._connection.ended or self._stalled():
                    return
                self._look_if_due()
                self._answer_if_due()
        if self._power is not None and isinstance(self._last, Ended):
            self._attend(self._power)

    def _attend(self, power: PowerLine) -> None:
        """Speak with the supervisor of power until the core hangs up."""
        while not self._connection.ended:
            for message in self._connection.exchange(ATTEND_S):
                self._obey(message)
            power.attend(ATTEND_S)
            self._hear_power()
        power.hang_up()

    def _hear_power(self) -> None:
        """Hand on what the supervisor of power has said; the core is to come back soon where it matters."""
        if self._power is not None and (said := self._power.said()):
            self._pressing |= said.pressing
            self._connection.send(PowerTold(said))

    def _now_s(self) -> float:
        return self._clock.boot_ns() / NS_PER_S

    def _wait_s(self) -> float:
        now_s = self._now_s()
        if self._last is not None:
            return 0.0 if not self._told_last else 1.0
        if not self._capture.live:
            return 0.0 if self._ahead() else RECORDING_WAIT_S
        until_s = self._look_at_s
        if self._asked is not None:
            until_s = min(until_s, self._due_s)
        return until_s - now_s

    def _obey(self, message: Message) -> None:
        match message:
            case Ask(timeout_ms=timeout_ms):
                self._asked = message
                self._looked = False
                self._due_s = self._now_s() + timeout_ms / 1000
            case Adopt(number=number, collect=collect, admission=admission):
                self._adopt(frozenset(collect), admission)
                self._adopted = number
                self._look()
            case PowerAsk(command=command, seconds=seconds):
                if self._power is not None:
                    self._power.ask(command, seconds)
            case Close():
                self._closing = True
                self._capture.close()

    def _adopt(self, collect: frozenset[DataClass], admission: str) -> None:
        try:
            self._capture.adopt(collect, admission)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more is taken under the old mask
            self._last = Failed("", place_of(error))

    def _ahead(self) -> bool:
        """Whether a recording is to be read on."""
        return self._buffer.bytes_held + self._connection.unsent_bytes < AHEAD_BYTES

    def _look_if_due(self) -> None:
        if self._last is not None:
            return
        if self._closing:
            while self._last is None:
                self._look()
        elif not self._capture.live:
            if self._ahead():
                self._look()
        else:
            now_s = self._now_s()
            # What the core asks for is all that has come until it asked, so that has to be looked at.
            pressed = self._asked is not None and not self._looked
            if now_s >= self._look_at_s or (pressed and (len(self._buffer) or now_s >= self._due_s)):
                self._look()

    def _look(self) -> None:
        """Read what has come; whatever goes wrong with that ends the sources, and nothing else."""
        if self._last is not None:
            return
        self._looked = True
        self._look_at_s = self._pace.next_ns(self._clock.boot_ns()) / NS_PER_S
        try:
            captured = self._capture.read(0)
        except NevgateError as error:
            self._last = Failed(type(error).__name__, error.what, error.where, error.todo)
        except Exception as error:  # noqa: BLE001 - whatever it is, what was read before is handed on
            self._last = Failed("", place_of(error))
        else:
            self._hear_power()
            if captured is None:
                self._last = Ended()
            else:
                if self._capture.behind:
                    self._look_at_s = self._now_s()
                self._buffer.add(
                    captured,
                    beside_bytes=self._connection.unsent_bytes,
                    bounded=self._capture.live and not self._closing,
                )

    def _answer_if_due(self) -> None:
        if self._told_last:
            return
        now_s = self._now_s()
        asked = self._asked
        if self._last is not None or (
            asked is not None
            and self._looked_enough()
            and (len(self._buffer) or self._pressing or now_s >= self._due_s)
        ):
            self._pressing = False
            items = self._buffer.take()
            answer: list[Message] = [self._report(), *map(_message, items)]
            if asked is not None:
                self._asked = None
                answer.append(Done(asked.number))
            if self._last is not None:
                self._told_last = True
                answer.append(self._last)
            self._connection.send(*answer)
        elif now_s - self._reported_s >= REPORT_S and not self._connection.unsent_bytes:
            self._connection.send(self._report())

    def _looked_enough(self) -> bool:
        return self._looked or not self._capture.live

    def _report(self) -> Message:
        self._reported_s = self._now_s()
        hops = (*self._capture.hops(), *self._buffer.hops())
        capture = self._capture
        return self._reports.told(
            Report(self._clock.boot_ns(), self._adopted, hops, capture.place, capture.buses)
        )

    def _stalled(self) -> bool:
        """Whether the core was told the end and takes nothing of it."""
        if not self._told_last:
            return False
        now_s, unsent = self._now_s(), self._connection.unsent_bytes
        since_s, before = self._progress
        if unsent != before:
            self._progress = (now_s, unsent)
            return False
        return now_s - since_s > STALLED_S


def _message(item: Item) -> Message:
    return item if isinstance(item, FrameBatch) else Observed(item)
