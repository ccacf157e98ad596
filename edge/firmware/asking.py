"""Asks a board over vlink, without a gateway: what it is, how it stands, and to restart into its loader."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.bus.vlink.commands import Outcome
from edge.bus.vlink.port import Port
from edge.bus.vlink.ports import open_board
from edge.bus.vlink.session import Began, HostSession, Told
from edge.clock import NS_PER_S, Clock, SystemClock
from edge.errors import FirmwareError
from edge.wire.vlink_messages import ACK_DONE, COMMAND_LOADER, COMMAND_STATUS, Event, Hello, Status

SPEED = 921_600
ANSWER_S = 4.0
PROBE_S = 0.8
"""A bridge answers at once; what does not in this time is none."""
_WAIT_S = 0.05
_EVENTS_S = 0.3


@dataclass
class BoardAnswer:
    """What a board has told.

    Attributes:
        port: where it is.
        hello: what it is.
        status: how it stands.
        events: what has happened to it since a host was there.
    """

    port: str
    hello: Hello
    status: Status
    events: list[Event] = field(default_factory=list)


def ask_board(channel: str, speed: int = SPEED, clock: Clock | None = None) -> BoardAnswer:
    """Ask a board what it is and how it stands.

    Args:
        channel: a device, ``auto``, or ``auto:`` with a serial number.
        speed: bit/s of a UART.
        clock: the time.

    Raises:
        SourceError: the port cannot be found or opened, or another program has it.
        FirmwareError: the board does not answer.
    """
    port = open_board(channel, speed)
    try:
        hello: Hello | None = None
        answer: BoardAnswer | None = None
        events: list[Event] = []
        clock = clock or SystemClock()
        ends_ns = 0
        for told in _session(port, clock, COMMAND_STATUS):
            # Events come one by one, and more of them behind the status.
            if answer and (told is None or clock.boot_ns() > ends_ns):
                return answer
            match told:
                case Began():
                    hello = told.hello
                case Event():
                    events.append(told)
                case Status() if hello is not None:
                    answer = BoardAnswer(port.name, hello, told, events)
                    ends_ns = ends_ns or clock.boot_ns() + int(_EVENTS_S * NS_PER_S)
    except OSError as error:
        raise FirmwareError(f"the port is gone: {error}", where=port.name) from error
    finally:
        port.close()
    raise _silent(port.name)


def into_loader(channel: str, speed: int = SPEED, clock: Clock | None = None) -> bool:
    """Have a bridge restart into its loader; tell whether there is one.

    Raises:
        SourceError: the port cannot be found or opened.
        FirmwareError: the board refuses.
    """
    port = open_board(channel, speed)
    try:
        for told in _session(port, clock or SystemClock(), COMMAND_LOADER, PROBE_S):
            if isinstance(told, Outcome) and told.code == COMMAND_LOADER:
                if told.result == ACK_DONE:
                    return True
                raise FirmwareError(
                    f"the board refuses to restart into its loader: {told.text or 'no answer'}",
                    where=port.name,
                    todo="Fit the loader's jumper, reset the board, and try again",
                )
    except OSError:
        # It is restarting, and its port with it.
        return True
    finally:
        port.close()
    return False


def _silent(where: str) -> FirmwareError:
    return FirmwareError(
        "no board answers, neither MicroPython's prompt nor nevgate's firmware",
        where=where,
        todo="Is it a board with MicroPython? Reset it, and try again",
    )


def _session(port: Port, clock: Clock, command: int, patience_s: float = ANSWER_S) -> Iterator[Told | None]:
    """What a board tells in `ANSWER_S`, with a command once it answers, in `patience_s` at the latest.

    None for each time that nothing came.
    """
    session = HostSession(lambda: secrets.randbits(32), port.bit_rate)
    now_ns = clock.boot_ns()
    ends_ns = now_ns + int(patience_s * NS_PER_S)
    session.opened(now_ns, port.bit_rate)
    waiting = b""
    while now_ns < ends_ns:
        waiting += session.step(now_ns)
        waiting = waiting[port.write(waiting) :]
        port.wait(_WAIT_S)
        now_ns = clock.boot_ns()
        came = port.read()
        if not came:
            yield None
        for told in session.receive(came, now_ns):
            if isinstance(told, Began):
                session.ask(command)
                ends_ns = now_ns + int(ANSWER_S * NS_PER_S)
            yield told
