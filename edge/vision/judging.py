"""Whether a picture is fit to be judged: what a detector would be blind in is not kept at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from edge.vision.picture import Pixels
from edge.vision.reasons import Dropped


@dataclass(frozen=True, slots=True)
class FitnessLimits:
    """From where on a picture is not fit.

    Attributes:
        side_least_px: a picture whose shorter side is shorter is too small.
        pixels_most: a picture of more pixels is too large.
    """

    side_least_px: int = 64
    pixels_most: int = 3840 * 2160


Judge: TypeAlias = Callable[[Pixels], Dropped | None]
"""Says why a picture cannot be judged; None where it can."""


def fit_to_judge(pixels: Pixels, limits: FitnessLimits = FitnessLimits()) -> Dropped | None:
    """Say why a picture cannot be judged; None where it can."""
    height, width = pixels.shape[:2]
    if min(height, width) < limits.side_least_px:
        return Dropped.TOO_SMALL
    if height * width > limits.pixels_most:
        return Dropped.TOO_LARGE
    return None
