"""Draws up what an erasure changes in a journal: blocks, messages, cursors, and the keys that go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import apsw

from edge.errors import CatalogueError, JournalError, WireError
from edge.journal.block import BlockKind, read_header
from edge.journal.chain import Draft, period_of
from edge.journal.keys.key_store import KeyStore
from edge.journal.keys.sealing import open_sealed, seal
from edge.journal.opening import Inside
from edge.journal.pending import Edit
from edge.journal.ranges import RangeSet
from edge.journal.record_block import CARRIER
from edge.journal.stored import MESSAGES, deletion, place_of
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass
from edge.records import Record
from edge.wire.cose import unverified_payload
from edge.wire.message import decode
from edge.wire.strict_cbor import CborValue, write_cbor

_COVER = "INSERT INTO covered (destination, stream, first, last) VALUES (?, ?, ?, ?)"

Suspect = Callable[[bytes, int], bool]
"""Tells of a signed payload, with the ordinal of its stream, whether it may hold what is meant."""


@dataclass(slots=True)
class Share:
    """What one request takes.

    Attributes:
        request: what is meant.
        key_ids: of the data keys that go.
        blocks: chain numbers of blocks whose content goes.
        taken: numbers of the records in them, by ordinal of the stream.
        left: numbers of records whose part of the class stays, since it rests on something else.
    """

    request: ErasureRequest
    key_ids: tuple[bytes, ...]
    blocks: list[int] = field(default_factory=list)
    taken: dict[int, RangeSet] = field(default_factory=dict)
    left: dict[int, RangeSet] = field(default_factory=dict)

    def means(self, record: Record, stream: int, boot: bytes) -> bool:
        """Whether the class of a record is meant; where its block is gone already, it might be."""
        if record.number in self.taken.get(stream, ()):
            return True
        if not self.request.includes(period_of(_wall_ns(record), boot)):
            return False
        return not (self.request.by_label and record.number in self.left.get(stream, ()))


@dataclass(slots=True)
class Plan:
    """What erasures change.

    Attributes:
        shares: of each request that finds something.
        messages: rows of messages that go, by destination.
        resealed: how many messages get a new key.
        edits: of messages, cursors, erased ranges and keys that are noted.
    """

    shares: list[Share] = field(default_factory=list)
    messages: dict[str, list[int]] = field(default_factory=dict)
    resealed: int = 0
    edits: list[Edit] = field(default_factory=list)

    @property
    def blocks(self) -> list[int]:
        """Chain numbers of all blocks whose content goes."""
        return sorted({number for share in self.shares for number in share.blocks})

    @property
    def key_ids(self) -> tuple[bytes, ...]:
        """Of all data keys that go, but for those of messages."""
        return tuple(dict.fromkeys(key_id for share in self.shares for key_id in share.key_ids))

    def classes(self, record: Record, stream: int, boot: bytes) -> frozenset[DataClass]:
        """The classes that are taken from a record."""
        return frozenset(
            share.request.data_class for share in self.shares if share.means(record, stream, boot)
        )


def draw_up(
    connection: apsw.Connection, requests: Sequence[ErasureRequest], keys: KeyStore, inside: Inside
) -> Plan | None:
    """See what is concerned and how the database is to change; None where there is nothing.

    Args:
        connection: the journal, all that waits committed.
        requests: what is meant.
        keys: the data keys.
        inside: as the journal was opened with.

    Raises:
        JournalError: the key store cannot be read, or no new key be made.
        apsw.Error: the journal cannot be read.
    """
    plan = Plan()
    listing = keys.listing()
    for request in requests:
        doomed = tuple(entry.key_id for entry in listing if request.concerns(entry))
        if doomed:
            plan.shares.append(_share(connection, request, doomed))
    if not plan.shares:
        return None
    old = [entry.key_id for entry in listing if entry.data_class == MESSAGES]

    def suspect(payload: bytes, stream: int) -> bool:
        return _holds(payload, stream, plan, inside)

    _messages(plan, connection, suspect, keys, inside)
    taken: dict[int, RangeSet] = {}
    for share in plan.shares:
        if share.request.data_class is CARRIER:
            for stream, ranges in share.taken.items():
                for first, last in ranges:
                    taken.setdefault(stream, RangeSet()).add(first, last)
    plan.edits += _erased(connection, taken)
    plan.edits += [
        ("INSERT OR IGNORE INTO erasing (key_id) VALUES (?)", (one,)) for one in (*plan.key_ids, *old)
    ]
    return plan


def notes_of(plan: Plan, inside: Inside) -> list[Draft]:
    """The blocks that say what was erased, one for each request (docs/journal-format.md)."""
    deleted = sum(map(len, plan.messages.values()))
    return [_note(share, deleted, inside) for share in plan.shares]


def give_back(connection: apsw.Connection, freed: Mapping[tuple[str, int], RangeSet]) -> Iterator[Edit]:
    """Statements that give numbers back to be sent, by destination and stream."""
    for (destination, stream), ranges in freed.items():
        query = "SELECT first, last FROM covered WHERE destination = ? AND stream = ?"
        covered = RangeSet(connection.execute(query, (destination, stream)))
        for first, last in ranges:
            covered.remove(first, last)
        yield "DELETE FROM covered WHERE destination = ? AND stream = ?", (destination, stream)
        for first, last in covered:
            yield _COVER, (destination, stream, first, last)


def numbers_held(
    connection: apsw.Connection, stream: int, data_class: DataClass, first: int, last: int
) -> RangeSet:
    """Numbers of records of which blocks of a class may hold something, about `first` to `last`."""
    series = (stream, int(BlockKind.RECORDS), data_class)
    begin = connection.execute(
        "SELECT max(first_number) FROM block WHERE stream = ? AND kind = ? AND class = ? AND size > 0"
        " AND first_number <= ?",
        (*series, first),
    ).get
    return RangeSet(
        connection.execute(
            "SELECT first_number, last_number FROM block WHERE stream = ? AND kind = ? AND class = ?"
            " AND size > 0 AND first_number BETWEEN ? AND ?",
            (*series, first if begin is None else begin, last),
        )
    )


def has_class(record: Record, data_class: DataClass, inside: Inside) -> bool:
    """Whether a record has an item of a class, or one that today's catalogue does not know."""
    return any(_class_of(name, inside) in {data_class, None} for name in record.values)


def _share(connection: apsw.Connection, request: ErasureRequest, doomed: tuple[bytes, ...]) -> Share:
    share, key_ids = Share(request, doomed), frozenset(doomed)
    for number, stream, first, last, key_id in _blocks(connection, request.data_class):
        taken = key_id in key_ids
        if taken:
            share.blocks.append(number)
        if first:
            (share.taken if taken else share.left).setdefault(stream, RangeSet()).add(first, last)
    return share


def _blocks(connection: apsw.Connection, data_class: str) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Number, stream, record numbers and key of all blocks of a class that hold something."""
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
            yield number, stream, first, last, key_id


def _messages(
    plan: Plan, connection: apsw.Connection, suspect: Suspect, keys: KeyStore, inside: Inside
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
        if payload is not None and not (records and suspect(payload, stream)):
            again = seal(fresh.key, place_of(position), payload, inside.draw).ciphertext
            plan.edits.append(
                (
                    "UPDATE message SET key_id = ?, sealed = ? WHERE position = ?",
                    (fresh.key_id, again, position),
                )
            )
            plan.resealed += 1
            continue
        plan.messages.setdefault(destination, []).append(position)
        plan.edits.append(deletion(position))
        if records:
            freed.setdefault((destination, stream), RangeSet()).add(first, last)
    plan.edits += give_back(connection, freed)


def _open(keys: KeyStore, key_id: bytes, position: int, sealed: bytes) -> bytes | None:
    """A message's payload; None where it cannot be had, so that its records are to be composed anew."""
    try:
        key = keys.key(key_id)
        return None if key is None else open_sealed(key, place_of(position), sealed)[1]
    except JournalError:
        return None


def _holds(payload: bytes, stream: int, plan: Plan, inside: Inside) -> bool:
    """Whether a message holds data that are meant; one that cannot be read might."""
    try:
        message = decode(unverified_payload(payload), inside.items)
    except WireError:
        return True
    return any(
        data_class is CARRIER or has_class(record, data_class, inside)
        for record in message.records
        for data_class in plan.classes(record, stream, message.boot)
    )


def _wall_ns(record: Record) -> int:
    """Unix time of a record; 0 where it is unknown."""
    return record.timebase.wall_ns(record.t_ns) if record.timebase.wall_offset_ns else 0


def _class_of(name: str, inside: Inside) -> DataClass | None:
    """The class of an item; None for one that today's catalogue does not know."""
    try:
        return inside.class_of(name)
    except CatalogueError:
        return None


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


def _note(share: Share, deleted: int, inside: Inside) -> Draft:
    request = share.request
    fields: dict[int, CborValue] = {1: str(request.data_class)}
    if request.first_day is not None:
        fields[2] = request.first_day
    if request.last_day is not None:
        fields[3] = request.last_day
    if request.purpose is not None:
        fields[4] = request.purpose
    fields |= {5: request.reason, 6: len(share.blocks), 7: list(share.key_ids), 8: deleted}
    if request.consents:
        fields[9] = [*sorted(request.consents)]
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
