"""Engines: who decodes the pieces. In this process, in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from edge.errors import NevgateError
from edge.offline.job import DecodeJob, prepared
from edge.offline.piece import DecodePiece, PieceResult, decode_piece

TRIES = 2
"""How often a piece is begun whose worker dies."""


@dataclass(frozen=True, slots=True)
class PieceFailure:
    """A piece that could not be decoded.

    Attributes:
        what: why, in one sentence.
    """

    what: str


Outcome = tuple[DecodePiece, PieceResult | PieceFailure]
Tell = Callable[[str], None]


class Engine(ABC):
    """Decodes pieces, in any order, each by `decode_piece`."""

    @abstractmethod
    def outcomes(self, pieces: Iterable[DecodePiece], job: DecodeJob, tell: Tell) -> Iterator[Outcome]:
        """Decode `pieces` and hand on what becomes of each, as it does.

        Args:
            pieces: taken as they are needed.
            job: what is to be done with each.
            tell: is told in words what a person should know, such as the death of a worker.
        """


def attempt(piece: DecodePiece, job: DecodeJob) -> PieceResult | PieceFailure:
    """Decode a piece; what is wrong with it is its own failure."""
    try:
        return decode_piece(piece, job)
    except NevgateError as error:
        return PieceFailure(str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return PieceFailure(f"{place}{error.strerror or error}")


class HereEngine(Engine):
    """This process, piece by piece."""

    def outcomes(self, pieces: Iterable[DecodePiece], job: DecodeJob, tell: Tell) -> Iterator[Outcome]:
        """See `Engine.outcomes`."""
        del tell
        for piece in pieces:
            yield piece, attempt(piece, job)


@dataclass(slots=True)
class _Worker:
    """One process, and the piece that it has."""

    process: BaseProcess
    connection: Connection
    piece: DecodePiece | None = None


class ProcessEngine(Engine):
    """Processes of this machine, one piece each at a time.

    A process that dies costs at most its piece one try: another takes its place, and the others go on.

    Args:
        jobs: how many.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._workers: list[_Worker] = []

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def outcomes(self, pieces: Iterable[DecodePiece], job: DecodeJob, tell: Tell) -> Iterator[Outcome]:
        """See `Engine.outcomes`."""
        waiting = iter(pieces)
        again: deque[DecodePiece] = deque()
        tries: Counter[tuple[int, int]] = Counter()
        try:
            while True:
                while len(self._workers) < self._jobs or any(one.piece is None for one in self._workers):
                    piece = again.popleft() if again else next(waiting, None)
                    if piece is None:
                        break
                    tries[piece.index, piece.number] += 1
                    self._give(piece, job)
                busy = [worker for worker in self._workers if worker.piece is not None]
                if not busy:
                    return
                ready = wait([worker.connection for worker in busy])
                for worker in busy:
                    if worker.connection not in ready or worker.piece is None:
                        continue
                    piece = worker.piece
                    try:
                        result = worker.connection.recv()
                    except (EOFError, OSError):
                        self._bury(worker)
                        left = TRIES - tries[piece.index, piece.number]
                        tell(
                            f"{piece.recording}: the process that decoded piece {piece.number + 1} of it died"
                            f" ({_ended_by(worker.process)}); "
                            + ("it is tried again" if left > 0 else "it is given up")
                        )
                        if left > 0:
                            again.append(piece)
                            continue
                        result = PieceFailure("the processes that decoded it died")
                    else:
                        worker.piece = None
                    tries.pop((piece.index, piece.number), None)
                    yield piece, result
        finally:
            self._end()

    def _give(self, piece: DecodePiece, job: DecodeJob) -> None:
        worker = next((one for one in self._workers if one.piece is None), None)
        if worker is None:
            worker = self._begin(job)
        worker.piece = piece
        # One that has died meanwhile is found by reading from it.
        with suppress(OSError):
            worker.connection.send(piece)

    def _begin(self, job: DecodeJob) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, job), daemon=True, name="nevgate decode")
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _bury(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.kill()
        worker.process.join()

    def _end(self) -> None:
        for worker in tuple(self._workers):
            self._bury(worker)


def _serve(connection: Connection, job: DecodeJob) -> None:
    """Decode pieces until nobody asks any more; Ctrl-C is for the process that asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepared(job)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(attempt(connection.recv(), job))


def _ended_by(process: BaseProcess) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"


def cores() -> int:
    """How many processes can run at once here."""
    return len(os.sched_getaffinity(0))
