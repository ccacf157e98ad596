"""Tiles: no face is cut by the edge of the tile that answers for it, and memory is bounded."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.vision.tiles import tiles_of

GRID = 32


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 400),
    scale=st.sampled_from([0.5, 0.75, 1.0, 1.5]),
    across=st.floats(0, 1),
    down=st.floats(0, 1),
)
def test_what_is_smaller_than_the_overlap_lies_whole_in_the_one_tile_that_answers_for_it(
    width: int, height: int, scale: float, across: float, down: float
) -> None:
    side_max, overlap = 256, 64
    tiles = list(tiles_of(np.zeros((height, width, 3), np.uint8), scale, side_max, overlap, GRID))
    centre = np.array([across * width, down * height])
    answering = [tile for tile in tiles if (centre >= tile.core[:2]).all() and (centre < tile.core[2:]).all()]
    assert len(answering) == 1
    half = overlap / 2 / scale - 1
    low = np.maximum(centre - half, 0)
    high = np.minimum(centre + half, (width, height))
    corner = np.array([answering[0].left, answering[0].top])
    size = np.array(answering[0].pixels.shape[1::-1]) / scale
    rounding = 1 / scale
    assert (low >= corner - rounding).all()
    assert (high <= corner + size + rounding).all()
    assert all(max(tile.pixels.shape) <= side_max + GRID for tile in tiles)
    assert all(side % GRID == 0 for tile in tiles for side in tile.pixels.shape[:2])


def test_a_tile_shows_its_piece_of_the_picture() -> None:
    pixels = np.zeros((300, 700, 3), np.uint8)
    pixels[200:220, 600:620] = 255
    hits = []
    for tile in tiles_of(pixels, 1.0, 256, 64, GRID):
        rows, columns = np.nonzero(tile.pixels[..., 0])
        if rows.size:
            hits.append((tile.left + columns.min(), tile.top + rows.min()))
    assert hits
    assert set(hits) == {(600, 200)}


def test_beyond_the_picture_a_tile_shows_its_mirror_image() -> None:
    pixels = np.random.default_rng(5).integers(0, 255, (50, 40, 3), np.uint8)
    (tile,) = tiles_of(pixels, 1.0, 256, 64, GRID)
    assert tile.pixels.shape == (64, 64, 3)
    assert np.array_equal(tile.pixels[:50, :40], pixels)
    assert np.array_equal(tile.pixels[50:, :40], pixels[:-15:-1])
    assert np.array_equal(tile.pixels[:50, 40:], pixels[:, :-25:-1])
