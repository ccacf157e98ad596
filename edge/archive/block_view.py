"""One block as a person looks at it: its place in the chain, its hashes, and what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from edge.archive.contents import describe
from edge.archive.opening import Archive
from edge.errors import JournalError, WireError
from edge.frames import FrameBatch
from edge.journal.block import Block, BlockKind, commit, first_link, leaf, link
from edge.journal.evidence.evidence import StoredCheckpoint
from edge.journal.frames.frame_block import decode_frames
from edge.journal.record_block import decode_records
from edge.records import Record
from edge.wire import checkpoint
from edge.wire.cose import unverified_payload


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block, what holds of it, and its content.

    Attributes:
        block: as it is kept.
        leaf: its hash in its checkpoint's tree, 32 bytes.
        linked: whether the chain leads from the block before to this one; None where that cannot be told,
            since the block before is gone.
        sealed: whether the sealed content is the one that is hashed; None where it is gone.
        committed: whether the content is the one that was committed to; None where it was not opened.
        checkpoint: the one that covers it; None where there is none yet.
        why_closed: why there is no content; empty where there is one.
        frames: of a block of frames.
        records: of a block of records, its own class's share of them.
        notes: of any other.
    """

    block: Block
    leaf: bytes
    linked: bool | None
    sealed: bool | None
    committed: bool | None
    checkpoint: StoredCheckpoint | None
    why_closed: str = ""
    frames: FrameBatch | None = None
    records: tuple[Record, ...] | None = None
    notes: Mapping[str, object] | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return False not in {self.linked, self.sealed, self.committed}


def view(archive: Archive, number: int) -> BlockView:
    """Look at one block.

    Raises:
        JournalError: there is none of that number, or its header is damaged.
        apsw.Error: the journal cannot be read.
    """
    block = archive.reader.block(number)
    if block is None:
        last = archive.reader.last_block()
        raise JournalError(
            f"there is no block {number}",
            where=str(archive.folder),
            todo=f"Blocks go up to {last}" if number > last else "Retention has removed it",
        )
    hashed = leaf(block.header_bytes, block.ciphertext_hash, block.commitment)
    before = _link_before(archive, number)
    linked = None if before is None else link(before, hashed) == block.link
    sealed = None
    if block.ciphertext is not None:
        sealed = hashlib.sha256(block.ciphertext).digest() == block.ciphertext_hash
    covering = _covering(archive, number)
    try:
        opened = _open(archive, block)
    except JournalError as error:
        opened = _Opened(error.what, committed=False)
    return BlockView(
        block,
        hashed,
        linked,
        sealed,
        opened.committed,
        covering,
        opened.why,
        opened.frames,
        opened.records,
        opened.notes,
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """What came of opening a block."""

    why: str = ""
    committed: bool | None = None
    frames: FrameBatch | None = None
    records: tuple[Record, ...] | None = None
    notes: Mapping[str, object] | None = None


def _open(archive: Archive, block: Block) -> _Opened:
    if block.ciphertext is None:
        return _Opened("its content was deleted")
    if archive.keys is None:
        return _Opened("the keys were not asked for")
    opened = archive.reader.plaintext(block)
    if opened is None:
        return _Opened("its data key was destroyed")
    holds = commit(*opened) == block.commitment
    try:
        return _read(archive, block.header.kind, opened[1], committed=holds)
    except JournalError as error:
        return _Opened(error.what, holds)


def _read(archive: Archive, kind: BlockKind, plaintext: bytes, *, committed: bool) -> _Opened:
    if kind in {BlockKind.FRAMES, BlockKind.EVENT_FRAMES}:
        return _Opened("", committed, frames=decode_frames(plaintext).batch)
    if kind is BlockKind.RECORDS:
        return _Opened("", committed, records=decode_records(plaintext, archive.items))
    return _Opened("", committed, notes=describe(kind, plaintext))


def _link_before(archive: Archive, number: int) -> bytes | None:
    """The hash of the chain up to the block before, from its row or from a checkpoint that ends with it."""
    if number == 1:
        return first_link(archive.stream)
    for (found,) in archive.connection.execute("SELECT link FROM block WHERE number = ?", (number - 1,)):
        return bytes(found)
    for (signed,) in archive.connection.execute(
        "SELECT signed FROM checkpoint WHERE last = ?", (number - 1,)
    ):
        try:
            return checkpoint.decode(unverified_payload(signed)).link
        except WireError:
            return None
    return None


def _covering(archive: Archive, number: int) -> StoredCheckpoint | None:
    for row in archive.connection.execute(
        "SELECT first, last, signed, receipt FROM checkpoint WHERE last >= ? ORDER BY last LIMIT 1", (number,)
    ):
        found = StoredCheckpoint(*row)
        return found if found.first <= number else None
    return None
