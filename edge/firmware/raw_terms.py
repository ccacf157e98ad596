"""What bindings say of physical values, said of raw ones, so that a board computes with integers alone.

A raw value stands for its exact decimal meaning, raw * scale + offset with scale and offset as the database
writes them. The gateway computes that sum with doubles, as cantools does, and rounds what these show. The
two differ only where the exact sum lies just between two steps of an item.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from edge.catalogue.bound import Reading
from edge.catalogue.condition import Comparison
from edge.errors import FirmwareError
from edge.firmware.decoder_plan import PlannedField

_NEAR = 3


@dataclass(frozen=True, slots=True)
class Linear:
    """(raw * scale + offset) / divisor, rounded half to even; only integers.

    Attributes:
        scale: of the raw value.
        offset: added after that.
        divisor: positive.
    """

    scale: int
    offset: int
    divisor: int


@dataclass(frozen=True, slots=True)
class RawRange:
    """Raw values from `low` to `high`, or all others; none where `low` is greater.

    Attributes:
        low: the least.
        high: the greatest.
        outside: whether the others are meant.
    """

    low: int
    high: int
    outside: bool = False


def linear_of(scale: Fraction, offset: Fraction) -> Linear:
    """As integers."""
    divisor = math.lcm(scale.denominator, offset.denominator)
    return Linear(int(scale * divisor), int(offset * divisor), divisor)


def meaning_of(field: PlannedField) -> tuple[Fraction, Fraction]:
    """Scale and offset from raw to physical."""
    conversion = field.conversion
    return _exact(conversion.scale), _exact(conversion.offset)


def steps_of(field: PlannedField, reading: Reading) -> Linear:
    """From raw to steps of the item."""
    scale, offset = meaning_of(field)
    exact = reading.quantiser.exact
    return linear_of(scale * exact.scale, offset * exact.scale + exact.offset)


def physical_of(field: PlannedField, raw: int) -> float:
    """What cantools makes of a raw value."""
    value = field.conversion.raw_to_scaled(raw, decode_choices=False)
    assert isinstance(value, int | float)  # noqa: S101 - names of values were taken out of the conversion
    return value


def raw_values(field: PlannedField, values: Iterable[float]) -> dict[int, float]:
    """The raw values that stand for some physical ones, in order.

    Raises:
        FirmwareError: of a signal whose raw values are floats.
    """
    wanted = list(values)
    if not wanted:
        return {}
    low, high = _ends(field)
    scale, offset = meaning_of(field)
    found: dict[int, float] = {}
    for value in wanted:
        if not math.isfinite(value):
            continue
        middle = round((Fraction(value) - offset) / scale) if scale else low
        for raw in range(max(middle - _NEAR, low), min(middle + _NEAR, high) + 1):
            if physical_of(field, raw) == value:
                found[raw] = value
    return dict(sorted(found.items()))


def raw_mapping(field: PlannedField, mapping: Mapping[float, int]) -> dict[int, int]:
    """A table of physical values as one of raw ones."""
    return {raw: mapping[value] for raw, value in raw_values(field, mapping).items()}


def raw_range(field: PlannedField, comparison: Comparison) -> RawRange:
    """The raw values for which a comparison of the physical value holds.

    Raises:
        FirmwareError: of a signal whose raw values are floats.
    """
    if comparison.sign == "!=":
        equal = raw_range(field, Comparison("==", comparison.number))
        return RawRange(equal.low, equal.high, outside=True)
    if comparison.sign == "==":
        above = raw_range(field, Comparison(">=", comparison.number))
        below = raw_range(field, Comparison("<=", comparison.number))
        return RawRange(max(above.low, below.low), min(above.high, below.high))
    low, high = _ends(field)

    def holds(raw: int) -> bool:
        return comparison.holds(physical_of(field, raw))

    # A linear conversion is monotone also in doubles, so the raw values lie together at one end.
    if holds(low):
        return RawRange(low, high if holds(high) else _last(holds, low, high))
    if holds(high):
        return RawRange(_last(lambda raw: not holds(raw), low, high) + 1, high)
    return RawRange(1, 0)


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The greatest number for which `holds`, which it does at `low` and no longer at `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def _ends(field: PlannedField) -> tuple[int, int]:
    if field.signal.is_float:
        raise FirmwareError(
            f"a board cannot compare {field.ref}, whose raw values are floats",
            todo="Leave out its special values, its map and conditions on it, or bind another signal",
        )
    length = len(field.signal.bits)
    low = -(1 << length - 1) if field.signal.signed else 0
    return low, low + (1 << length) - 1


def _exact(number: float) -> Fraction:
    return Fraction(number if isinstance(number, int) else Decimal(repr(number)))
