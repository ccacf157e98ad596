"""Coarse positions: one for all points of a cell, fixed on the earth, and nothing finer beside it."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.errors import PolicyError
from edge.places.geohash import geohash_centre, geohash_of
from edge.places.precision import coarse, coarse_record
from edge.policy.classes import DataClass
from edge.policy.rules import FULL, Precision
from edge.records import Missing, Value

STEP = 1_000_000
lons = st.integers(-180 * STEP, 180 * STEP)
lats = st.integers(-90 * STEP, 90 * STEP)
precisions = st.one_of(
    st.floats(0.01, 100_000_000).map(lambda cell_m: Precision(cell_m=cell_m)),
    st.integers(1, 12).map(lambda characters: Precision(geohash=characters)),
)


@pytest.mark.parametrize(
    ("lon", "lat", "name"),
    [
        (-5_603_000, 42_605_000, "ezs42"),
        (10_407_440, 57_649_110, "u4pruydqqvj"),
        (-180 * STEP, -90 * STEP, "000000000000"),
        (180 * STEP, 90 * STEP, "zzzzzzzzzzzz"),
        (0, 0, "s00000000000"),
        (-1, -1, "7zzzzzzzzz"),
    ],
)
def test_geohashes_that_are_known(lon: int, lat: int, name: str) -> None:
    assert geohash_of(lon, lat, len(name)) == name


def test_the_middle_of_a_geohash_is_that_of_its_cell() -> None:
    # The cell of ezs42: 42.583 to 42.627 north, 5.625 to 5.581 west.
    lon, lat = geohash_centre("ezs42")
    assert (lon / STEP, lat / STEP) == pytest.approx((-5.603, 42.605), abs=1e-4)
    assert geohash_centre("EZS42") == (lon, lat)


@pytest.mark.parametrize("name", ["", "a", "ezs4i", "0123456789bcd", "ez-42"])
def test_what_is_no_geohash_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="geohash"):
        geohash_centre(name)


def bisected(value: float, half: float, bits: int) -> list[int]:
    """The bits of one axis, by halving as geohash is defined."""
    low, high, found = -half, half, []
    for _ in range(bits):
        middle = (low + high) / 2
        found.append(int(value >= middle))
        low, high = (middle, high) if value >= middle else (low, middle)
    return found


@given(lons, lats, st.integers(1, 11))
def test_a_geohash_is_what_halving_gives(lon: int, lat: int, characters: int) -> None:
    across = bisected(lon / STEP, 180.0, (5 * characters + 1) // 2)
    upward = bisected(lat / STEP, 90.0, 5 * characters // 2)
    bits = [across[place // 2] if place % 2 == 0 else upward[place // 2] for place in range(5 * characters)]
    numbers = [int("".join(map(str, bits[start : start + 5])), 2) for start in range(0, len(bits), 5)]
    assert geohash_of(lon, lat, characters) == "".join(
        "0123456789bcdefghjkmnpqrstuvwxyz"[number] for number in numbers
    )


@given(lons, lats, precisions)
@example(180 * STEP, 90 * STEP, Precision(cell_m=0.1))
@example(0, 90 * STEP, Precision(cell_m=1e9))
@example(-1, -1, Precision(geohash=12))
@settings(max_examples=100)
def test_a_coarse_position_of_a_coarse_position_is_itself(lon: int, lat: int, precision: Precision) -> None:
    once = coarse(lon, lat, precision)
    assert coarse(*once, precision) == once
    assert abs(once[0]) <= 180 * STEP
    assert abs(once[1]) <= 90 * STEP


def apart_m(lon: int, lat: int, other: tuple[int, int]) -> tuple[float, float]:
    east = (other[0] - lon + 180 * STEP) % (360 * STEP) - 180 * STEP
    cosine = math.cos(math.radians(min(abs(lat), abs(other[1])) / STEP))
    return abs(east) / STEP * 111_320 * cosine, abs(other[1] - lat) / STEP * 111_320


@given(lons, lats, st.floats(1, 200_000))
@settings(max_examples=150)
def test_a_square_cell_is_as_large_as_asked(lon: int, lat: int, cell_m: float) -> None:
    east_m, north_m = apart_m(lon, lat, coarse(lon, lat, Precision(cell_m=cell_m)))
    assert north_m <= 0.51 * cell_m + 0.2
    if abs(lat) < 80 * STEP:
        assert east_m <= 0.65 * cell_m + 0.2


@given(
    st.integers(-179 * STEP, 179 * STEP), st.integers(-80 * STEP, 80 * STEP), st.sampled_from([100.0, 1000.0])
)
def test_neighbours_fall_into_few_cells(lon: int, lat: int, cell_m: float) -> None:
    # All points of a square as large as a cell share at most six: two rows, and in each three cells at most.
    precision = Precision(cell_m=cell_m)
    up = round(0.9 * cell_m / 111_320 * STEP)
    across = round(up / math.cos(math.radians(lat / STEP)))
    found = {
        coarse(lon + across * east // 12, lat + up * north // 12, precision)
        for east in range(13)
        for north in range(13)
    }
    assert 1 <= len(found) <= 6


def test_the_grid_does_not_follow_the_vehicle() -> None:
    precision = Precision(cell_m=1000)
    track = [(121_400_000 + 37 * number, 31_200_000 + 11 * number) for number in range(2000)]
    there = [coarse(*place, precision) for place in track]
    back = [coarse(*place, precision) for place in reversed(track)]
    assert there == back[::-1]
    assert 5 < len(set(there)) < 30


@pytest.mark.parametrize(
    "precision",
    [
        Precision(cell_m=-1),
        Precision(cell_m=math.nan),
        Precision(cell_m=math.inf),
        Precision(geohash=13),
        Precision(geohash=-1),
    ],
)
def test_a_precision_that_cannot_be_is_refused(precision: Precision) -> None:
    with pytest.raises(PolicyError):
        coarse(1, 2, precision)


def test_a_position_nowhere_on_earth_is_refused_without_being_named() -> None:
    with pytest.raises(ValueError, match="nowhere") as caught:
        coarse(181_234_567, 0, Precision(cell_m=10))
    assert "1234567" not in repr(caught.value)


RECORD: dict[str, Value] = {
    "vehicle.speed": 123,
    "gnss.valid": 1,
    "gnss.datum": 2,
    "gnss.lon": 121_437_512,
    "gnss.lat": 31_203_377,
    "gnss.quality": 4,
    "gnss.satellites": 11,
    "pack[1].cells": (1, Missing.INVALID),
}


def test_a_record_keeps_datum_and_status_and_nothing_else_of_its_position() -> None:
    found = coarse_record(RECORD, Precision(geohash=5))
    assert found == {
        "vehicle.speed": 123,
        "gnss.valid": 1,
        "gnss.datum": 2,
        "gnss.lon": geohash_centre("wtw3e")[0],
        "gnss.lat": geohash_centre("wtw3e")[1],
        "pack[1].cells": (1, Missing.INVALID),
    }
    positions = {item.id for item in builtin() if item.data_class is DataClass.POSITION}
    everything: dict[str, Value] = dict.fromkeys(positions, 1) | RECORD
    assert positions & coarse_record(everything, Precision(cell_m=5)).keys() == {
        "gnss.valid",
        "gnss.datum",
        "gnss.lon",
        "gnss.lat",
    }


def test_an_item_that_nobody_knows_is_left_out() -> None:
    assert coarse_record({"gnss.fine": 7, "vehicle.speed": 1}, Precision(cell_m=5)) == {"vehicle.speed": 1}


def test_full_precision_changes_nothing() -> None:
    found = coarse_record(RECORD, FULL)
    assert found == RECORD
    assert found is not RECORD


@given(lons, lats, precisions, st.integers(0, 8), st.integers(0, 255))
@settings(max_examples=100)
def test_nothing_finer_than_the_cell_is_in_a_record(
    lon: int, lat: int, precision: Precision, quality: int, satellites: int
) -> None:
    # All points of a cell give one record, so that no function of the record tells them apart.
    centre = coarse(lon, lat, precision)
    fine = RECORD | {
        "gnss.lon": lon,
        "gnss.lat": lat,
        "gnss.quality": quality,
        "gnss.satellites": satellites,
    }
    middle = RECORD | {"gnss.lon": centre[0], "gnss.lat": centre[1]}
    assert coarse_record(fine, precision) == coarse_record(middle, precision)


@pytest.mark.parametrize("missing", list(Missing))
@pytest.mark.parametrize("item_id", ["gnss.lon", "gnss.lat"])
def test_half_a_position_is_none(missing: Missing, item_id: str) -> None:
    other = "gnss.lat" if item_id == "gnss.lon" else "gnss.lon"
    found = coarse_record(RECORD | {item_id: missing}, Precision(cell_m=100))
    assert found[item_id] is missing
    assert found[other] is Missing.INVALID
    alone = coarse_record({other: 5, "vehicle.speed": 2}, Precision(cell_m=100))
    assert alone == {other: Missing.INVALID, "vehicle.speed": 2}


def test_a_position_without_a_value_stays_as_it_is() -> None:
    record = RECORD | {"gnss.lon": Missing.ABNORMAL, "gnss.lat": Missing.INVALID}
    found = coarse_record(record, Precision(cell_m=100))
    assert (found["gnss.lon"], found["gnss.lat"]) == (Missing.ABNORMAL, Missing.INVALID)


def test_what_is_nowhere_on_earth_becomes_abnormal() -> None:
    found = coarse_record(RECORD | {"gnss.lon": 181 * STEP}, Precision(cell_m=100))
    assert found["gnss.lon"] is found["gnss.lat"] is Missing.ABNORMAL
