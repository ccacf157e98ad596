"""`Ahead`: batches made in a thread of their own, so that whoever plays them need not wait for the making."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from edge.frames import FrameBatch

DEPTH = 20
"""Two seconds of the vehicle's batches: it computes one second at a time."""


class Ahead:
    """Hands on what it is given, in the same order, up to `depth` batches made before they are asked for.

    To be used as a context manager; leaving it ends the making after the batch in hand, and drops what is
    ready.

    Args:
        batches: iterated in the thread alone.
        depth: how many batches wait at most.
    """

    def __init__(self, batches: Iterable[FrameBatch], depth: int = DEPTH) -> None:
        self._batches = batches
        self._depth = depth
        self._ready: deque[FrameBatch] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._ended = False
        self._executor = ThreadPoolExecutor(1, "ahead")
        self._making: Future[None] | None = None

    def __enter__(self) -> Self:
        self._making = self._executor.submit(self._make)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._executor.shutdown()

    def __iter__(self) -> Iterator[FrameBatch]:
        """Iterate over the batches; what their making raises is raised here, after those made before it."""
        while (batch := self._next()) is not None:
            yield batch
        if self._making is not None:
            self._making.result()

    def _next(self) -> FrameBatch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended)
            batch = self._ready.popleft() if self._ready else None
            self._changed.notify_all()
        return batch

    def _make(self) -> None:
        try:
            for batch in self._batches:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < self._depth or self._closed)
                    if self._closed:
                        return
                    self._ready.append(batch)
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
