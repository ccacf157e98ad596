"""Erases what is of one class and time on request: its keys go, and with them every copy on the medium."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import apsw

from edge.errors import CatalogueError, JournalError, WireError
from edge.journal.block import BlockKind, read_header
from edge.journal.chain import Draft, period_of
from edge.journal.database import transaction
from edge.journal.keys.key_store import KeyEntry, KeyStore, day_of
from edge.journal.keys.sealing import open_sealed, seal
from edge.journal.opening import Inside, OpenJournal
from edge.journal.pending import Edit
from edge.journal.ranges import RangeSet
from edge.journal.record_block import CARRIER
from edge.journal.stored import MESSAGES, deletion, place_of
from edge.journal.upkeep.condemned import finish_erasure
from edge.policy.classes import DataClass
from edge.records import Record
from edge.wire.cose import unverified_payload
from edge.wire.message import RecordMessage, decode
from edge.wire.strict_cbor import CborValue, write_cbor

_BATCH = 256
_COVER = "INSERT INTO covered (destination, stream, first, last) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """What is to be erased.

    Attributes:
        data_class: the class.
        first_day: data of days from this one on, UTC days since 1970-01-01. With a bound, data of boots
            without wall time stay.
        last_day: data of days up to this one, included.
        purpose: data kept for this purpose alone, such as a consent; None for all.
        reason: who asked and why, as it shall stand in the chain.
    """

    data_class: DataClass
    first_day: int | None = None
    last_day: int | None = None
    purpose: str | None = None
    reason: str = ""

    def concerns(self, entry: KeyEntry) -> bool:
        """Whether what is sealed under a key is meant."""
        purpose = self.purpose is None or entry.purpose == self.purpose
        return entry.data_class == self.data_class and purpose and self.includes(entry.period)

    def includes(self, period: str) -> bool:
        """Whether a period lies in the time that is meant."""
        if self.first_day is None and self.last_day is None:
            return True
        day = day_of(period)
        if day is None:
            return False
        return (self.first_day is None or self.first_day <= day) and (
            self.last_day is None or day <= self.last_day
        )


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased.

    Attributes:
        key_ids: of the data keys that were destroyed.
        blocks: whose content is gone.
        messages: signed messages that waited for an acknowledgement and held such data; their records that
            remain go again, composed anew without it.
        resealed: signed messages that remain, under a new key.
    """

    key_ids: tuple[bytes, ...]
    blocks: int
    messages: int
    resealed: int


@dataclass(slots=True)
class _Plan:
    """What one erasure changes in the database.

    Attributes:
        blocks: chain numbers of blocks whose content goes.
        ranges: numbers of the records in them, by ordinal of the stream.
        messages: positions of messages that go.
        resealed: how many messages get a new key.
        edits: of messages, cursors and erased ranges.
    """

    blocks: list[int] = field(default_factory=list)
    ranges: dict[int, RangeSet] = field(default_factory=dict)
    messages: list[int] = field(default_factory=list)
    resealed: int = 0
    edits: list[Edit] = field(default_factory=list)


def erase(opened: OpenJournal, request: ErasureRequest, inside: Inside) -> Erasure:
    """Erase, so that nothing that remains on the medium opens to what was meant, and write it into the chain.

    One transaction removes the messages that hold such data and gives their numbers back to be composed anew,
    seals all others under a new key, tells erased numbers where the carrier of records itself is erased, adds
    an ERASURE block, and notes the keys that are to go: those of the class, and every key that messages were
    ever sealed under, since removed messages stand in free pages. Then the key store destroys these keys in
    one rotation, and the blocks are emptied. After a crash between the two the next opening goes on
    (`finish_erasure`).

    A number that was sent already and is sent again without the erased class differs in its content: a
    platform that stored the first keeps it, and keeps the second as a conflicting double that the ERASURE
    block explains.

    Args:
        opened: the journal; no forwarder may be at work on it, since its cursors change.
        request: what is meant.
        inside: as it was opened with.

    Raises:
        JournalError: the disk refuses, or a key cannot be destroyed; what was begun is finished when the
            journal is opened next.
        apsw.Error: the database cannot be read.
    """
    inside = replace(inside, boot=opened.boot)
    if not opened.journal.commit():
        raise JournalError(f"cannot be written now: {opened.journal.failure}", where="journal")
    doomed = tuple(entry for entry in opened.keys.listing() if request.concerns(entry))
    if not doomed:
        return Erasure((), 0, 0, 0)
    key_ids = tuple(entry.key_id for entry in doomed)
    plan = _Plan()
    opened.journal.run_with_connection(
        lambda connection: _draw_up(plan, connection, request, doomed, opened.keys, inside)
    )
    opened.journal.edit(plan.edits)
    opened.journal.add_note(_note(request, plan, key_ids, inside))
    if not opened.journal.commit():
        raise JournalError(f"cannot be written now: {opened.journal.failure}", where="journal")

    def destroy(connection: apsw.Connection) -> None:
        finish_erasure(connection, opened.keys)

    opened.journal.run_with_connection(destroy)
    for start in range(0, len(plan.blocks), _BATCH):
        _empty(opened, plan.blocks[start : start + _BATCH])
    return Erasure(key_ids, len(plan.blocks), len(plan.messages), plan.resealed)


def _draw_up(
    plan: _Plan,
    connection: apsw.Connection,
    request: ErasureRequest,
    doomed: Sequence[KeyEntry],
    keys: KeyStore,
    inside: Inside,
) -> None:
    """See what is concerned and how the database is to change."""
    key_ids = {entry.key_id for entry in doomed}
    for number, stream, first, last in _blocks(connection, request.data_class, key_ids):
        plan.blocks.append(number)
        if first:
            plan.ranges.setdefault(stream, RangeSet()).add(first, last)
    old = {entry.key_id for entry in keys.listing() if entry.data_class == MESSAGES}
    _messages(plan, connection, request, keys, inside)
    if request.data_class is CARRIER:
        plan.edits += _erased(connection, plan.ranges)
    plan.edits += [("INSERT OR IGNORE INTO erasing (key_id) VALUES (?)", (one,)) for one in key_ids | old]


def _blocks(
    connection: apsw.Connection, data_class: str, key_ids: set[bytes]
) -> Iterator[tuple[int, int, int, int]]:
    """Number, stream and record numbers of the blocks that are sealed under some keys."""
    series: list[tuple[int, int]] = list(
        connection.execute("SELECT DISTINCT stream, kind FROM held WHERE class = ?", (data_class,))
    )
    for stream, kind in series:
        for number, first, last, header in connection.execute(
            "SELECT number, first_number, last_number, header FROM block"
            " WHERE stream = ? AND kind = ? AND class = ? AND size > 0 ORDER BY first_number, number",
            (stream, kind, data_class),
        ):
            try:
                key_id = read_header(header).key_id
            except JournalError:
                continue
            if key_id in key_ids:
                yield number, stream, first, last


def _messages(
    plan: _Plan, connection: apsw.Connection, request: ErasureRequest, keys: KeyStore, inside: Inside
) -> None:
    """Remove messages that hold such data, and have all others sealed anew."""
    rows: list[tuple[int, str, int, int, int, int, bytes, bytes]] = list(
        connection.execute(
            "SELECT position, destination, stream, first, last, records, key_id, sealed FROM message"
        )
    )
    if not rows:
        return
    purpose = f"after an erasure {inside.draw(8).hex()}"
    fresh = keys.key_for(MESSAGES, period_of(inside.clock.wall_ns(), inside.boot), purpose)
    freed: dict[tuple[str, int], RangeSet] = {}
    for position, destination, stream, first, last, records, key_id, sealed in rows:
        payload = _open(keys, key_id, position, sealed)
        if payload is not None and not (records and _holds(payload, request, plan, stream, inside)):
            again = seal(fresh.key, place_of(position), payload, inside.draw).ciphertext
            plan.edits.append(
                (
                    "UPDATE message SET key_id = ?, sealed = ? WHERE position = ?",
                    (fresh.key_id, again, position),
                )
            )
            plan.resealed += 1
            continue
        plan.messages.append(position)
        plan.edits.append(deletion(position))
        if records:
            freed.setdefault((destination, stream), RangeSet()).add(first, last)
    for (destination, stream), ranges in freed.items():
        plan.edits += _uncover(connection, destination, stream, ranges)


def _open(keys: KeyStore, key_id: bytes, position: int, sealed: bytes) -> bytes | None:
    """A message's payload; None where it cannot be had, so that its records are to be composed anew."""
    try:
        key = keys.key(key_id)
        return None if key is None else open_sealed(key, place_of(position), sealed)[1]
    except JournalError:
        return None


def _holds(payload: bytes, request: ErasureRequest, plan: _Plan, stream: int, inside: Inside) -> bool:
    """Whether a message holds data that are meant; one that cannot be read might."""
    try:
        message = decode(unverified_payload(payload), inside.items)
    except WireError:
        return True
    ranges = plan.ranges.get(stream, RangeSet())
    meant = any(
        one.number in ranges or request.includes(period_of(_wall_ns(one), message.boot))
        for one in message.records
    )
    return meant and (request.data_class is CARRIER or _has_class(message, request.data_class, inside))


def _wall_ns(record: Record) -> int:
    """Unix time of a record; 0 where it is unknown."""
    return record.timebase.wall_ns(record.t_ns) if record.timebase.wall_offset_ns else 0


def _has_class(message: RecordMessage, data_class: DataClass, inside: Inside) -> bool:
    names = {name for record in message.records for name in record.values}
    return any(_class_of(name, inside) in {data_class, None} for name in names)


def _class_of(name: str, inside: Inside) -> DataClass | None:
    """The class of an item; None for one that today's catalogue does not know."""
    try:
        return inside.class_of(name)
    except CatalogueError:
        return None


def _uncover(connection: apsw.Connection, destination: str, stream: int, ranges: RangeSet) -> list[Edit]:
    """Statements that give numbers back to be sent."""
    query = "SELECT first, last FROM covered WHERE destination = ? AND stream = ?"
    covered = RangeSet(connection.execute(query, (destination, stream)))
    for first, last in ranges:
        covered.remove(first, last)
    edits: list[Edit] = [("DELETE FROM covered WHERE destination = ? AND stream = ?", (destination, stream))]
    return edits + [(_COVER, (destination, stream, first, last)) for first, last in covered]


def _erased(connection: apsw.Connection, ranges: dict[int, RangeSet]) -> list[Edit]:
    """Statements that count numbers as destroyed on purpose."""
    edits: list[Edit] = []
    for stream, more in ranges.items():
        erased = RangeSet(connection.execute("SELECT first, last FROM erased WHERE stream = ?", (stream,)))
        for first, last in more:
            erased.add(first, last)
        edits.append(("DELETE FROM erased WHERE stream = ?", (stream,)))
        edits += [
            ("INSERT INTO erased (stream, first, last) VALUES (?, ?, ?)", (stream, first, last))
            for first, last in erased
        ]
    return edits


def _note(request: ErasureRequest, plan: _Plan, key_ids: Sequence[bytes], inside: Inside) -> Draft:
    """The block that says what was erased (docs/journal-format.md)."""
    fields: dict[int, CborValue] = {1: str(request.data_class)}
    if request.first_day is not None:
        fields[2] = request.first_day
    if request.last_day is not None:
        fields[3] = request.last_day
    if request.purpose is not None:
        fields[4] = request.purpose
    fields |= {5: request.reason, 6: len(plan.blocks), 7: list(key_ids), 8: len(plan.messages)}
    now_ns = inside.clock.boot_ns()
    return Draft(
        BlockKind.ERASURE,
        "",
        write_cbor(fields),
        inside.boot,
        now_ns,
        now_ns,
        inside.clock.timebase(),
        count=1,
    )


def _empty(opened: OpenJournal, numbers: Sequence[int]) -> None:
    def work(connection: apsw.Connection) -> None:
        with transaction(connection):
            connection.executemany(
                "UPDATE block SET ciphertext = NULL, size = 0 WHERE number = ?", ((one,) for one in numbers)
            )

    opened.journal.run_with_connection(work)
