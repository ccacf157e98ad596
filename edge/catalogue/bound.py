"""What a binding says once every name in it is looked up: sources of items as immutable values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge.catalogue.condition import Comparison, Condition, SignalName
from edge.catalogue.item import Item
from edge.catalogue.quantise import Quantiser
from edge.database.model import SignalRef
from edge.records import Element, Missing


@dataclass(frozen=True, slots=True)
class Reading:
    """How one value of a signal becomes an element of an item.

    Attributes:
        quantiser: converts, rounds, and judges the range.
        invalid: values of the signal that mean "not available".
        abnormal: values of the signal that mean "at fault".
        mapping: the item's value for each value of the signal; None where the value itself counts.
        comparison: for truth values, what makes it true; None where the value itself counts.
    """

    quantiser: Quantiser
    invalid: frozenset[float] = frozenset()
    abnormal: frozenset[float] = frozenset()
    mapping: Mapping[float, int] | None = None
    comparison: Comparison | None = None

    @property
    def plain(self) -> bool:
        """Whether the quantiser alone decides."""
        return not (self.invalid or self.abnormal) and self.mapping is None and self.comparison is None

    def element(self, value: float) -> Element:
        """The element that the signal's physical `value` stands for."""
        if value in self.invalid:
            return Missing.INVALID
        if value in self.abnormal:
            return Missing.ABNORMAL
        if self.mapping is not None:
            return self.mapping.get(value, Missing.ABNORMAL)
        if self.comparison is not None:
            return int(self.comparison.holds(value))
        return self.quantiser(value)


class Combination(StrEnum):
    """How several signals become one number."""

    MEAN = "mean"
    SUM = "sum"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"


class Derivation(StrEnum):
    """How an item follows from other items of the same record."""

    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    SUM = "sum"
    MAX_LEVEL = "max_level"
    LEVELS = "levels"


class Part(StrEnum):
    """Which part of a derived extreme an item holds."""

    VALUE = "value"
    PACK = "pack"
    ELEMENT = "element"


@dataclass(frozen=True, slots=True)
class One:
    """The value of one signal."""

    signal: SignalName
    reading: Reading

    @property
    def signals(self) -> tuple[SignalName, ...]:
        """The signals that it needs."""
        return (self.signal,)


@dataclass(frozen=True, slots=True)
class Combined:
    """One number of several signals, all of which have to have a value."""

    signals: tuple[SignalName, ...]
    combination: Combination
    reading: Reading


@dataclass(frozen=True, slots=True)
class Elements:
    """A list with an element for each signal.

    Attributes:
        signals: in the order of the elements.
        reading: of each of them.
        none: for fault codes, the value that stands for no code and is left out; None for arrays.
    """

    signals: tuple[SignalName, ...]
    reading: Reading
    none: int | None


@dataclass(frozen=True, slots=True)
class FedLevel:
    """An alarm level that a signal carries.

    Attributes:
        signal: its last value is the level.
        freshness_ns: a value older than this says nothing.
    """

    signal: SignalName
    freshness_ns: int

    def on(self, bus: str) -> SignalRef:
        """Its signal as spoken on `bus`."""
        return SignalRef(bus, self.signal.message, self.signal.signal)


@dataclass(frozen=True, slots=True)
class Bit:
    """One bit of a set.

    Attributes:
        number: its place, from 0.
        conditions: any of them puts it up.
        level: the alarm level that it stands for, or the signal that says so.
    """

    number: int
    conditions: tuple[Condition, ...]
    level: int | FedLevel


@dataclass(frozen=True, slots=True)
class BitSet:
    """A set of bits.

    Attributes:
        bits: those that are bound.
        latched: whether a bit that was up in any frame since the last record counts as up.
    """

    bits: tuple[Bit, ...]
    latched: bool

    @property
    def signals(self) -> tuple[SignalName, ...]:
        """The signals that put its bits up."""
        return tuple(condition.signal for bit in self.bits for condition in bit.conditions)

    @property
    def level_signals(self) -> tuple[SignalName, ...]:
        """The signals that carry the levels of its bits; only what is derived from the set needs them."""
        return tuple(bit.level.signal for bit in self.bits if isinstance(bit.level, FedLevel))


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that never changes, in steps."""

    value: int

    @property
    def signals(self) -> tuple[SignalName, ...]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True)
class Derived:
    """What follows from other items.

    Attributes:
        derivation: how.
        of: concrete item ids; ``[*]`` stands for every number that is bound.
        part: which part of an extreme.
    """

    derivation: Derivation
    of: tuple[str, ...]
    part: Part = Part.VALUE

    @property
    def signals(self) -> tuple[SignalName, ...]:
        """None of its own."""
        return ()


Source = One | Combined | Elements | BitSet | Constant | Derived


@dataclass(frozen=True, slots=True)
class BoundItem:
    """One item and where its value comes from.

    Attributes:
        id: concrete id in the record.
        item: its catalogue entry.
        source: where its value comes from.
        freshness_ns: a value older than this is invalid.
        valid_when: the item is invalid while this does not hold; None if there is no such condition.
        where: file and line of the binding.
    """

    id: str
    item: Item
    source: Source
    freshness_ns: int
    valid_when: Condition | None
    where: str

    @property
    def signals(self) -> tuple[SignalName, ...]:
        """All signals that decide about its value, without doubles."""
        guard = () if self.valid_when is None else (self.valid_when.signal,)
        return tuple(dict.fromkeys((*self.source.signals, *guard)))


@dataclass(frozen=True, slots=True)
class Binding:
    """A loaded binding file.

    Attributes:
        path: the file.
        database: name of the database that it was checked against.
        about: what the file says of itself.
        items: in the file's order.
    """

    path: Path
    database: str
    about: str
    items: tuple[BoundItem, ...]

    def __iter__(self) -> Iterator[BoundItem]:
        return iter(self.items)

    def wanted(self, bus: str) -> frozenset[SignalRef]:
        """The signals to be decoded when the database is spoken on `bus`."""
        levels = (
            name
            for bound in self.items
            if isinstance(bound.source, BitSet)
            for name in bound.source.level_signals
        )
        return _on_bus(bus, (*(name for bound in self.items for name in bound.signals), *levels))

    def latched(self, bus: str) -> frozenset[SignalRef]:
        """Those of them whose values between two records must not be missed."""
        return _on_bus(
            bus,
            (
                name
                for bound in self.items
                if isinstance(bound.source, BitSet) and bound.source.latched
                for name in bound.source.signals
            ),
        )


def _on_bus(bus: str, names: Iterable[SignalName]) -> frozenset[SignalRef]:
    return frozenset(SignalRef(bus, name.message, name.signal) for name in names)
