"""Tasks shared among processes: bounded, and deaf to Ctrl-C from their first instant."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.offline.processes import Processes

JOBS = 2
TASKS = 40


def test_processes_take_few_tasks_ahead_and_never_hear_ctrl_c() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(TASKS):
            taken.append(number)
            yield -number

    processes: Processes[int, object] = Processes(JOBS, abs, name="nevgate test", what=str, tell=pytest.fail)
    done: dict[int, object] = {}
    with closing(processes.outcomes(tasks())) as outcomes:
        for task, result in outcomes:
            done[task] = result
            # One for each process, and one that is ready.
            assert len(taken) - len(done) <= JOBS
            for pid in processes.pids:
                assert interrupts_are_blocked(pid)
    assert done == {-number: number for number in range(TASKS)}


def interrupts_are_blocked(pid: int) -> bool:
    """Whether the main thread of a process is kept from interrupts by the mask that it was begun with."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (blocked,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigBlk:"))
    return bool(blocked >> (signal.SIGINT - 1) & 1)
