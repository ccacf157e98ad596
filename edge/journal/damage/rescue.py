"""Takes over from a damaged journal what its destinations have not acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import apsw

from edge.clock import Timebase
from edge.errors import JournalError
from edge.journal.chain import Draft, period_of
from edge.journal.damage.damaged import DamagedBlock, DamagedJournal, DamagedStream
from edge.journal.keys.key_store import KeyStore
from edge.journal.keys.sealing import open_sealed
from edge.journal.opening import Inside, OpenJournal
from edge.journal.pending import Edit
from edge.journal.ranges import RangeSet
from edge.journal.record_block import CARRIER, decode_records
from edge.journal.stored import StoredMessage, insertion, place_of

_BATCH = 256
_STREAM = "INSERT INTO stream (ordinal, id, predecessor, last_number) VALUES (?, ?, ?, ?)"
_COVERED = "INSERT OR REPLACE INTO covered (destination, stream, first, last) VALUES (?, ?, ?, ?)"
_GAP = "INSERT OR REPLACE INTO gap (destination, stream, first, last, cause) VALUES (?, ?, ?, ?, ?)"
_ERASED = "INSERT OR REPLACE INTO erased (stream, first, last) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Rescued:
    """What was taken over.

    Attributes:
        blocks: of records.
        records: numbers that can be sent again or for the first time.
        lost: numbers that some destination has not acknowledged and nobody can read; each is told as lost
            when its turn comes.
        messages: signed messages, byte for byte.
        unreadable: reads of the damaged database that failed.
    """

    blocks: int = 0
    records: int = 0
    lost: int = 0
    messages: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        return (
            f"{self.records:,} records that wait and {self.messages:,} signed messages rescued,"
            f" {self.lost:,} records lost"
        )


@dataclass(slots=True)
class _Task:
    """One stream's share.

    Attributes:
        stream: as the damaged journal has it.
        ordinal: in the fresh journal.
        wanted: numbers that some destination has not acknowledged.
        signed: numbers in messages that are taken over.
        found: numbers whose records were taken over.
    """

    stream: DamagedStream
    ordinal: int
    wanted: RangeSet = field(default_factory=RangeSet)
    signed: RangeSet = field(default_factory=RangeSet)
    found: RangeSet = field(default_factory=RangeSet)


def rescue(damaged: DamagedJournal, opened: OpenJournal, inside: Inside) -> Rescued:
    """Copy records, messages and cursors into a fresh journal, each stream under a further ordinal.

    Blocks are copied first, then, in one transaction, all that makes a forwarder see them. If that is
    interrupted, asking again begins anew: copies that nobody saw are emptied.

    Args:
        damaged: the damaged journal.
        opened: the fresh one; no forwarder may be at work on it.
        inside: as it was opened with.

    Raises:
        JournalError: the fresh journal cannot be written.
    """
    base = opened.journal.run_with_connection(_next_ordinal)
    tasks = {one.ordinal: _Task(one, base + place) for place, one in enumerate(damaged.streams())}
    opened.journal.edit(
        [("UPDATE block SET ciphertext = NULL, size = 0 WHERE stream >= ? AND size > 0", (base,))]
    )
    _commit(opened)
    messages = list(_messages(damaged, opened, tasks, inside))
    for task in tasks.values():
        _want(task)
    blocks = 0
    for draft in _copies(damaged, opened.keys, tasks, inside):
        opened.journal.add_note(draft)
        blocks += 1
        if blocks % _BATCH == 0:
            _commit(opened)
    edits = messages + [edit for task in tasks.values() for edit in _cursors(task)]
    edits += list(_notes(damaged, tasks))
    opened.journal.edit(edits)
    _commit(opened)
    wanted = sum(task.wanted.count() for task in tasks.values())
    kept = 0
    for task in tasks.values():
        for first, last in (*task.signed, *task.found):
            task.wanted.remove(first, last)
        kept += task.wanted.count()
    return Rescued(blocks, wanted - kept, kept, len(messages), damaged.unreadable)


def _next_ordinal(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT max(ordinal) FROM stream").get or 0) + 1


def _commit(opened: OpenJournal) -> None:
    if not opened.journal.commit():
        raise JournalError(f"what was rescued cannot be written: {opened.journal.failure}", where="journal")


def _messages(
    damaged: DamagedJournal, opened: OpenJournal, tasks: dict[int, _Task], inside: Inside
) -> Iterator[Edit]:
    """Take over messages that can be opened; the numbers of others are given back to be composed anew.

    Where rows are missing, nobody knows any more which numbers they held, so that all are given back that are
    in no message taken over: the platform drops what it has.
    """
    rows, whole = damaged.messages()
    if not whole:
        for each in tasks.values():
            each.stream.covered = {destination: RangeSet() for destination in each.stream.covered}
    fresh = opened.last_position()
    period = period_of(inside.clock.wall_ns(), inside.boot)
    for row in rows:
        position, destination, kind, topic, stream, first, last, records, key_id, sealed = row
        task = tasks.get(stream)
        payload = _open(opened.keys, key_id, position, sealed)
        if payload and (task is not None or not stream):
            ordinal = 0 if task is None else task.ordinal
            fresh += 1
            stored = StoredMessage(fresh, kind, topic, ordinal, first, last, records, payload)
            if task is not None and records:
                task.signed.add(first, last)
                task.wanted.add(first, last)
                task.stream.covered.setdefault(destination, RangeSet()).add(first, last)
            yield insertion(stored, destination, opened.keys, period, inside.draw)
        elif task is not None and records and 1 <= first <= last:
            task.stream.covered.setdefault(destination, RangeSet()).remove(first, last)


def _open(keys: KeyStore, key_id: bytes, position: int, sealed: bytes) -> bytes:
    """A message's payload; empty where it cannot be had."""
    try:
        key = keys.key(key_id)
        return b"" if key is None else open_sealed(key, place_of(position), sealed)[1]
    except (JournalError, TypeError, OverflowError):
        return b""


def _want(task: _Task) -> None:
    """All numbers that some destination has not been given; where no cursor can be read, all there are."""
    last = task.stream.last
    for covered in task.stream.covered.values() or [RangeSet()]:
        for first, end in covered.gaps(1, last):
            task.wanted.add(first, end)


def _copies(
    damaged: DamagedJournal, keys: KeyStore, tasks: dict[int, _Task], inside: Inside
) -> Iterator[Draft]:
    purposes = {entry.key_id: entry.purpose for entry in keys.listing()}
    for one in damaged.record_blocks():
        task = tasks.get(one.stream)
        header = one.block.header
        if task is None or not header.first_number:
            continue
        if header.last_number > task.stream.last:
            task.wanted.add(task.stream.last + 1, header.last_number)
            task.stream.last = header.last_number
        if not any(_common(task.wanted, header.first_number, header.last_number)):
            continue
        draft = _copy(one, keys, task.ordinal, purposes.get(header.key_id, ""), inside)
        if draft is not None:
            if header.data_class == CARRIER:
                for first, last in _common(task.wanted, header.first_number, header.last_number):
                    task.found.add(first, last)
            yield draft


def _common(ranges: RangeSet, first: int, last: int) -> list[tuple[int, int]]:
    """What of a range is in a set."""
    return [(max(first, begin), min(last, end)) for begin, end in ranges if begin <= last and end >= first]


def _copy(one: DamagedBlock, keys: KeyStore, ordinal: int, purpose: str, inside: Inside) -> Draft | None:
    """A block's content for the fresh journal; None where it cannot be read."""
    block, header = one.block, one.block.header
    try:
        key = keys.key(header.key_id)
        if key is None or block.ciphertext is None:
            return None
        plaintext = open_sealed(key, block.header_bytes, block.ciphertext)[1]
        decode_records(plaintext, inside.items)
    except JournalError:
        return None
    return Draft(
        header.kind,
        header.data_class,
        plaintext,
        header.boot,
        header.from_ns,
        header.to_ns,
        Timebase(header.wall_offset_ns, header.time_quality),
        count=header.count,
        first_number=header.first_number,
        last_number=header.last_number,
        mask=header.mask,
        purpose=purpose,
        alarm=one.alarm,
        stream=ordinal,
    )


def _cursors(task: _Task) -> Iterator[Edit]:
    one = task.stream
    yield _STREAM, (task.ordinal, one.stream, one.predecessor, one.last)
    for destination, covered in one.covered.items():
        for first, last in covered:
            yield _COVERED, (destination, task.ordinal, first, last)


def _notes(damaged: DamagedJournal, tasks: dict[int, _Task]) -> Iterator[Edit]:
    """What was erased, and what was yet to be told."""
    for destination, stream, first, last, cause in damaged.gaps():
        if stream in tasks and 1 <= first <= last:
            yield _GAP, (destination, tasks[stream].ordinal, first, last, cause)
    for stream, first, last in damaged.erased():
        if stream in tasks and 1 <= first <= last:
            yield _ERASED, (tasks[stream].ordinal, first, last)
