"""The tables of both editions as data: one row a field, out of which everything else here is made."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from edge.catalogue.item import Edition


class FieldKind(StrEnum):
    """What a field is made of."""

    NUMBER = "number"
    """An unsigned big-endian number of steps, counted from the offset."""

    ENUM = "enum"
    """One of named values."""

    FLAGS = "flags"
    """A set of bits as one number, bit 0 the least significant."""

    CODE = "code"
    """A number that only its maker can read; every value is one."""

    COUNT = "count"
    """How many elements, groups or bytes follow."""

    INDEX = "index"
    """The number of a motor, pack or stack."""

    PACKED = "packed"
    """A byte of several parts, which are rows of kind `BITS` behind it."""

    BITS = "bits"
    """Part of a packed byte; its width is the highest and the lowest bit."""

    TIME = "time"
    """Six bytes: year from 2000, month, day, hour, minute, second, in Beijing time."""

    TEXT = "text"
    """ASCII characters, or GB 18030 where Chinese is allowed."""

    BYTES = "bytes"
    """Bytes that are handed on as they are."""

    GROUP = "group"
    """Fields that repeat together; they name it in their column `group`."""

    PARAMETERS = "parameters"
    """A list of ids, each with a value as the part `parameter XX` describes it."""


class Coding(StrEnum):
    """Whether a field has codes for a missing value: all ones is invalid, one less is abnormal."""

    STATED = "yes"
    UNSTATED = "unstated"
    """The field's row does not say so; the general rule of the standard might still hold for it."""
    NONE = "no"


@dataclass(frozen=True, slots=True)
class Field:
    """One row of an edition's table.

    Attributes:
        part: what it belongs to: ``frame``, ``command 01``, ``body 07``, ``signature`` and so on.
        group: the repeated group that it is in; empty outside of one.
        name: unique in its part and group.
        item: the catalogue's item that it carries, with ``[i]`` where it is indexed; empty for the others.
        kind: what it is made of.
        width: bytes of it, or of one element; 0 for groups and for those whose size stands in `size`.
        size: for texts and bytes: the field that holds their length, or ``rest``; for bits: ``high-low``.
        count: the field that says how many there are; ``sum(name)`` adds up a list; empty for single ones.
        resolution: of one step, in the unit; None where the number is the value itself.
        offset: value of raw 0.
        least: least valid raw value; None where every one is valid.
        most: greatest.
        coding: whether there are codes for missing values.
        unit: of the value.
        en: its name in English.
        cn: its name in Chinese.
        clause: where in the standard it stands.
        names: of values, where the catalogue's item has none.
    """

    part: str
    group: str
    name: str
    item: str
    kind: FieldKind
    width: int
    size: str
    count: str
    resolution: Decimal | None
    offset: Decimal
    least: int | None
    most: int | None
    coding: Coding
    unit: str
    en: str
    cn: str
    clause: str
    names: Mapping[int, str]

    @property
    def bits(self) -> tuple[int, int]:
        """The lowest bit of a part of a byte, and how many bits it has."""
        high, _, low = self.size.partition("-")
        return int(low), int(high) - int(low) + 1

    @property
    def bits_text(self) -> str:
        """The same for people: ``bit 7``, ``bits 3-0``."""
        low, count = self.bits
        return f"bit {low}" if count == 1 else f"bits {self.size}"

    @property
    def invalid(self) -> int:
        """The code of an invalid value: all ones."""
        return (1 << 8 * self.width) - 1

    @property
    def abnormal(self) -> int:
        """The code of an abnormal value: all ones less one."""
        return (1 << 8 * self.width) - 2

    def holds(self, raw: int) -> bool:
        """Whether `raw` is a valid value."""
        return (self.least is None or raw >= self.least) and (self.most is None or raw <= self.most)


@dataclass(frozen=True, slots=True)
class Table:
    """All fields of one edition.

    Attributes:
        edition: which.
        parts: the rows of each part, in order.
    """

    edition: Edition
    parts: Mapping[str, tuple[Field, ...]]

    @property
    def bodies(self) -> tuple[int, ...]:
        """The type ids of the information bodies."""
        return tuple(int(part.split()[1], 16) for part in self.parts if part.startswith("body "))

    def fields(self, part: str) -> tuple[Field, ...]:
        """The rows of `part`, none where the edition has no such part."""
        return self.parts.get(part, ())


@cache
def table(edition: Edition) -> Table:
    """The table of `edition`, out of ``table_2016.csv`` or ``table_2025.csv`` beside this file."""
    text = (files("edge.wire.gbt") / f"table_{edition.value}.csv").read_text(encoding="utf-8")
    parts: dict[str, list[Field]] = {}
    for row in csv.DictReader(text.splitlines()):
        parts.setdefault(row["part"], []).append(field_of(row))
    return Table(edition, MappingProxyType({part: tuple(rows) for part, rows in parts.items()}))


def field_of(row: Mapping[str, str]) -> Field:
    """A row of a table as a field."""
    plain = row["width"].isdecimal()
    return Field(
        part=row["part"],
        group=row["group"],
        name=row["name"],
        item=row["item"],
        kind=FieldKind(row["kind"]),
        width=int(row["width"]) if plain else 0,
        size="" if plain else row["width"],
        count=row["count"],
        resolution=Decimal(row["resolution"]) if row["resolution"] else None,
        offset=Decimal(row["offset"] or 0),
        least=int(row["least"]) if row["least"] else None,
        most=int(row["most"]) if row["most"] else None,
        coding=Coding(row["missing"]),
        unit=row["unit"],
        en=row["en"],
        cn=row["cn"],
        clause=row["clause"],
        names=MappingProxyType(
            {
                int(value): name
                for value, name in (one.split(" ", 1) for one in row["names"].split(";") if one)
            }
        ),
    )
