"""`RecordSource`: where the records of a message come from: memory, what was read ahead, or the journal."""

from __future__ import annotations

from collections.abc import Callable

from edge.clock import Clock
from edge.forward.ahead import Ahead, Found
from edge.forward.recent import Recent
from edge.journal.block import BlockHeader
from edge.journal.cursors import StreamCursor
from edge.journal.opening import OpenJournal
from edge.journal.reader import BootRecord, Reader


class RecordSource:
    """Finds committed records.

    All that reads the journal may raise `apsw.Error` or `JournalError`; what was open is let go of then, so
    that a later attempt begins anew.

    Args:
        opened: the journal.
        recent: the last records.
        clock: time.
        boot: names the boot of records committed now.
        ready: called when more has been read ahead.

    Attributes:
        own_thread: whether backlog is read ahead on a thread of its own.
    """

    def __init__(
        self,
        opened: OpenJournal,
        recent: Recent,
        clock: Clock,
        boot: bytes,
        ready: Callable[[], object],
        *,
        own_thread: bool,
    ) -> None:
        self._opened = opened
        self._recent = recent
        self._clock = clock
        self._boot = boot
        self._ready = ready
        self._reader: Reader | None = None
        self._ahead: Ahead | None = None
        self.own_thread = own_thread

    def own(self, cursor: StreamCursor, first: int, last: int) -> Found:
        """Records of the journal's own stream, from memory if they are still there."""
        recent = [BootRecord(self._boot, one) for one in self._recent.run(first, last)]
        return Found(recent or self._open().records(first, last, stream=cursor.ordinal), last)

    def backlog(self, cursor: StreamCursor, first: int, last: int, *, least: int) -> Found | None:
        """Records of any stream; None if fewer than `least` numbers have been looked for yet."""
        if not self.own_thread:
            return Found(self._open().records(first, last, stream=cursor.ordinal), last)
        if self._ahead is None:
            self._ahead = Ahead(self._opened.reader, self._clock, self._ready)
        return self._ahead.get(cursor.ordinal, first, last, least=least)

    def older(
        self, cursor: StreamCursor, first: int, last: int, is_old: Callable[[BlockHeader], bool]
    ) -> int:
        """See `Reader.older`."""
        return self._open().older(first, last, is_old, stream=cursor.ordinal)

    def erased(self, cursor: StreamCursor, number: int) -> bool:
        """Whether a record was destroyed on purpose."""
        return self._open().erased(number, stream=cursor.ordinal)

    def forget(self) -> None:
        """Let go of what was read ahead: something of it has been erased."""
        if self._ahead is not None:
            self._ahead.forget()

    def close(self) -> None:
        """Let go of what is open; it is opened again when it is needed."""
        if self._ahead is not None:
            self._ahead.close()
        if self._reader is not None:
            self._reader.close()
        self._ahead = self._reader = None

    def _open(self) -> Reader:
        """The reader, opened on the thread that uses it."""
        if self._reader is None:
            self._reader = self._opened.reader()
        return self._reader
