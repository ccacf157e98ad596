"""Entries of the consent ledger as blocks of the journal, and the ledger as a journal has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import apsw

from edge.clock import Timebase, TimeQuality
from edge.consent.entries import (
    NEVER,
    Asked,
    Entry,
    Erased,
    Granted,
    Lapsed,
    Refused,
    Role,
    Stamp,
    Withdrawn,
)
from edge.consent.ledger import UNREADABLE, Ledger
from edge.errors import JournalError, WireError
from edge.journal.block import BOOT_BYTES, BlockKind
from edge.journal.chain import Draft, load_chain
from edge.journal.keys.key_database import DamagedKeyError
from edge.journal.keys.key_store import KeyStore
from edge.journal.keys.sealing import open_sealed
from edge.journal.reader import DamagedRowError, Reader
from edge.policy.admission import consents_in
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.wire.strict_cbor import INT64_MAX, CborValue, Fields, read_cbor, write_cbor

_GRANTED, _ASKED, _REFUSED, _WITHDRAWN, _LAPSED, _ERASED = range(1, 7)
_TEXT_BYTES = 1_000
_SERIES = int(BlockKind.CONSENT), ""


def encode_entry(entry: Entry) -> bytes:
    """Write an entry as the plaintext of a block (docs/journal-format.md)."""
    at = entry.at
    fields: dict[int, CborValue] = {2: [at.boot, at.boot_ns, at.wall_ns, int(at.quality)]}
    match entry:
        case Granted():
            fields[1] = _GRANTED
            fields |= {3: entry.number, 4: str(entry.data_class), 5: str(entry.purpose), 6: str(entry.role)}
            fields |= {7: entry.ends_ns, 8: int(entry.keep), 9: entry.start, 10: entry.rule, 11: entry.policy}
            fields[12] = entry.erase_within_ns
        case Asked():
            fields[1] = _ASKED
            fields |= {4: str(entry.data_class), 5: str(entry.purpose), 6: str(entry.role)}
            fields |= {10: entry.rule, 11: entry.policy}
        case Refused() | Withdrawn():
            fields[1] = _REFUSED if isinstance(entry, Refused) else _WITHDRAWN
            fields |= {3: entry.number, 4: str(entry.data_class), 5: str(entry.purpose), 6: str(entry.role)}
        case Lapsed():
            fields |= {1: _LAPSED, 3: entry.number, 13: entry.why}
        case Erased():
            fields |= {1: _ERASED, 14: entry.label}
        case _:
            assert_never(entry)
    return write_cbor({key: fields[key] for key in sorted(fields)})


def decode_entry(plaintext: bytes) -> Entry:
    """Read the plaintext of a block strictly.

    Raises:
        WireError: it is no entry, in whatever way.
    """
    fields = Fields(read_cbor(plaintext), "a consent")
    entry = _entry(fields, fields.integer(1, _GRANTED, _ERASED))
    fields.finish()
    return entry


def _entry(fields: Fields, what: int) -> Entry:
    at = _stamp(fields)
    match what:
        case 1:
            return Granted(
                at,
                fields.integer(3, 1),
                *_use(fields),
                ends_ns=fields.integer(7, at.wall_ns, INT64_MAX),
                keep=bool(fields.integer(8, 0, 1)),
                start=fields.octets(9),
                rule=fields.text(10, _TEXT_BYTES),
                policy=fields.text(11, _TEXT_BYTES),
                erase_within_ns=fields.integer(12, 0),
            )
        case 2:
            return Asked(
                at, *_use(fields), rule=fields.text(10, _TEXT_BYTES), policy=fields.text(11, _TEXT_BYTES)
            )
        case 3:
            return Refused(at, fields.integer(3, 0), *_use(fields))
        case 4:
            return Withdrawn(at, fields.integer(3, 1), *_use(fields))
        case 5:
            return Lapsed(at, fields.integer(3, 1), fields.text(13, _TEXT_BYTES))
        case _:
            return Erased(at, fields.text(14, _TEXT_BYTES))


def _stamp(fields: Fields) -> Stamp:
    match fields.array(2, 4):
        case [bytes(boot), int(boot_ns), int(wall_ns), int(quality)] if len(boot) in {0, BOOT_BYTES}:
            if quality in set(TimeQuality):
                return Stamp(boot, boot_ns, wall_ns, TimeQuality(quality))
    raise WireError("field 2 is not boot, two times and a quality", where=fields.name)


def _use(fields: Fields) -> tuple[DataClass, Purpose, Role]:
    texts = [fields.text(key, _TEXT_BYTES) for key in (4, 5, 6)]
    try:
        return DataClass(texts[0]), Purpose(texts[1]), Role(texts[2])
    except ValueError as error:
        raise WireError(f"a class, purpose or role is unknown: {error}", where=fields.name) from error


def consent_note(entry: Entry) -> Draft:
    """The block of an entry; locked, so that the bounds leave it alone, and committed at once."""
    at = entry.at
    timebase = Timebase(at.wall_ns - at.boot_ns, at.quality)
    return Draft(
        BlockKind.CONSENT,
        "",
        encode_entry(entry),
        at.boot or bytes(BOOT_BYTES),
        at.boot_ns,
        at.boot_ns,
        timebase,
        count=1,
        locked=True,
    )


def load_ledger(connection: apsw.Connection, reader: Reader, keys: KeyStore) -> Ledger:
    """Read the ledger of a journal.

    What cannot be read may have been a withdrawal: each consent given before a block that is missing or does
    not open has lapsed. Numbers that label data keys, or that the key store knows to have ended, count as
    given out, so that no later consent is taken for the one that they stood for.

    Args:
        connection: the journal.
        reader: of its blocks.
        keys: its data keys.

    Raises:
        JournalError: journal or key store cannot be read at present: that says nothing of what is there.
        apsw.Error: nor the database.
    """
    labelled = (number for one in keys.listing() for number in consents_in(one.purpose))
    return Ledger(_entries(connection, reader, keys), used=max((*labelled, *keys.ended), default=0))


def _entries(connection: apsw.Connection, reader: Reader, keys: KeyStore) -> Iterator[Entry]:
    granted: list[int] = []
    last = 0
    for number in _numbers(connection):
        previous, entry = _read(reader, keys, number)
        if previous != last or entry is None:
            yield from _lapse(granted)
        if entry is not None:
            yield entry
        if isinstance(entry, Granted):
            granted.append(entry.number)
        last = number
    if _last_of_series(connection, reader) != last:
        yield from _lapse(granted)


def _numbers(connection: apsw.Connection) -> list[int]:
    """Chain numbers of the blocks that have their content, in order."""
    query = (
        "SELECT number FROM block WHERE stream = 1 AND kind = ? AND class = ? AND size > 0 ORDER BY number"
    )
    return [number for (number,) in connection.execute(query, _SERIES)]


def _read(reader: Reader, keys: KeyStore, number: int) -> tuple[int, Entry | None]:
    """The block before in the series, and the entry; -1 and None where they cannot be read.

    Raises:
        JournalError: the key store cannot be read at present.
    """
    try:
        block = reader.block(number)
    except (DamagedRowError, apsw.CorruptError):
        return -1, None
    if block is None or (int(block.header.kind), block.header.data_class) != _SERIES:
        return -1, None
    try:
        key = keys.key(block.header.key_id)
    except DamagedKeyError:
        key = None
    if key is None or block.ciphertext is None:
        return block.header.previous, None
    try:
        return block.header.previous, decode_entry(open_sealed(key, block.header_bytes, block.ciphertext)[1])
    except (JournalError, WireError):
        return block.header.previous, None


def _last_of_series(connection: apsw.Connection, reader: Reader) -> int:
    """What the journal says of the last block of the series; -1 where that cannot be read."""
    try:
        return load_chain(connection, reader.stream()).previous.get(_SERIES, 0)
    except JournalError:
        return -1


def _lapse(granted: list[int]) -> Iterator[Lapsed]:
    """End all consents given so far."""
    for number in granted:
        yield Lapsed(NEVER, number, UNREADABLE)
    granted.clear()
