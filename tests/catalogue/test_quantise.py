"""Rounding to an item's resolution is decimal, half to even, and never clips."""

import math
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Item, Kind
from edge.catalogue.quantise import Quantiser, quantise
from edge.records import Element, Missing

NUMBERS = [item for item in builtin() if item.kind in {Kind.NUMBER, Kind.ARRAY} and not item.static]


def by_decimal(value: float, item: Item, scale: Decimal, offset: Decimal) -> Element:
    """What the rule says, written down without any thought of speed."""
    if not math.isfinite(value):
        return Missing.ABNORMAL
    with localcontext() as context:
        context.prec = 900
        exact = (Decimal(repr(value)) * scale + offset) / item.resolution
        steps = int(exact.to_integral_value(ROUND_HALF_EVEN))
    return steps if item.minimum <= steps * item.resolution <= item.maximum else Missing.ABNORMAL


def conversions() -> st.SearchStrategy[tuple[Decimal, Decimal]]:
    scales = st.sampled_from(["1", "3.6", "0.001", "1000", "-1", "1.609344", "0.00390625", "0.0625"])
    offsets = st.sampled_from(["0", "-273.15", "0.05", "-40", "1000000"])
    return st.tuples(scales.map(Decimal), offsets.map(Decimal))


def near_ties(item: Item) -> st.SearchStrategy[float]:
    steps = st.integers(item.least_steps - 2, item.most_steps + 2)
    half = item.resolution / 2
    return steps.map(lambda n: float(n * item.resolution + half)) | steps.map(
        lambda n: float(n * item.resolution)
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Item, float, Decimal, Decimal]:
    item = draw(st.sampled_from(NUMBERS))
    scale, offset = draw(conversions())
    value = draw(st.floats() | near_ties(item) | st.floats(-1e7, 1e7))
    if draw(st.booleans()):
        value = math.nextafter(value, draw(st.sampled_from([math.inf, -math.inf])))
    return item, value, scale, offset


@given(cases())
@example((builtin().item("vehicle.speed"), 0.25, Decimal(1), Decimal(0)))
@example((builtin().item("vehicle.speed"), 0.35, Decimal(1), Decimal(0)))
@example((builtin().item("vehicle.speed"), 2.0**41, Decimal("0.00390625"), Decimal(0)))
def test_the_quick_way_equals_decimal_arithmetic(case: tuple[Item, float, Decimal, Decimal]) -> None:
    item, value, scale, offset = case
    assert Quantiser(item, scale, offset)(value) == by_decimal(value, item, scale, offset)


@given(st.data())
def test_arrays_equal_their_elements(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(NUMBERS))
    scale, offset = data.draw(conversions())
    values = data.draw(st.lists(st.floats() | near_ties(item), max_size=30))
    quantiser = Quantiser(item, scale, offset)
    assert quantiser.array(np.array(values, np.float64)) == tuple(map(quantiser, values))


@given(cases())
def test_exact_fractions_round_as_their_decimal(case: tuple[Item, float, Decimal, Decimal]) -> None:
    item, value, scale, offset = case
    if math.isfinite(value):
        meaning = Fraction(Decimal(repr(value)))
        assert Quantiser(item, scale, offset).fraction(meaning) == by_decimal(value, item, scale, offset)


@given(st.integers())
def test_whole_numbers_of_any_size_are_taken_as_they_are(value: int) -> None:
    item = builtin().item("engine.speed")
    assert quantise(value, item) == (value if 0 <= value <= 60000 else Missing.ABNORMAL)


@pytest.mark.parametrize("value", [10**400, -(10**400), np.int64(2**62), np.uint64(2**63)])
def test_numbers_beyond_a_float_are_abnormal_and_raise_nothing(value: int) -> None:
    assert quantise(value, builtin().item("engine.speed")) is Missing.ABNORMAL


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_abnormal(value: float) -> None:
    assert quantise(value, builtin().item("vehicle.speed")) is Missing.ABNORMAL
    assert Quantiser(builtin().item("vehicle.speed")).array(np.array([value])) == (Missing.ABNORMAL,)


def test_halves_go_to_the_even_step_of_their_decimal_meaning() -> None:
    speed = builtin().item("vehicle.speed")
    assert [quantise(value, speed) for value in (0.05, 0.15, 0.25, 0.35, 1.05)] == [0, 2, 2, 4, 10]


def test_out_of_range_is_abnormal_and_never_clipped() -> None:
    soc = builtin().item("hv.soc")
    assert [quantise(value, soc) for value in (100.5, 100.51, -0.5, -0.51)] == [
        100,
        Missing.ABNORMAL,
        0,
        Missing.ABNORMAL,
    ]


def test_a_narrower_range_is_kept_to() -> None:
    speed = Quantiser(builtin().item("vehicle.speed"), minimum=Decimal(0), maximum=Decimal(300))
    assert speed(300.04) == 3000
    assert speed(300.06) is Missing.ABNORMAL


def test_an_enumeration_holds_only_its_names() -> None:
    state = builtin().item("vehicle.state")
    assert [quantise(value, state) for value in (0, 1, 3, 4)] == [Missing.ABNORMAL, 1, 3, Missing.ABNORMAL]
