"""`Step`: the pieces that layouts are made of: runs of fixed fields, lists, texts, groups."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import Coding, Field, FieldKind

Raws = tuple[Any, ...]
"""The raw values of a part, in order of its rows without those of bits: numbers, bytes, tuples of them for
lists, and tuples of `Raws` for groups. They hold all that was on the wire."""

REST = "rest"
CODES = {1: "B", 2: "H", 4: "I"}
"""The struct code of a number by its width."""
PLAIN = frozenset({FieldKind.TIME, FieldKind.TEXT, FieldKind.BYTES})


@dataclass(frozen=True, slots=True)
class Span:
    """Where one value lies.

    Attributes:
        offset: of its first byte.
        length: in bytes.
        field: what it is.
        path: its name with the places in lists and groups, from 1: ``motor[2].speed``, ``cells[17]``.
        raw: its raw value.
    """

    offset: int
    length: int
    field: Field
    path: str
    raw: int | bytes


class Step(ABC):
    """One piece of a layout: reads, writes and tells some of its values."""

    slots: int
    """How many values it adds."""

    @abstractmethod
    def read(self, data: bytes, position: int, values: list[Any]) -> int:
        """Add its values, and hand out where the next piece begins."""

    @abstractmethod
    def write(self, values: Raws, slot: int, out: list[bytes]) -> None:
        """Add its bytes; its values begin at `slot`."""

    @abstractmethod
    def spans(self, values: Raws, slot: int, offset: int, path: str) -> Iterator[Span]:
        """Tell where its values lie."""


def missing_count(field: Field, count: int) -> bool:
    """Whether `count` is the code of a missing list, behind which nothing follows."""
    return field.coding is not Coding.NONE and count >= field.abnormal


def missing_from(field: Field) -> int:
    """The least count that is the code of a missing list; beyond every count where there is none."""
    return field.abnormal if field.coding is not Coding.NONE else 1 << 32


def short(data: bytes, field: Field) -> GbtError:
    """The error of data that end within `field`."""
    return GbtError(f"ends within '{field.en}' of {field.part}", offset=len(data))


class Run(Step):
    """Fields of fixed width, one after the other."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self.slots = len(fields)
        self.codec = struct.Struct(">" + "".join(map(_code, fields)))
        self.lengths = [(slot, field.width) for slot, field in enumerate(fields) if field.kind in PLAIN]

    def read(self, data: bytes, position: int, values: list[Any]) -> int:
        """See `Step.read`."""
        end = position + self.codec.size
        if end > len(data):
            for field in self.fields:
                position += field.width
                if position > len(data):
                    raise short(data, field)
        values += self.codec.unpack_from(data, position)
        return end

    def write(self, values: Raws, slot: int, out: list[bytes]) -> None:
        """See `Step.write`."""
        for place, length in self.lengths:
            if len(values[slot + place]) != length:
                raise GbtError(f"'{self.fields[place].en}' has {length} bytes")
        out.append(self.codec.pack(*values[slot : slot + self.slots]))

    def spans(self, values: Raws, slot: int, offset: int, path: str) -> Iterator[Span]:
        """See `Step.spans`."""
        for field, raw in zip(self.fields, values[slot : slot + self.slots], strict=True):
            yield Span(offset, field.width, field, path + field.name, raw)
            offset += field.width


class List(Step):
    """Numbers or texts of one width, as many as another field says."""

    slots = 1

    def __init__(self, field: Field, counts: Counts) -> None:
        self.field = field
        self.counts = counts

    def read(self, data: bytes, position: int, values: list[Any]) -> int:
        """See `Step.read`."""
        count, width = self.counts.of(values), self.counts.width(values)
        end = position + count * width
        if end > len(data):
            raise short(data, self.field)
        if self.field.kind is FieldKind.TEXT:
            starts = range(position, end, width) if width else [position] * count
            values.append(tuple(data[start : start + width] for start in starts))
        elif width == 1:
            values.append(tuple(data[position:end]))
        else:
            values.append(struct.unpack_from(f">{count}{CODES[width]}", data, position))
        return end

    def write(self, values: Raws, slot: int, out: list[bytes]) -> None:
        """See `Step.write`."""
        elements, width = values[slot], self.counts.width(values)
        self.counts.check(values, len(elements), self.field)
        if self.field.kind is FieldKind.TEXT:
            if any(len(element) != width for element in elements):
                raise GbtError(f"each of '{self.field.en}' has {width} bytes")
            out.extend(elements)
        elif width == 1:
            out.append(bytes(elements))
        else:
            out.append(struct.pack(f">{len(elements)}{CODES[width]}", *elements))

    def spans(self, values: Raws, slot: int, offset: int, path: str) -> Iterator[Span]:
        """See `Step.spans`."""
        width = self.counts.width(values)
        for place, raw in enumerate(values[slot] if width else (), 1):
            yield Span(offset, width, self.field, f"{path}{self.field.name}[{place}]", raw)
            offset += width


class Octets(Step):
    """Bytes or text as long as another field says, or to the end."""

    slots = 1

    def __init__(self, field: Field, length: int | None) -> None:
        self.field = field
        self.length = length

    def read(self, data: bytes, position: int, values: list[Any]) -> int:
        """See `Step.read`."""
        end = len(data) if self.length is None else position + values[self.length]
        if end > len(data):
            raise short(data, self.field)
        values.append(data[position:end])
        return end

    def write(self, values: Raws, slot: int, out: list[bytes]) -> None:
        """See `Step.write`."""
        octets = values[slot]
        if self.length is not None and values[self.length] != len(octets):
            raise GbtError(f"'{self.field.en}' has {len(octets)} bytes where {values[self.length]} are told")
        out.append(octets)

    def spans(self, values: Raws, slot: int, offset: int, path: str) -> Iterator[Span]:
        """See `Step.spans`."""
        if values[slot]:
            yield Span(offset, len(values[slot]), self.field, path + self.field.name, values[slot])


class Inner(Protocol):
    """What a group repeats: the layout of its inside."""

    codec: struct.Struct | None

    def read(self, data: bytes, position: int = 0) -> tuple[Raws, int]:
        """See `Layout.read`."""

    def add(self, values: Raws, out: list[bytes]) -> None:
        """See `Layout.add`."""

    def spans(self, values: Raws, offset: int = 0, path: str = "") -> Iterator[Span]:
        """See `Layout.spans`."""


class Group(Step):
    """Fields that repeat together."""

    slots = 1

    def __init__(self, field: Field, inner: Inner, counts: Counts) -> None:
        self.field = field
        self.inner = inner
        self.counts = counts
        self.codec = inner.codec

    def read(self, data: bytes, position: int, values: list[Any]) -> int:
        """See `Step.read`."""
        count = self.counts.of(values)
        if self.codec is not None:
            end = position + count * self.codec.size
            if end > len(data):
                raise short(data, self.field)
            values.append(tuple(self.codec.iter_unpack(data[position:end])))
            return end
        members = []
        for _ in range(count):
            member, position = self.inner.read(data, position)
            members.append(member)
        values.append(tuple(members))
        return position

    def write(self, values: Raws, slot: int, out: list[bytes]) -> None:
        """See `Step.write`."""
        members = values[slot]
        self.counts.check(values, len(members), self.field)
        if self.codec is not None:
            pack = self.codec.pack
            out.extend([pack(*member) for member in members])
        else:
            for member in members:
                self.inner.add(member, out)

    def spans(self, values: Raws, slot: int, offset: int, path: str) -> Iterator[Span]:
        """See `Step.spans`."""
        for place, member in enumerate(values[slot], 1):
            for span in self.inner.spans(member, offset, f"{path}{self.field.name}[{place}]."):
                yield span
                offset = span.offset + span.length


class Counts:
    """How many elements a list or group has, and how wide they are, by the fields before it."""

    def __init__(self, field: Field, names: Sequence[str], fields: Sequence[Field]) -> None:
        self.summed = field.count.startswith("sum(")
        self.slot = names.index(field.count[4:-1] if self.summed else field.count)
        self.missing_from = 1 << 32 if self.summed else missing_from(fields[self.slot])
        self.fixed = field.width
        self.width_slot = names.index(field.size) if field.size else -1

    def of(self, values: Sequence[Any]) -> int:
        """The number of elements."""
        if self.summed:
            return sum(values[self.slot])
        count: int = values[self.slot]
        return count if count < self.missing_from else 0

    def width(self, values: Sequence[Any]) -> int:
        """The bytes of one element."""
        width: int = self.fixed if self.width_slot < 0 else values[self.width_slot]
        return width

    def check(self, values: Raws, count: int, field: Field) -> None:
        """Refuse to write another number of elements than is told."""
        if self.of(values) != count:
            raise GbtError(f"'{field.en}' has {count} elements where {self.of(values)} are told")


def _code(row: Field) -> str:
    return f"{row.width}s" if row.kind in PLAIN else CODES[row.width]
