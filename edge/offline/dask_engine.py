"""`DaskEngine`: pieces decoded by the workers of a Dask cluster, which see the same files or URLs."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from edge.errors import NevgateError
from edge.offline.engines import Engine, Outcome, PieceFailure, attempt
from edge.offline.job import DecodeJob
from edge.offline.piece import DecodePiece
from edge.offline.processes import Tell

_CONNECT_S = 20
_PIECES_A_THREAD = 3
"""So many are handed out at once that no worker waits, and no more."""


class EngineError(NevgateError):
    """The cluster cannot be reached or used."""


class DaskEngine(Engine):
    """A cluster that runs already. Dask itself begins a piece again whose worker is lost.

    Args:
        scheduler: its address, such as ``tcp://10.0.0.5:8786``.
    """

    def __init__(self, scheduler: str) -> None:
        self._scheduler = scheduler

    def outcomes(self, pieces: Iterable[DecodePiece], job: DecodeJob, tell: Tell) -> Iterator[Outcome]:
        """See `Engine.outcomes`.

        Raises:
            EngineError: if distributed is not installed, or the scheduler cannot be reached.
        """
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise EngineError("Dask is not installed", todo="pip install 'nevgate[dask]'") from error
        try:
            client: Any = distributed.Client(self._scheduler, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise EngineError(
                "the scheduler cannot be reached", where=self._scheduler, todo="Is the address right?"
            ) from error
        with client:
            everywhere = client.scatter(job, broadcast=True)
            waiting = iter(pieces)
            asked: dict[Any, DecodePiece] = {}

            def ask(piece: DecodePiece) -> Any:  # noqa: ANN401 - distributed has no types
                future = client.submit(attempt, piece, everywhere, pure=False)
                asked[future] = piece
                return future

            threads = sum(client.nthreads().values())
            known = set(client.nthreads())
            first = [ask(piece) for piece in islice(waiting, max(threads, 1) * _PIECES_A_THREAD)]
            done = distributed.as_completed(first, loop=client.loop)
            for future in done:
                piece = asked.pop(future)
                failure = future.exception()
                present = set(client.nthreads())
                for lost in sorted(known - present):
                    tell(f"the worker {lost} is gone; what it had is begun again elsewhere")
                known = present
                following = next(waiting, None)
                if following is not None:
                    done.add(ask(following))
                if failure is None:
                    yield piece, future.result()
                else:
                    yield piece, PieceFailure(f"{type(failure).__name__}: {failure}")
