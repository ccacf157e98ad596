"""The process of capture: hardens itself, opens what it is told to, confines itself, and serves the core."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Sequence

from edge import process_memory
from edge.capturing.confinement import confine
from edge.capturing.connection import Connection
from edge.capturing.hardening import harden, name_process
from edge.capturing.message import TEXT_MAX, Failed, Message, Order, Ready, Told
from edge.capturing.opening import opener_of
from edge.capturing.quoting import place_of, quote_nothing
from edge.capturing.serving import Serving
from edge.clock import NS_PER_S, Clock, SystemClock
from edge.errors import NevgateError

WAITED_OUT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPWR)
"""Signals that go to a whole service or terminal: the parent decides when capture ends."""

_ORDER_S = 60.0
_LAST_WORDS_S = 2.0
_LOG_BYTES = 1 << 20


def main(descriptor: int, parent: int, lacking: tuple[str, ...]) -> None:
    """Be the process of capture.

    Args:
        descriptor: of the socket to the core.
        parent: process id of the core.
        lacking: what of its rights it could not give up, a sentence each.
    """
    lacking += harden(parent, keep=[descriptor])
    name_process("nevgate-capture")
    for number in WAITED_OUT:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITED_OUT)
    connection = Connection(socket.socket(fileno=descriptor))
    quote_nothing(_LogToCore(connection))
    sys.exit(_work(connection, descriptor, SystemClock(), lacking))


def _work(connection: Connection, descriptor: int, clock: Clock, lacking: tuple[str, ...]) -> int:
    """Open, confine and serve; tell the exit status."""
    early = _early(connection, clock)
    if not early or not isinstance(order := early[0], Order):
        return 1
    try:
        opened = opener_of(order.opener)(order.arguments, order.collect, order.admission, clock)
        opened_ns = clock.boot_ns()
        lacking += confine(order.needed, descriptor)
        connection.send(Ready(opened_ns, opened.capture.live, opened.mask, opened.items, lacking))
        serving = Serving(
            connection,
            opened.capture,
            clock=clock,
            buffer_bytes=order.buffer_bytes,
            pace=opened.pace,
            power=opened.power,
        )
        process_memory.settle()
        serving.run(early[1:])
    except NevgateError as error:
        connection.send(Failed(type(error).__name__, error.what, error.where, error.todo))
    except Exception as error:  # noqa: BLE001 - its text might quote a frame: only its kind and place are told
        connection.send(Failed("", place_of(error)))
    else:
        return 0
    end_ns = clock.boot_ns() + _LAST_WORDS_S * NS_PER_S
    while connection.unsent_bytes and not connection.ended and clock.boot_ns() < end_ns:
        connection.exchange(_LAST_WORDS_S)
    return 1


def _early(connection: Connection, clock: Clock) -> Sequence[Message]:
    """What the core orders first, with what came together with it; nothing if it is gone."""
    end_ns = clock.boot_ns() + _ORDER_S * NS_PER_S
    while not connection.ended and clock.boot_ns() < end_ns:
        messages = connection.exchange(_ORDER_S)
        if messages:
            return messages
    return ()


class _LogToCore(logging.Handler):
    """Hands lines of the log to the core: those of other people's libraries without their text.

    They might quote a frame.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(logging.INFO)
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        if self._connection.unsent_bytes > _LOG_BYTES:
            return
        ours = record.name.partition(".")[0] in {"edge", "nevgate"}
        text = record.getMessage() if ours else f"{record.name} at {record.pathname}:{record.lineno}"
        self._connection.send(Told(min(max(record.levelno, 0), logging.CRITICAL), text[:TEXT_MAX]))
