"""`Machine`: a virtual machine with two CAN controllers on one bus, that is spoken with line by line."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.closing import Closing
from edge.errors import SourceError
from tests.vm.boot import init_script, mount_point, qemu_command
from tests.vm.kernel import CAN_MODULES, HOST_MODULES, first_file_system, kernel_files

CONTROLLERS = ("controller0", "controller1")
"""Names of the two kvaser_pci devices for qemu's monitor; the kernel calls them can0 and can1."""

Line = Mapping[str, object]

_CONSOLE_LINES = 60
_PIECE_BYTES = 65_536


class Machine(Closing):
    """A guest that runs one program out of the host's files, with a serial line of its own for JSON lines.

    A line from the guest that has a key ``monitor`` is a command for qemu's monitor (QMP): it is carried
    out here and answered with what the monitor returned; the caller sees all other lines.

    Args:
        folder: for the first file system.
        cache: where the kernel is kept.
        program: words of the command that the guest runs; ``/dev/ttyS1`` is its end of the line.

    Raises:
        SourceError: the machine cannot be made.
    """

    def __init__(self, folder: Path, cache: Path, program: Sequence[str]) -> None:
        kernel = kernel_files(cache)
        first_files = folder / "first-files"
        script = init_script(program, mounts=mounts())
        first_files.write_bytes(first_file_system(kernel, script, HOST_MODULES + CAN_MODULES))
        self._line, lines_end = socket.socketpair()
        self._monitor, monitors_end = socket.socketpair()
        with lines_end, monitors_end:
            command = [
                *qemu_command(kernel, first_files, counted_time=True),
                *("-chardev", f"socket,id=line,fd={lines_end.fileno()}", "-serial", "chardev:line"),
                *("-chardev", f"socket,id=monitor,fd={monitors_end.fileno()}"),
                *("-mon", "chardev=monitor,mode=control"),
                *("-object", "can-bus,id=bus"),
                *(word for name in CONTROLLERS for word in ("-device", f"kvaser_pci,canbus=bus,id={name}")),
            ]
            self._qemu = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(lines_end.fileno(), monitors_end.fileno()),
            )
        assert self._qemu.stdout is not None
        self._console = self._qemu.stdout
        self._told: deque[str] = deque(maxlen=_CONSOLE_LINES)
        self._partial = b""
        self._received = b""
        self._answers = self._monitor.makefile("rb")
        self._watched = [self._console.fileno(), self._line.fileno()]
        self._ask_monitor({"execute": "qmp_capabilities"})

    def console(self) -> str:
        """Return the last lines that the guest's kernel and programs printed."""
        return "\n".join([*self._told, self._partial.decode(errors="replace")])

    def say(self, line: Line) -> None:
        """Send the guest a line."""
        self._line.sendall(json.dumps(line).encode() + b"\n")

    def hear(self, patience_s: float) -> Line:
        """Wait for the guest's next line.

        Raises:
            SourceError: it said nothing for so long, or has ended; the console's last lines are in it.
        """
        deadline = time.monotonic() + patience_s
        while True:
            while b"\n" in self._received:
                text, self._received = self._received.split(b"\n", 1)
                line: dict[str, object] = json.loads(text)
                if "monitor" not in line:
                    return line
                self.say(self._ask_monitor(line["monitor"]))
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise self._silent(f"said nothing for {patience_s:.0f} s")
            if not self._watched:
                raise self._silent("has ended")
            for descriptor in select.select(self._watched, [], [], left_s)[0]:
                self._take(descriptor)

    def close(self) -> None:
        """Take the machine's power away; a second call does nothing."""
        self._qemu.kill()
        self._qemu.wait()
        self._console.close()
        self._answers.close()
        self._monitor.close()
        self._line.close()

    def _take(self, descriptor: int) -> None:
        if descriptor == self._line.fileno():
            piece = self._line.recv(_PIECE_BYTES)
            self._received += piece
        else:
            piece = self._console.read1(_PIECE_BYTES)  # type: ignore[attr-defined]  # a BufferedReader
            *lines, self._partial = (self._partial + piece).replace(b"\r", b"").split(b"\n")
            self._told.extend(line.decode(errors="replace") for line in lines)
        if not piece:
            self._watched.remove(descriptor)

    def _ask_monitor(self, command: object) -> Line:
        self._monitor.sendall(json.dumps(command).encode() + b"\n")
        for text in self._answers:
            answer: dict[str, object] = json.loads(text)
            if "return" in answer or "error" in answer:
                return answer
        raise self._silent("lost its monitor")

    def _silent(self, what: str) -> SourceError:
        return SourceError(f"the guest {what}; its console's last lines:\n{self.console()}", where="qemu")


def mounts() -> str:
    """Return shell lines that give the guest's programs what they write to and look into."""
    return f"""
mount -t sysfs sys /host/sys
mount -t tmpfs tmp /host{mount_point()}
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
"""
