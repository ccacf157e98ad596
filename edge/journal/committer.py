"""`Committer`: writes what waits in one transaction, as the next blocks of the chain."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import apsw

from edge.clock import Clock
from edge.journal.block import BlockKind
from edge.journal.chain import Chain, Draft, Row
from edge.journal.checkpoints import Checkpointer
from edge.journal.database import transaction
from edge.journal.keys.key_store import KeyStore
from edge.journal.media_files import IN_ROW_BYTES, MediaFiles
from edge.journal.pending import Addition, DraftMaker, Edit, Pending, count_without_room
from edge.journal.rows import insert

_RECOVERY = (
    "INSERT INTO total (hop, name, count) VALUES ('journal', 'recoveries', 1)"
    " ON CONFLICT (hop, name) DO UPDATE SET count = count + 1"
)
"""Writes something although nothing waits: a transaction that writes nothing succeeds on any disk."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """What one transaction wrote.

    Attributes:
        counts: frames, records and notes, and those that could not be written as a block.
        facts: further counts.
        checkpoint: the signed checkpoint that was made, if one was.
        then: to be called now that all is on the disk.
    """

    counts: Counter[str]
    facts: Counter[str]
    checkpoint: bytes | None
    then: Sequence[Callable[[], None]]


class Committer:
    """Writes one journal.

    Args:
        connection: the database.
        keys: the data keys.
        drafts: makes blocks out of data.
        chain: the end of the chain as it is in the database.
        checkpoints: signs checkpoints.
        clock: time.
        draw: draws random bytes for nonces and salts.
        files: of its media; None where they stay in their rows.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        keys: KeyStore,
        drafts: DraftMaker,
        chain: Chain,
        checkpoints: Checkpointer,
        clock: Clock,
        draw: Callable[[int], bytes],
        files: MediaFiles | None = None,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._drafts = drafts
        self._chain = chain
        self._checkpoints = checkpoints
        self._clock = clock
        self._draw = draw
        self._files = files
        self._room_told = False

    def write(
        self,
        taken: Pending,
        last_number: int,
        *,
        sealing: bool,
        recovering: bool,
        make_room: Callable[[apsw.Connection], bool],
        on_checkpoint: Sequence[Callable[[bytes], Addition]],
    ) -> Written:
        """Write `taken`; all of it is on the disk when this returns, and nothing if it raises.

        Args:
            taken: what is to be written.
            last_number: greatest record number once that is done.
            sealing: whether a checkpoint is wanted although none is due.
            recovering: whether the disk refused the last time.
            make_room: see `Journal.make_room`.
            on_checkpoint: see `Journal.on_checkpoint`.

        Raises:
            JournalError: a block cannot be sealed.
            apsw.Error: the disk refuses.
        """
        counts: Counter[str] = Counter()
        chain = self._chain.copy()
        rows: list[Row] = []
        for draft in self._drafts.drafts(taken, counts):
            before = chain.copy() if draft.kind is BlockKind.MEDIA else chain
            row = self._placed(chain, draft)
            if row is None:
                chain = before
                count_without_room(counts)
            else:
                rows.append(row)
        checkpoint = self._checkpoints.make(chain, last_number, self._clock, now=sealing)
        added = [add(checkpoint) for add in on_checkpoint] if checkpoint is not None else []
        edits = [*taken.edits, *(edit for each in added for edit in each.edits)]
        if recovering:
            edits.append((_RECOVERY, ()))
        if rows or taken.records:
            values = (last_number, chain.series())
            edits.append(("UPDATE stream SET last_number = ?, series = ? WHERE ordinal = 1", values))
        if checkpoint is not None:
            edits.append(self._checkpoints.insertion(chain.number, checkpoint))
        facts = Counter(
            {
                "transactions": 1,
                "blocks": len(rows),
                "bytes of blocks": sum(len(row.ciphertext) for row in rows),
            }
        )
        try:
            self._transact(rows, edits)
        except apsw.FullError:
            try:
                if not make_room(self._connection):
                    raise
                self._remove_gone()
                facts["times the disk was full and room was made"] += 1
                self._transact(rows, edits)
            except apsw.FullError:
                self._let_go(rows)
                raise
        self._chain = chain
        if checkpoint is not None:
            self._checkpoints.made(chain, checkpoint, self._clock)
        return Written(counts, facts, checkpoint, (*taken.then, *(each.then for each in added)))

    def _placed(self, chain: Chain, draft: Draft) -> Row | None:
        """A draft as the next block, its file on the disk if it has one; None where that has no room."""
        row = chain.add(draft, self._keys, self._draw)
        if self._files is None or draft.kind is not BlockKind.MEDIA or len(row.ciphertext) <= IN_ROW_BYTES:
            return row
        try:
            self._files.keep(row.ciphertext_hash, row.ciphertext)
        except OSError as error:
            if not self._room_told:
                logger.warning("a picture could not be kept (%s); further ones are only counted", error)
            self._room_told = True
            return None
        self._room_told = False
        return replace(row, outside=True)

    def _remove_gone(self) -> None:
        """Let the room that was made come to the disk at once."""
        if self._files is not None:
            with suppress(OSError):
                while self._files.remove_gone(self._connection):
                    pass

    def _let_go(self, rows: Sequence[Row]) -> None:
        """Remove the files of blocks that were not written, for certain."""
        if self._files is not None:
            for row in rows:
                if row.outside:
                    with suppress(OSError):
                        self._files.remove(row.ciphertext_hash)

    def _transact(self, rows: Sequence[Row], edits: Sequence[Edit]) -> None:
        with transaction(self._connection):
            for row in rows:
                insert(self._connection, row)
            for statement, values in edits:
                self._connection.execute(statement, values)
