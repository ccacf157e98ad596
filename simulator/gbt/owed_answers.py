"""`OwedAnswers`: what an operator has asked of a terminal and what it has not answered yet."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Encryption, Frame
from edge.wire.gbt.message import Values, message_of
from simulator.gbt.asks import Ask
from simulator.gbt.checks import Fault, RefusedError
from simulator.gbt.events import Answered, Unanswered


class _Owed(NamedTuple):
    ask: Ask
    time: bytes
    since_ns: int


class OwedAnswers:
    """The commands of one connection that wait for their answers.

    Args:
        most: that may wait at once.
        answer_s: seconds after which one is given up.
    """

    def __init__(self, most: int, answer_s: float) -> None:
        self._most = most
        self._answer_ns = round(answer_s * NS_PER_S)
        self._owed: deque[_Owed] = deque()

    def ask(self, ask: Ask, edition: Edition, vin: bytes, now_ns: int) -> bytes:
        """A command as bytes to send; its answer is owed from now on.

        Raises:
            GbtError: too many answers are owed, or the edition cannot say that.
        """
        if len(self._owed) >= self._most:
            raise GbtError(f"{len(self._owed)} answers are owed already")
        unix_s = now_ns // NS_PER_S
        data = ask.message(edition, vin, unix_s).write()
        self._owed.append(_Owed(ask, time_bytes(unix_s), now_ns))
        return data

    def owes(self, command: int) -> bool:
        """Whether an answer to such a command is owed."""
        return any(one.ask.command == command for one in self._owed)

    def answered(self, frame: Frame, unit: bytes, who: str, now_ns: int) -> Answered:
        """Take the answer to what was asked under the same command, at the same time if one was.

        Args:
            frame: the answer.
            unit: its data unit, decrypted.
            who: the VIN.
            now_ns: Unix time.

        Raises:
            RefusedError: the data unit is none.
        """
        plain = Frame(frame.edition, frame.command, frame.response, frame.vin, Encryption.NONE, unit)
        try:
            content = message_of(plain).content
        except GbtError as error:
            raise RefusedError(Fault.STRUCTURE, str(error)) from error
        fits = [place for place, one in enumerate(self._owed) if one.ask.command == frame.command]
        place = next((place for place in fits if unit.startswith(self._owed[place].time)), fits[0])
        owed = self._owed[place]
        del self._owed[place]
        entries = content.raws[2] if isinstance(content, Values) and content.part == "parameters" else ()
        return Answered(who, owed.ask, frame.response, entries, (now_ns - owed.since_ns) / NS_PER_S)

    def overdue(self, who: str, now_ns: int) -> list[Unanswered]:
        """Those that are given up now."""
        found = []
        while self._owed and now_ns - self._owed[0].since_ns >= self._answer_ns:
            found.append(Unanswered(who, self._owed.popleft().ask, "no answer in time"))
        return found

    def ended(self, who: str) -> list[Unanswered]:
        """The session is over: nothing is owed any more."""
        found = [Unanswered(who, one.ask, "the session ended") for one in self._owed]
        self._owed.clear()
        return found
