"""What can go wrong with a camera, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.picture import Pixels


class Fault(StrEnum):
    """What is wrong."""

    STALL = "stall"
    BLACK = "black"
    WHITE = "white"
    COVERED = "covered"
    DEFOCUSED = "defocused"
    TINY = "tiny"
    HUGE = "huge"
    CUT_OFF = "cut-off"
    DAMAGED = "damaged"
    FREEZE = "freeze"
    BACKWARDS = "backwards"
    RAISES = "raises"


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A fault for a time.

    Attributes:
        fault: what is wrong.
        from_s: since the camera was opened.
        to_s: until when; that instant is good again.
    """

    fault: Fault
    from_s: float
    to_s: float

    @classmethod
    def parsed(cls, text: str) -> FaultWindow:
        """Read what is written as ``black:10-20``, in seconds.

        Raises:
            VisionError: it is written otherwise.
        """
        name, _, span = text.partition(":")
        start, _, end = span.partition("-")
        try:
            window = cls(Fault(name), float(start), float(end))
        except ValueError as error:
            names = ", ".join(Fault)
            raise VisionError(
                f"{text} is no fault", todo=f"write black:10-20 in seconds; names: {names}"
            ) from error
        if not 0 <= window.from_s < window.to_s:
            raise VisionError(f"{text} ends before it begins")
        return window


def _covered(pixels: Pixels) -> Pixels:
    """A hand before the lens: dark red, no edges, the sensor's noise."""
    height, width = pixels.shape[:2]
    shade = np.linspace(18, 44, width, dtype=np.float32)[None, :, None] * np.array(
        [0.3, 0.4, 1.0], np.float32
    )
    noise = np.random.default_rng(height * width).standard_normal((height, width, 1), np.float32)
    result: Pixels = np.clip(shade + 2 * noise, 0, 255).astype(np.uint8)
    return result


def _cut_off(pixels: Pixels) -> Pixels:
    """A JPEG of which the latter half never came, as decoders show it that ask no questions."""
    cut = pixels.copy()
    cut[pixels.shape[0] // 2 :] = 128
    return cut


SPOILED: Mapping[Fault, Callable[[Pixels], Pixels]] = {
    Fault.BLACK: np.zeros_like,
    Fault.WHITE: lambda pixels: np.full_like(pixels, 255),
    Fault.COVERED: _covered,
    Fault.DEFOCUSED: lambda pixels: cv2.GaussianBlur(pixels, (0, 0), pixels.shape[1] / 40).astype(np.uint8),
    Fault.TINY: lambda pixels: np.ascontiguousarray(pixels[:1, :1]),
    Fault.HUGE: lambda pixels: cv2.resize(pixels, (7680, 4320)).astype(np.uint8),
    Fault.CUT_OFF: _cut_off,
}
"""What faults do to a picture, where they do something to it."""
