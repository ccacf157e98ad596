"""`Commands`: what is asked of a device, until it is answered or too old to be meant; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from edge.clock import NS_PER_S
from edge.wire.vlink_messages import Ack, Command

NUMBERS = 0x7FFF_FFFF
"""Numbers of commands are no greater; what is, is a nonce, so that no ACK can mean both."""
REPEAT_NS = NS_PER_S // 2
LIFE_NS = 5 * NS_PER_S
"""What was meant then may be wrong later: no command is sent when it is older."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command.

    Attributes:
        number: as `Commands.ask` gave it.
        code: of the command.
        result: ``ACK_*``; None where no answer came.
        text: for people.
    """

    number: int
    code: int
    result: int | None
    text: str


@dataclass(slots=True)
class _Pending:
    code: int
    argument: bytes
    quiet: bool
    since_ns: int | None = None
    at_ns: int = 0


class Commands:
    """Has each command sent until its ACK comes, for 5 s from the first look at the clock."""

    def __init__(self) -> None:
        self._number = 0
        self._pending: dict[int, _Pending] = {}
        self._outcomes: list[Outcome] = []

    def ask(self, code: int, argument: bytes, *, quiet: bool) -> int:
        """Have a command sent.

        Args:
            code: ``COMMAND_*``.
            argument: of the code (docs/vlink.md).
            quiet: whether nobody wants to know its outcome; a later one of its code takes its place.

        Returns:
            The number under which its `Outcome` will be told.
        """
        if quiet:
            for number in [number for number, one in self._pending.items() if one.quiet and one.code == code]:
                del self._pending[number]
        self._number = self._number % NUMBERS + 1
        self._pending[self._number] = _Pending(code, argument, quiet)
        return self._number

    def due_ns(self) -> int | None:
        """Boot time at which one is to be sent; None for none."""
        return min((one.at_ns for one in self._pending.values()), default=None)

    def grow_old(self, now_ns: int) -> None:
        """Give up what is too old; to be called whether there is a session or none."""
        for number, one in list(self._pending.items()):
            if one.since_ns is None:
                one.since_ns = now_ns
            elif now_ns - one.since_ns >= LIFE_NS:
                self._settle(number, None, "no answer")

    def due(self, now_ns: int) -> list[Command]:
        """What is to be sent now."""
        due = [(number, one) for number, one in self._pending.items() if now_ns >= one.at_ns]
        for _, one in due:
            one.at_ns = now_ns + REPEAT_NS
        return [Command(number, one.code, one.argument) for number, one in due]

    def session(self, now_ns: int, *, reset: bool) -> None:
        """Take up that a session began.

        Args:
            now_ns: boot time; what waits is sent at once.
            reset: whether the device has forgotten what it was asked.
        """
        for number, one in list(self._pending.items()):
            one.at_ns = now_ns
            if reset:
                self._settle(number, None, "the board was reset")

    def answered(self, ack: Ack) -> None:
        """Take up an answer; one to a repetition of what was answered before says nothing."""
        self._settle(ack.number, ack.result, ack.text)

    def outcomes(self) -> list[Outcome]:
        """What has become of commands since the last call."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def _settle(self, number: int, result: int | None, text: str) -> None:
        one = self._pending.pop(number, None)
        if one is not None and not one.quiet:
            self._outcomes.append(Outcome(number, one.code, result, text))
