"""Items that follow from other items of the same record: extremes with their place, sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from edge.catalogue.bound import BoundItem, Derivation, Derived, Part
from edge.catalogue.catalogue import Located
from edge.catalogue.quantise import Quantiser
from edge.records import Element, Missing, Value

Derive = Callable[[Mapping[str, Value]], Value]
"""From the values of a record so far to one more."""


@dataclass(frozen=True, slots=True)
class Origin:
    """An item that another one is derived from."""

    id: str
    located: Located


@dataclass(frozen=True, slots=True)
class _Extreme:
    """The extreme of several arrays."""

    value: Fraction
    index: int
    element: int


def deriver(bound: BoundItem, origins: Sequence[Origin]) -> Derive:
    """The function that derives one item.

    Args:
        bound: the item, whose source is `Derived`; alarm levels are judged elsewhere.
        origins: the items that it is derived from, in order of their numbers.

    Raises:
        TypeError: if the item is not derived.
    """
    source = bound.source
    if not isinstance(source, Derived):
        raise TypeError(f"'{bound.id}' is not derived")
    quantiser = Quantiser(bound.item)
    if source.derivation in {Derivation.MAXIMUM, Derivation.MINIMUM}:
        return _extreme(source, origins, quantiser)
    return _sum(origins, quantiser)


def _extreme(source: Derived, origins: Sequence[Origin], quantiser: Quantiser) -> Derive:
    greatest = source.derivation is Derivation.MAXIMUM
    choose = max if greatest else min
    arrays = [
        (origin.id, Fraction(origin.located.item.resolution), origin.located.index or 1) for origin in origins
    ]

    def derive(values: Mapping[str, Value]) -> Value:
        best: _Extreme | None = None
        others: set[Missing] = set()
        for item_id, resolution, index in arrays:
            value = values[item_id]
            elements = value if isinstance(value, tuple) else (value,)
            numbers: Sequence[int] = elements  # type: ignore[assignment] # what is missing is taken out below
            if Missing in set(map(type, elements)):
                numbers = [element for element in elements if isinstance(element, int)]
                others.update(element for element in elements if isinstance(element, Missing))
            if not numbers:
                continue
            steps = choose(numbers)
            physical = steps * resolution
            better = best is None or (physical > best.value if greatest else physical < best.value)
            if better:
                best = _Extreme(physical, index, elements.index(steps) + 1)
        if best is None:
            return Missing.ABNORMAL if others == {Missing.ABNORMAL} else Missing.INVALID
        if source.part is Part.VALUE:
            return quantiser.fraction(best.value)
        return quantiser(best.index if source.part is Part.PACK else best.element)

    return derive


def _sum(origins: Sequence[Origin], quantiser: Quantiser) -> Derive:
    def derive(values: Mapping[str, Value]) -> Value:
        total = Fraction(0)
        missing: set[Element] = set()
        for origin in origins:
            value = values[origin.id]
            if isinstance(value, int):
                total += value * Fraction(origin.located.item.resolution)
            elif isinstance(value, Missing):
                missing.add(value)
        if missing:
            return Missing.INVALID if Missing.INVALID in missing else Missing.ABNORMAL
        return quantiser.fraction(total)

    return derive
