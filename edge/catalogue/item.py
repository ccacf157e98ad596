"""`Item`: one regulated item as data, and how each edition of GB/T 32960.3 writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum

from edge.policy.classes import DataClass


class Edition(IntEnum):
    """The editions of GB/T 32960.3 by their year."""

    Y2016 = 2016
    Y2025 = 2025


class Kind(StrEnum):
    """What a value of an item is made of."""

    NUMBER = "number"
    """A quantity in whole steps of the resolution."""

    ENUM = "enum"
    """One of the item's named values."""

    BOOL = "bool"
    """0 or 1."""

    BITS = "bits"
    """A set of named bits as one number."""

    ARRAY = "array"
    """Elements like numbers, each of which can be missing by itself."""

    CODES = "codes"
    """A list of the manufacturer's 32-bit fault codes, as long as there are codes."""

    PAIRS = "pairs"
    """A list of bit and level, flat: bit, level, bit, level."""

    TEXT = "text"
    """Static data in words; never in a record."""


LISTS = frozenset({Kind.ARRAY, Kind.CODES, Kind.PAIRS})
"""The kinds whose values are tuples."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one edition writes an item.

    Attributes:
        body: type id of the information body, as the command 02 carries it.
        width: bytes on the wire of the item or of one element; 0 for bits inside another field.
        resolution: of one raw step; None where the raw value is the value itself (enumerations, lists).
        offset: physical value of raw 0.
        raw_maximum: greatest valid raw value; None where the table gives none.
        words: the encoding as the catalogue's table writes it.
    """

    body: int
    width: int
    resolution: Decimal | None
    offset: Decimal
    raw_maximum: int | None
    words: str

    def holds(self, value: Decimal) -> bool:
        """Whether the edition can write the physical value `value` without clipping it."""
        if self.resolution is None or self.raw_maximum is None:
            return True
        return self.offset <= value <= self.offset + self.raw_maximum * self.resolution


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the catalogue.

    A value is a number of steps, each `resolution` large and counted from 0.

    Attributes:
        id: such as ``vehicle.speed``; indexed items have ``[i]`` in it (``motor[i].speed``).
        key: the integer that stands for it on the wire; never reused for another item.
        row: the row of the standard's table that it comes from, several items may share one; empty where it
            is nevgate's own.
        en: its name in English.
        cn: its name in Chinese, as the standard words it.
        unit: of the physical value; empty where it has none.
        kind: what a value is made of.
        resolution: size of a step.
        minimum: least physical value of the item or of an element.
        maximum: greatest.
        longest: how many elements a value can have; 0 unless it is a list.
        data_class: what the door judges it by.
        period_s: longest time between two samples in seconds; 0 for static data.
        editions: how each edition that has the item writes it.
        confidence: how sure the table of the standard is: ``confirmed``, ``transcription only``, or
            ``beyond the standard``.
        vss: path in the COVESA Vehicle Signal Specification 6.0, empty where it has none.
        vss_scale: the VSS value is the physical value times this; None where it is coded differently.
        names: name of each value of an enumeration or of a truth value that needs one, each bit of a set, or
            each special value of a number.
        note: what else a reader should know.
        tables: for static data, the table of annex A in each edition that asks for it.
    """

    id: str
    key: int
    row: str
    en: str
    cn: str
    unit: str
    kind: Kind
    resolution: Decimal
    minimum: Decimal
    maximum: Decimal
    longest: int
    data_class: DataClass
    period_s: Decimal
    editions: Mapping[Edition, Encoding]
    confidence: str
    vss: str
    vss_scale: Decimal | None
    names: Mapping[int, str]
    note: str
    tables: Mapping[Edition, str]

    @property
    def static(self) -> bool:
        """Whether it is registered once instead of being sampled."""
        return bool(self.tables)

    @property
    def indexed(self) -> bool:
        """Whether there is one for each motor, pack or stack."""
        return "[i]" in self.id

    @property
    def is_list(self) -> bool:
        """Whether its values are tuples of elements."""
        return self.kind in LISTS

    @property
    def least_steps(self) -> int:
        """The minimum in steps."""
        return int((self.minimum / self.resolution).to_integral_value())

    @property
    def most_steps(self) -> int:
        """The maximum in steps."""
        return int((self.maximum / self.resolution).to_integral_value())

    def physical(self, steps: int) -> Decimal:
        """The physical value of `steps` steps."""
        return steps * self.resolution

    def value_named(self, name: str) -> int | None:
        """The value, or the bit number, that is called `name`; None if there is none."""
        return next((value for value, known in self.names.items() if known == name), None)

    def fits(self, edition: Edition, steps: int) -> bool:
        """Whether `edition` has the item and can write the value of `steps` without clipping it.

        The record's range is that of both editions together: the 2016 edition, for instance, ends at
        220 km/h, 1000 V and 1000 A.
        """
        encoding = self.editions.get(edition)
        return encoding is not None and encoding.holds(self.physical(steps))
