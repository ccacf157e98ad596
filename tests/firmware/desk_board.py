"""A board on a desk behind a pseudo terminal: comes back after each reset, as one that has power."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import termios
import threading
import tty
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.firmware import micropython

PROGRAMS = Path(__file__).parent / "programs"
SIMULATOR = micropython.ROOT / "simulator"
BOARD = """\
title = "A desk"
family = "rp2"
architecture = "x64"
cells = 500
watchdog_ms = 8000
temperature = true
[port]
kind = "usb"
[[buses]]
controller = "mcp2515"
oscillator_hz = 16_000_000
spi = 0
sck = 18
mosi = 19
miso = 16
select = 17
interrupt = 20
[loader]
pin = 22
"""
"""Its description, as in `firmware/boards`."""
SUPERVISED = """
[supervisor]
ignition = 14
enable = "ENABLE"
supply = 26
full_scale_mv = 36_300
[supervisor.parameters]
off_ms = 100
"""
"""What is added to it where the gateway's power is its own: the ignition is on at 13.2 V."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What is on the desk.

    Attributes:
        mount: where the board has its flash.
        format: of the flash.
        frames: id and hexadecimal data of what comes on its bus each 100 ms; extended ids from 2^31 on.
        files: what is on the flash when it is new.
        interrupts: whether Ctrl-C ends a program, as it does where the program does not read the port.
    """

    mount: str = "/"
    format: str = "VfsLfs2"
    frames: Sequence[tuple[int, str]] = ()
    files: Mapping[str, str] | None = None
    interrupts: bool = False


class DeskBoard:
    """The board.

    Attributes:
        port: its serial port.
        starts: how often it has started.
    """

    def __init__(self, flash: Path, folder: Path, desk: Desk) -> None:
        options = folder / "desk.json"
        options.write_text(json.dumps(asdict(desk) | {"files": dict(desk.files or {})}))
        if not flash.exists():
            flash.write_bytes(b"")
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self.starts = 0
        self._descriptors = (master, slave)
        self._errors = folder / "desk.stderr"
        self._command = [
            micropython.interpreter(),
            "-X",
            "heapsize=2m",
            "-i",
            str(PROGRAMS / "desk_on_board.py"),
            str(flash),
            str(options),
        ]
        self._environment = {"MICROPYPATH": f"{PROGRAMS}:{SIMULATOR}:.frozen", "HOME": str(folder)}
        self._ended = False
        self._process = self._start()
        self._thread = threading.Thread(target=self._again, daemon=True)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        master = self._descriptors[0]
        with self._errors.open("ab") as sink:
            return subprocess.Popen(
                self._command, stdin=master, stdout=master, stderr=sink, env=self._environment, cwd=PROGRAMS
            )

    def _again(self) -> None:
        while True:
            self._process.wait()
            if self._ended:
                return
            # What a reset board had not read is gone.
            termios.tcflush(self._descriptors[0], termios.TCIOFLUSH)
            self._process = self._start()

    def cut(self) -> None:
        """Cut the power; it comes back at once."""
        self._process.kill()

    def end(self) -> None:
        """Take it away."""
        self._ended = True
        self._process.kill()
        self._thread.join(timeout=20)
        for descriptor in self._descriptors:
            os.close(descriptor)


@contextlib.contextmanager
def desk_board(folder: Path, desk: Desk = Desk()) -> Iterator[DeskBoard]:
    """A board with an empty flash, until the block ends."""
    board = DeskBoard(folder / "flash", folder, desk)
    try:
        yield board
    finally:
        board.end()
