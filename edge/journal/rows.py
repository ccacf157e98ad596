"""Puts a finished block into the database."""

from __future__ import annotations

import apsw

from edge.journal.chain import Row

_INSERT = (
    "INSERT INTO block (number, stream, kind, class, first_number, last_number, wall_ns, size, locked, alarm,"
    " header, commitment, ciphertext_hash, link, ciphertext) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


def insert(connection: apsw.Connection, row: Row) -> None:
    """Insert a block; the transaction is the caller's.

    Raises:
        apsw.Error: the database refuses.
    """
    draft = row.draft
    connection.execute(
        _INSERT,
        (
            row.number,
            draft.stream,
            int(draft.kind),
            draft.data_class,
            draft.first_number,
            draft.last_number,
            row.wall_ns,
            len(row.ciphertext),
            int(draft.locked),
            int(draft.alarm),
            row.header,
            row.commitment,
            row.ciphertext_hash,
            row.link,
            None if row.outside else row.ciphertext,
        ),
    )
