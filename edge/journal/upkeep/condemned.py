"""Keys that an erasure has condemned: noted in the journal until the key store has destroyed them."""

from __future__ import annotations

import apsw

from edge.journal.keys.key_store import KeyStore


def finish_erasure(connection: apsw.Connection, keys: KeyStore) -> int:
    """Destroy the keys that an erasure noted; tell how many were noted.

    Raises:
        JournalError: they cannot be destroyed; the note stays.
        apsw.Error: the note cannot be read or removed.
    """
    noted: list[tuple[bytes]] = list(connection.execute("SELECT key_id FROM erasing"))
    if noted:
        keys.destroy_keys(key_id for (key_id,) in noted)
        connection.execute("DELETE FROM erasing")
    return len(noted)
