"""A board behind a pseudo terminal, driven by the test's own thread."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import tty
from collections.abc import Iterator
from pathlib import Path

from edge.clock import Clock, SystemClock
from tests.vlink.board import Board


class Terminal:
    """The board's end; `turn` lets the board have its turn.

    Attributes:
        board: behind it.
        path: of a link to its port, which stays when it is plugged in anew.
    """

    def __init__(self, folder: Path, clock: Clock, **board: int) -> None:
        self.board = Board(clock, **board)  # type: ignore[arg-type]
        self.path = folder / "board"
        self._unsent = b""
        self._master: int | None = None

    @property
    def port(self) -> str:
        """The device that the link leads to."""
        return str(self.path.readlink())

    def plug(self) -> None:
        """Make a new terminal, and have the link lead there."""
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        """Hang up."""
        if self._master is not None:
            os.close(self._master)
            self._master = None
        self._unsent = b""

    def turn(self) -> None:
        """Take what was written, write what is to go."""
        if self._master is None:
            return
        with contextlib.suppress(OSError):
            # While nobody has the other end open there is an error instead of nothing.
            self.board.receive(os.read(self._master, 65536))
        (poll := select.poll()).register(self._master, 0)
        if poll.poll(0):
            # Nobody has the other end open: a board of USB then waits.
            return
        if not self._unsent:
            self._unsent = self.board.send(packets=20)
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[os.write(self._master, self._unsent) :]


@contextlib.contextmanager
def terminal(folder: Path, **board: int) -> Iterator[Terminal]:
    """A board that is plugged in until the block ends."""
    one = Terminal(folder, SystemClock(), **board)
    one.plug()
    try:
        yield one
    finally:
        one.unplug()
