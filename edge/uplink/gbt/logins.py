"""`Logins`: the login and logout of one session after the other: number, time, message."""

from __future__ import annotations

from edge.clock import NS_PER_S
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.session_numbers import SessionNumbers
from edge.uplink.gbt.terminal import Terminal
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message


class Logins:
    """Makes logins, and the logout that belongs to the last one.

    Args:
        terminal: says who it is.
        numbers: of logins.
        clock: wall time.

    Attributes:
        time: of the last login, as on the wire.
        at_ns: when it was made, boot time.
    """

    def __init__(self, terminal: Terminal, numbers: SessionNumbers, clock: PlatformClock) -> None:
        self.time = b""
        self.at_ns = 0
        self._terminal = terminal
        self._numbers = numbers
        self._clock = clock
        self._number = 0

    def login(self, now_ns: int) -> Message:
        """A new login.

        Raises:
            GbtError: the wall time cannot be said.
        """
        time = self._time(now_ns)
        self._number = self._numbers.next(self._clock.timebase().wall_ns(now_ns))
        self.time, self.at_ns = time, now_ns
        return self._terminal.login(time, self._number)

    def logout(self, now_ns: int) -> tuple[Message, bytes]:
        """The logout that belongs to the last login, and the time that it bears.

        Raises:
            GbtError: the wall time cannot be said.
        """
        time = self._time(now_ns)
        return self._terminal.logout(time, self._number), time

    def accepted_by(self, message: Message, time: bytes) -> bool:
        """Whether a message that bears this time accepts the last login."""
        accepts = message.command == Command.VEHICLE_LOGIN and message.response == Response.SUCCESS
        return accepts and time == self.time

    def _time(self, now_ns: int) -> bytes:
        return time_bytes(self._clock.timebase().wall_ns(now_ns) // NS_PER_S)
