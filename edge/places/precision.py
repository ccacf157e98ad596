"""Positions no more exact than a purpose needs: the centre of a fixed cell stands for every point in it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from edge.catalogue.catalogue import Catalogue, builtin
from edge.errors import CatalogueError, PolicyError
from edge.places.geohash import MOST_CHARACTERS, STEPS_A_DEGREE, geohash_centre, geohash_of
from edge.policy.classes import DataClass
from edge.policy.rules import Precision
from edge.records import Missing, Value

LON_ITEM, LAT_ITEM = "gnss.lon", "gnss.lat"
STATUS_ITEMS = frozenset({"gnss.valid", "gnss.datum"})
"""The items of class position that say nothing of where it is: whether there is a fix, and in which datum."""

METRES_A_DEGREE = 111_320.0
"""On a sphere as large as the equator, on which cells are laid out: less than 1 % from what they are."""

_HALF_AROUND, _QUARTER = 180 * STEPS_A_DEGREE, 90 * STEPS_A_DEGREE
_AROUND, _UPWARD = 2 * _HALF_AROUND, 2 * _QUARTER


def coarse(lon: int, lat: int, precision: Precision) -> tuple[int, int]:
    """The centre of the cell that a position lies in, the same for every position in it.

    The cells of `Precision.cell_m` are fixed on the earth: rows of that height from the south pole on, each
    divided into equal cells as nearly square as a whole number of them allows, from 180 degrees west on. They
    do not depend on the datum, nor on positions before. The centre is rounded to a step within the cell, so
    that the coarse position of a coarse position is itself.

    Args:
        lon: in steps of 1e-6 degrees, -180 to 180 degrees, as of the item gnss.lon.
        lat: in steps, -90 to 90 degrees.
        precision: how exactly it may be known.

    Returns:
        Longitude and latitude in steps.

    Raises:
        PolicyError: the precision is none that can be: a cell of no size, or a geohash too long.
        ValueError: the position is nowhere on earth.
    """
    if not (abs(lon) <= _HALF_AROUND and abs(lat) <= _QUARTER):
        raise ValueError("a position that is nowhere on earth has no cell")
    if precision.full:
        return lon, lat
    if precision.geohash:
        if not 0 < precision.geohash <= MOST_CHARACTERS:
            raise PolicyError(
                f"a geohash of {precision.geohash} characters cannot be",
                where="precision",
                todo=f"It has 1 to {MOST_CHARACTERS}",
            )
        return geohash_centre(geohash_of(lon, lat, precision.geohash))
    height = _row_height(precision.cell_m)
    row = (lat + _QUARTER) // height
    centre = min(row * height + height // 2, _UPWARD) - _QUARTER
    count = _cells_in_row(centre, height)
    offset = (lon + _HALF_AROUND) % _AROUND
    cell = offset * count // _AROUND
    first, end = -(-cell * _AROUND // count), -(-(cell + 1) * _AROUND // count)
    return (first + end - 1) // 2 - _HALF_AROUND, centre


def coarse_record(
    values: Mapping[str, Value], precision: Precision, catalogue: Catalogue | None = None
) -> dict[str, Value]:
    """The values of a record with its position no more exact than allowed.

    Of the items of class position, longitude and latitude are replaced by the centre of their cell, and those
    of `STATUS_ITEMS` stay; all others are left out, since with the cell they would tell more than the cell.
    Where one of the two has no value, the other becomes invalid: half a position has no cell.

    Args:
        values: by concrete item id.
        precision: how exactly the position may be known.
        catalogue: says which items are of class position; the built-in one by default. An item that it does
            not know is left out.

    Returns:
        A new mapping in the same order; with full precision, of all values as they are.

    Raises:
        PolicyError: see `coarse`.
    """
    if precision.full:
        return dict(values)
    known = catalogue or builtin()
    kept = {item_id: value for item_id, value in values.items() if _may_stay(item_id, known)}
    lon, lat = kept.get(LON_ITEM), kept.get(LAT_ITEM)
    if isinstance(lon, int) and isinstance(lat, int):
        if abs(lon) <= _HALF_AROUND and abs(lat) <= _QUARTER:
            kept[LON_ITEM], kept[LAT_ITEM] = coarse(lon, lat, precision)
        else:
            kept[LON_ITEM] = kept[LAT_ITEM] = Missing.ABNORMAL
        return kept
    for item_id, value in ((LON_ITEM, lon), (LAT_ITEM, lat)):
        if value is not None and not isinstance(value, Missing):
            kept[item_id] = Missing.INVALID
    return kept


def _may_stay(item_id: str, catalogue: Catalogue) -> bool:
    if item_id in STATUS_ITEMS or item_id in {LON_ITEM, LAT_ITEM}:
        return True
    try:
        return catalogue.item(item_id).data_class is not DataClass.POSITION
    except CatalogueError:
        return False


def _row_height(cell_m: float) -> int:
    """Steps of latitude that a row of cells is high."""
    if not (math.isfinite(cell_m) and cell_m > 0):
        raise PolicyError(
            f"a cell of {cell_m:g} m cannot be", where="precision", todo="Give its side in metres, above 0"
        )
    return min(max(round(cell_m / METRES_A_DEGREE * STEPS_A_DEGREE), 1), _UPWARD + 1)


def _cells_in_row(centre: int, height: int) -> int:
    """How many cells go around the earth in the row whose middle is at the latitude `centre`, in steps."""
    around = _AROUND * math.cos(math.radians(centre / STEPS_A_DEGREE))
    return max(round(around / height), 1)
