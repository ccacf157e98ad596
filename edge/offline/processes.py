"""`Processes`: tasks shared among processes of this machine; one that dies costs its task one try."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

TRIES = 2
"""How often a task is begun whose process dies."""

Task = TypeVar("Task")
Result = TypeVar("Result")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Died:
    """Stands for the result of a task: the processes that had it died."""


@dataclass(slots=True)
class Begun(Generic[Task]):
    """A task, and how often it was begun."""

    task: Task
    tries: int = 0


@dataclass(slots=True)
class _Worker(Generic[Task]):
    """One process, and the task that it has."""

    process: BaseProcess
    connection: Connection
    begun: Begun[Task] | None = None


class Processes(Generic[Task, Result]):
    """Does tasks in processes of this machine, one each at a time.

    A process that dies costs its task at most one try: another takes its place, and the others go on. No
    more tasks are in memory than there are processes, and one that is made ready while they work.

    Args:
        jobs: how many.
        work: does a task. It travels to each process, which has nothing else of this one; with it may
            travel what all tasks need.
        name: of the processes, for lists of processes.
        what: names what a process does to a task, in words behind which "died" can stand.
        tell: is told in words that a process died.
    """

    def __init__(
        self,
        jobs: int,
        work: Callable[[Task], Result],
        *,
        name: str,
        what: Callable[[Task], str],
        tell: Tell,
    ) -> None:
        self._jobs = jobs
        self._work = work
        self._name = name
        self._what = what
        self._tell = tell
        self._workers: list[_Worker[Task]] = []

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def outcomes(self, tasks: Iterable[Task]) -> Generator[tuple[Task, Result | Died], None, None]:
        """Do `tasks`, and hand on what becomes of each, as it does.

        The processes end with this generator: exhaust it or close it.

        Args:
            tasks: taken as they are needed.
        """
        waiting = iter(tasks)
        next_ones: deque[Begun[Task]] = deque()
        try:
            while True:
                while len(self._workers) < self._jobs or any(one.begun is None for one in self._workers):
                    _fill(next_ones, waiting)
                    if not next_ones:
                        break
                    self._give(next_ones.popleft())
                busy = [worker for worker in self._workers if worker.begun is not None]
                if not busy:
                    return
                _fill(next_ones, waiting)
                ready = wait([worker.connection for worker in busy])
                for worker in busy:
                    if worker.connection not in ready or worker.begun is None:
                        continue
                    begun = worker.begun
                    try:
                        result = worker.connection.recv()
                    except (EOFError, OSError):
                        self._bury(worker)
                        again = begun.tries < TRIES
                        self._tell(
                            f"{self._what(begun.task)} died ({_ended_by(worker.process)}); "
                            + ("it is tried again" if again else "it is given up")
                        )
                        if again:
                            next_ones.appendleft(begun)
                            continue
                        result = Died()
                    else:
                        worker.begun = None
                    yield begun.task, result
        finally:
            self._end()

    def _give(self, begun: Begun[Task]) -> int:
        """Give a task to a process that has none, begun for it if need be; tell which."""
        worker = next((one for one in self._workers if one.begun is None), None)
        if worker is None:
            worker = self._begin()
        worker.begun = begun
        begun.tries += 1
        # One that has died meanwhile is found by reading from it.
        with suppress(OSError):
            worker.connection.send(begun.task)
        return worker.process.pid or 0

    def _begin(self) -> _Worker[Task]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._work), daemon=True, name=self._name)
        with _interrupts_held():
            process.start()
        theirs.close()
        worker: _Worker[Task] = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _bury(self, worker: _Worker[Task]) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.kill()
        worker.process.join()

    def _end(self) -> None:
        for worker in tuple(self._workers):
            self._bury(worker)


def _fill(next_ones: deque[Begun[Task]], waiting: Iterator[Task]) -> None:
    """Have one task ready, if there is one left."""
    if not next_ones:
        next_ones.extend(Begun(task) for task in (next(waiting, None),) if task is not None)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back, which a terminal sends to all its processes: one begun meanwhile never sees it."""
    # Begun with the first process, and not in silence: it lets interrupts through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, work: Callable[[Task], Result]) -> None:
    """Do tasks until nobody asks any more; Ctrl-C is for the process that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(work(connection.recv()))


def _ended_by(process: BaseProcess) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"


def cores() -> int:
    """How many processes can run at once here."""
    return len(os.sched_getaffinity(0))
