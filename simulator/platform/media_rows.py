"""Stills and clips as the platform's store holds them, and how they are read back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from edge.errors import WireError
from edge.journal.ranges import RangeSet
from edge.wire.cose import unverified_payload
from edge.wire.media_message import MediaAbout, MediaChunk, decode_media_message
from simulator.platform.rows import Parameters, pack_spans, unpack_spans

_COLUMNS = (
    "SELECT id, vehicle, stream, block, name, said, size, received, state, doubles, first_seen_ns,"
    " last_seen_ns, signed FROM media"
)


class MediaState(StrEnum):
    """How far a still or clip has come; all but the first are final."""

    ARRIVING = "arriving"
    COMPLETE = "complete"
    DAMAGED = "damaged"
    ERASED = "erased in the vehicle"
    WITHHELD = "withheld by the vehicle"
    LOST = "lost in the vehicle"


@dataclass(slots=True)
class KeptMedia:
    """One still or clip; its bytes count from 1.

    Attributes:
        row: in the store.
        vehicle: who signed it.
        stream: 16 bytes, of the journal that it is in.
        block: number of its block there.
        name: 16 bytes that stand for it in receipts.
        said: SHA-256 over what its chunks say of it.
        size: bytes of its content.
        received: which of them are here, or were.
        state: how far it has come.
        doubles: chunks that brought nothing new.
        first_seen_ns: Unix time of its first chunk.
        last_seen_ns: Unix time of its latest.
        signed: its first chunk as it came, which proves what it is and, by its hash, the content.
    """

    row: int
    vehicle: str
    stream: bytes
    block: int
    name: bytes
    said: bytes
    size: int
    received: RangeSet
    state: MediaState
    doubles: int
    first_seen_ns: int
    last_seen_ns: int
    signed: bytes

    @property
    def about(self) -> MediaAbout:
        """What the vehicle said of it.

        Raises:
            WireError: the kept bytes are no chunk any more.
        """
        message = decode_media_message(unverified_payload(self.signed))
        if not isinstance(message, MediaChunk):
            raise WireError("what is kept of media is no chunk")
        return message.about

    def missing(self) -> list[tuple[int, int]]:
        """The bytes that are not here and may come yet."""
        if self.state is not MediaState.ARRIVING:
            return []
        return list(self.received.gaps(1, self.size))


def read_media(
    connection: sqlite3.Connection, where: str = "", parameters: Parameters = ()
) -> list[KeptMedia]:
    """The stills and clips that the clause `where` chooses, in the order in which they began to come."""
    return [
        KeptMedia(
            row,
            vehicle,
            stream,
            block,
            name,
            said,
            size,
            RangeSet(unpack_spans(received)),
            MediaState(state),
            doubles,
            first_seen_ns,
            last_seen_ns,
            signed,
        )
        for (
            row,
            vehicle,
            stream,
            block,
            name,
            said,
            size,
            received,
            state,
            doubles,
            first_seen_ns,
            last_seen_ns,
            signed,
        ) in connection.execute(f"{_COLUMNS} {where} ORDER BY id", parameters)
    ]


def add_media(connection: sqlite3.Connection, media: KeptMedia, key_id: bytes) -> None:
    """Add one whose first chunk has come; it learns its row."""
    added = connection.execute(
        "INSERT INTO media (vehicle, stream, block, name, said, signed, key_id, size, received, state,"
        " first_seen_ns, last_seen_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            media.vehicle,
            media.stream,
            media.block,
            media.name,
            media.said,
            media.signed,
            key_id,
            media.size,
            pack_spans(media.received),
            str(media.state),
            media.first_seen_ns,
            media.last_seen_ns,
        ),
    )
    media.row = int(added.lastrowid or 0)


def keep_media(connection: sqlite3.Connection, media: KeptMedia) -> None:
    """Keep how far one has come."""
    connection.execute(
        "UPDATE media SET received = ?, state = ?, doubles = ?, last_seen_ns = ? WHERE id = ?",
        (pack_spans(media.received), str(media.state), media.doubles, media.last_seen_ns, media.row),
    )
