"""`MediaGiven`: how much of each still or clip a destination has acknowledged, durable."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

import apsw

from edge.journal.block import BlockKind
from edge.journal.pending import Edit
from edge.journal.ranges import RangeSet
from edge.wire.loss import LossCause

_WHOLE = 1 << 62
_NOT_SENT = _WHOLE - 1
"""How a row ends that says that nothing more goes: the destination has all, or will not have all."""

_HELD = "SELECT number FROM block WHERE stream = 1 AND kind = ? AND size > 0"
_SETTLED = "SELECT number FROM media_given WHERE destination = ? AND last >= ?"


class MediaGiven:
    """Rows about stills and clips by the number of their block; bytes count from 1.

    Args:
        destination: its name in the journal.
    """

    def __init__(self, destination: str) -> None:
        self._destination = destination

    def waiting(self, connection: apsw.Connection, after: int = 0) -> list[int]:
        """Blocks behind `after` that are held and not settled, in order.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        query = f"{_HELD} AND number > ? AND number NOT IN ({_SETTLED}) ORDER BY number"
        values = (int(BlockKind.MEDIA), after, self._destination, _NOT_SENT)
        return [number for (number,) in connection.execute(query, values)]

    def broken_off(self, connection: apsw.Connection) -> list[int]:
        """Blocks of which a part was sent and that are held no longer, of which no end is noted either.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        query = (
            f"SELECT DISTINCT number FROM media_given WHERE destination = ? AND number NOT IN ({_HELD})"  # noqa: S608 - constants
            f" AND number NOT IN ({_SETTLED}) ORDER BY number"
        )
        values = (self._destination, int(BlockKind.MEDIA), self._destination, _NOT_SENT)
        return [number for (number,) in connection.execute(query, values)]

    def ended(self, connection: apsw.Connection) -> list[tuple[int, LossCause]]:
        """Blocks of which the destination is to be told that no more will come.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        query = "SELECT number, cause FROM media_ended WHERE destination = ? ORDER BY number"
        return [
            (number, LossCause(cause)) for number, cause in connection.execute(query, (self._destination,))
        ]

    def acknowledged(self, connection: apsw.Connection, number: int) -> tuple[RangeSet, bool]:
        """The bytes of a block that are acknowledged, and whether any was ever sent.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        query = "SELECT first, last FROM media_given WHERE destination = ? AND number = ?"
        rows = list(connection.execute(query, (self._destination, number)))
        return RangeSet(row for row in rows if row[0]), bool(rows)

    def begin(self, number: int) -> Edit:
        """Note that a first chunk of a block goes."""
        statement = "INSERT OR IGNORE INTO media_given VALUES (?, ?, 0, 0)"
        return statement, (self._destination, number)

    def note(self, number: int, acknowledged: RangeSet) -> Iterator[Edit]:
        """Note which bytes of a block are acknowledged by now."""
        yield self._forget(number)
        for first, last in acknowledged:
            statement = "INSERT INTO media_given VALUES (?, ?, ?, ?)"
            yield statement, (self._destination, number, first, last)

    def settle(self, number: int, *, whole: bool) -> Iterator[Edit]:
        """Note that nothing of a block is to be sent any more, and whether the destination has all of it."""
        yield self._forget(number)
        last = _WHOLE if whole else _NOT_SENT
        yield "INSERT INTO media_given VALUES (?, ?, 1, ?)", (self._destination, number, last)

    def end(self, number: int, cause: LossCause) -> Iterator[Edit]:
        """Note that no more of a block will be sent, and that the destination is to be told."""
        yield from self.settle(number, whole=False)
        statement = "INSERT OR REPLACE INTO media_ended VALUES (?, ?, ?)"
        yield statement, (self._destination, number, int(cause))

    def told(self, number: int) -> Edit:
        """Note that the destination has been told the end of a block."""
        statement = "DELETE FROM media_ended WHERE destination = ? AND number = ?"
        return statement, (self._destination, number)

    def tidy(self) -> Edit:
        """Forget what was settled of blocks that are held no longer."""
        return (
            f"DELETE FROM media_given WHERE destination = ? AND last >= ? AND number NOT IN ({_HELD})",  # noqa: S608 - a constant
            (self._destination, _NOT_SENT, int(BlockKind.MEDIA)),
        )

    def _forget(self, number: int) -> Edit:
        return "DELETE FROM media_given WHERE destination = ? AND number = ?", (self._destination, number)


def sent_to_all(connection: apsw.Connection, destinations: Collection[str], most: int) -> list[int]:
    """Some blocks of media of which nothing is to be sent to any destination, and that one of them has whole.

    Raises:
        apsw.Error: the journal cannot be read.
    """
    names = list(destinations)
    query = (
        f"SELECT number FROM media_given WHERE last >= ? AND number IN ({_HELD} AND locked = 0)"  # noqa: S608 - constants
        " AND destination IN (SELECT value FROM json_each(?))"
        " GROUP BY number HAVING count(*) = ? AND max(last) = ? ORDER BY number LIMIT ?"
    )
    values = (_NOT_SENT, int(BlockKind.MEDIA), json.dumps(names), len(names), _WHOLE, most)
    return [number for (number,) in connection.execute(query, values)]
