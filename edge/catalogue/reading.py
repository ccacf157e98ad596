"""How a signal's value becomes an item's: unit, range, value tables, checked against both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches

from edge.catalogue import units
from edge.catalogue.bindingfile import ItemTable
from edge.catalogue.bound import Reading
from edge.catalogue.condition import parse_comparison
from edge.catalogue.item import Item, Kind
from edge.catalogue.lookup import Found, SignalPlace
from edge.catalogue.quantise import Quantiser, quantise
from edge.catalogue.units import Conversion
from edge.records import Missing


def reading_of(found: Sequence[Found], item: Item, table: ItemTable, place: SignalPlace) -> Reading:
    """The reading that a table of a binding file asks for, the same for all signals in `found`.

    Raises:
        BindingError: if a unit, a range, or a name of a value does not fit.
    """
    comparison = None
    if table.when is not None:
        if item.kind is not Kind.BOOL or table.map is not None:
            raise place.at("when").error("'when' is for truth values, and not together with 'map'", "")
        try:
            comparison = parse_comparison(table.when)
        except ValueError as error:
            raise place.at("when").error(str(error), "") from None
    conversion = Conversion()
    for entry in found if table.map is None and comparison is None else ():
        unit = _unit_conversion(entry, item, table, place)
        if entry is not found[0] and unit != conversion:
            raise place.error(f"'{entry.name}' and '{found[0].name}' are in different units", "")
        conversion = unit
    scale = _decimal(table.scale) * conversion.scale
    offset = _decimal(table.offset) * conversion.scale + conversion.offset
    mapping = _mapping(found[0], item, table.map, place) if table.map is not None else None
    if mapping is None and comparison is None:
        for entry in found:
            _check_range(entry, item, table, Conversion(scale, offset), place)
    minimum, maximum = (None, None) if table.range is None else map(_decimal, table.range)
    return Reading(
        quantiser=Quantiser(item, scale, offset, minimum, maximum),
        invalid=_values(found, table.invalid, place.at("invalid")),
        abnormal=_values(found, table.abnormal, place.at("abnormal")),
        mapping=mapping,
        comparison=comparison,
    )


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))


def _unit_conversion(entry: Found, item: Item, table: ItemTable, place: SignalPlace) -> Conversion:
    stated, own = table.unit, entry.signal.unit or ""
    here = place.at("unit") if stated else place
    if stated is not None and not units.known(stated):
        near = get_close_matches(stated, units.spellings(), n=1)
        raise here.error(f"unit '{stated}' is not known", f"Did you mean '{near[0]}'?" if near else "")
    if stated is not None and own and units.known(own) and not units.same(stated, own):
        raise here.error(
            f"the binding says '{stated}', the database says that '{entry.name}' is in '{own}'",
            "Correct the one that is wrong",
        )
    unit = stated or own
    if not item.unit:
        if units.known(unit):
            raise here.error(f"'{place.item_id}' has no unit, and '{entry.name}' is in '{unit}'", "")
        return Conversion()
    if not unit:
        raise place.error(
            f"the database gives no unit for '{entry.name}', and '{place.item_id}' is in {item.unit}",
            'State the unit that the signal has: unit = "..."',
        )
    conversion = units.conversion(unit, item.unit)
    if conversion is None:
        advice = (
            f'State its real unit: unit = "{item.unit}"' if not units.known(unit) else "Bind another signal"
        )
        raise here.error(
            f"'{entry.name}' is in '{unit}', which does not convert to the {item.unit} of '{place.item_id}'",
            advice,
        )
    return conversion


def _check_range(
    entry: Found, item: Item, table: ItemTable, conversion: Conversion, place: SignalPlace
) -> None:
    slack = item.resolution / 2
    if table.range is not None:
        low, high = map(_decimal, table.range)
        here, whose = place.at("range"), "the range"
    else:
        ends = [end * conversion.scale + conversion.offset for end in _ends(entry)]
        low, high = min(ends), max(ends)
        here, whose = place, f"'{entry.name}'"
    if item.minimum - slack <= low and high <= item.maximum + slack:
        return
    inner = f"[{_plain(max(low, item.minimum))}, {_plain(min(high, item.maximum))}]"
    raise here.error(
        f"{whose} goes from {_plain(low)} to {_plain(high)} {item.unit}".rstrip()
        + f", and '{place.item_id}' holds {item.minimum} to {item.maximum}",
        f"If the vehicle never means more, say so: range = {inner}"
        + (", or give a map of its values" if item.kind is Kind.ENUM else ""),
    )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _ends(entry: Found) -> tuple[Decimal, Decimal]:
    """The least and the greatest physical value, as the database says, else as the bits allow."""
    signal = entry.signal
    if signal.minimum is not None and signal.maximum is not None and signal.minimum < signal.maximum:
        return _decimal(signal.minimum), _decimal(signal.maximum)
    if signal.is_float:
        return Decimal("-1e39"), Decimal("1e39")
    count = len(signal.bits)
    least, most = (-(1 << count - 1), (1 << count - 1) - 1) if signal.signed else (0, (1 << count) - 1)
    ends = [raw * _decimal(signal.scale) + _decimal(signal.offset) for raw in (least, most)]
    return min(ends), max(ends)


def _physical(entry: Found, raw: int) -> float:
    return raw * entry.signal.scale + entry.signal.offset


def _named(entry: Found, name: str, place: SignalPlace) -> float:
    """The physical value that the signal's value table calls `name`, or that `name` writes as a number."""
    choices = entry.signal.choices or {}
    for raw, known in choices.items():
        if known == name:
            return _physical(entry, raw)
    try:
        return float(name)
    except ValueError:
        advice = place.nearest(name, list(choices.values())) if choices else "The signal has no value table"
        raise place.error(f"'{entry.name}' has no value called '{name}'", advice) from None


def _values(found: Sequence[Found], given: Sequence[float | str], place: SignalPlace) -> frozenset[float]:
    return frozenset(
        _named(entry, value, place) if isinstance(value, str) else value for entry in found for value in given
    )


def _mapping(
    entry: Found, item: Item, given: Mapping[str, int | str], place: SignalPlace
) -> Mapping[float, int]:
    mapping: dict[float, int] = {}
    for name, target in given.items():
        here = place.at("map", name)
        value = _named(entry, name, here)
        named = item.value_named(target) if isinstance(target, str) else None
        steps = quantise(target, item) if isinstance(target, int) else named
        if steps is None or isinstance(steps, Missing):
            raise here.error(
                f"'{place.item_id}' has no value '{target}'",
                here.nearest(str(target), list(item.names.values())),
            )
        if value in mapping:
            raise here.error(f"the value {value:g} is mapped twice", "")
        mapping[value] = steps
    return mapping
