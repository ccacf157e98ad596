"""Detectors that fail, each in a way of its own, and frames that cameras should not give."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.picture import Pixels
from tests.vision_faults.planted import KnowsThePattern, Planted

Judge = Callable[[Boxes], Boxes]
"""What becomes of what a detector found; it may raise."""


class Broken(Detector):
    """Finds the pattern, and then something goes wrong on some of the frames.

    Args:
        planted: what it finds.
        judge: what goes wrong.
        every: on each so many-th frame that it sees.
    """

    def __init__(self, planted: Planted, judge: Judge, every: int = 1) -> None:
        self._sound = KnowsThePattern(planted)
        self._judge = judge
        self._every = every
        self._seen = 0

    @property
    def subject(self) -> Subject:
        """See `Detector.subject`."""
        return Subject.FACE

    @property
    def name(self) -> str:
        """See `Detector.name`."""
        return "broken"

    def detect(self, pixels: Pixels) -> Boxes:
        """See `Detector.detect`."""
        self._seen += 1
        found = self._sound.detect(pixels)
        return found if self._seen % self._every else self._judge(found)


def raising(error: Exception) -> Judge:
    """It raises that."""

    def judge(found: Boxes) -> Boxes:
        del found
        raise error

    return judge


def no_numbers(found: Boxes) -> Boxes:
    """Corners that are no numbers."""
    return Boxes(np.full_like(found.corners, np.nan), found.scores, found.subjects)


def one_corner_lost(found: Boxes) -> Boxes:
    """One number of four that is none."""
    corners = found.corners.copy()
    corners[:, 2] = np.nan
    return Boxes(corners, found.scores, found.subjects)


def infinite(found: Boxes) -> Boxes:
    """Corners without end."""
    return Boxes(np.full_like(found.corners, np.inf), found.scores, found.subjects)


def scores_no_numbers(found: Boxes) -> Boxes:
    """Scores that are no numbers."""
    return Boxes(found.corners, np.full_like(found.scores, np.nan), found.subjects)


def turned_around(found: Boxes) -> Boxes:
    """Right and left, top and bottom swapped."""
    return Boxes(found.corners[:, [2, 3, 0, 1]], found.scores, found.subjects)


def refuses() -> Judge:
    """It says in order that it cannot judge."""
    return raising(VisionError("cannot judge this picture"))


def black(_sound: Pixels) -> Pixels:
    """A night without light, or a sensor that is off."""
    return np.zeros_like(_sound)


def dim(sound: Pixels) -> Pixels:
    """A hundredth of the light."""
    return (sound // 100).astype(np.uint8)


def white(sound: Pixels) -> Pixels:
    """The sun in the lens."""
    return np.full_like(sound, 255)


def overexposed(sound: Pixels) -> Pixels:
    """So much light that all but the darkest is white."""
    return np.clip(sound.astype(np.int32) * 12 + 150, 0, 255).astype(np.uint8)


def covered(sound: Pixels) -> Pixels:
    """Something over the lens: an even grey with the sensor's noise."""
    noise = np.random.default_rng(3).normal(60, 1.0, sound.shape)
    return np.clip(noise, 0, 255).astype(np.uint8)


def blurred(sound: Pixels) -> Pixels:
    """Water on the lens."""
    return np.asarray(cv2.GaussianBlur(sound, (0, 0), 14), np.uint8)


def one_pixel(sound: Pixels) -> Pixels:
    """A frame of one pixel."""
    return np.ascontiguousarray(sound[60:61, 70:71])


def a_line(sound: Pixels) -> Pixels:
    """A frame one pixel high."""
    return np.ascontiguousarray(sound[60:61])


def nothing(sound: Pixels) -> Pixels:
    """A frame without pixels."""
    return np.ascontiguousarray(sound[:0])


def giant(sound: Pixels) -> Pixels:
    """A frame of 8K, with the sound one in its corner."""
    pixels = np.zeros((4320, 7680, 3), np.uint8)
    pixels[: sound.shape[0], : sound.shape[1]] = sound
    return pixels


def grey(sound: Pixels) -> Pixels:
    """A frame without colours."""
    return np.asarray(cv2.cvtColor(sound, cv2.COLOR_BGR2GRAY), np.uint8)


def with_transparency(sound: Pixels) -> Pixels:
    """A frame of four planes."""
    return np.dstack([sound, sound[:, :, :1]])


def of_floats(sound: Pixels) -> Pixels:
    """A frame of floating-point numbers."""
    return np.asarray(sound, np.float32)
