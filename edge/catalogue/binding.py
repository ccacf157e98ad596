"""Loads binding files: every name is looked up, every unit and range checked, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from edge.catalogue import units
from edge.catalogue.bindingfile import BindingFile, ItemTable
from edge.catalogue.bound import (
    Binding,
    Bit,
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
    Source,
)
from edge.catalogue.catalogue import Catalogue
from edge.catalogue.condition import NOT_ZERO, Comparison, Condition, SignalName
from edge.catalogue.item import Item, Kind
from edge.catalogue.lookup import Lookup, SignalPlace
from edge.catalogue.quantise import quantise
from edge.catalogue.reading import reading_of
from edge.database.model import Database, Signal
from edge.errors import BindingError, CatalogueError
from edge.records import Missing
from edge.tomlfile import TomlFile, read_toml, validate

NS_PER_S = 1_000_000_000
FRESHNESS_PERIODS = 3
"""Without a limit of its own, a value is fresh for so many periods of its item or of its message."""

THERMAL_EVENT = "thermal_event"
THERMAL_LEVEL = 4
"""The level of a thermal event is always 4 (GB/T 32960.3-2025)."""

_COMPANIONS: Mapping[str, Part] = {"_pack": Part.PACK, "_cell": Part.ELEMENT, "_probe": Part.ELEMENT}
_KINDS: Mapping[str, frozenset[Kind]] = {
    "signal": frozenset({Kind.NUMBER, Kind.ENUM, Kind.BOOL, Kind.BITS}),
    "bits": frozenset({Kind.BITS}),
    "constant": frozenset({Kind.NUMBER, Kind.ENUM, Kind.BOOL}),
    "maximum": frozenset({Kind.NUMBER}),
    "minimum": frozenset({Kind.NUMBER}),
    "sum": frozenset({Kind.NUMBER}),
    "max_level": frozenset({Kind.NUMBER}),
    "levels": frozenset({Kind.PAIRS}),
    "combine": frozenset({Kind.NUMBER}),
    "signals": frozenset({Kind.ARRAY, Kind.CODES}),
}


def load_binding(path: Path, database: Database, catalogue: Catalogue) -> Binding:
    """Load a binding file.

    Args:
        path: a TOML file of the form in docs/bindings.md.
        database: whose signals it names.
        catalogue: whose items it names.

    Raises:
        BindingError: if anything in it cannot be right; names the line and the nearest right name.
    """
    file = read_toml(path, BindingError)
    form = validate(file, BindingFile, BindingError)
    loader = Binder(file, form, Lookup(database), catalogue)
    items = [bound for item_id, table in form.items.items() for bound in loader.bind(item_id, table)]
    _refuse_doubles(items)
    return Binding(path, database.name, form.binding.about, tuple(items))


def _refuse_doubles(items: Iterable[BoundItem]) -> None:
    seen: dict[str, BoundItem] = {}
    for bound in items:
        other = seen.setdefault(bound.id, bound)
        if other is not bound:
            raise BindingError(
                f"'{bound.id}' is already filled by {other.where}",
                where=bound.where,
                todo="Remove one of the two; an extreme fills the items for its pack and cell by itself",
            )


def _told_from_or(comparison: Comparison, signal: Signal) -> bool:
    """Whether the OR of a signal's raw values tells if the comparison ever held."""
    flag = len(signal.bits) == 1 and not signal.signed and signal.scale == 1
    return comparison == NOT_ZERO or (flag and comparison.holds(1) and not comparison.holds(0))


class Binder:
    """Turns the tables of one file into bound items."""

    def __init__(self, file: TomlFile, form: BindingFile, lookup: Lookup, catalogue: Catalogue) -> None:
        self._file = file
        self._form = form
        self._lookup = lookup
        self._catalogue = catalogue

    def bind(self, item_id: str, table: ItemTable) -> list[BoundItem]:
        """The bound item of one table, and for an extreme those that say where it is."""
        place = SignalPlace(self._file, item_id)
        try:
            item = self._catalogue.locate(item_id).item
        except CatalogueError as error:
            raise place.error(error.what, error.todo) from None
        if item.static:
            raise place.error(
                f"'{item_id}' is static data and in no record", "Static data belongs in the configuration"
            )
        self._check_kind(item, table, place)
        guard = None
        if table.valid_when is not None:
            guard = self._lookup.condition(table.valid_when, place.at("valid_when"))
        source = self._source(item, table, place)
        names = (*source.signals, *((guard.signal,) if guard else ()))
        bound = BoundItem(item_id, item, source, self._freshness(item, table, names), guard, place.where)
        return [bound, *self._companions(bound)]

    def _check_kind(self, item: Item, table: ItemTable, place: SignalPlace) -> None:
        source = table.source
        if source == "derive" and table.derive is not None:
            source = table.derive
        if source == "signals" and table.combine is not None:
            source = "combine"
        if item.kind not in _KINDS[source]:
            fitting = sorted(name for name, kinds in _KINDS.items() if item.kind in kinds)
            raise place.error(
                f"'{place.item_id}' is of kind {item.kind.value} and cannot be filled by '{source}'",
                f"It takes {' or '.join(fitting)}",
            )

    def _source(self, item: Item, table: ItemTable, place: SignalPlace) -> Source:
        if table.signal is not None:
            found = self._lookup.signal(table.signal, place.at("signal"))
            return One(found.name, reading_of([found], item, table, place))
        if table.signals is not None:
            return self._several(item, table, table.signals, place)
        if table.bits is not None:
            return self._bits(item, table, table.bits, place)
        if table.constant is not None:
            return Constant(self._constant(item, table.constant, place.at("constant")))
        return self._derived(item, table, place)

    def _several(
        self, item: Item, table: ItemTable, names: str | tuple[str, ...], place: SignalPlace
    ) -> Source:
        here = place.at("signals")
        if isinstance(names, str):
            found = self._lookup.pattern(names, here)
        else:
            found = [self._lookup.signal(name, here) for name in names]
        if table.count is not None and table.count != len(found):
            raise place.at("count").error(
                f"the file counts {table.count} elements, and there are {len(found)}",
                "Correct one of the two",
            )
        reading = reading_of(found, item, table, place)
        signals = tuple(entry.name for entry in found)
        if table.combine is not None:
            return Combined(signals, Combination(table.combine), reading)
        if len(found) > item.longest:
            raise here.error(f"'{place.item_id}' holds at most {item.longest} elements, not {len(found)}", "")
        return Elements(signals, reading, table.none if item.kind is Kind.CODES else None)

    def _bits(
        self,
        item: Item,
        table: ItemTable,
        bits: Mapping[str, str | tuple[str, ...]],
        place: SignalPlace,
    ) -> BitSet:
        levels = self._levels(item, table, place)
        found: dict[int, Bit] = {}
        for name, words in bits.items():
            here = place.at("bits", name)
            number = self._bit_number(item, name, here)
            if number in found:
                raise here.error(f"bit {number} is bound twice", "Give all its signals in one list")
            alternatives = (words,) if isinstance(words, str) else words
            conditions = tuple(self._lookup.condition(entry, here) for entry in alternatives)
            if table.latched:
                for condition in conditions:
                    self._check_latch(condition, here)
            level = levels.pop(number, 1)
            if item.names.get(number) == THERMAL_EVENT:
                level = THERMAL_LEVEL
            found[number] = Bit(number, conditions, level)
        if levels:
            number = min(levels)
            raise place.at("levels").error(
                f"bit {number} has a level but no signal", "Bind the bit or remove it"
            )
        return BitSet(tuple(found[number] for number in sorted(found)), table.latched)

    def _levels(self, item: Item, table: ItemTable, place: SignalPlace) -> dict[int, int | FedLevel]:
        levels: dict[int, int | FedLevel] = {}
        for name, given in table.levels.items():
            here = place.at("levels", name)
            number = self._bit_number(item, name, here)
            if isinstance(given, int):
                levels[number] = given
                continue
            found = self._lookup.signal(given, here)
            if units.known(found.signal.unit or ""):
                raise here.error(f"a level has no unit, and '{found.name}' is in '{found.signal.unit}'", "")
            if item.names.get(number) == THERMAL_EVENT:
                raise here.error(
                    f"the level of '{THERMAL_EVENT}' is always {THERMAL_LEVEL}, whatever '{found.name}' says",
                    "Remove its signal",
                )
            levels[number] = FedLevel(found.name, self._freshness(item, table, [found.name]))
        return levels

    def _bit_number(self, item: Item, name: str, place: SignalPlace) -> int:
        number = int(name) if name.isdecimal() else item.value_named(name)
        if number is None or number not in item.names:
            raise place.error(
                f"'{place.item_id}' has no bit '{name}'", place.nearest(name, list(item.names.values()))
            )
        return number

    def _check_latch(self, condition: Condition, place: SignalPlace) -> None:
        found = self._lookup.signal(str(condition.signal), place)
        if not _told_from_or(condition.comparison, found.signal):
            raise place.error(
                f"'{condition.signal}' is compared with {condition.comparison.number:g}, and latching "
                "can only tell whether a signal was ever not 0",
                "Bind it without a comparison, or leave 'latched' away",
            )
        if found.signal.offset != 0:
            raise place.error(
                f"'{condition.signal}' has an offset and cannot be latched", "Leave 'latched' away"
            )

    def _constant(self, item: Item, given: float | str, place: SignalPlace) -> int:
        if isinstance(given, str):
            value = item.value_named(given)
            if value is None:
                raise place.error(
                    f"'{place.item_id}' has no value called '{given}'",
                    place.nearest(given, list(item.names.values())),
                )
            return value
        steps = quantise(given, item)
        if isinstance(steps, Missing):
            raise place.error(
                f"'{place.item_id}' cannot hold {given:g}",
                f"It holds {item.minimum} to {item.maximum} {item.unit}",
            )
        return steps

    def _derived(self, item: Item, table: ItemTable, place: SignalPlace) -> Derived:
        of = (table.of,) if isinstance(table.of, str) else (table.of or ())
        derivation = Derivation(table.derive or "")
        here = place.at("of")
        for name in of:
            try:
                source = self._catalogue.locate(name.replace("[*]", "[1]")).item
            except CatalogueError as error:
                raise here.error(error.what, error.todo) from None
            takes = {
                Derivation.MAXIMUM: Kind.ARRAY,
                Derivation.MINIMUM: Kind.ARRAY,
                Derivation.SUM: Kind.NUMBER,
                Derivation.MAX_LEVEL: Kind.BITS,
                Derivation.LEVELS: Kind.BITS,
            }[derivation]
            if source.kind is not takes:
                raise here.error(
                    f"'{derivation.value}' takes items of kind {takes.value}, and '{name}' is of kind "
                    f"{source.kind.value}",
                    "",
                )
            if source.unit != item.unit and takes is not Kind.BITS:
                raise here.error(
                    f"'{name}' is in '{source.unit}', '{place.item_id}' in '{item.unit}'",
                    "",
                )
            if name == place.item_id:
                raise here.error("an item cannot be derived from itself", "")
        return Derived(derivation, of)

    def _companions(self, bound: BoundItem) -> list[BoundItem]:
        source = bound.source
        if not isinstance(source, Derived) or source.derivation not in {
            Derivation.MAXIMUM,
            Derivation.MINIMUM,
        }:
            return []
        return [
            BoundItem(
                bound.id + ending,
                self._catalogue.item(bound.id + ending),
                Derived(source.derivation, source.of, part),
                bound.freshness_ns,
                None,
                bound.where,
            )
            for ending, part in _COMPANIONS.items()
            if self._catalogue.has(bound.id + ending)
        ]

    def _freshness(self, item: Item, table: ItemTable, names: Iterable[SignalName]) -> int:
        limit_s = table.freshness_s or self._form.binding.freshness_s
        if limit_s is not None:
            return round(Decimal(repr(limit_s)) * NS_PER_S)
        cycle_ms = max((self._lookup.cycle_time_ms(name) for name in names), default=0)
        period_s = max(item.period_s, Decimal(cycle_ms) / 1000)
        return round(FRESHNESS_PERIODS * period_s * NS_PER_S)
