"""Whether a picture is fit to be judged: what a detector would be blind in is not kept at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels
from edge.vision.reasons import Dropped

Judge: TypeAlias = Callable[[Pixels], Dropped | None]
"""Says why a picture cannot be judged; None where it can."""

_COLUMNS, _ROWS = 16, 9
_CELLS = 16
_CHANNELS = 3
_CLIPPED = 250
_ALL_OVER = 0.9
_MOSTLY = 0.35
_EDGE_LEAST = {1: 40, 4: 28, 8: 24}
"""Of so many pixels means are taken, and so high an edge between them has to be."""

_EDGES = 9, 17, 33, 65
_EDGES_LEAST = 50
_LINES = 90
_STRETCH = 64


@dataclass(frozen=True, slots=True)
class FitnessLimits:
    """From where on a picture is not fit; docs/vision.md has the measurement behind each default.

    Light is judged by parts, 16 x 9 of them, in grey levels of 0 to 255.

    Attributes:
        side_least_px: a picture whose shorter side is shorter is too small.
        pixels_most: a picture of more pixels is too large.
        dark_level: a part whose brightest tenth is below this is too dark.
        dark_parts_most: a picture with a larger share of parts too dark is dropped.
        white_parts_most: a picture with a larger share of parts that are clipped all over is too bright.
        clipped_most: so is one of whose other parts a larger share is clipped: a sky shows nobody, a face
            that is half clipped is not found. What is clipped in one colour is, since skin is so in red long
            before it is white.
        contrast_least: in a part that shows something, brightness has at least this standard deviation.
        contrast_parts_least: a picture in which a smaller share of parts shows something is dropped.
        sharpness_least: the steepest step is this share of the whole edge's height, in the better part of a
            picture's edges: from one pixel to the next, and from the mean of four and of eight to that of the
            next as many. Noise makes steps between pixels, and hardly any between means.
        noise_most: a picture whose noise is a larger share of its light, where that is least, is dropped.
    """

    side_least_px: int = 64
    pixels_most: int = 3840 * 2160
    dark_level: float = 14.0
    dark_parts_most: float = 0.85
    white_parts_most: float = 0.85
    clipped_most: float = 0.12
    contrast_least: float = 7.0
    contrast_parts_least: float = 0.15
    sharpness_least: tuple[float, float, float] = (0.25, 0.74, 0.80)
    noise_most: float = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Fitness:
    """What a picture is judged by.

    Attributes:
        dark: (9, 16) which parts are too dark.
        contrast: (9, 16) float32, standard deviation of brightness in each part.
        unevenness: standard deviation of the parts' brightness: what is left of a scene in a heavy blur.
        white: share of parts that are clipped all over.
        clipped: share of the other parts that is clipped, in any of its colours.
        sharpness: share of an edge's height in its steepest step, in the better part of the edges of that
            direction in which they are less steep, for steps between means of each of `_EDGE_LEAST`; None
            where there are too few edges to say.
        noise: standard deviation of noise as a share of the light it lies on, in the tenth of the picture
            where that is least, of what is neither too dark nor clipped; None where all is.
    """

    dark: NDArray[np.bool_]
    contrast: NDArray[np.float32]
    unevenness: float
    white: float
    clipped: float
    sharpness: tuple[float | None, ...]
    noise: float | None


def fit_to_judge(pixels: Pixels, limits: FitnessLimits | None = None) -> Dropped | None:
    """Say why a picture cannot be judged; None where it can.

    Light is judged by parts, since detectors work by parts: a lens that is half covered shows nobody in the
    covered half, and the other half is judged by itself, so that such a picture is kept. A street at night
    is kept for the parts that are lit, and those that are not are filled: see `too_dark`.
    """
    limits = limits or FitnessLimits()
    height, width = pixels.shape[:2]
    if min(height, width) < limits.side_least_px:
        return Dropped.TOO_SMALL
    if height * width > limits.pixels_most:
        return Dropped.TOO_LARGE
    if pixels.ndim != _CHANNELS or pixels.shape[2] != _CHANNELS or pixels.dtype != np.uint8:
        return Dropped.DAMAGED
    fitness = measured(pixels, limits)
    return _by_light(fitness, limits) or _by_detail(fitness, limits)


def _by_light(fitness: Fitness, limits: FitnessLimits) -> Dropped | None:
    if fitness.dark.mean() > limits.dark_parts_most:
        return Dropped.DARK
    if fitness.white > limits.white_parts_most or fitness.clipped > limits.clipped_most:
        return Dropped.BRIGHT
    if (fitness.contrast >= limits.contrast_least).mean() < limits.contrast_parts_least:
        if fitness.dark.mean() > _MOSTLY:
            return Dropped.DARK
        return Dropped.BLURRED if fitness.unevenness >= limits.contrast_least else Dropped.FLAT
    return None


def _by_detail(fitness: Fitness, limits: FitnessLimits) -> Dropped | None:
    for sharpness, least in zip(fitness.sharpness, limits.sharpness_least, strict=True):
        if sharpness is not None and sharpness < least:
            return Dropped.BLURRED
    if fitness.noise is not None and fitness.noise > limits.noise_most:
        return Dropped.NOISY
    return None


def too_dark(pixels: Pixels, limits: FitnessLimits | None = None) -> NDArray[np.int32]:
    """Which parts of a picture that is fit are too dark to be judged, and are to be filled.

    Returns:
        (n, 4) int32: left, top, right, bottom; right and bottom are outside.
    """
    limits = limits or FitnessLimits()
    height, width = pixels.shape[:2]
    rows, columns = np.nonzero(_dark(_parts(_grey(_cells(pixels))), limits))
    masks = np.stack(
        [
            columns * width // _COLUMNS,
            rows * height // _ROWS,
            -(-(columns + 1) * width // _COLUMNS),
            -(-(rows + 1) * height // _ROWS),
        ],
        axis=1,
    )
    return masks.astype(np.int32)


def measured(pixels: Pixels, limits: FitnessLimits) -> Fitness:
    """Measure what a picture of three channels is judged by."""
    cells = _cells(pixels)
    parts = _parts(_grey(cells))
    rows, columns = _lines(pixels), _lines(pixels.transpose(1, 0, 2))
    clipped = (_parts(cells.max(axis=2)) >= _CLIPPED).mean(axis=2)
    white = clipped >= _ALL_OVER
    rest = float(clipped[~white].mean()) if not white.all() else 0.0
    return Fitness(
        dark=_dark(parts, limits),
        contrast=parts.std(axis=2),
        unevenness=float(parts.mean(axis=2).std()),
        white=float(white.mean()),
        clipped=rest,
        sharpness=tuple(_sharpness(rows, columns, of) for of in _EDGE_LEAST),
        noise=_noise(rows, limits),
    )


def _cells(pixels: Pixels) -> Pixels:
    """The picture at 256 x 144, each cell the mean of what it covers, which takes most noise away."""
    small = cv2.resize(pixels, (_COLUMNS * _CELLS, _ROWS * _CELLS), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _grey(cells: Pixels) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cells, cv2.COLOR_BGR2GRAY), np.uint8)


def _parts(cells: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(9, 16, 256) the cells of each part."""
    split = cells.astype(np.float32).reshape(_ROWS, _CELLS, _COLUMNS, _CELLS).transpose(0, 2, 1, 3)
    return split.reshape(_ROWS, _COLUMNS, _CELLS * _CELLS)


def _dark(parts: NDArray[np.float32], limits: FitnessLimits) -> NDArray[np.bool_]:
    tenth = parts.shape[2] // 10
    brightest = np.partition(parts, -tenth, axis=2)[:, :, -tenth]
    return np.asarray(brightest < limits.dark_level)


def _lines(pixels: Pixels) -> NDArray[np.uint8]:
    """Some 90 of a picture's rows at full resolution, in grey."""
    return _grey(np.ascontiguousarray(pixels[:: max(1, pixels.shape[0] // _LINES)]))


def _noise(rows: NDArray[np.uint8], limits: FitnessLimits) -> float | None:
    """See `Fitness.noise`; looks at stretches of rows.

    Noise is what bends from pixel to pixel. Edges and texture do so too, but not all over a picture.
    """
    lines = rows.astype(np.int16)
    bends = lines[:, :-2] - 2 * lines[:, 1:-1] + lines[:, 2:]
    end = bends.shape[1] // _STRETCH * _STRETCH
    if end == 0:
        return None
    # A bend sums up 1, 4 and 1 times the variance of one pixel.
    noise = bends[:, :end].reshape(-1, _STRETCH).astype(np.float32).std(axis=1) / np.sqrt(6)
    light = lines[:, 1 : end + 1].reshape(-1, _STRETCH).mean(axis=1)
    # What is clipped shows no noise, whatever there is beside it.
    lit = (light >= limits.dark_level) & (light < _CLIPPED)
    return float(np.quantile(noise[lit] / light[lit], 0.1)) if lit.any() else None


def _sharpness(rows: NDArray[np.uint8], columns: NDArray[np.uint8], of: int) -> float | None:
    """See `Fitness.sharpness`; looks at rows, and at columns laid as rows, for means of so many pixels.

    Each direction counts by itself: a picture moved sideways keeps its edges along the movement.
    """
    found = (_steepest(lines, of) for lines in (rows, columns))
    return min((one for one in found if one is not None), default=None)


def _steepest(lines: NDArray[np.uint8], of: int) -> float | None:
    """The upper quartile over edges along lines of the share of their height in their steepest step.

    Where nothing rises high enough within a few pixels, as in a heavy blur, edges are looked for that are
    wider. What steps there are where the picture is evenest are taken for noise, which makes no edge steeper.
    """
    means = cv2.blur(lines, (of, 1))
    steps = cv2.absdiff(means[:, of:], means[:, :-of])
    between = slice(of // 2, of // 2 + steps.shape[1])
    for wide in (one for one in _EDGES if one > 2 * of):
        window = np.ones((1, wide), np.uint8)
        heights = cv2.subtract(cv2.dilate(means, window), cv2.erode(means, window))[:, between]
        at = heights >= max(_EDGE_LEAST[of], float(np.quantile(heights[::4, ::4], 0.95)))
        if int(at.sum()) >= _EDGES_LEAST:
            steepest = cv2.dilate(steps, np.ones((1, wide - of), np.uint8))
            noise = float(np.quantile(steepest[::4, ::4], 0.1))
            # Nothing is higher than what noise makes in a picture of noise alone: nothing is steep then.
            return float(np.quantile((steepest[at] - noise) / np.maximum(heights[at] - noise, 1), 0.75))
    return None
