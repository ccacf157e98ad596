"""Points of the product's code at which a worker kills itself, so that no narrow moment is left to chance."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import FrameType, MappingProxyType
from typing import Any

import apsw

from edge.journal import opening

STATEMENT = "before a statement"
COMMIT = "within a commit"

_ROOMS = ("/edge/journal/", "/edge/forward/", "/edge/journal_road.py")


@dataclass(frozen=True, slots=True)
class Point:
    """One of them.

    Attributes:
        module: where the function is.
        name: its name there, with the class.
        before: whether death comes before it is called, or after it has returned.
        rare: whether it is passed a few times a round at most.
    """

    module: str
    name: str
    before: bool
    rare: bool


_PASSED = (
    ("edge.journal.opening", "lock_folder", True),
    ("edge.journal.opening", "open_database", True),
    ("edge.journal.opening", "_own_stream", True),
    ("edge.journal.opening", "load_chain", True),
    ("edge.journal.keys.generation_files", "GenerationFiles.write", True),
    ("edge.journal.keys.key_store", "KeyStore._rotate", True),
    ("edge.journal.keys.key_store", "KeyStore._make_key", True),
    ("edge.journal.committer", "Committer._transact", False),
    ("edge.journal.journal", "Journal.countersign", False),
    ("edge.journal.checkpoints", "Checkpointer.made", True),
    ("edge.forward.forwarder", "take_up", True),
    ("edge.forward.forwarder", "Forwarder._keep", False),
    ("edge.forward.forwarder", "Forwarder.acknowledge", False),
    ("edge.forward.forwarder", "Forwarder._committed", False),
    ("edge.uplink.mqtt", "MqttLink.publish", False),
    ("edge.uplink.session", "Session._puback", False),
    ("edge.uplink.flight", "Flight.receipt", False),
    ("edge.journal.writer", "WriterThread.stop", True),
    ("edge.journal.journal", "Journal.close", True),
    ("os", "fsync", False),
)

POINTS = MappingProxyType(
    {
        **{
            f"{'before' if before else 'after'} {name}": Point(module, name, before, rare)
            for module, name, rare in _PASSED
            for before in (True, False)
        },
        STATEMENT: Point("", "", True, False),
        COMMIT: Point("", "", True, False),
    }
)


MAKING = tuple(
    sorted(
        name
        for name in POINTS
        if name.endswith(("open_database", "_own_stream", "GenerationFiles.write", "_rotate", "_make_key"))
    )
)
"""Those that are passed when a journal and its keys are made."""


class Countdown:
    """Ends this process at the last of so many passages, as a power switch would."""

    def __init__(self, passages: int) -> None:
        self._left = passages
        self._lock = threading.Lock()

    def passed(self, *_: object) -> bool:
        """Count one; nothing after the last."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return False


def die_at(name: str, passage: int) -> None:
    """Arrange for this process to end at a point."""
    countdown = Countdown(passage)
    if name == STATEMENT:

        def trace(*_: object) -> bool:
            countdown.passed()
            return True

        on_connection(lambda connection: connection.set_exec_trace(trace))
        return
    if name == COMMIT:
        on_connection(lambda connection: connection.set_commit_hook(countdown.passed))
        return
    point = POINTS[name]
    owner, attribute, function = place_of(point)

    @functools.wraps(function)
    def passing(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the function takes
        if point.before:
            countdown.passed()
        result = function(*args, **kwargs)
        if not point.before:
            countdown.passed()
        return result

    setattr(owner, attribute, passing)


def die_at_line(number: int) -> None:
    """Arrange for this process to end after so many lines of journal and forwarding, on whatever thread."""
    countdown = Countdown(number)

    def line(frame: FrameType, event: str, argument: object) -> object:
        del frame, argument
        if event == "line":
            countdown.passed()
        return line

    def call(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ANN401 - as sys.settrace has it
        del event, argument
        return line if any(room in frame.f_code.co_filename for room in _ROOMS) else None

    threading.settrace(call)
    sys.settrace(call)


def on_connection(do: Callable[[apsw.Connection], object]) -> None:
    """Have something done with each connection to the journal's database that the journal opens."""
    make = vars(opening)["open_database"]

    def made(path: str, *, vfs: str | None = None) -> apsw.Connection:
        connection: apsw.Connection = make(path, vfs=vfs)
        do(connection)
        return connection

    vars(opening)["open_database"] = made


def place_of(point: Point) -> tuple[Any, str, Callable[..., Any]]:
    """The object that holds a point's function, its name there, and the function.

    Raises:
        AttributeError: the product has no such function any more.
    """
    owner: Any = import_module(point.module)
    *path, attribute = point.name.split(".")
    for step in path:
        owner = getattr(owner, step)
    return owner, attribute, getattr(owner, attribute)
