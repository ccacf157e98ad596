"""Keeps the consent ledger in an open journal, and what was known of wall time beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import apsw

from edge.clock import TimeQuality
from edge.consent.consent_notes import load_ledger
from edge.consent.ledger import Ledger
from edge.errors import JournalError
from edge.journal.chain import Draft
from edge.journal.opening import OpenJournal

_HOP = "consent"
_NEWEST = "newest wall time of quality {}, ns"
_SET = (
    "INSERT INTO total (hop, name, count) VALUES (?, ?, ?)"
    " ON CONFLICT (hop, name) DO UPDATE SET count = max(count, excluded.count)"
)


class Keeping(Protocol):
    """Where a ledger is kept."""

    def keep(self, draft: Draft) -> None:
        """Write a block; it is on the disk when this returns.

        Raises:
            JournalError: it cannot be written now.
        """

    def remember(self, quality: TimeQuality, wall_ns: int) -> None:
        """Take note, soon, of the newest wall time that was trusted under a clock of some quality."""


class JournalKeeping(Keeping):
    """Keeps a ledger in a journal.

    Args:
        opened: the journal.
    """

    def __init__(self, opened: OpenJournal) -> None:
        self._opened = opened

    def load(self) -> Ledger:
        """The ledger as the journal has it; see `load_ledger`.

        Raises:
            JournalError: it cannot be read.
        """
        try:
            with self._opened.reader() as reader:
                return self._opened.journal.run_with_connection(
                    lambda connection: load_ledger(connection, reader, self._opened.keys)
                )
        except apsw.Error as error:
            raise JournalError(f"the consents cannot be read: {error}", where="journal") from error

    def newest(self) -> Mapping[TimeQuality, int]:
        """The newest wall time of each quality that was remembered, Unix nanoseconds.

        Raises:
            apsw.Error: the journal cannot be read.
        """

        def read(connection: apsw.Connection) -> dict[TimeQuality, int]:
            found = dict(connection.execute("SELECT name, count FROM total WHERE hop = ?", (_HOP,)))
            return {one: found.get(_NEWEST.format(one.name), 0) for one in TimeQuality}

        return self._opened.journal.run_with_connection(read)

    def keep(self, draft: Draft) -> None:
        """See `Keeping.keep`."""
        try:
            self._opened.journal.write_alone([replace(draft, boot=self._opened.boot)], [])
        except apsw.Error as error:
            raise JournalError(f"cannot be written now: {error}", where="journal") from error

    def remember(self, quality: TimeQuality, wall_ns: int) -> None:
        """See `Keeping.remember`."""
        self._opened.journal.edit([(_SET, (_HOP, _NEWEST.format(quality.name), wall_ns))])
