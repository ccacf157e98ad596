"""Reads blocks, records and checkpoints, also while the gateway writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import apsw

from edge.closing import Closing
from edge.errors import JournalError
from edge.journal.block import Block, BlockHeader, BlockKind, read_header
from edge.journal.evidence.evidence import StoredCheckpoint
from edge.journal.frames.frame_block import FrameBlock, decode_frames
from edge.journal.keys.key_database import DamagedKeyError
from edge.journal.keys.key_store import KeyStore
from edge.journal.keys.sealing import open_sealed
from edge.journal.media_block import decode_media
from edge.journal.media_files import MediaFiles
from edge.journal.record_block import CARRIER, decode_records, join_records
from edge.records import Record
from edge.vision.media import Media
from edge.wire.item_keys import ItemKeys

_COLUMNS = "header, commitment, ciphertext_hash, ciphertext, link, size"
_HEADERS_AT_ONCE = 2_000

NO_FILE = "its file is missing"


class DamagedRowError(JournalError):
    """The row of one block is damaged."""


_BlockRow = tuple[bytes, bytes, bytes, bytes | None, bytes, int]


@dataclass(frozen=True, slots=True)
class BootRecord:
    """A record and the boot whose monotonic time it carries (16 bytes)."""

    boot: bytes
    record: Record


class Reader(Closing):
    """Reads one journal; for use by one thread.

    Args:
        connection: of its own, or the writer's while that one does nothing else.
        keys: the data keys; None where only what is clear is wanted.
        items: the catalogue's wire keys.
        borrowed: whether the connection is another's, who closes it.
        files: of its media.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        keys: KeyStore | None,
        items: ItemKeys,
        *,
        borrowed: bool = False,
        files: MediaFiles | None = None,
    ) -> None:
        self._files = files
        self._connection = connection
        self._keys = keys
        self._items = items
        self._borrowed = borrowed

    @property
    def connection(self) -> apsw.Connection:
        """What it reads with."""
        return self._connection

    def close(self) -> None:
        """Close the connection, unless it is another's."""
        if not self._borrowed:
            self._connection.close()

    def stream(self) -> bytes:
        """The 16 bytes that name the journal's own stream."""
        for (stream,) in self._connection.execute("SELECT id FROM stream WHERE ordinal = 1"):
            return bytes(stream)
        raise JournalError("the journal does not name its stream")

    def last_block(self) -> int:
        """Chain number of the last block; 0 for none."""
        number = self._connection.execute("SELECT max(number) FROM block").get
        return int(number or 0)

    def blocks(self, first: int = 1, last: int | None = None) -> Iterator[Block]:
        """The blocks from `first` to `last`, in order; those whose rows are gone are left out.

        Raises:
            JournalError: a header is damaged.
        """
        for row in self._connection.execute(
            f"SELECT {_COLUMNS} FROM block WHERE number BETWEEN ? AND ? ORDER BY number",  # noqa: S608 - a constant
            (first, last if last is not None else self.last_block()),
        ):
            yield self._whole(_block(row), row[-1])

    def holds(self, number: int) -> bool:
        """Whether a block still has its content, by its row alone."""
        size = self._connection.execute("SELECT size FROM block WHERE number = ?", (number,)).get
        return bool(size)

    def header(self, number: int) -> BlockHeader | None:
        """What is readable of a block without a key, or None if its row is gone.

        Raises:
            JournalError: it is damaged.
        """
        found = self._connection.execute("SELECT header FROM block WHERE number = ?", (number,)).get
        return None if found is None else read_header(bytes(found))

    def block(self, number: int) -> Block | None:
        """One block, or None if its row is gone."""
        return next(self.blocks(number, number), None)

    def checkpoints(self) -> Sequence[StoredCheckpoint]:
        """All checkpoints in order."""
        return [
            StoredCheckpoint(*row)
            for row in self._connection.execute(
                "SELECT first, last, signed, receipt FROM checkpoint ORDER BY last"
            )
        ]

    def plaintext(self, block: Block) -> tuple[bytes, bytes] | None:
        """Salt and plaintext of a block; None if it was deleted, or its data key destroyed.

        Raises:
            JournalError: the block does not open under its key: it was changed.
        """
        key = self._key(block)
        if key is None or block.ciphertext is None:
            return None
        if not block.ciphertext:
            raise JournalError(NO_FILE, where=f"block {block.header.number}")
        return open_sealed(key, block.header_bytes, block.ciphertext)

    def frames(self, block: Block) -> FrameBlock | None:
        """The raw frames of a block; None as for `plaintext`.

        Raises:
            JournalError: it holds no frames, or was changed.
        """
        if block.header.kind not in {BlockKind.FRAMES, BlockKind.EVENT_FRAMES}:
            raise JournalError("holds no frames", where=f"block {block.header.number}")
        opened = self.plaintext(block)
        return None if opened is None else decode_frames(opened[1])

    def media(self, block: Block) -> Media | None:
        """The still or clip of a block; None as for `plaintext`.

        Raises:
            JournalError: it holds none, or was changed, or its file is not there.
        """
        if block.header.kind is not BlockKind.MEDIA:
            raise JournalError("holds no media", where=f"block {block.header.number}")
        opened = self.plaintext(block)
        return None if opened is None else decode_media(opened[1], block.header)

    def records(self, first: int, last: int, *, stream: int = 1) -> list[BootRecord]:
        """The records from `first` to `last`, in order; what is gone or damaged is left out.

        Args:
            first: record number.
            last: record number, included.
            stream: ordinal of the stream.

        Raises:
            JournalError: the key store cannot be read at present: that says nothing of what is there.
            apsw.Error: nor the journal.
        """
        found: list[BootRecord] = []
        for blocks in self._groups(first, last, stream):
            carrier, *others = map(self._part, blocks)
            if carrier is None:
                continue
            boot, head = carrier
            joined = join_records([head, *(part for _, part in filter(None, others))])
            found += [BootRecord(boot, one) for one in joined if first <= one.number <= last]
        return found

    def older(self, first: int, last: int, is_old: Callable[[BlockHeader], bool], *, stream: int = 1) -> int:
        """How far the blocks from record `first` on reach that are all old; reads headers alone.

        Args:
            first: record number.
            last: record number, included.
            is_old: tells whether all records of a block are.
            stream: ordinal of the stream.

        Returns:
            The last record number of the last old block, at most `last`; `first` - 1 if the first is not old.
        """
        reached = first - 1
        begin = self._first_of(CARRIER, first, stream)
        for (header_bytes,) in self._connection.execute(
            "SELECT header FROM block WHERE stream = ? AND kind = ? AND class = ? AND size > 0"
            " AND first_number BETWEEN ? AND ? ORDER BY first_number LIMIT ?",
            (stream, int(BlockKind.RECORDS), CARRIER, begin, last, _HEADERS_AT_ONCE),
        ):
            try:
                header = read_header(header_bytes)
            except JournalError:
                break
            if header.first_number > reached + 1 or not is_old(header):
                break
            reached = max(reached, min(header.last_number, last))
        return reached

    def erased(self, number: int, *, stream: int = 1) -> bool:
        """Whether a record was destroyed on purpose, not lost."""
        found = self._connection.execute(
            "SELECT 1 FROM erased WHERE stream = ? AND first <= ? AND last >= ?", (stream, number, number)
        ).get
        return found is not None

    def _first_of(self, data_class: str, first: int, stream: int) -> int:
        """First number of the block of a class that may hold record `first`."""
        begin = self._connection.execute(
            "SELECT max(first_number) FROM block WHERE stream = ? AND kind = ? AND class = ? AND size > 0"
            " AND first_number <= ?",
            (stream, int(BlockKind.RECORDS), data_class, first),
        ).get
        return first if begin is None else int(begin)

    def _groups(self, first: int, last: int, stream: int) -> list[list[_BlockRow]]:
        """The blocks of each group of records, the carrier's first.

        Each class is asked for by itself, so that the index leads to its numbers.
        """
        begin = self._first_of(CARRIER, first, stream)
        held = self._connection.execute(
            "SELECT DISTINCT class FROM held WHERE stream = ? AND kind = ? AND blocks > 0",
            (stream, int(BlockKind.RECORDS)),
        )
        groups: dict[int, list[_BlockRow]] = {}
        for data_class in sorted((name for (name,) in held), key=lambda name: name != CARRIER):
            for first_number, *row in self._connection.execute(
                f"SELECT first_number, {_COLUMNS} FROM block WHERE stream = ? AND kind = ? AND class = ?"  # noqa: S608 - a constant
                " AND size > 0 AND first_number BETWEEN ? AND ? ORDER BY first_number",
                (stream, int(BlockKind.RECORDS), data_class, begin, last),
            ):
                if data_class == CARRIER:
                    groups[first_number] = [tuple(row)]
                elif first_number in groups:
                    groups[first_number].append(tuple(row))
        return list(groups.values())

    def _part(self, row: _BlockRow) -> tuple[bytes, tuple[Record, ...]] | None:
        """One block's boot and records; None if gone or damaged, for one bad block may not hide others."""
        try:
            block = _block(row)
            key = self._key(block)
        except (DamagedRowError, DamagedKeyError):
            return None
        if key is None or block.ciphertext is None:
            return None
        try:
            plaintext = open_sealed(key, block.header_bytes, block.ciphertext)[1]
            return block.header.boot, decode_records(plaintext, self._items)
        except JournalError:
            return None

    def _whole(self, block: Block, size: int) -> Block:
        """A block with its ciphertext, from its file where it has one; empty bytes if that is not there."""
        outside = block.header.kind is BlockKind.MEDIA and block.ciphertext is None and size > 0
        if not outside:
            return block
        found = None if self._files is None else self._files.read(block.ciphertext_hash)
        return replace(block, ciphertext=found or b"")

    def _key(self, block: Block) -> bytes | None:
        """The key of a block's content; None where there is nothing to be opened."""
        if block.ciphertext is None or self._keys is None:
            return None
        return self._keys.key(block.header.key_id)


def _block(row: _BlockRow) -> Block:
    header_bytes, commitment, ciphertext_hash, ciphertext, link, size = row
    sound = all(isinstance(part, bytes) for part in (*row[:3], link, ciphertext or b""))
    if not sound or not isinstance(size, int):
        raise DamagedRowError("the row of a block is damaged")
    try:
        header = read_header(header_bytes)
    except JournalError as error:
        raise DamagedRowError(error.what, where=error.where) from error
    return Block(header, header_bytes, commitment, ciphertext_hash, ciphertext, link)
