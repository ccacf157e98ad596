"""Looks whether a journal's database is sound: the small part at opening, the rest bit by bit (`Scrub`)."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence

import apsw

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.errors import JournalError
from edge.journal.block import BlockKind, first_link, leaf, link, read_header
from edge.journal.media_files import MediaFiles
from edge.journal.upkeep.ages import read_own

_SMALL = ("stream", "checkpoint", "covered", "message", "gap", "erased", "total", "held", "erasing")
_MEDIA = ("media_given", "media_ended", "media_gone")
_NS_PER_MS = 1_000_000
_NAMED = 8
_LAST_CONTENTS = 64

logger = logging.getLogger(__name__)


class DamageError(JournalError):
    """The database is damaged; nothing may be written to it any more."""


def check_at_opening(connection: apsw.Connection) -> None:
    """Check all small tables wholly, the chain behind the last checkpoint, and the last blocks' contents.

    SQLite's whole check reads every page: 140 ms for 100 MB that are in memory, and seconds from an SD card.
    What is checked here is bounded by a segment between two checkpoints and what waits to be acknowledged.

    Raises:
        DamageError: something does not hold.
        apsw.Error: the file is no database, or its structure is broken.
    """
    for table in (*_SMALL, *_MEDIA):
        findings = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check('{table}')")]
        if findings != ["ok"]:
            raise DamageError(f"table {table} is damaged: {findings[0].splitlines()[-1]}")
        try:
            connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a constant
        except UnicodeDecodeError as error:
            raise DamageError(f"table {table} is damaged: a text is no text") from error
    stream, last_number = _own_stream(connection)
    covered, before = _last_checkpoint(connection, stream)
    number = covered
    for row in connection.execute(
        "SELECT number, header, ciphertext_hash, commitment, link,"
        " CASE WHEN number > (SELECT max(number) FROM block) - ? THEN ciphertext END,"
        " stream, last_number FROM block WHERE number > ? ORDER BY number",
        (_LAST_CONTENTS, covered),
    ):
        number += 1
        if row[0] != number or not isinstance(row[7], int):
            raise DamageError(f"blocks {number} to {row[0] - 1} are missing")
        before = _checked(row, before)
        if row[6] == 1 and row[7] > last_number:
            raise DamageError(f"block {number} holds record {row[7]}, and {last_number} is the last one")


def _own_stream(connection: apsw.Connection) -> tuple[bytes, int]:
    for stream, last_number in connection.execute("SELECT id, last_number FROM stream WHERE ordinal = 1"):
        return stream, last_number
    if connection.execute("SELECT 1 FROM block LIMIT 1").get is not None:
        raise DamageError("it does not name its stream any more")
    return bytes(16), 0


def _last_checkpoint(connection: apsw.Connection, stream: bytes) -> tuple[int, bytes]:
    """Where the end of the chain begins, and the link there."""
    for last, signed in connection.execute("SELECT last, signed FROM checkpoint ORDER BY last DESC LIMIT 1"):
        read = read_own(signed)
        if read is None or read.last != last or read.stream != stream:
            raise DamageError("the last checkpoint is damaged")
        kept = connection.execute("SELECT link FROM block WHERE number = ?", (last,)).get
        if kept is None:
            raise DamageError(f"block {last}, the last of a checkpoint, is missing")
        if kept != read.link:
            raise DamageError(f"block {last} is not the one that was signed")
        return last, read.link
    return 0, first_link(stream)


def _checked(row: tuple[int, bytes, bytes, bytes, bytes, bytes | None, int, int], before: bytes) -> bytes:
    """Check one block against the one before; return its link."""
    number, header, ciphertext_hash, commitment, kept, ciphertext, *_ = row
    where = f"block {number}"
    if not all(isinstance(part, bytes) for part in (*row[1:5], ciphertext or b"")):
        raise DamageError("its row is damaged", where=where)
    try:
        numbered = read_header(header).number
    except JournalError as error:
        raise DamageError(error.what, where=where) from error
    if numbered != number or link(before, leaf(header, ciphertext_hash, commitment)) != kept:
        raise DamageError("the chain does not lead to it", where=where)
    if ciphertext is not None and hashlib.sha256(ciphertext).digest() != ciphertext_hash:
        raise DamageError("its sealed content was changed", where=where)
    return kept


class Scrub:
    """Reads the whole journal bit by bit between commits, again and again, and counts what is damaged.

    Every block is read, hashed and looked up in the index of what is held, so each page of the large table
    and of that index is visited. Damage inside one block costs that block alone: it is counted and named in
    the log. Damage of the structure is raised, and the journal counts as corrupt.

    Args:
        clock: time.
        step_ms: one step takes about so long.
        step_blocks: and reads so many blocks at most.
        period_s: pause between two steps: at 50 ms in 10 s the scrub takes half a percent of one core.
        files: of the journal's media; without, contents that are in files are passed over.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        step_ms: float = 50.0,
        step_blocks: int = 4_096,
        period_s: float = 10.0,
        files: MediaFiles | None = None,
    ) -> None:
        self._files = files
        self._clock = clock
        self._step_ns = round(step_ms * _NS_PER_MS)
        self._step_blocks = step_blocks
        self._period_ns = round(period_s * NS_PER_S)
        self._due_ns = 0
        self._number = 0
        self._link: bytes | None = None
        self._rounds = 0
        self._read: Counter[str] = Counter()
        self.damaged: dict[int, str] = {}
        """What is wrong with which block, by chain number; the first few."""

    def step(self, connection: apsw.Connection) -> bool:
        """Read on for some milliseconds; to be called between two commits (`Journal.chores`).

        Returns:
            Whether the end was reached in this step.

        Raises:
            apsw.Error: the disk refuses, or the structure is broken.
        """
        now_ns = self._clock.boot_ns()
        if now_ns < self._due_ns:
            return False
        self._due_ns = now_ns + self._period_ns
        for count, number in enumerate(self._blocks(connection), start=1):
            self._number = number
            if count >= self._step_blocks or self._clock.boot_ns() - now_ns >= self._step_ns:
                return False
        self._number, self._link = 0, None
        self._rounds += 1
        return True

    def hop(self) -> Hop:
        """Blocks that were read, and those found damaged, in this run."""
        read = self._read["blocks"]
        damaged = self._read["damaged"]
        return Hop(
            "journal scrub",
            "blocks",
            read,
            read - damaged,
            {"damaged": damaged} if damaged else {},
            facts={"whole rounds": self._rounds},
        )

    def _blocks(self, connection: apsw.Connection) -> Iterator[int]:
        for number, *row in connection.execute(
            "SELECT number, header, ciphertext_hash, commitment, link, ciphertext, size, stream, kind,"
            " CAST(class AS BLOB), first_number, last_number FROM block WHERE number > ? ORDER BY number",
            (self._number,),
        ):
            header, ciphertext_hash, commitment, kept, ciphertext, size, *place = row
            before = self._link if number == self._number + 1 else None
            self._link = kept
            if not all(isinstance(part, bytes) for part in (*row[:4], ciphertext or b"")):
                self._link = None
                self._count(number, "its row is damaged")
                yield number
                continue
            wrong = ""
            if before is not None and link(before, leaf(header, ciphertext_hash, commitment)) != kept:
                wrong = "the chain does not lead to it"
            outside = place[1] == BlockKind.MEDIA and ciphertext is None and bool(size)
            if not _fits(header, number, place) or (size != len(ciphertext or b"") and not outside):
                wrong = "its row does not fit its header"
            if outside and self._files is not None:
                wrong = self._files.wrong(ciphertext_hash, size) or wrong
            if ciphertext is not None:
                if hashlib.sha256(ciphertext).digest() != ciphertext_hash:
                    wrong = "its sealed content was changed"
                self._look_up(connection, number, place)
            self._count(number, wrong)
            yield number

    def _look_up(self, connection: apsw.Connection, number: int, place: Sequence[int | bytes]) -> None:
        found = connection.execute(
            "SELECT 1 FROM block INDEXED BY block_held WHERE stream = ? AND kind = ?"
            " AND class = CAST(? AS TEXT) AND first_number = ? AND number = ? AND size > 0",
            (*place[:4], number),
        ).get
        if found is None:
            raise apsw.CorruptError(f"block {number} is not in the index of what is held")

    def _count(self, number: int, wrong: str) -> None:
        if number in self.damaged:
            return
        self._read["blocks"] += 1
        if wrong:
            self._read["damaged"] += 1
            if len(self.damaged) < _NAMED:
                self.damaged[number] = wrong
                logger.error("block %d of the journal is damaged: %s", number, wrong)


def _fits(header: bytes, number: int, place: Sequence[int | bytes]) -> bool:
    """Whether a row's columns say what its header says: kind, class, first and last number."""
    try:
        read = read_header(header)
    except JournalError:
        return False
    told = (read.number, int(read.kind), read.data_class.encode(), read.first_number, read.last_number)
    return told == (number, *place[1:])
