"""What a camera does to a picture: motion blur, gain, darkness, noise, rain, in that order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from simulator.cameras.scene import Image


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a picture is taken.

    Attributes:
        blur_px: length of the way that everything moves while the shutter is open: right and down.
        gain: by which brightness is multiplied before it is cut off at white.
        noise: standard deviation of the sensor's noise, of 1.
        rain: drops' traces per thousand pixels.
        defocus_px: radius of the blur of a lens out of focus.
    """

    blur_px: tuple[float, float] = (0.0, 0.0)
    gain: float = 1.0
    noise: float = 0.0
    rain: float = 0.0
    defocus_px: float = 0.0


def degraded(image: Image, conditions: Conditions, rng: np.random.Generator) -> Image:
    """A picture (height, width, 3), 0 to 1, as it is taken; `rng` decides about noise and drops."""
    result = image
    length = math.hypot(*conditions.blur_px)
    if length >= 1:
        trace = _trace(*conditions.blur_px)
        result = cv2.filter2D(result, -1, trace, borderType=cv2.BORDER_REPLICATE).astype(
            np.float32, copy=False
        )
    if conditions.defocus_px > 0:
        result = cv2.GaussianBlur(result, (0, 0), conditions.defocus_px).astype(np.float32)
    if conditions.rain > 0:
        result = _rained(result, conditions.rain, rng)
    result = result * np.float32(conditions.gain)
    if conditions.noise > 0:
        grain = rng.standard_normal(result.shape, np.float32) * np.float32(conditions.noise)
        result += grain * (np.float32(0.5) + np.sqrt(np.clip(result, 0, 1)))
    clipped: Image = np.clip(result, 0, 1).astype(np.float32, copy=False)
    return clipped


def _trace(right: float, down: float) -> Image:
    reach = math.ceil(max(abs(right), abs(down)) / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    steps = 8 * reach
    for step in range(steps + 1):
        share = step / steps - 0.5
        kernel[round(reach + share * down), round(reach + share * right)] += 1
    result: Image = kernel / kernel.sum()
    return result


def _rained(image: Image, rate: float, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    layer = np.zeros((height, width), np.float32)
    for _ in range(int(rate * height * width / 1000)):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        length = int(rng.integers(8, 30) * height / 720)
        cv2.line(layer, (x, y), (x + length // 5, y + length), float(rng.uniform(0.1, 0.4)), 1, cv2.LINE_AA)
    result: Image = image + layer[:, :, None] * (np.float32(0.9) - image)
    return result
