"""Records as the plaintext of blocks, one for each data class that their items fall into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from edge.errors import JournalError, WireError
from edge.policy.classes import DataClass
from edge.records import Record, Value
from edge.wire.item_keys import ItemKeys
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.record_columns import Field, read_records, write_records
from edge.wire.strict_cbor import CborValue, Fields, read_cbor, write_cbor

CARRIER = DataClass.OPERATION
"""The class whose block names every record, its time and its alarm, also where it holds no item of it."""


def encode_records(
    records: Sequence[Record], class_of: Callable[[str], DataClass], keys: ItemKeys
) -> dict[DataClass, bytes]:
    """Write records, their items split by class; the carrier's part comes first.

    Args:
        records: with rising numbers.
        class_of: the class of a concrete item id.
        keys: the catalogue's wire keys.

    Raises:
        JournalError: a record cannot be written, or they are more than `decode_records` takes as one block.
    """
    names = {name: class_of(name) for name in dict.fromkeys(name for one in records for name in one.values)}
    parts: dict[DataClass, bytes] = {}
    for data_class in (CARRIER, *sorted({*names.values()} - {CARRIER})):
        part = [
            replace(one, values={k: v for k, v in one.values.items() if names[k] is data_class})
            for one in records
        ]
        if data_class is not CARRIER:
            part = [one for one in part if one.values]
        try:
            fields = write_records(part, keys)
            parts[data_class] = write_cbor({int(key): value for key, value in fields.items()})
        except WireError as error:
            raise JournalError(f"records cannot be written: {error}") from error
        if not _readable(part, fields, parts[data_class]):
            raise JournalError(f"{len(part)} records are too much for one block")
    return parts


def _readable(records: Sequence[Record], fields: Mapping[int, CborValue], plaintext: bytes) -> bool:
    """Whether `decode_records` takes what was written, whose decompressed size it bounds too."""
    columns = dict.fromkeys(name for one in records for name in one.values)
    elements = sum(len(value) for one in records for value in one.values.values() if isinstance(value, tuple))
    size = fields.get(Field.BODY_BYTES, len(plaintext))
    return (
        len(records) <= DEFAULT_LIMITS.records
        and len(columns) <= DEFAULT_LIMITS.columns
        and len(records) * len(columns) + elements <= DEFAULT_LIMITS.values
        and isinstance(size, int)
        and size <= DEFAULT_LIMITS.body_bytes
        and len(plaintext) <= DEFAULT_LIMITS.message_bytes
    )


def decode_records(plaintext: bytes, keys: ItemKeys) -> tuple[Record, ...]:
    """Read one class' part of some records.

    Raises:
        JournalError: the bytes are no such part.
    """
    if len(plaintext) > DEFAULT_LIMITS.message_bytes:
        raise JournalError(f"a block of records has {len(plaintext):,} bytes")
    try:
        fields = Fields(read_cbor(plaintext), "block")
        records = read_records(fields, keys)
        fields.finish()
    except WireError as error:
        raise JournalError(f"a block of records cannot be read: {error}") from error
    return records


def join_records(parts: Sequence[Sequence[Record]]) -> list[Record]:
    """Put the parts of records together again; what the carrier does not name is left out.

    Args:
        parts: of each class, the carrier's first.
    """
    if len(parts) == 1:
        return list(parts[0])
    more: dict[int, dict[str, Value]] = {}
    for part in parts[1:]:
        for one in part:
            more.setdefault(one.number, {}).update(one.values)
    return [
        replace(one, values=_united(one.values, more[one.number])) if one.number in more else one
        for one in parts[0]
    ]


def _united(values: Mapping[str, Value], others: Mapping[str, Value]) -> Mapping[str, Value]:
    return MappingProxyType({**values, **others})
