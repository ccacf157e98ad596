"""The tables by which a board samples the items of a record: bindings, said of fields and raw values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from edge.catalogue.bound import (
    Binding,
    BitSet,
    BoundItem,
    Combination,
    Combined,
    Constant,
    Derivation,
    Derived,
    Elements,
    FedLevel,
    One,
    Part,
    Reading,
)
from edge.catalogue.catalogue import Catalogue
from edge.catalogue.condition import Condition, SignalName
from edge.catalogue.quantise import ExactSteps, Quantiser
from edge.database.model import SignalRef
from edge.errors import FirmwareError
from edge.firmware.decoder_plan import SHOWN_VALUES, DecoderPlan, PlannedField
from edge.firmware.raw_terms import (
    linear_of,
    meaning_of,
    physical_of,
    raw_mapping,
    raw_range,
    raw_values,
    steps_of,
)
from edge.vehicle.levels import LEVELS_OF_A_RAISED_FLAG
from edge.vehicle.sampler import MAX_LEVEL_ITEM

CONSTANT, ONE, COMBINED, ARRAY, CODES, BITS, EXTREME, SUM, HIGHEST, LEVELS = range(10)
"""How an item comes about; the board's sampler knows the same numbers."""

LINEAR, MAPPED, COMPARED = range(3)
"""How a raw value is read; the same."""

_COMBINATIONS = {
    Combination.MEAN: 0,
    Combination.SUM: 1,
    Combination.MAXIMUM: 2,
    Combination.MINIMUM: 3,
}
_PARTS = {Part.VALUE: 0, Part.PACK: 1, Part.ELEMENT: 2}
_NS_PER_MS = 1_000_000
_LONGEST_MS = 1 << 28


@dataclass(frozen=True, slots=True)
class _Placed:
    """An item as one bus binds it."""

    bus: str
    bound: BoundItem


@dataclass(slots=True)
class ItemTables:
    """Makes the tables of the items that a record holds.

    Args:
        plan: where the signals lie.
        bindings: of each bus.
        catalogue: the items.
        items: ids of those that are sampled, those before that others are derived from.
    """

    plan: DecoderPlan
    bindings: Mapping[str, Sequence[Binding]]
    catalogue: Catalogue
    items: Sequence[str]
    _numbers: dict[SignalRef, int] = field(default_factory=dict)
    _readings: dict[str, int] = field(default_factory=dict)
    _by_id: dict[str, list[_Placed]] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = {one.ref: number for number, one in enumerate(self.plan.fields)}
        self._places = {item_id: place for place, item_id in enumerate(self.items)}
        for bus, files in self.bindings.items():
            for bound in (bound for binding in files for bound in binding):
                self._by_id.setdefault(bound.id, []).append(_Placed(bus, bound))

    def lines(self) -> Iterator[str]:
        """The tables as source.

        Raises:
            FirmwareError: if a binding asks for what a board cannot compute.
        """
        entries = [(item_id, self._entry(item_id)) for item_id in self.items]
        peak = self._peak()
        yield "# How raw values become steps, after those that are invalid and those that are abnormal:"
        yield "# 0: (scale, offset, divisor), (least, most, named); 1: {raw: steps}; 2: (low, high, outside)."
        yield "READINGS = ("
        yield from (f"    {text}," for text in self._readings)
        yield ")"
        yield ""
        yield "# The items of a record: how they come about, wire key, index, guard, and what that takes."
        yield "ITEMS = ("
        for item_id, entry in entries:
            yield f"    # {item_id}"
            yield f"    {entry},"
        yield ")"
        yield f"ELEMENTS = {self._elements()}"
        yield f"HIGHEST_LEVEL = {self._places.get(MAX_LEVEL_ITEM, -1)}"
        yield f"PEAK = {peak}"

    def _elements(self) -> int:
        arrays = (self._by_id[item_id][0].bound.source for item_id in self.items)
        return sum(
            len(source.signals)
            if isinstance(source, Elements)
            else 2 * sum(len(bits.bits) for bits in self._bit_sets(source.of[0]))
            if isinstance(source, Derived) and source.derivation is Derivation.LEVELS
            else 0
            for source in arrays
        )

    def _bit_sets(self, item_id: str) -> list[BitSet]:
        sources = (placed.bound.source for placed in self._by_id[item_id])
        return [source for source in sources if isinstance(source, BitSet)]

    def _entry(self, item_id: str) -> str:
        several = self._by_id[item_id]
        bus, bound = several[0].bus, several[0].bound
        source = bound.source
        limit = _limit_ms(bound.freshness_ns)
        guard: object = None if isinstance(source, BitSet | Derived) else self._guard(bus, bound)
        located = self.catalogue.locate(item_id)
        head = (located.item.key, located.index or 0, guard)
        if isinstance(source, Constant):
            return _text((CONSTANT, *head, source.value))
        if isinstance(source, One):
            number, planned = self._field(bus, source.signal)
            return _text((ONE, *head, number, limit, self._reading(planned, source.reading)))
        if isinstance(source, Elements):
            fields = [self._field(bus, name) for name in source.signals]
            readings = tuple(self._reading(planned, source.reading) for _, planned in fields)
            operation = ARRAY if source.none is None else CODES
            numbers = tuple(number for number, _ in fields)
            return _text((operation, *head, numbers, limit, readings, source.none))
        if isinstance(source, Combined):
            return _text((COMBINED, *head, *self._combined(bus, source, limit)))
        if isinstance(source, BitSet):
            return _text((BITS, *head, tuple(self._bits(placed) for placed in several)))
        return _text(self._derived(bound, source, head))

    def _field(self, bus: str, name: SignalName) -> tuple[int, PlannedField]:
        number = self._numbers[SignalRef(bus, name.message, name.signal)]
        return number, self.plan.fields[number]

    def _guard(self, bus: str, bound: BoundItem) -> object:
        if bound.valid_when is None:
            return None
        return (*self._condition(bus, bound.valid_when, _limit_ms(bound.freshness_ns)),)

    def _condition(self, bus: str, condition: Condition, limit: int) -> tuple[object, ...]:
        number, planned = self._field(bus, condition.signal)
        wanted = raw_range(planned, condition.comparison)
        return number, limit, (wanted.low, wanted.high, wanted.outside)

    def _reading(self, planned: PlannedField, reading: Reading) -> int:
        """The number of a way to read raw values; alike ones are one."""
        invalid = tuple(raw_values(planned, sorted(reading.invalid)))
        abnormal = tuple(raw for raw in raw_values(planned, sorted(reading.abnormal)) if raw not in invalid)
        if reading.mapping is not None:
            entry: tuple[object, ...] = (MAPPED, invalid, abnormal, raw_mapping(planned, reading.mapping))
        elif reading.comparison is not None:
            wanted = raw_range(planned, reading.comparison)
            entry = (COMPARED, invalid, abnormal, (wanted.low, wanted.high, wanted.outside))
        else:
            steps = steps_of(planned, reading)
            linear = (steps.scale, steps.offset, steps.divisor)
            entry = (LINEAR, invalid, abnormal, linear, _bounds(reading.quantiser.exact))
        return self._readings.setdefault(_text(entry), len(self._readings))

    def _combined(self, bus: str, source: Combined, limit: int) -> tuple[object, ...]:
        fields = [self._field(bus, name) for name in source.signals]
        for _, planned in fields:
            if planned.signal.is_float:
                raise FirmwareError(
                    f"a board cannot combine {planned.ref}, whose raw values are floats",
                    todo="Bind one signal, or leave the item unbound",
                )
        meanings = [meaning_of(planned) for _, planned in fields]
        divisor = math.lcm(*(part.denominator for pair in meanings for part in pair))
        parts = []
        for (_, planned), (scale, offset) in zip(fields, meanings, strict=True):
            invalid = tuple(raw_values(planned, sorted(source.reading.invalid)))
            abnormal = tuple(raw_values(planned, sorted(source.reading.abnormal)))
            parts.append((invalid, abnormal, int(scale * divisor), int(offset * divisor)))
        exact = source.reading.quantiser.exact
        steps = linear_of(exact.scale / divisor, exact.offset)
        return (
            tuple(number for number, _ in fields),
            limit,
            tuple(parts),
            _COMBINATIONS[source.combination],
            (steps.scale, steps.offset, steps.divisor),
            _bounds(exact),
        )

    def _bits(self, placed: _Placed) -> tuple[object, ...]:
        source = placed.bound.source
        assert isinstance(source, BitSet)  # noqa: S101 - only sets are filled by several bindings
        limit = _limit_ms(placed.bound.freshness_ns)
        table = []
        for bit in source.bits:
            for condition in bit.conditions:
                number, _, wanted = self._condition(placed.bus, condition, limit)
                table.append((1 << bit.number, number, wanted))
        return self._guard(placed.bus, placed.bound), limit, source.latched, tuple(table)

    def _derived(self, bound: BoundItem, source: Derived, head: tuple[object, ...]) -> tuple[object, ...]:
        if source.derivation in {Derivation.MAX_LEVEL, Derivation.LEVELS}:
            highest = source.derivation is Derivation.MAX_LEVEL
            flags = self._origins(source)[0]
            return (HIGHEST if highest else LEVELS, *head, self._places[flags], self._levels(flags))
        origins = [(one, self.catalogue.locate(one)) for one in self._origins(source)]
        resolutions = [Fraction(located.item.resolution) for _, located in origins]
        divisor = math.lcm(*(one.denominator for one in resolutions))
        sizes = [int(one * divisor) for one in resolutions]
        exact = Quantiser(bound.item).exact
        if source.derivation is Derivation.SUM:
            steps = linear_of(exact.scale / divisor, exact.offset)
            places = tuple((self._places[one], size) for (one, _), size in zip(origins, sizes, strict=True))
            return (SUM, *head, places, (steps.scale, steps.offset, steps.divisor), _bounds(exact))
        steps = linear_of(exact.scale / (divisor if source.part is Part.VALUE else 1), exact.offset)
        return (
            EXTREME,
            *head,
            tuple(
                (self._places[one], size, located.index or 1)
                for (one, located), size in zip(origins, sizes, strict=True)
            ),
            source.derivation is Derivation.MAXIMUM,
            _PARTS[source.part],
            (steps.scale, steps.offset, steps.divisor),
            _bounds(exact),
        )

    def _origins(self, source: Derived) -> list[str]:
        """The items that one is derived from, in order of their numbers, as the gateway takes them."""
        found = [
            item_id
            for pattern in source.of
            for item_id in self._by_id
            if re.fullmatch(re.escape(pattern).replace(r"\[\*\]", r"\[\d+\]"), item_id)
        ]
        located = {item_id: self.catalogue.locate(item_id) for item_id in found}
        return sorted(found, key=lambda one: (located[one].item.key, located[one].index or 0))

    def _levels(self, flags: str) -> tuple[object, ...]:
        table: list[tuple[int, object]] = []
        for placed in self._by_id[flags]:
            source = placed.bound.source
            for bit in source.bits if isinstance(source, BitSet) else ():
                level: object = bit.level
                if isinstance(bit.level, FedLevel):
                    level = self._fed(placed.bus, bit.level)
                table.append((bit.number, level))
        return tuple(sorted(table, key=lambda one: one[0]))

    def _fed(self, bus: str, level: FedLevel) -> tuple[object, ...]:
        number, planned = self._field(bus, level.signal)
        levels = raw_mapping(planned, {float(one): one for one in LEVELS_OF_A_RAISED_FLAG})
        if planned.shown is not None and any(not 0 <= raw < SHOWN_VALUES for raw in levels):
            raise _not_followed(planned)
        return number, _limit_ms(level.freshness_ns), levels, tuple(raw_values(planned, [0.0]))

    def _peak(self) -> object:
        """The signal that says the highest level as it is, and how it is read."""
        if MAX_LEVEL_ITEM not in self._places:
            return None
        placed = self._by_id[MAX_LEVEL_ITEM][0]
        source = placed.bound.source
        if not isinstance(source, One) or placed.bound.valid_when is not None:
            return None
        number, planned = self._field(placed.bus, source.signal)
        length = len(planned.signal.bits)
        low = -(1 << length - 1) if planned.signal.signed else 0
        reading = source.reading
        beyond = (raw for raw in range(low, low + (1 << length)) if not 0 <= raw < SHOWN_VALUES)
        if length > _LONGEST_LEVEL or any(
            isinstance(reading.element(physical_of(planned, raw)), int) for raw in beyond
        ):
            raise _not_followed(planned)
        return number, self._reading(planned, reading)


_LONGEST_LEVEL = 16


def _not_followed(planned: PlannedField) -> FirmwareError:
    return FirmwareError(
        f"{planned.ref} carries levels as raw values beyond {SHOWN_VALUES - 1}, which a board cannot follow",
        todo="Derive the level from flags, or leave the item unbound",
    )


def _bounds(exact: ExactSteps) -> tuple[object, ...]:
    return exact.least, exact.most, exact.named


def _limit_ms(freshness_ns: int) -> int:
    return min(freshness_ns // _NS_PER_MS, _LONGEST_MS)


def _text(entry: object) -> str:
    """A tuple as both Pythons read it."""
    return repr(entry)
