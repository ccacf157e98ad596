"""A drawn face that the network has to find: wrong arithmetic must not look like an empty road."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.errors import VisionError
from edge.vision.faces_network import YuNet
from edge.vision.picture import Pixels

_SIDE = 160
_BACKGROUND = (150, 140, 120)
_THRESHOLD = 0.5

_SCORE = 0.93
_SCORE_TOLERANCE = 0.03
_BOX = (48.8, 39.3, 116.7, 128.5)
_BOX_TOLERANCE_PX = 3.0

_Ellipse = tuple[float, float, float, float, tuple[int, int, int], float]
"""Centre across and down, radii across and down, blue green red, how soft its edge is in pixels."""

_HEAD: tuple[_Ellipse, ...] = (
    (80, 66, 40, 44, (30, 40, 55), 1.5),
    (80, 150, 52, 34, (90, 60, 50), 1.5),
    (80, 84, 33, 43, (150, 180, 220), 1.5),
    (80, 90, 30, 36, (160, 190, 230), 12),
)
_EYE: tuple[_Ellipse, ...] = (
    (14, 76, 7.5, 3.8, (235, 235, 235), 1.5),
    (14, 76, 3.4, 3.6, (40, 30, 30), 1.5),
    (14, 66, 9, 2.2, (40, 50, 70), 1.5),
)
_NOSE_AND_MOUTH: tuple[_Ellipse, ...] = (
    (80, 92, 5.5, 9, (140, 165, 205), 4),
    (76, 98, 2, 1.4, (80, 90, 130), 1.5),
    (84, 98, 2, 1.4, (80, 90, 130), 1.5),
    (80, 108, 12, 4, (110, 110, 190), 1.5),
    (80, 108, 11, 0.9, (60, 50, 110), 1.5),
)


class SelfTest:
    """What the network says of a drawn face and of a plain wall, beside what it said when it was chosen."""

    def __init__(self) -> None:
        self._tiles = [drawn_face(), np.full((_SIDE, _SIDE, 3), _BACKGROUND, np.uint8)]

    def run(self, network: YuNet) -> None:
        """See that the face is found where it is, as surely as ever, and nothing else.

        Raises:
            VisionError: it is not; whatever the network says of pictures cannot be believed.
        """
        found = network.look(self._tiles, _THRESHOLD)
        if not len(found.scores):
            raise _broken("finds no face where one is")
        best = int(np.argmax(found.scores))
        if abs(float(found.scores[best]) - _SCORE) > _SCORE_TOLERANCE:
            raise _broken(f"is sure of a known face to {found.scores[best]:.2f}, not {_SCORE}")
        if float(np.abs(found.corners[best] - np.array(_BOX)).max()) > _BOX_TOLERANCE_PX:
            raise _broken("finds a known face in the wrong place")
        if found.tiles.any():
            raise _broken("finds a face on a plain wall")


def drawn_face() -> Pixels:
    """Draw a face, (160, 160, 3) uint8, the same on every machine."""
    canvas = np.full((_SIDE, _SIDE, 3), _BACKGROUND, np.float64)
    eyes: list[_Ellipse] = [(_SIDE / 2 + side * part[0], *part[1:]) for side in (-1, 1) for part in _EYE]
    for ellipse in (*_HEAD, *eyes, *_NOSE_AND_MOUTH):
        _paint(canvas, *ellipse)
    return canvas.astype(np.uint8)


def _paint(
    canvas: NDArray[np.float64],
    across: float,
    down: float,
    radius_across: float,
    radius_down: float,
    colour: tuple[int, int, int],
    softness: float,
) -> None:
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE]
    distance = np.sqrt(((columns - across) / radius_across) ** 2 + ((rows - down) / radius_down) ** 2)
    inside = np.clip((1 - distance) * min(radius_across, radius_down) / softness + 0.5, 0, 1)[..., None]
    canvas += inside * (np.array(colour) - canvas)


def _broken(how: str) -> VisionError:
    return VisionError(
        f"the network {how}",
        where="self-test of the face detector",
        todo="reinstall nevgate[vision]; nothing is kept until it passes",
    )
