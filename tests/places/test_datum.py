"""WGS-84 and GCJ-02: the published vectors, the way back, and what lies outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.places.datum import gcj02_of_wgs84, wgs84_of_gcj02

METRES = 111_320.0

PUBLISHED = (
    # The tests of github.com/googollee/eviltransform: Shanghai, Shenzhen, Beijing.
    ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
    ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
    ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
)


@pytest.mark.parametrize(("wgs84", "gcj02"), PUBLISHED)
def test_published_points(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    assert [float(part) for part in gcj02_of_wgs84(*wgs84)] == pytest.approx(gcj02, abs=1e-9)
    assert [float(part) for part in wgs84_of_gcj02(*gcj02)] == pytest.approx(wgs84, abs=1e-8)


def apart_m(lon: float, lat: float, other: tuple[float, float]) -> float:
    return float(np.hypot((other[0] - lon) * np.cos(np.radians(lat)), other[1] - lat)) * METRES


@given(st.floats(72.02, 137.82), st.floats(0.85, 55.81))
def test_the_way_back_ends_where_it_began(lon: float, lat: float) -> None:
    there = gcj02_of_wgs84(lon, lat)
    back = wgs84_of_gcj02(*there)
    assert apart_m(lon, lat, (float(back[0]), float(back[1]))) < 0.001
    assert apart_m(lon, lat, (float(there[0]), float(there[1]))) < 740


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_outside_of_the_rectangle_nothing_moves(lon: float, lat: float) -> None:
    if 72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271:
        lon = -lon
    for convert in (gcj02_of_wgs84, wgs84_of_gcj02):
        assert [float(part) for part in convert(lon, lat)] == [lon, lat]


def test_arrays_are_converted_as_their_elements_are() -> None:
    chance = np.random.default_rng(1)
    lon, lat = chance.uniform(-180, 180, (40, 5)), chance.uniform(-90, 90, (40, 5))
    lon[0], lat[0] = 116.4, 39.9
    for convert in (gcj02_of_wgs84, wgs84_of_gcj02):
        east, north = convert(lon, lat)
        assert east.shape == north.shape == (40, 5)
        for place in np.ndindex(40, 5):
            assert (float(east[place]), float(north[place])) == tuple(
                map(float, convert(lon[place], lat[place]))
            )
        assert (east[0] != 116.4).all()


def test_what_is_given_is_not_written_to() -> None:
    lon, lat = np.array([116.4, 2.0]), np.array([39.9, 49.0])
    for convert in (gcj02_of_wgs84, wgs84_of_gcj02):
        east, north = convert(lon, lat)
        east += 1
        north += 1
        assert (lon.tolist(), lat.tolist()) == ([116.4, 2.0], [39.9, 49.0])
    only_outside = gcj02_of_wgs84(lon[1:], lat[1:])
    only_outside[0][:] = 0
    assert lon[1] == 2.0
