"""`Ahead`: backlog is read and decoded before it is asked for, so that nothing urgent waits for that."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.clock import NS_PER_S, Clock
from edge.journal.reader import BootRecord, Reader

RECORDS_AHEAD = 600
_AT_ONCE = 16
_STALE_NS = 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Found:
    """What was read.

    Attributes:
        records: those there are, in order.
        last: all up to this number were looked for.
    """

    records: Sequence[BootRecord]
    last: int


@dataclass(slots=True)
class _Window:
    """What was read of one stream: all numbers from `first` to `last`."""

    stream: int
    first: int
    last: int
    wanted: int
    read_ns: int
    records: deque[BootRecord] = field(default_factory=deque)


class Ahead:
    """Reads the numbers of one stream in order, some hundred ahead of what is asked for.

    A journal that is written once a second holds a record or two in each block, and reading such a block
    takes milliseconds: as long as a hundred records of backlog take, no live record may wait. What was read
    a minute ago is read again: it may have been removed since.

    Args:
        make_reader: opens the journal, on the thread that reads.
        clock: time.
        ready: called when there is more.
    """

    def __init__(self, make_reader: Callable[[], Reader], clock: Clock, ready: Callable[[], object]) -> None:
        self._make_reader = make_reader
        self._clock = clock
        self._ready = ready
        self._condition = threading.Condition()
        self._window: _Window | None = None
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._closing = False

    def get(self, stream: int, first: int, last: int, *, least: int) -> Found | None:
        """The records from `first` on as far as they have been read, or None if that is not far enough yet.

        Args:
            stream: ordinal of the stream.
            first: record number.
            last: record number, included; reading goes on to there.
            least: so many numbers are to be looked for, or all up to `last`.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        now_ns = self._clock.boot_ns()
        with self._condition:
            if self._failure is not None:
                raise self._failure
            window = self._window
            fits = window is not None and window.stream == stream and window.first <= first <= window.last + 1
            if window is None or not fits or now_ns - window.read_ns > _STALE_NS:
                window = self._window = _Window(stream, first, first - 1, last, now_ns)
            while window.records and window.records[0].record.number < first:
                window.records.popleft()
            window.first, window.wanted = first, min(last, first + RECORDS_AHEAD - 1)
            self._condition.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="backlog", daemon=True)
                self._thread.start()
            if window.last < min(window.wanted, first + least - 1):
                return None
            return Found([one for one in window.records if one.record.number <= last], min(window.last, last))

    def forget(self) -> None:
        """Let go of what was read: something of it has been erased."""
        with self._condition:
            self._window = None

    def close(self) -> None:
        """End the reading."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            with self._make_reader() as reader:
                while self._read_some(reader):
                    self._ready()
        except Exception as error:  # noqa: BLE001 - a thread has no caller: whoever asks next learns it
            with self._condition:
                self._failure = error
            self._ready()

    def _read_some(self, reader: Reader) -> bool:
        """Wait until there is something to read, and read a little of it; False at the end."""
        with self._condition:
            while (window := self._window) is None or window.last >= window.wanted:
                if self._closing:
                    return False
                self._condition.wait()
            if self._closing:
                return False
            begin, end = window.last + 1, min(window.last + _AT_ONCE, window.wanted)
        records = reader.records(begin, end, stream=window.stream)
        with self._condition:
            if window is self._window and window.last == begin - 1:
                window.records.extend(records)
                window.last = end
                window.read_ns = self._clock.boot_ns()
        return True
