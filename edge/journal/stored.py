"""Signed messages in the journal: kept sealed from before their first sending until they are acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import apsw

from edge.errors import JournalError
from edge.journal.keys.key_database import DamagedKeyError
from edge.journal.keys.key_store import KeyStore, day_of
from edge.journal.keys.sealing import open_sealed, seal
from edge.journal.pending import Edit

MESSAGES = "message"
"""What stands for the class of a message, whose records may be of several classes."""


_INSERT = (
    "INSERT INTO message (position, destination, kind, topic, stream, first, last, records, key_id, sealed)"
    " VALUES (?,?,?,?,?,?,?,?,?,?)"
)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message that waits to be acknowledged.

    Attributes:
        position: its row, never given out twice while it is held.
        kind: the number of its kind.
        topic: where it goes.
        stream: ordinal of the stream of its numbers; 0 for a message without numbers.
        first: the first number in it; 0 without numbers.
        last: the last.
        records: how many records are in it.
        payload: the signed bytes; empty where their data key was destroyed, they were changed on the disk, or
            they are too old to leave the vehicle as they are.
    """

    position: int
    kind: int
    topic: str
    stream: int
    first: int
    last: int
    records: int
    payload: bytes


def load_messages(
    connection: apsw.Connection, keys: KeyStore, destination: str, *, oldest_day: int | None = None
) -> Sequence[StoredMessage]:
    """All messages that a destination has not acknowledged, in order.

    Args:
        connection: the journal.
        keys: its data keys.
        destination: its name in the journal.
        oldest_day: records sealed in a message before this day (1970-01-01 UTC is 0) come without their
            payload: what is in it may be of a class that is kept no longer. None for no limit.

    Raises:
        JournalError: the key store cannot be read at present.
        apsw.Error: nor the journal.
    """
    rows = connection.execute(
        "SELECT position, kind, topic, stream, first, last, records, key_id, sealed FROM message"
        " WHERE destination = ? ORDER BY position",
        (destination,),
    )
    days = {entry.key_id: day_of(entry.period) for entry in keys.listing()}
    messages: list[StoredMessage] = []
    for position, kind, topic, stream, first, last, records, key_id, sealed in rows:
        day = days.get(key_id)
        old = bool(records) and day is not None and oldest_day is not None and day < oldest_day
        payload = b"" if old else _open(keys, key_id, position, sealed)
        messages.append(StoredMessage(position, kind, topic, stream, first, last, records, payload))
    return messages


def insertion(
    message: StoredMessage, destination: str, keys: KeyStore, period: str, draw: Callable[[int], bytes]
) -> Edit:
    """The statement that keeps a message, sealed under the messages' key of the period.

    Raises:
        JournalError: there is no such key and none can be made.
    """
    key = keys.key_for(MESSAGES, period)
    sealed = seal(key.key, place_of(message.position), message.payload, draw)
    return (
        _INSERT,
        (
            message.position,
            destination,
            message.kind,
            message.topic,
            message.stream,
            message.first,
            message.last,
            message.records,
            key.key_id,
            sealed.ciphertext,
        ),
    )


def deletion(position: int) -> Edit:
    """The statement that lets go of a message."""
    return ("DELETE FROM message WHERE position = ?", (position,))


def _open(keys: KeyStore, key_id: bytes, position: int, ciphertext: bytes) -> bytes:
    """The payload, or nothing where it cannot be had: its numbers are then given anew."""
    try:
        key = keys.key(key_id)
    except DamagedKeyError:
        return b""
    try:
        return b"" if key is None else open_sealed(key, place_of(position), ciphertext)[1]
    except JournalError:
        return b""


def place_of(position: int) -> bytes:
    """What the sealing binds a message to, so that two rows cannot be exchanged."""
    return b"message " + position.to_bytes(8, "big")
