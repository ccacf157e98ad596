"""Rounds physical values to whole steps of an item, exactly as decimal arithmetic would."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from edge.catalogue.item import Item, Kind
from edge.records import Element, Missing

_EXACT = Context(prec=800, rounding=ROUND_HALF_EVEN)
"""Wide enough for every float: the longest exact sum here has fewer than 700 digits."""

_ONE = Decimal(1)
_SURE_SIZE = 2.0**40
_SURE_DISTANCE = 0.5 - 2.0**-10


@dataclass(frozen=True, slots=True)
class ExactSteps:
    """What a `Quantiser` does, as exact numbers, for those who compute it elsewhere.

    Attributes:
        scale: steps by which one unit of the number raises the sum, before it is rounded.
        offset: steps that 0 stands for.
        least: least number of steps that is not abnormal.
        most: greatest.
        named: for an enumeration, the values that have a name, in order; else None.
    """

    scale: Fraction
    offset: Fraction
    least: int
    most: int
    named: tuple[int, ...] | None


class Quantiser:
    """From numbers to whole steps of one item, after a linear conversion.

    A number stands for its decimal meaning, `Decimal(repr(value))`: 0.15 is 0.15, not the nearest binary
    fraction. It is multiplied by `scale`, `offset` is added, and the sum is rounded half to even at the
    item's resolution. A sum outside `minimum` to `maximum`, an enumeration's value without a name, and
    what is no number are abnormal.

    The result is computed with floats where that cannot differ. The float result y of value * a + b, where
    a and b are scale and offset over the resolution, is off by less than 5 * 2**-53 * (|value * a| + |b|):
    half a unit in the last place each for the decimal meaning of the value, for a, for b, for the product
    and for the sum. With |value * a| + |b| below 2**40 that is less than 2**-10, so a y that lies farther
    than 2**-10 from the middle between two steps rounds as the exact sum does. All others are computed in
    decimal.

    Args:
        item: gives the resolution, the range and the names.
        scale: factor from the number to the item's unit.
        offset: added after that, in the item's unit.
        minimum: least physical value that is not abnormal; the item's own by default.
        maximum: greatest.
    """

    __slots__ = ("_a", "_b", "_b_size", "_least", "_most", "_named", "_offset", "_resolution", "_scale")

    def __init__(
        self,
        item: Item,
        scale: Decimal = _ONE,
        offset: Decimal = Decimal(0),
        minimum: Decimal | None = None,
        maximum: Decimal | None = None,
    ) -> None:
        least = item.minimum if minimum is None else max(minimum, item.minimum)
        most = item.maximum if maximum is None else min(maximum, item.maximum)
        self._scale = scale
        self._offset = offset
        self._resolution = item.resolution
        self._least = math.ceil(least / item.resolution)
        self._most = math.floor(most / item.resolution)
        self._named = frozenset(item.names) if item.kind is Kind.ENUM else None
        self._a = float(scale / item.resolution)
        self._b = float(offset / item.resolution)
        self._b_size = abs(self._b)

    @property
    def exact(self) -> ExactSteps:
        """What it does, as exact numbers."""
        resolution = Fraction(self._resolution)
        named = None if self._named is None else tuple(sorted(self._named))
        return ExactSteps(
            Fraction(self._scale) / resolution,
            Fraction(self._offset) / resolution,
            self._least,
            self._most,
            named,
        )

    def __call__(self, value: float) -> Element:
        """Quantise one number, which may be an int of any size."""
        try:
            product = value * self._a
            y = product + self._b
            steps = round(y)
        except (OverflowError, ValueError):
            if isinstance(value, float):
                return Missing.ABNORMAL
            steps = self._exact(value)
        else:
            if abs(y - steps) >= _SURE_DISTANCE or abs(product) + self._b_size >= _SURE_SIZE:
                steps = self._exact(value)
        if self._least <= steps <= self._most and (self._named is None or steps in self._named):
            return steps
        return Missing.ABNORMAL

    def array(self, values: npt.NDArray[np.float64]) -> tuple[Element, ...]:
        """Quantise an array of float64, element by element."""
        with np.errstate(invalid="ignore", over="ignore"):
            products = values * self._a
            sums = products + self._b
            steps = np.rint(sums)
            sure = (np.abs(sums - steps) < _SURE_DISTANCE) & (np.abs(products) + self._b_size < _SURE_SIZE)
            good = sure & (steps >= self._least) & (steps <= self._most)
        if self._named is not None:
            good &= np.isin(steps, list(self._named))
        if good.all():
            return tuple(steps.astype(np.int64).tolist())
        return tuple(
            int(step) if fine else Missing.ABNORMAL if known else self(value)
            for step, fine, known, value in zip(
                steps.tolist(), good.tolist(), sure.tolist(), values.tolist(), strict=True
            )
        )

    def fraction(self, value: Fraction) -> Element:
        """Quantise an exact number, as sums and means of decimal meanings are."""
        total = (value * Fraction(self._scale) + Fraction(self._offset)) / Fraction(self._resolution)
        return self._within(round(total))

    def _within(self, steps: int) -> Element:
        if not self._least <= steps <= self._most:
            return Missing.ABNORMAL
        if self._named is not None and steps not in self._named:
            return Missing.ABNORMAL
        return steps

    def _exact(self, value: float) -> int:
        whole = isinstance(value, (int, np.integer))
        meaning = Decimal(int(value)) if whole else Decimal(repr(float(value)))
        total = _EXACT.add(_EXACT.multiply(meaning, self._scale), self._offset)
        return int(_EXACT.divide(total, self._resolution).to_integral_value(ROUND_HALF_EVEN, _EXACT))


def quantise(value: float, item: Item) -> Element:
    """Round `value`, in the item's unit, to whole steps of `item`.

    Returns:
        The number of steps, or `Missing.ABNORMAL` if it lies outside the item's range or is no number.
    """
    return Quantiser(item)(value)
