"""What is worn on a head and has a shape of its own: long hair, glasses, the brim of a cap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.cameras.raster import Floats, triangulated
from simulator.cameras.traits import Glasses, Hair, Hat, Traits

_EYE_Y, _EYE_X = 7.27, 0.31


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """One thing.

    Attributes:
        vertices: (n, 3) in the mean head's coordinates.
        triangles: (m, 3).
        colour: blue, green, red, 0 to 1.
        strands: how much it looks like hair.
        on_face: whether what it hides still counts as face, as behind glasses.
    """

    vertices: Floats
    triangles: NDArray[np.int64]
    colour: tuple[float, float, float]
    strands: float
    on_face: bool


def _grid(points: Floats) -> tuple[Floats, NDArray[np.int64]]:
    rows, columns = points.shape[:2]
    number = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]], axis=-1).reshape(
        -1, 4
    )
    return points.reshape(-1, 3), triangulated(quads.astype(np.uint16))


def _curtain(length: float, spread_deg: float, colour: tuple[float, float, float], thick: float) -> Worn:
    angle = np.radians(np.linspace(-spread_deg, spread_deg, 40))[None, :]
    along = np.linspace(0, 1, 16)[:, None]
    fall = 7.9 - along * length
    bulge = 0.84 + thick + 0.12 * np.sin(np.pi * np.minimum(along * 1.4, 1))
    points = np.stack(
        [np.sin(angle) * bulge, np.broadcast_to(fall, (16, 40)), 0.42 - np.cos(angle) * (bulge + 0.12)],
        axis=-1,
    )
    return Worn(*_grid(points), colour, 1.0, on_face=False)


def _glasses(kind: Glasses) -> list[Worn]:
    turn = np.linspace(0, 2 * np.pi, 25)
    frame = (0.06, 0.06, 0.07)
    parts = []
    for side in (-1, 1):
        centre = np.array([side * (_EYE_X + 0.02), _EYE_Y, 1.52])
        around = np.stack([np.cos(turn) * 0.27, np.sin(turn) * 0.20, -0.12 * np.abs(np.cos(turn))], axis=-1)
        inner = 0.0 if kind is Glasses.DARK else 0.88
        parts.append(
            Worn(*_grid(np.stack([centre + around * inner, centre + around])), frame, 0.0, on_face=True)
        )
        temple = np.array([[[side * 0.58, _EYE_Y + 0.1, 1.4], [side * 0.58, _EYE_Y + 0.04, 1.4]],
                           [[side * 0.84, _EYE_Y + 0.06, 0.5], [side * 0.84, _EYE_Y, 0.5]]])  # fmt: skip
        parts.append(Worn(*_grid(temple), frame, 0.0, on_face=True))
    bridge = np.array([[[-0.08, _EYE_Y + 0.06, 1.56], [0.08, _EYE_Y + 0.06, 1.56]],
                       [[-0.08, _EYE_Y + 0.02, 1.56], [0.08, _EYE_Y + 0.02, 1.56]]])  # fmt: skip
    return [*parts, Worn(*_grid(bridge), frame, 0.0, on_face=True)]


def _brim(colour: tuple[float, float, float]) -> Worn:
    angle = np.linspace(-1.15, 1.15, 20)[None, :]
    out = np.linspace(0, 1, 6)[:, None]
    reach = 1.0 + out * 0.55 * np.cos(angle)
    points = np.stack(
        [np.sin(angle) * 0.78 * (1 + out * 0.08), 7.92 - 0.10 * out - 0.1 * np.abs(np.sin(angle)),
         0.55 + np.cos(angle) * 1.0 * reach], axis=-1
    )  # fmt: skip
    return Worn(*_grid(points), colour, 0.0, on_face=False)


def worn_by(traits: Traits) -> list[Worn]:
    """What has a shape of its own on a person's head."""
    parts: list[Worn] = []
    if traits.hair is Hair.LONG and traits.hat is not Hat.SCARF:
        parts.append(_curtain(2.4 + traits.texture_seed % 100 / 80, 118, traits.hair_colour, 0.04))
    if traits.hat is Hat.SCARF:
        parts.append(_curtain(2.6, 128, traits.cloth, 0.1))
    if traits.hat is Hat.CAP:
        parts.append(_brim(traits.cloth))
    if traits.glasses is not Glasses.NONE:
        parts += _glasses(traits.glasses)
    return parts
