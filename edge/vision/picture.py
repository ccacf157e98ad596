"""`Picture`: the pixels of one frame of one camera, the currency from cameras to the encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(height, width, 3), blue, green, red; C-contiguous."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One frame as the camera gave it: whoever is in it can be recognised.

    It lives in the memory of the process that opened the camera and nowhere else.

    Attributes:
        camera: name of the camera.
        number: of the frame since the camera was opened, from 0; a gap is frames that were lost before.
        t_ns: when it was taken, nanoseconds of the gateway's boot clock.
        pixels: what it shows.
    """

    camera: str
    number: int
    t_ns: int
    pixels: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Redacted:
    """One frame in which nobody can be recognised any more; only `edge.vision.redaction` makes these.

    Attributes:
        camera: name of the camera.
        number: of the frame since the camera was opened.
        t_ns: when it was taken, nanoseconds of the gateway's boot clock.
        pixels: what is left.
        faces: how many boxes over faces were filled.
        plates: how many boxes over plates were filled.
    """

    camera: str
    number: int
    t_ns: int
    pixels: Pixels
    faces: int
    plates: int
