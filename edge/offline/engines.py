"""Engines: who decodes the pieces. In this process, in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from edge.errors import NevgateError
from edge.offline.job import DecodeJob
from edge.offline.piece import DecodePiece, PieceResult, decode_piece
from edge.offline.processes import Died, Processes, Tell

DIED = "the processes that decoded it died"


@dataclass(frozen=True, slots=True)
class PieceFailure:
    """A piece that could not be decoded.

    Attributes:
        what: why, in one sentence.
    """

    what: str


Outcome = tuple[DecodePiece, PieceResult | PieceFailure]


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


class ProcessEngine(Engine):
    """Processes of this machine, one piece each at a time, see `Processes`.

    Args:
        jobs: how many.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._processes: Processes[DecodePiece, PieceResult | PieceFailure] | None = None

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [] if self._processes is None else self._processes.pids

    def outcomes(self, pieces: Iterable[DecodePiece], job: DecodeJob, tell: Tell) -> Iterator[Outcome]:
        """See `Engine.outcomes`."""
        self._processes = Processes(
            self._jobs, partial(attempt, job=job), name="nevgate decode", what=_what, tell=tell
        )
        with closing(self._processes.outcomes(pieces)) as outcomes:
            for piece, result in outcomes:
                yield piece, PieceFailure(DIED) if isinstance(result, Died) else result


def _what(piece: DecodePiece) -> str:
    return f"{piece.recording}: the process that decoded piece {piece.number + 1} of it"
