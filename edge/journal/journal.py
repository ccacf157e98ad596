"""`Journal`: takes frames, records and notes in, and commits them as blocks of one chain."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import apsw

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.closing import Closing
from edge.errors import JournalError
from edge.frames import FrameBatch
from edge.journal.chain import Chain, Draft
from edge.journal.checkpoints import Checkpointer
from edge.journal.committer import Committer, Written
from edge.journal.keys.key_store import KeyStore
from edge.journal.media_files import MediaFiles
from edge.journal.pending import (
    TOO_SLOW,
    Addition,
    DraftMaker,
    Edit,
    EventFrames,
    Pending,
    WaitingMedia,
    batch_bytes,
)
from edge.journal.settings import JournalSettings
from edge.journal.tally import NOT_WRITABLE, Tally
from edge.records import Record
from edge.vision.media import Media

FULL = "disk full"

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction brought.

    Attributes:
        records: in order of their numbers.
        last_number: the greatest number committed so far; 0 for none.
        checkpoint: the signed checkpoint that was made, if one was.
        media: how many stills and clips.
    """

    records: tuple[Record, ...]
    last_number: int
    checkpoint: bytes | None = None
    media: int = 0


class Journal(Closing):
    """One vehicle's journal, written by whoever calls `commit`: a thread of its own, or the gateway's loop.

    Numbers are given out when a record comes in and are final when it is committed; a record that cannot be
    committed is handed back, and its number given to the next one: nothing was published under it.

    Args:
        connection: the database; nobody else writes to it, nor uses the object.
        stream: 16 bytes that name the stream of its records.
        keys: the data keys.
        drafts: makes blocks out of data.
        chain: the end of the chain as it is in the database.
        last_number: of the last record committed.
        checkpoints: signs checkpoints.
        settings: the rules in numbers.
        clock: time.
        draw: draws random bytes for nonces and salts.

    Attributes:
        stream: 16 bytes that name the stream of its records.
        on_commit: called after each transaction, on the thread that commits.
        on_checkpoint: asked, with a signed checkpoint, what the transaction that keeps it is to keep besides;
            what one is to bring about must not be lost by a crash between two transactions.
        on_failure: told the records that could not be committed, and why, before any newer one is refused; it
            may not call the journal.
        make_room: called when the disk is full, with the connection; frees what the rules let go first, and
            tells whether it freed anything.
        chores: carried out after `pump` has committed or seen that nothing is due, each with the connection:
            short pieces of work such as `Bounds.step`.
        corrupt: whether the database was found damaged; nothing can be written until it is opened anew
            (`edge.journal.damage.salvage`).
    """

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        stream: bytes,
        keys: KeyStore,
        drafts: DraftMaker,
        chain: Chain,
        last_number: int,
        checkpoints: Checkpointer,
        settings: JournalSettings,
        clock: Clock,
        draw: Callable[[int], bytes],
        files: MediaFiles | None = None,
    ) -> None:
        self.stream = stream
        self.on_commit: list[Callable[[Committed], None]] = []
        self.on_checkpoint: list[Callable[[bytes], Addition]] = []
        self.on_failure: Callable[[Sequence[Record], str], None] = lambda *_: None
        self.make_room: Callable[[apsw.Connection], bool] = lambda _: False
        self.chores: list[Callable[[apsw.Connection], object]] = []
        self.corrupt = False
        self._connection = connection
        self._keys = keys
        self._committer = Committer(
            connection,
            keys=keys,
            drafts=drafts,
            chain=chain,
            checkpoints=checkpoints,
            clock=clock,
            draw=draw,
            files=files,
        )
        self._committed_number = last_number
        self._next_number = last_number + 1
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._writing = threading.RLock()
        self._pending = Pending()
        self._urgent = False
        self._wake: threading.Event | None = None
        self._countersigned = b""
        self._sealing = False
        self._abandoned: Exception | None = None
        self._busy = False
        self._failure = ""
        self._retry_ns = 0
        self._tally = Tally()

    @property
    def committed_number(self) -> int:
        """The greatest record number committed; 0 for none."""
        return self._committed_number

    @property
    def failure(self) -> str:
        """Why nothing can be written at present; empty while all is well."""
        return self._failure

    @property
    def keeps_frames(self) -> bool:
        """Whether raw frames are kept."""
        return self._settings.frames

    def attach(self, wake: threading.Event) -> None:
        """Set `wake` whenever something is to be committed at once, for the thread that commits."""
        self._wake = wake

    def add_frames(self, batch: FrameBatch) -> None:
        """Keep raw frames that went through the door, if raw frames are kept at all."""
        if not self._settings.frames or not len(batch):
            return
        size = batch_bytes(batch)
        with self._lock:
            self._tally.entered["frames"] += len(batch)
            if self._failure:
                self._tally.set_aside["frames", NOT_WRITABLE] += len(batch)
            elif self._pending.frame_bytes + size > self._settings.frames_waiting_bytes:
                self._tally.set_aside["frames", TOO_SLOW] += len(batch)
            else:
                self._pending.frames.append(batch)
                self._pending.frame_bytes += size
                self._came()

    def add_event_frames(self, batch: FrameBatch, *, locked: bool) -> None:
        """Keep the raw frames of an event window; locked ones are left alone by the bounds."""
        if not len(batch):
            return
        with self._lock:
            self._tally.entered["event frames"] += len(batch)
            if self._failure:
                self._tally.set_aside["event frames", NOT_WRITABLE] += len(batch)
                return
            self._pending.event_frames.append(EventFrames(batch, locked))
            self._came()

    def add_record(self, record: Record) -> Record | None:
        """Number a record and take it in; one with an alarm is committed at once.

        Args:
            record: its own number is replaced.

        Returns:
            The record with its number; None if nothing can be written at present.
        """
        with self._lock:
            if self._failure or len(self._pending.records) >= self._settings.records_waiting:
                return None
            numbered = replace(record, number=self._next_number)
            self._next_number += 1
            self._tally.entered["records"] += 1
            self._pending.records.append(numbered)
            self._came(urgent=record.alarm)
            return numbered

    def add_note(self, draft: Draft) -> None:
        """Take a finished block in."""
        with self._lock:
            self._tally.entered["notes"] += 1
            if self._failure:
                self._tally.set_aside["notes", NOT_WRITABLE] += 1
                return
            self._pending.notes.append(draft)
            self._came(urgent=draft.locked)

    def add_media(self, media: Media, mask: str = "") -> None:
        """Keep a still or clip; it is never in the way of an alarm, whose commit goes before.

        Args:
            media: in which nobody can be recognised.
            mask: name of the door's mask when it was taken, by which it is judged whether it may be kept.
        """
        with self._lock:
            self._tally.entered["media"] += 1
            waiting = self._pending.media_bytes() + len(media.content)
            if self._failure:
                self._tally.set_aside["media", NOT_WRITABLE] += 1
            elif waiting > self._settings.media_waiting_bytes:
                self._tally.set_aside["media", TOO_SLOW] += 1
            else:
                self._pending.media.append(WaitingMedia(media, mask, self._clock.timebase()))
                self._came()

    def edit(
        self, edits: Sequence[Edit], *, urgent: bool = False, then: Callable[[], None] | None = None
    ) -> None:
        """Have statements carried out in the next transaction; while writing fails they wait for better days.

        Args:
            edits: in order.
            urgent: whether to commit at once.
            then: called when they are on the disk, on the thread that commits.
        """
        with self._lock:
            self._pending.edits.extend(edits)
            if then is not None:
                self._pending.then.append(then)
            self._came(urgent=urgent)

    def countersign(self, digest: bytes, receipt: bytes) -> None:
        """Keep the platform's signed receipt with the checkpoint that it names, the first time."""
        if digest != self._countersigned:
            self._countersigned = digest
            statement = "UPDATE checkpoint SET receipt = ? WHERE digest = ? AND receipt IS NULL"
            self.edit([(statement, (receipt, digest))])

    def seal(self) -> None:
        """Commit at once, with a checkpoint over all that it has not covered yet."""
        with self._lock:
            self._sealing = True
            self._pending.then.append(lambda: None)
            self._came(urgent=True)

    def idle(self) -> bool:
        """Whether no record, still or clip waits, and no commit is under way that others have to hear of."""
        with self._lock:
            busy = self._busy or self._sealing
            waits = self._pending.records or self._pending.media
            return not waits and (not busy or bool(self._failure))

    def room(self) -> bool:
        """Whether what waits is less than half of what may wait."""
        with self._lock:
            return (
                2 * self._pending.frame_bytes < self._settings.frames_waiting_bytes
                and 2 * len(self._pending.records) < self._settings.records_waiting
            )

    def due_ns(self) -> int | None:
        """Boot-monotonic time at which `commit` is due; None if nothing waits."""
        with self._lock:
            if self._failure:
                return None if self._abandoned is not None else self._retry_ns
            if self._pending.oldest_ns is None:
                return None
            if self._urgent:
                return self._pending.oldest_ns
            return self._pending.oldest_ns + round(self._settings.block_period_s * NS_PER_S)

    def pump(self) -> None:
        """Commit if that is due, by the clock or by the time of the data."""
        due_ns = self.due_ns()
        if due_ns is not None:
            with self._lock:
                ripe = self._pending.span_ns() >= round(self._settings.block_period_s * NS_PER_S)
                hurried = self._urgent and not self._sealing
            if due_ns <= self._clock.boot_ns() or (ripe and not self._failure):
                self.commit(media=not hurried)
        if self.chores and not self._failure:
            self._do_chores()

    def commit(self, *, media: bool = True) -> bool:
        """Write all that waits in one transaction; tell whether that worked.

        Args:
            media: whether stills and clips go too, whose files take their time.
        """
        with self._writing:
            with self._lock:
                taken, self._pending = self._pending, Pending()
                if taken.media and not media:
                    self._pending.media, taken.media = taken.media, []
                    self._pending.oldest_ns = taken.oldest_ns
                self._urgent = False
                self._busy = bool(taken.records or taken.media or taken.then)
            if not taken and not self._failure:
                return True
            if self._abandoned is not None:
                self._fail(taken, self._abandoned)
                return False
            try:
                return self._write(taken)
            finally:
                with self._lock:
                    self._busy = False

    @contextmanager
    def alone(self) -> Iterator[apsw.Connection]:
        """Keep all others from committing meanwhile; whoever holds this may commit and write.

        To be taken before the lock of a forwarder, which is held while the journal tells of a commit.
        """
        with self._writing:
            yield self._connection

    def write_alone(self, notes: Sequence[Draft], edits: Sequence[Edit]) -> None:
        """Write notes and edits in one transaction of their own; on the disk when this returns.

        Unlike what `add_note` and `edit` take, none of it waits for better days: where it cannot be written
        now, nothing has happened.

        Raises:
            JournalError: it cannot be written.
        """
        with self._writing:
            if self._abandoned is not None or self._failure:
                raise JournalError(f"cannot be written now: {self._failure}", where="journal")
            try:
                written = self._committer.write(
                    Pending(notes=list(notes), edits=list(edits)),
                    self._committed_number,
                    sealing=False,
                    recovering=False,
                    make_room=self.make_room,
                    on_checkpoint=self.on_checkpoint,
                )
            except (apsw.Error, OSError) as error:
                self._judge(error)
                raise JournalError(f"cannot be written now: {error}", where="journal") from error
            with self._lock:
                self._tally.entered["notes"] += len(notes)
            self._count(written)
            self._tell(written, ())

    def abandon(self, error: Exception) -> None:
        """Write nothing any more: what waits is handed back, and whatever comes is refused.

        Args:
            error: why.
        """
        with self._writing:
            if self._abandoned is None:
                self._abandoned = error
                self._fail(Pending(), error)

    def close(self) -> None:
        """Commit what waits and close database and keys."""
        self.commit()
        with self._writing:
            try:
                self._connection.close()
            except apsw.Error as error:
                logger.warning("the journal was not closed well; what is committed is safe: %s", error)
            self._keys.close()

    def run_with_connection(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Let `work` use the connection between two commits.

        Raises:
            apsw.Error: as the work does.
        """
        with self._writing:
            return work(self._connection)

    def hops(self) -> tuple[Hop, ...]:
        """Report what came in, was committed, waits, and was lost."""
        with self._lock:
            return self._tally.hops()

    def _do_chores(self) -> None:
        with self._writing:
            try:
                for chore in self.chores:
                    chore(self._connection)
            except (apsw.Error, OSError) as error:
                with self._lock:
                    self._tally.facts["chores that the disk refused"] += 1
                    first = self._tally.facts["chores that the disk refused"] == 1
                self._judge(error)
                if first:
                    logger.warning("the journal could not be tidied up: %s", error)

    def _judge(self, error: Exception) -> None:
        """Note whether an error means that the database is damaged."""
        if isinstance(error, (apsw.CorruptError, apsw.NotADBError)) and not self.corrupt:
            self.corrupt = True
            logger.error("the journal's database is damaged: %s", error)

    def _came(self, *, urgent: bool = False) -> None:
        if self._pending.oldest_ns is None:
            self._pending.oldest_ns = self._clock.boot_ns()
        self._urgent = self._urgent or urgent
        if urgent and self._wake is not None:
            self._wake.set()

    def _write(self, taken: Pending) -> bool:
        last_number = taken.records[-1].number if taken.records else self._committed_number
        sealing = self._sealing
        try:
            written = self._committer.write(
                taken,
                last_number,
                sealing=sealing,
                recovering=bool(self._failure),
                make_room=self.make_room,
                on_checkpoint=self.on_checkpoint,
            )
        except (apsw.Error, JournalError, OSError) as error:
            self._fail(taken, error)
            return False
        except Exception as error:
            # What nobody foresaw may cost the journal, but no record that waits.
            self._fail(taken, error)
            raise
        with self._lock:
            self._committed_number = last_number
            recovered, self._failure = self._failure, ""
            self._sealing = self._sealing and not sealing
        self._count(written)
        if recovered:
            logger.warning("the journal can be written again (it could not: %s)", recovered)
        self._tell(written, taken.records)
        return True

    def _count(self, written: Written) -> None:
        with self._lock:
            self._tally.add(written.counts)
            self._tally.facts.update(written.facts)

    def _tell(self, written: Written, records: Sequence[Record]) -> None:
        for done in written.then:
            done()
        committed = Committed(
            tuple(records), self._committed_number, written.checkpoint, written.counts.get("media", 0)
        )
        for listener in self.on_commit:
            listener(committed)

    def _fail(self, taken: Pending, error: Exception) -> None:
        """Hand the records back, keep the edits, count the rest, and try again later."""
        why = FULL if isinstance(error, apsw.FullError) else f"{type(error).__name__}: {error}"
        self._judge(error)
        with self._lock:
            began = not self._failure
            self._failure = why
            self._retry_ns = self._clock.boot_ns() + round(self._settings.retry_s * NS_PER_S)
            late, self._pending = self._pending, Pending()
            records = [*taken.records, *late.records]
            self._next_number = self._committed_number + 1
            for part in (taken, late):
                self._tally.refuse(part)
                self._pending.edits += part.edits
                self._pending.then += part.then
            self._tally.facts["failed transactions"] += 1
            self.on_failure(records, why)
        if began:
            logger.error("the journal cannot be written (%s): going on without it, trying again", why)
