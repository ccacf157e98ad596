"""Starts the board's program on a MicroPython, with a pseudo terminal as its port."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import struct
import subprocess
import tty
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import can

from edge.wire.vlink_frames import KIND_EXTENDED, KIND_REMOTE
from simulator.board import traffic

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_LONGEST_PAUSE_US = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class PlayedBus:
    """A bus of the board.

    Attributes:
        rate: frames per second; 0 for silence. Of a list any other number plays it at its own pace.
        frames: how many in all.
        depth: frames that the controller holds; further ones are lost, and counted.
        style: of `traffic`.
        list: a file of `write_list`, which is played instead.
    """

    rate: int = 0
    frames: int = 1 << 29
    depth: int = 64
    style: int = traffic.MIXED
    list: str = ""


@dataclass
class RunningBoard:
    """A board that runs.

    Attributes:
        port: what a host opens.
        process: MicroPython.
        errors: the file that takes what the program tells.
    """

    port: str
    process: subprocess.Popen[bytes]
    errors: Path
    _pipe: int

    def command(self, line: str) -> None:
        """Have a command of `program.py` done."""
        os.write(self._pipe, line.encode() + b"\n")

    def told(self) -> tuple[Mapping[str, Any], ...]:
        """Tell all that the program has told so far.

        Raises:
            RuntimeError: it has ended, or has told something else: its traceback.
        """
        text = self.errors.read_text(errors="replace")
        lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        if self.process.poll() is not None or not all(line.startswith("{") for line in lines):
            raise RuntimeError(f"the board's program has failed: {text}")
        return tuple(json.loads(line) for line in lines)


@contextlib.contextmanager
def board_behind_port(
    micropython: str,
    folder: Path,
    buses: Sequence[PlayedBus],
    *,
    cells: int = 2_000,
    power: bool | Mapping[str, int] = False,
) -> Iterator[RunningBoard]:
    """Run a board until the block ends.

    Args:
        micropython: the interpreter.
        folder: an empty one for what the board needs.
        buses: what is played.
        cells: of each ring.
        power: whether a supervisor of power is fitted, or with which parameters (firmware/supervisor).
    """
    plan = {
        "buses": [asdict(bus) for bus in buses],
        "cells": cells,
        "boot": 4_000_000_000,
        "power": power if isinstance(power, bool) else dict(power),
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    shared = folder / "shared"
    shared.mkdir()
    for module in sorted((_ROOT / "edge" / "wire").glob("vlink*.py")):
        shutil.copy(module, shared / module.name)
    commands = folder / "commands"
    os.mkfifo(commands)
    line = [
        micropython,
        "-X",
        "heapsize=8m",
        str(_HERE / "program.py"),
        str(folder / "plan.json"),
        str(commands),
    ]
    paths = ":".join([str(_HERE), str(_ROOT / "firmware"), str(shared), ".frozen"])
    errors = folder / "told"
    with contextlib.ExitStack() as stack:
        pipe = os.open(commands, os.O_RDWR)
        stack.callback(os.close, pipe)
        master, slave = pty.openpty()
        stack.callback(os.close, slave)
        tty.setraw(slave)
        # A board's port does not wait for its host either.
        os.set_blocking(master, False)
        with errors.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - the interpreter and files of this program
                line, stdin=master, stdout=master, stderr=sink, env={**os.environ, "MICROPYPATH": paths}
            )
        os.close(master)
        stack.callback(process.wait, timeout=20)
        stack.callback(process.kill)
        yield RunningBoard(os.ttyname(slave), process, errors, pipe)


def write_list(recording: Path, path: Path) -> tuple[int, int]:
    """Write a recording's frames as a list that a bus can play.

    Args:
        recording: any that python-can reads.
        path: of the list.

    Returns:
        How many frames are in the list, and how many have no place there: error frames and those of CAN FD.
    """
    before = None
    counts = [0, 0]
    with path.open("wb") as file, can.LogReader(recording) as reader:
        for message in reader:
            if message.is_error_frame or message.is_fd:
                counts[1] += 1
                continue
            counts[0] += 1
            pause_us = 0 if before is None else round((message.timestamp - before) * 1e6)
            before = message.timestamp
            kind = message.dlc | (KIND_EXTENDED if message.is_extended_id else 0)
            kind |= KIND_REMOTE if message.is_remote_frame else 0
            pause_us = min(max(0, pause_us), _LONGEST_PAUSE_US)
            data = bytes(message.data).ljust(8, b"\0")
            file.write(struct.pack("<IB3xI8s", pause_us, kind, message.arbitration_id, data))
    return counts[0], counts[1]
