"""Takes stills and clips in: chunks are put together, compared with their hash, acknowledged by receipts."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable

from edge.journal.ranges import RangeSet
from edge.wire.loss import LossCause
from edge.wire.media_message import MediaAbout, MediaChunk, MediaEnded, encode_chunk, media_stream
from edge.wire.receipt import NumberRange, Receipt
from simulator.platform.accepted import AcceptedMedia
from simulator.platform.intake import Alert
from simulator.platform.media_rows import KeptMedia, MediaState, add_media, keep_media, read_media
from simulator.platform.receipts import RECEIPT_SPANS
from simulator.platform.rejected import Cause, RejectedError
from simulator.platform.store import Store

CHUNKS = "chunks of media"
COMPLETED = "stills and clips completed"
ENDS_OF_UNKNOWN = "end of media of which nothing came"

_ENDS = {
    LossCause.ERASED: MediaState.ERASED,
    LossCause.WITHHELD: MediaState.WITHHELD,
    LossCause.LOST: MediaState.LOST,
}


class MediaIntake:
    """Puts chunks together.

    Args:
        store: keeps them.
        alert: told what an operator must look at.
    """

    def __init__(self, store: Store, alert: Callable[[Alert], None]) -> None:
        self._store = store
        self._alert = alert

    def take(self, accepted: AcceptedMedia, payload: bytes, now_ns: int) -> tuple[KeptMedia | None, bool]:
        """Take a message in.

        Returns:
            The still or clip that it is about, None for the end of one of which nothing ever came; and
            whether it brought anything new.

        Raises:
            RejectedError: it contradicts what came before.
            StoreError: the store cannot be written.
        """
        with self._store.writing() as connection:
            message = accepted.message
            if isinstance(message, MediaEnded):
                return self._end(connection, message, now_ns)
            about = message.about
            kept = self._find(connection, about.vehicle, about.stream, about.block)
            said = said_of(about)
            if kept is None:
                kept = _new(about, said, payload, now_ns)
                add_media(connection, kept, accepted.key_id)
            elif kept.said != said:
                raise RejectedError(
                    Cause.IMPOSSIBLE, f"says of the media of block {about.block} what another chunk did not"
                )
            kept.last_seen_ns = now_ns
            news = self._add(connection, kept, message)
            keep_media(connection, kept)
            return kept, news

    def receipt(self, vehicle: str, name: bytes, now_ns: int) -> Receipt | None:
        """What is here of a still or clip; None for one that is not known."""
        with self._store.reading() as connection:
            found = read_media(connection, "WHERE vehicle = ? AND name = ?", (vehicle, name))
        if not found:
            return None
        kept = found[0]
        if kept.state is not MediaState.ARRIVING:
            return Receipt(name, kept.size, server_time_ns=now_ns)
        highest = max(last for _, last in kept.received)
        missing = list(kept.received.gaps(1, highest))
        if len(missing) > RECEIPT_SPANS:
            highest = missing[RECEIPT_SPANS][0] - 1
            missing = missing[:RECEIPT_SPANS]
        watermark = missing[0][0] - 1 if missing else highest
        return Receipt(
            name,
            watermark,
            tuple(NumberRange(first, last) for first, last in missing),
            now_ns,
            highest=highest,
        )

    def _add(self, connection: sqlite3.Connection, kept: KeptMedia, chunk: MediaChunk) -> bool:
        first, last = chunk.offset + 1, chunk.end
        known = next(kept.received.gaps(first, last), None) is None
        if kept.state is not MediaState.ARRIVING or known:
            kept.doubles += 1
            return False
        connection.execute(
            "INSERT INTO media_chunk VALUES (?, ?, ?) ON CONFLICT (media, first) DO UPDATE SET"
            " content = excluded.content WHERE length(excluded.content) > length(content)",
            (kept.row, first, chunk.content),
        )
        kept.received.add(first, last)
        if kept.received.count() == kept.size:
            self._complete(connection, kept, chunk.about)
        return True

    def _complete(self, connection: sqlite3.Connection, kept: KeptMedia, about: MediaAbout) -> None:
        """Put all chunks together and compare them with the hash that each of them names."""
        content = bytearray(kept.size)
        for first, part in connection.execute(
            "SELECT first, content FROM media_chunk WHERE media = ? ORDER BY first", (kept.row,)
        ):
            content[first - 1 : first - 1 + len(part)] = part
        sound = hashlib.sha256(content).digest() == about.digest
        kept.state = MediaState.COMPLETE if sound else MediaState.DAMAGED
        connection.execute("DELETE FROM media_chunk WHERE media = ?", (kept.row,))
        if sound:
            connection.execute("UPDATE media SET content = ? WHERE id = ?", (bytes(content), kept.row))
        else:
            text = f"the media of block {kept.block} are not what their hash says; they are not kept"
            self._alert(Alert(kept.vehicle, kept.stream, text))

    def _end(
        self, connection: sqlite3.Connection, ended: MediaEnded, now_ns: int
    ) -> tuple[KeptMedia | None, bool]:
        kept = self._find(connection, ended.vehicle, ended.stream, ended.block)
        if kept is None:
            return None, False
        state = _ENDS[ended.cause]
        final = kept.state in {MediaState.COMPLETE, MediaState.DAMAGED}
        if kept.state is state or (final and state is not MediaState.ERASED):
            return kept, False
        kept.state, kept.last_seen_ns = state, now_ns
        connection.execute("DELETE FROM media_chunk WHERE media = ?", (kept.row,))
        connection.execute("UPDATE media SET content = NULL WHERE id = ?", (kept.row,))
        keep_media(connection, kept)
        return kept, True

    def _find(
        self, connection: sqlite3.Connection, vehicle: str, stream: bytes, block: int
    ) -> KeptMedia | None:
        where = "WHERE vehicle = ? AND stream = ? AND block = ?"
        return next(iter(read_media(connection, where, (vehicle, stream, block))), None)


def said_of(about: MediaAbout) -> bytes:
    """SHA-256 over what a chunk says of the whole; equal for all chunks of one still or clip."""
    return hashlib.sha256(encode_chunk(MediaChunk(about, 0, b"\0"))).digest()


def _new(about: MediaAbout, said: bytes, payload: bytes, now_ns: int) -> KeptMedia:
    return KeptMedia(
        row=0,
        vehicle=about.vehicle,
        stream=about.stream,
        block=about.block,
        name=media_stream(about.stream, about.block),
        said=said,
        size=about.size,
        received=RangeSet(),
        state=MediaState.ARRIVING,
        doubles=0,
        first_seen_ns=now_ns,
        last_seen_ns=now_ns,
        signed=payload,
    )
