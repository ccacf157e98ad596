"""`WriterThread`: commits a journal when that is due, so that nobody else waits for the disk."""

from __future__ import annotations

import logging
import threading

from edge.clock import NS_PER_S, Clock
from edge.journal.journal import Journal

_LONGEST_SLEEP_S = 0.25

logger = logging.getLogger(__name__)


class WriterThread:
    """The one thread that writes a journal.

    Args:
        journal: committed from here only.
        clock: time.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        journal.attach(self._wake)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits and end; the journal itself stays open."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._journal.commit()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._wake.clear()
                self._journal.pump()
                self._clock.wait(self._wake, self._sleep_s())
        except Exception as error:
            # A thread has no caller: the journal counts as not writable, and records go past it.
            logger.exception("the journal's thread failed")
            self._journal.abandon(error)

    def _sleep_s(self) -> float:
        due_ns = self._journal.due_ns()
        if due_ns is None:
            return _LONGEST_SLEEP_S
        return min(_LONGEST_SLEEP_S, max(0.0, (due_ns - self._clock.boot_ns()) / NS_PER_S))
