"""Draws plates as they look on cars, from strokes alone and apart from what any detector is trained on."""

from __future__ import annotations

import random
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.cameras.figures import reduced

Image = NDArray[np.float32]
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)
_PX_PER_M = 1000


@dataclass(frozen=True, slots=True, eq=False)
class NumberPlate:
    """A plate.

    Attributes:
        colours: (height, width, 3) float32, 0 to 1.
        width_m: of the real one.
        height_m: of the real one.
    """

    colours: Image
    width_m: float
    height_m: float


def drawn_plate(rng: random.Random) -> NumberPlate:
    """A plate by chance: Chinese blue, green or yellow, European, or of the United States."""
    kind = rng.choice(("blue", "blue", "green", "green", "yellow", "europe", "europe", "states"))
    width_m, height_m = {"europe": (0.52, 0.11), "states": (0.305, 0.1525), "green": (0.48, 0.14)}.get(
        kind, (0.44, 0.14)
    )
    height, width = round(height_m * _PX_PER_M), round(width_m * _PX_PER_M)
    ground, ink = {
        "blue": ((0.62, 0.25, 0.05), (0.95, 0.95, 0.95)),
        "green": ((0.60, 0.85, 0.55), (0.05, 0.05, 0.05)),
        "yellow": ((0.05, 0.70, 0.95), (0.05, 0.05, 0.05)),
        "europe": ((0.93, 0.93, 0.93), (0.06, 0.06, 0.06)),
        "states": (
            rng.choice(((0.92, 0.92, 0.90), (0.85, 0.95, 0.97), (0.90, 0.85, 0.80))),
            (0.35, 0.12, 0.08),
        ),
    }[kind]
    plate = np.empty((height, width, 3), np.float32)
    plate[:] = ground
    if kind == "green":
        fade = np.linspace(0.35, 0, height, dtype=np.float32)[:, None]
        plate += fade[:, :, None] * (1 - plate)
    cv2.rectangle(plate, (4, 4), (width - 5, height - 5), ink, 3)
    left = 12
    if kind == "europe":
        plate[:, : round(0.04 * _PX_PER_M)] = (0.60, 0.20, 0.05)
        cv2.putText(plate, "D", (10, height - 18), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (1, 1, 1), 2, cv2.LINE_AA)
        left = round(0.05 * _PX_PER_M)
    top, bottom = (0.24, 0.80) if kind == "states" else (0.16, 0.84)
    letters = {"states": 7, "green": 8, "europe": rng.choice((7, 8))}.get(kind, 7)
    box = (width - 12 - left) / letters
    for number in range(letters):
        area = (left + number * box, top * height, box * 0.82, (bottom - top) * height)
        if number == 0 and kind in {"blue", "green", "yellow"}:
            _province(plate, rng, area, ink)
        else:
            letter = number == 1 or rng.random() < 0.25
            _character(
                plate,
                rng.choice(_LETTERS) if letter else str(rng.randrange(10)),
                rng.choice(_FONTS),
                area,
                ink,
            )
    if kind == "states":
        name = "".join(rng.choice(_LETTERS) for _ in range(8))
        cv2.putText(plate, name, (width // 4, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, 2, cv2.LINE_AA)
    dirt = cv2.resize(np.random.default_rng(rng.getrandbits(32)).random((6, 16), np.float32), (width, height))
    plate *= (1 - rng.uniform(0, 0.35) * dirt)[:, :, None]
    return NumberPlate(np.clip(plate, 0, 1), width_m, height_m)


def _character(
    plate: Image, text: str, font: int, area: tuple[float, float, float, float], ink: tuple[float, ...]
) -> None:
    left, top, width, height = area
    (wide, high), _ = cv2.getTextSize(text, font, 3, 9)
    glyph = np.zeros((high + 24, wide + 24), np.float32)
    cv2.putText(glyph, text, (12, high + 12), font, 3, 1.0, 13, cv2.LINE_AA)
    _put(
        plate,
        reduced(glyph, max(round(width), 2), round(height)),
        left,
        top,
        ink,
    )


def _province(
    plate: Image, rng: random.Random, area: tuple[float, float, float, float], ink: tuple[float, ...]
) -> None:
    left, top, width, height = area
    glyph = np.zeros((120, 80), np.float32)
    for row in rng.sample((15, 35, 55, 75, 95, 108), 4):
        cv2.line(glyph, (rng.randrange(5, 25), row), (rng.randrange(55, 75), row), 1.0, 8, cv2.LINE_AA)
    for column in rng.sample((15, 30, 40, 50, 65), 2):
        cv2.line(glyph, (column, rng.randrange(8, 40)), (column, rng.randrange(80, 112)), 1.0, 8, cv2.LINE_AA)
    cv2.line(glyph, (40, 60), (rng.choice((10, 70)), 112), 1.0, 8, cv2.LINE_AA)
    _put(plate, reduced(glyph, round(width), round(height)), left, top, ink)


def _put(plate: Image, glyph: Image, left: float, top: float, ink: tuple[float, ...]) -> None:
    height, width = glyph.shape
    rows, columns = slice(round(top), round(top) + height), slice(round(left), round(left) + width)
    part = plate[rows, columns]
    part += glyph[: part.shape[0], : part.shape[1], None] * (np.array(ink, np.float32) - part)
