"""Areas: what lies in them, told apart from a slow exact reading, and what is refused."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import PolicyError
from edge.places.area import ROUNDING_M, SHIFT_DEGREES, Fence, Fences
from edge.places.datum import gcj02_of_wgs84, wgs84_of_gcj02
from edge.policy.classes import DataClass
from edge.policy.rules import Area, Datum

WGS84 = [Datum.WGS84]
STEP = 1_000_000
Corner = tuple[float, float]


def area(*corners: Corner, margin_m: float = 0.0, datum: Datum = Datum.WGS84, name: str = "plant") -> Area:
    return Area(name, corners, datum, frozenset({DataClass.POSITION}), margin_m)


def holds(fence: Fence, lon: float, lat: float) -> bool:
    return bool(fence.holds(lon, lat, WGS84))


def winding(ring: list[tuple[int, int]], x: int, y: int) -> int | None:
    """How often a ring winds around a place, in whole numbers; None for a place on a side."""
    count = 0
    for (ax, ay), (bx, by) in pairwise([*ring, ring[0]]):
        cross = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
        if not cross and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return None
        if ay <= y < by and cross > 0:
            count += 1
        if by <= y < ay and cross < 0:
            count -= 1
    return count


def on_earth(lon: float, lat: float) -> tuple[float, float, float]:
    """A place of the ellipsoid of WGS-84 in metres from the earth's middle."""
    squared = 0.00669437999014
    east, north = math.radians(lon), math.radians(lat)
    normal = 6_378_137.0 / math.sqrt(1 - squared * math.sin(north) ** 2)
    return (
        normal * math.cos(north) * math.cos(east),
        normal * math.cos(north) * math.sin(east),
        normal * (1 - squared) * math.sin(north),
    )


def distance_m(ring: list[Corner], lon: float, lat: float) -> float:
    """The least distance through the earth from a place to a ring, searched for along each side."""
    here = on_earth(lon, lat)

    def at(side: tuple[Corner, Corner], share: float) -> float:
        (ax, ay), (bx, by) = side
        return math.dist(here, on_earth(ax + share * (bx - ax), ay + share * (by - ay)))

    found = math.inf
    for side in pairwise([*ring, ring[0]]):
        low, high = 0.0, 1.0
        for _ in range(100):
            third = (high - low) / 3
            if at(side, low + third) < at(side, high - third):
                high -= third
            else:
                low += third
        found = min(found, at(side, low), at(side, 0.0), at(side, 1.0))
    return found


@st.composite
def rings(draw: st.DrawFn) -> tuple[list[tuple[int, int]], int, int]:
    """Corners near some place on earth, and a place among them, in steps of 1e-6 degrees."""
    middle = draw(st.integers(-180 * STEP, 180 * STEP)), draw(st.integers(-75 * STEP, 75 * STEP))
    size = draw(st.sampled_from([6, 1000, 20_000, 3 * STEP]))
    near = st.tuples(st.integers(-size, size), st.integers(-size, size))
    corners = draw(st.lists(near, min_size=3, max_size=9, unique=True))
    x, y = draw(near | st.sampled_from(corners) | st.tuples(near.map(lambda p: p[0]), st.just(corners[0][1])))
    return [(middle[0] + dx, middle[1] + dy) for dx, dy in corners], middle[0] + x, middle[1] + y


def degrees(x: int) -> float:
    """Steps as degrees of -180 to 180."""
    return ((x + 180 * STEP) % (360 * STEP) - 180 * STEP) / STEP


@given(rings(), st.sampled_from([0.0, 1.0, 30.0, 100.0, 2000.0, 10_000.0]))
@settings(max_examples=100)
def test_inside_is_what_the_slow_way_says(
    drawn: tuple[list[tuple[int, int]], int, int], margin_m: float
) -> None:
    ring, x, y = drawn
    fence = Fence(area(*((degrees(cx), cy / STEP) for cx, cy in ring), margin_m=margin_m))
    found = holds(fence, degrees(x), y / STEP)
    around = winding(ring, x, y)
    if around is None or around:
        assert found
        return
    away_m = distance_m([(cx / STEP, cy / STEP) for cx, cy in ring], x / STEP, y / STEP)
    if away_m <= margin_m:
        assert found
    elif away_m > 1.02 * (margin_m + ROUNDING_M):
        assert not found


def test_a_place_level_with_a_corner_is_judged_right() -> None:
    # Corners at the very latitude of the place are where crossings are counted twice or not at all.
    fence = Fence(area((10.0, 50.1), (10.2, 50.3), (10.4, 50.1), (10.2, 49.9)))
    assert holds(fence, 10.2, 50.1)
    assert not holds(fence, 9.9, 50.1)
    assert not holds(fence, 10.1, 50.3)
    for lat in np.linspace(49.95, 50.25, 301).tolist():
        jagged = Fence(area((10.0, 50.0), (10.2, lat), (10.4, 50.3), (10.1, 50.3), (10.2, lat + 0.01)))
        assert not holds(jagged, 9.9, lat)


def test_many_places_at_once_are_judged_as_one_by_one() -> None:
    chance = np.random.default_rng(3)
    corners = [(8 + math.cos(turn), 50 + math.sin(3 * turn)) for turn in np.linspace(0, 6.2, 700).tolist()]
    fence = Fence(area(*corners, margin_m=500))
    lon, lat = chance.uniform(6.5, 9.5, (90, 10)), chance.uniform(48.5, 51.5, (90, 10))
    found = fence.holds(lon, lat, WGS84)
    assert found.shape == (90, 10)
    assert 0 < np.count_nonzero(found) < found.size
    assert found.ravel().tolist() == [
        holds(fence, *place) for place in zip(lon.ravel().tolist(), lat.ravel().tolist(), strict=True)
    ]


@pytest.mark.parametrize("east", [179.5, -179.5, 180.0, -180.0])
def test_an_area_may_lie_across_the_date_line(east: float) -> None:
    corners: list[Corner] = [(179.0, 10.0), (-179.0, 10.0), (-179.0, 12.0), (179.0, 12.0)]
    for turned in (corners, corners[::-1], corners[2:] + corners[:2]):
        fence = Fence(area(*turned))
        assert holds(fence, east, 11.0)
        assert not holds(fence, 0.0, 11.0)
        assert not holds(fence, -178.0 if east > 0 else 178.0, 11.0)


def test_a_margin_reaches_across_the_date_line() -> None:
    fence = Fence(area((179.0, 0.0), (179.9999, 0.0), (179.9999, 1.0), margin_m=50))
    assert holds(fence, -179.9998, 0.5)
    assert not holds(fence, -179.99, 0.5)


def test_a_corner_given_twice_and_a_ring_that_is_closed_make_no_difference() -> None:
    plain: list[Corner] = [(10.0, 50.0), (10.1, 50.0), (10.1, 50.1)]
    again = Fence(area(plain[0], plain[0], *plain[1:], plain[0]))
    for place in ((10.09, 50.05), (10.01, 50.09), (10.05, 50.05)):
        assert holds(again, *place) == holds(Fence(area(*plain)), *place)


def test_what_crossing_sides_wind_around_twice_is_inside() -> None:
    twice = [(10.0, 50.0), (10.3, 50.0), (10.3, 50.3), (10.0, 50.3)]
    inner = [(10.1, 50.1), (10.2, 50.1), (10.2, 50.2), (10.1, 50.2)]
    assert holds(Fence(area(*twice, twice[0], *inner, inner[0])), 10.15, 50.15)


def test_corners_and_places_may_be_in_different_datums() -> None:
    corners: list[Corner] = [(116.38, 39.91), (116.39, 39.91), (116.39, 39.92), (116.38, 39.92)]
    place = (116.3802, 39.9102)
    moved_lon, moved_lat = gcj02_of_wgs84(*place)
    back_lon, back_lat = wgs84_of_gcj02(*place)
    moved, back = (float(moved_lon), float(moved_lat)), (float(back_lon), float(back_lat))
    in_wgs84 = Fence(area(*corners))
    in_gcj02 = Fence(area(*corners, datum=Datum.GCJ02))
    assert in_wgs84.holds(*place, [Datum.WGS84])
    assert in_wgs84.holds(*moved, [Datum.GCJ02])
    assert in_gcj02.holds(*place, [Datum.GCJ02])
    assert in_gcj02.holds(*back, [Datum.WGS84])
    assert not in_wgs84.holds(*place, [Datum.GCJ02])
    assert not in_gcj02.holds(*back, [Datum.GCJ02])
    assert in_wgs84.holds(*place, list(Datum))
    assert in_wgs84.holds(*moved, list(Datum))


def test_what_is_no_number_is_nowhere() -> None:
    fence = Fence(area((10.0, 50.0), (10.1, 50.0), (10.1, 50.1)))
    for lon, lat in ((math.nan, 50.05), (10.09, math.nan), (math.inf, 50.05), (10.09, -math.inf)):
        assert not holds(fence, lon, lat)


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (area((10.0, 50.0), (10.1, 50.0)), "fewer than three"),
        (area((10.0, 50.0), (10.1, 50.0), (10.0, 50.0), (10.1, 50.0)), "fewer than three"),
        (area(), "fewer than three"),
        (area((10.0, 50.0), (181.0, 50.0), (10.0, 51.0)), "number 2"),
        (area((10.0, 50.0), (11.0, 50.0), (50.0, 100.0)), "number 3"),
        (area((10.0, 50.0), (math.nan, 50.0), (50.0, 10.0)), "number 2"),
        (area((10.0, 50.0), (11.0, math.inf), (50.0, 10.0)), "number 2"),
        (area((0.0, 80.0), (120.0, 80.0), (-120.0, 80.0)), "goes around a pole"),
        (area((0.0, 80.0), (180.0, 80.0), (90.0, 70.0)), "half the earth"),
        (area((0.0, 0.0), (100.0, 0.0), (-160.0, 1.0), (100.0, 2.0), (0.0, 3.0)), "half the earth wide"),
        (area((0.0, 88.9), (1.0, 88.9), (1.0, 88.8), margin_m=20_000), "nearer to a pole"),
        (area((10.0, 50.0), (10.1, 50.0), (10.1, 50.1), margin_m=-1), "margin"),
        (area((10.0, 50.0), (10.1, 50.0), (10.1, 50.1), margin_m=math.nan), "margin"),
        (area((10.0, 50.0), (10.1, 50.0), (10.1, 50.1), margin_m=1e6), "margin"),
    ],
)
def test_what_is_no_area_is_refused_by_name(refused: Area, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Fence(refused)
    assert words in str(caught.value)
    assert caught.value.where == "area 'plant'"
    assert caught.value.todo


def test_the_slow_way_itself_is_right() -> None:
    square = [(0, 0), (4, 0), (4, 4), (0, 4)]
    assert [winding(square, *place) for place in ((2, 2), (5, 2), (4, 2), (0, 0))] == [1, 0, None, None]
    assert distance_m([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)], -0.001, 0.5) == pytest.approx(111.32, rel=1e-4)


def test_areas_asked_together_answer_as_each_alone() -> None:
    chance = np.random.default_rng(5)
    several = [
        area(
            *((lon + east, lat + north) for east, north in chance.uniform(-0.02, 0.02, (5, 2)).tolist()),
            margin_m=float(chance.uniform(0, 2000)),
            datum=Datum.GCJ02 if chance.integers(2) else Datum.WGS84,
        )
        for lon, lat in chance.uniform([116.0, 39.8], [116.2, 40.0], (30, 2)).tolist()
    ]
    several += [
        area((179.99, 39.9), (-179.99, 39.9), (179.99, 40.0)),
        area((72.0, 39), (72.01, 39), (72, 40)),
    ]
    lon = np.concatenate([chance.uniform(115.9, 116.3, 4_000), [180.0, -180.0, 72.005, 71.999]])
    lat = np.concatenate([chance.uniform(39.7, 40.1, 4_000), [39.91, 39.95, 39.9, 39.9]])
    for datums in ([Datum.WGS84], [Datum.GCJ02], list(Datum)):
        together = Fences(several).holds(lon, lat, datums)
        assert together.shape == (len(lon), len(several))
        assert together.any(axis=0).all() or len(datums) == 1
        for number, one in enumerate(several):
            assert (together[:, number] == Fence(one).holds(lon, lat, datums)).all()
    assert Fences([]).holds(lon, lat, WGS84).shape == (len(lon), 0)


def test_datums_nowhere_differ_by_more_than_the_boxes_allow() -> None:
    lon, lat = np.meshgrid(np.linspace(72.004, 137.8347, 400), np.linspace(0.8293, 55.8271, 400))
    for convert in (gcj02_of_wgs84, wgs84_of_gcj02):
        east, north = convert(lon, lat)
        assert np.abs(east - lon).max() < SHIFT_DEGREES
        assert np.abs(north - lat).max() < SHIFT_DEGREES


def test_a_margin_is_never_less_than_asked_for_far_north() -> None:
    # Seen from the south a degree of longitude is longer than at the corner, and so would be the way to it.
    corner = (20.0, 75.06)
    ring = [corner, (21.0, 75.06), (21.0, 75.5), (20.0, 75.5)]
    fence = Fence(area(*ring, margin_m=10_000))
    for part in np.linspace(0, 1, 41).tolist():
        lat = corner[1] - 0.0895 * part
        near, far = corner[0], corner[0] - 1.0
        for _ in range(60):
            middle = (near + far) / 2
            if distance_m(ring, middle, lat) <= 10_000:
                near = middle
            else:
                far = middle
        assert holds(fence, near, lat)


def test_a_place_on_a_slanting_side_is_inside_without_a_margin() -> None:
    fence = Fence(area((10.0, 50.0), (10.3, 50.6), (9.7, 50.6)))
    for part in range(1, 300):
        assert holds(fence, (10_000_000 + 1000 * part) / STEP, (50_000_000 + 2000 * part) / STEP)
