"""A picture at one scale, cut into overlapping tiles, so that memory does not grow with the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels

_ALIASING = 0.5
"""Down to here two pixels are enough to make one of; below, all that it stands for are averaged."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One piece of a picture.

    Attributes:
        left: of the piece in the picture, pixels of the picture.
        top: the same.
        core: (left, top, right, bottom) in pixels of the picture: the centres that this tile answers for; the
            cores of all tiles of a picture part the plane among them.
        pixels: the piece at its scale, sides multiples of the grid, mirrored beyond the right and lower edge.
    """

    left: float
    top: float
    core: tuple[float, float, float, float]
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    stop: int
    core_start: float
    core_stop: float


Look = Callable[[Pixels], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Looks at a tile: (n, 4) float32 corners in its pixels, and (n,) float32 scores."""


def looked_over(
    pixels: Pixels, scales: Sequence[float], look: Look, *, side_max: int, overlap: int, grid: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Look at a picture at several scales, tile by tile; each tile tells of what its core answers for.

    Args:
        pixels: the picture.
        scales: by which it is enlarged, in turn.
        look: looks at one tile.
        side_max: see `tiles_of`.
        overlap: the same.
        grid: the same.

    Returns:
        (n, 4) float32 corners in pixels of the picture, and (n,) float32 scores; neither is suppressed.
    """
    corners, scores = [], []
    for scale in scales:
        for tile in tiles_of(pixels, scale, side_max, overlap, grid):
            found, sure = look(tile.pixels)
            boxes = found / np.float32(scale) + np.array([tile.left, tile.top] * 2, np.float32)
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2
            left, top, right, bottom = tile.core
            mine = ((centres >= (left, top)) & (centres < (right, bottom))).all(axis=1)
            corners.append(boxes[mine])
            scores.append(sure[mine])
    return np.concatenate(corners).astype(np.float32), np.concatenate(scores).astype(np.float32)


def tiles_of(pixels: Pixels, scale: float, side_max: int, overlap: int, grid: int) -> Iterator[Tile]:
    """Cut a picture into tiles of at most about `side_max` x `side_max` pixels after scaling.

    Args:
        pixels: the picture.
        scale: by which each piece is enlarged.
        side_max: longest side of a piece after scaling.
        overlap: by which neighbours overlap after scaling; whatever is smaller lies whole in the tile that
            answers for its centre.
        grid: sides of tiles are multiples of it.
    """
    height, width = pixels.shape[:2]
    rows = _spans(height, scale, side_max, overlap)
    columns = _spans(width, scale, side_max, overlap)
    for row in rows:
        for column in columns:
            piece = pixels[row.start : row.stop, column.start : column.stop]
            yield Tile(
                column.start,
                row.start,
                (column.core_start, row.core_start, column.core_stop, row.core_stop),
                _scaled(piece, scale, grid),
            )


def _spans(length: int, scale: float, side_max: int, overlap: int) -> list[_Span]:
    scaled = ceil(length * scale)
    count = 1 if scaled <= side_max else ceil((scaled - overlap) / (side_max - overlap))
    over = overlap / scale
    side = (length + (count - 1) * over) / count
    starts = [round(at * (side - over)) for at in range(count)]
    stops = [min(length, ceil(start + side)) for start in starts]
    stops[-1] = length
    middles = [(stop + start) / 2 for stop, start in zip(stops[:-1], starts[1:], strict=True)]
    edges = [-np.inf, *middles, np.inf]
    return [_Span(starts[at], stops[at], edges[at], edges[at + 1]) for at in range(count)]


def _scaled(piece: Pixels, scale: float, grid: int) -> Pixels:
    height, width = max(1, round(piece.shape[0] * scale)), max(1, round(piece.shape[1] * scale))
    how = cv2.INTER_AREA if scale <= _ALIASING else cv2.INTER_LINEAR
    same = (height, width) == piece.shape[:2]
    scaled = piece if same else cv2.resize(piece, (width, height), interpolation=how)
    # What a picture's edge cuts off looks whole with its mirror image beside it: half a face is found so.
    tile = cv2.copyMakeBorder(scaled, 0, -height % grid, 0, -width % grid, cv2.BORDER_REFLECT)
    return np.asarray(tile, np.uint8)
