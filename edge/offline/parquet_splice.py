"""Puts Parquet files of one schema together without reading a value: bytes are copied, footers made anew.

The footer is a `FileMetaData` in Thrift's compact protocol (parquet.thrift of apache/parquet-format; "Thrift
compact protocol encoding"). It is taken apart and put together field by field, so that what is not known
here stays as it is; only places in the file, counts and ordinals of row groups change.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import BinaryIO

from edge.closing import Closing
from edge.errors import NevgateError

MAGIC = b"PAR1"
_COPY_BYTES = 1 << 20
_TAIL = struct.Struct("<I4s")

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)
_ORDINAL_MAX = (1 << 15) - 1

# Field numbers of parquet.thrift.
_NUM_ROWS, _ROW_GROUPS = 3, 4
_GROUP_COLUMNS, _GROUP_OFFSET, _GROUP_ORDINAL = 1, 5, 7
_CHUNK_PLACES = (2, 4, 6)
_CHUNK_METADATA = 3
_METADATA_PLACES = (9, 10, 11, 14)

Value = int | bytes | list["Value"] | dict[int, tuple[int, "Value"]] | tuple[int, list["Value"]]
"""A struct is a mapping of field numbers to (type, value); a list or set is (type of its items, items)."""

Struct = dict[int, tuple[int, Value]]


class Splice(Closing):
    """A file with the row groups of others, one after the other.

    Args:
        out: an empty file.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        # What describes the row groups grows with the file, so that it waits on the disk.
        self._described = TemporaryFile(prefix="nevgate-")  # noqa: SIM115 - closed by `close`
        self._rows = self._groups = 0
        self._place = len(MAGIC)
        out.write(MAGIC)

    def add(self, part: BinaryIO) -> None:
        """Take in the row groups of a file that the same writer made as all others.

        Raises:
            NevgateError: if it is no whole Parquet file.
        """
        metadata, body = _footer(part)
        part.seek(len(MAGIC))
        _copy(part, self._out, body - len(MAGIC))
        self._rows += _integer(metadata[_NUM_ROWS][1])
        described = bytearray()
        for group in _items(metadata[_ROW_GROUPS][1]):
            _move(group, self._place - len(MAGIC), self._groups)
            _write_struct(described, _struct(group))
            self._groups += 1
        self._described.write(described)
        self._place += body - len(MAGIC)

    def finish(self, template: BinaryIO) -> None:
        """Write the end of the file.

        Args:
            template: a file of the same schema without a row group; its metadata become those of the whole.

        Raises:
            NevgateError: if it is no whole Parquet file.
        """
        metadata, _ = _footer(template)
        metadata[_NUM_ROWS] = (6, self._rows)
        before, after = _around(metadata, self._groups)
        groups_bytes = self._described.tell()
        self._described.seek(0)
        self._out.write(before)
        _copy(self._described, self._out, groups_bytes)
        self._out.write(after)
        self._out.write(_TAIL.pack(len(before) + groups_bytes + len(after), MAGIC))

    def close(self) -> None:
        """Let go of what waits on the disk."""
        self._described.close()


def _around(metadata: Struct, groups: int) -> tuple[bytes, bytes]:
    """What stands before and behind so many row groups in a file's metadata."""
    before, after = bytearray(), bytearray()
    first = {number: field for number, field in metadata.items() if number < _ROW_GROUPS}
    last = _write_fields(before, first, 0)
    _write_field_head(before, _LIST, _ROW_GROUPS, last)
    _write_list_head(before, _STRUCT, groups)
    _write_fields(after, {key: field for key, field in metadata.items() if key > _ROW_GROUPS}, _ROW_GROUPS)
    after.append(0)
    return bytes(before), bytes(after)


def _copy(file: BinaryIO, out: BinaryIO, left: int) -> None:
    while left:
        read = file.read(min(_COPY_BYTES, left))
        if not read:
            raise NevgateError("is shorter than it was", where=str(getattr(file, "name", "")))
        out.write(read)
        left -= len(read)


def _footer(file: BinaryIO) -> tuple[Struct, int]:
    """The metadata of a file, and where they begin."""
    size = file.seek(0, 2)
    file.seek(max(size - _TAIL.size, 0))
    tail = file.read(_TAIL.size)
    length, magic = _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b"")
    begin = size - _TAIL.size - length
    if magic != MAGIC or begin < len(MAGIC):
        raise NevgateError("is no whole Parquet file", where=str(getattr(file, "name", "")))
    file.seek(begin)
    try:
        return _Reader(file.read(length)).struct(), begin
    except (ValueError, IndexError) as error:
        raise NevgateError("is a damaged Parquet file", where=str(getattr(file, "name", ""))) from error


def _move(group: Value, by: int, ordinal: int) -> None:
    """Give a row group its new place and number; 0 stands for no place."""
    fields = _struct(group)
    _shift(fields, (_GROUP_OFFSET,), by)
    if _GROUP_ORDINAL in fields:
        if ordinal <= _ORDINAL_MAX:
            fields[_GROUP_ORDINAL] = (fields[_GROUP_ORDINAL][0], ordinal)
        else:
            del fields[_GROUP_ORDINAL]
    for chunk in _items(fields[_GROUP_COLUMNS][1]):
        _shift(_struct(chunk), _CHUNK_PLACES, by)
        _shift(_struct(_struct(chunk)[_CHUNK_METADATA][1]), _METADATA_PLACES, by)


def _shift(fields: Struct, places: Iterable[int], by: int) -> None:
    for number in places:
        kind, value = fields.get(number, (0, 0))
        if value:
            fields[number] = (kind, _integer(value) + by)


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(type(value).__name__)
    return value


def _struct(value: Value) -> Struct:
    if not isinstance(value, dict):
        raise TypeError(type(value).__name__)
    return value


def _items(value: Value) -> list[Value]:
    if not isinstance(value, tuple):
        raise TypeError(type(value).__name__)
    return value[1]


class _Reader:
    """Takes a struct of the compact protocol apart."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def struct(self) -> Struct:
        """The struct that begins here."""
        fields: Struct = {}
        number = 0
        while head := self._byte():
            kind = head & 0x0F
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = (kind, int(kind == _TRUE) if kind in {_TRUE, _FALSE} else self._value(kind))
        return fields

    def _value(self, kind: int) -> Value:
        if kind in _INTEGERS:
            return self._zigzag()
        if kind in {_TRUE, _FALSE, _BYTE}:
            return self._byte()
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind in {_LIST, _SET}:
            head = self._byte()
            count = head >> 4 if head >> 4 != 0x0F else self._varint()  # noqa: PLR2004 - of the protocol
            return head & 0x0F, [self._value(head & 0x0F) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct()
        raise ValueError(kind)

    def _byte(self) -> int:
        self._place += 1
        return self._content[self._place - 1]

    def _bytes(self, count: int) -> bytes:
        self._place += count
        if self._place > len(self._content):
            raise ValueError(count)
        return self._content[self._place - count : self._place]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _write_struct(out: bytearray, fields: Struct) -> None:
    _write_fields(out, fields, 0)
    out.append(0)


def _write_fields(out: bytearray, fields: Struct, last: int) -> int:
    """Write fields that follow the one with the number `last`; tell the number of the last one."""
    for number, (kind, value) in sorted(fields.items()):
        if kind in {_TRUE, _FALSE}:
            # A truth stands in its type.
            _write_field_head(out, _TRUE if value else _FALSE, number, last)
        else:
            _write_field_head(out, kind, number, last)
            _write_value(out, kind, value)
        last = number
    return last


def _write_field_head(out: bytearray, kind: int, number: int, last: int) -> None:
    if 0 < number - last <= 0x0F:  # noqa: PLR2004 - of the protocol
        out.append((number - last) << 4 | kind)
    else:
        out.append(kind)
        _write_varint(out, _zigzagged(number))


def _write_list_head(out: bytearray, inner: int, count: int) -> None:
    if count < 0x0F:  # noqa: PLR2004 - of the protocol
        out.append(count << 4 | inner)
    else:
        out.append(0xF0 | inner)
        _write_varint(out, count)


def _write_value(out: bytearray, kind: int, value: Value) -> None:
    if isinstance(value, dict):
        _write_struct(out, value)
    elif isinstance(value, tuple):
        inner, items = value
        _write_list_head(out, inner, len(items))
        for item in items:
            _write_value(out, inner, item)
    elif isinstance(value, bytes):
        if kind == _BINARY:
            _write_varint(out, len(value))
        out += value
    elif kind in _INTEGERS:
        _write_varint(out, _zigzagged(_integer(value)))
    else:
        out.append(_integer(value))


def _write_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _zigzagged(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1
