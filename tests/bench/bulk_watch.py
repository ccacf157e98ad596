"""`Watch`: what a command and all processes that it starts take, while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from tests.bench.peers.cost import cost_of

_LOOK_S = 0.3
_WORK_S = 0.005


def family(pid: int) -> list[int]:
    """A process and its descendants, as far as they run (proc(5), ``/proc/PID/task/TID/children``)."""
    found = [pid]
    for one in found:
        for told in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(text) for text in told.read_text().split()]
            except OSError:
                continue
    return found


def cpu_s(pid: int) -> float:
    """User and system time of a process and its descendants, those that ended included."""
    return cost_of(pid).cpu_s


class Watch:
    """Looks at processes again and again; use it in a `with` block.

    Args:
        pids: each is looked at with its descendants.

    Attributes:
        sum_bytes: the most memory of all of them together, what they share counted once (proportional set
            size).
        worst_bytes: the most that one of them ever had resident.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self.sum_bytes = 0
        self.worst_bytes = 0
        self._pids = pids
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._end.wait(_LOOK_S):
            self.look()

    def look(self) -> None:
        """Look once."""
        self.sum_bytes = max(
            self.sum_bytes, sum(cost_of(pid, memory=True).memory_bytes for pid in self._pids)
        )
        for pid in self._pids:
            for one in family(pid):
                self.worst_bytes = max(self.worst_bytes, _most_resident(one))


def _most_resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def engine_processes(pid: int) -> list[int]:
    """The processes of a `nevgate decode` that decode."""
    return [one for one in family(pid)[1:] if b"spawn_main" in _command_line(one)]


def at_work(pids: Sequence[int], has_ended: Callable[[], bool]) -> int | None:
    """The first of several processes that is seen to work from now on; None where it ends before.

    What has worked most may have no piece any more, and nobody misses it.
    """
    before_s = {pid: cpu_s(pid) for pid in pids}
    while not has_ended():
        for pid, s in before_s.items():
            if cpu_s(pid) > s:
                return pid
        time.sleep(_WORK_S)
    return None


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def ended(process: subprocess.Popen[str]) -> float:
    """Wait for a process; its user and system time, and that of all that it waited for itself."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a process that leads a session, and all in it."""
    os.killpg(process.pid, signal.SIGKILL)
