"""`sample`: one square picture with plates at known places, and with much that is none."""

from __future__ import annotations

import random
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels
from simulator.plates.designs import (
    AMERICAN_DESIGNS,
    CHINESE_DESIGNS,
    DESIGNS,
    EUROPEAN_DESIGNS,
    Design,
    number_of,
)
from simulator.plates.drawing import draw_plate, warped
from simulator.plates.training.backdrops import as_pixels, crop, drawn_ground
from simulator.plates.training.lookalikes import place_distraction
from simulator.plates.training.vehicles import draw_vehicle

SIZE_PX = 320
NARROWEST_PX = 18.0
WIDEST_PX = 220.0
STEEP = 0.15
"""Share of plates that are turned and sheared a good deal."""

LEAST_SHOWN = 0.6
"""Share of a plate that has to lie in a picture or crop."""

_FAMILIES = (CHINESE_DESIGNS, EUROPEAN_DESIGNS, AMERICAN_DESIGNS)


def sample(
    photographs: Sequence[Pixels], rng: random.Random, steep: float = STEEP
) -> tuple[Pixels, NDArray[np.float32]]:
    """Make one picture.

    Args:
        photographs: for the ground.
        rng: decides everything.
        steep: share of plates that are turned and sheared a good deal.

    Returns:
        (320, 320, 3) uint8, and (n, 4) float32: the boxes around its plates.
    """
    ground = rng.random() < 0.75
    picture = crop(rng.choice(photographs), SIZE_PX, rng) if ground else drawn_ground(SIZE_PX, rng)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
        place_distraction(picture, rng)
    night = rng.random() < 0.12
    if night:
        picture = as_pixels(picture * rng.uniform(0.08, 0.4))
    boxes: list[NDArray[np.float32]] = []
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        added = _with_plates(picture, boxes, rng, steep)
        boxes += added
        if night and added and rng.random() < 0.6:
            _shine(picture, added[0], rng)
    if rng.random() < 0.4:
        place_distraction(picture, rng, away_from=boxes)
    return photographed(picture, rng), np.array(boxes, np.float32).reshape(-1, 4)


def _with_plates(
    picture: Pixels, taken: Sequence[NDArray[np.float32]], rng: random.Random, steep: float = STEEP
) -> list[NDArray[np.float32]]:
    """A vehicle with a plate or two, side by side or one above the other; nothing where there is no room."""
    wide = NARROWEST_PX * (WIDEST_PX / NARROWEST_PX) ** rng.random()
    count = 2 if wide < 0.4 * SIZE_PX and rng.random() < 0.12 else 1
    designs = [rng.choice(rng.choice(_FAMILIES) if rng.random() < 0.9 else DESIGNS) for _ in range(count)]
    high = wide * designs[0].height_mm / designs[0].width_mm
    at = np.array(
        [rng.uniform(-0.1 * wide, SIZE_PX - 0.9 * wide), rng.uniform(-0.1 * high, SIZE_PX - 0.9 * high)]
    )
    tilt = _tilt(rng, steep)
    placed = [_corners(designs[0], at, wide, tilt, rng)]
    if count == 2:
        first = placed[0]
        second = wide * rng.uniform(0.8, 1.2)
        tall = second * designs[1].height_mm / designs[1].width_mm
        below = rng.random() < 0.75
        gap = rng.uniform(0.02, 0.3) * high
        start = (
            (at[0] + rng.uniform(-0.2, 0.2) * wide, first[:, 1].max() + gap - 0.05 * tall)
            if below
            else (first[:, 0].max() + gap, at[1])
        )
        placed.append(_corners(designs[1], np.array(start), second, tilt, rng))
    boxes = [np.array([*corners.min(0), *corners.max(0)], np.float32) for corners in placed]
    around = np.array([*np.min(boxes, 0)[:2], *np.max(boxes, 0)[2:]], np.float32)
    reach = 0.7 * (around[2:] - around[:2])
    for other in taken:
        if (around[:2] - reach < other[2:]).all() and (around[2:] + reach > other[:2]).all():
            return []
    left, top, right, bottom = map(float, boxes[0])
    body = np.array([left, top - 3 * wide, right, bottom + 6 * high]) + np.array([-2, 0, 2, 0]) * wide
    alone = not any((body[:2] < other[2:]).all() and (body[2:] > other[:2]).all() for other in taken)
    if alone and rng.random() < 0.8:
        draw_vehicle(picture, (left, top, right, bottom), rng)
    shown: list[NDArray[np.float32]] = []
    for design, corners, box in zip(designs, placed, boxes, strict=True):
        inner = np.clip(box, 0, SIZE_PX)
        if (inner[2:] - inner[:2]).prod() < LEAST_SHOWN * (box[2:] - box[:2]).prod():
            continue
        _put_up(picture, design, corners, rng)
        shown.append(inner.astype(np.float32))
    return shown


Tilt = tuple[float, float, float]
"""How far a plate is turned (radians), sheared, and seen from the side (its width by that from the front)."""


def _tilt(rng: random.Random, steep: float) -> Tilt:
    much = rng.random() < steep
    turn = np.deg2rad(rng.gauss(0, 15 if much else 5))
    return float(turn), rng.gauss(0, 0.2 if much else 0.1), 1 - min(0.55, abs(rng.gauss(0, 0.2)))


def _corners(
    design: Design, at: NDArray[np.float64], wide: float, tilt: Tilt, rng: random.Random
) -> NDArray[np.float64]:
    """Where a plate's corners lie, (4, 2), clockwise from the left top."""
    turn, shear, narrow = tilt
    high = wide * design.height_mm / design.width_mm
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]]) + at
    around = corners - corners.mean(0)
    around = around * (narrow, 1) + np.stack([np.zeros(4), around[:, 0] * shear], 1)
    around = around @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    moved: NDArray[np.float64] = (
        around + corners.mean(0) + [[rng.gauss(0, 0.02) * high for _ in "xy"] for _ in range(4)]
    )
    return moved


def _put_up(picture: Pixels, design: Design, corners: NDArray[np.float64], rng: random.Random) -> None:
    """Draw the plate, in a holder with a dealer's name or without."""
    high = float(np.linalg.norm(corners[3] - corners[0]))
    flat = _worn(
        draw_plate(design, number_of(design, rng), max(24, round(high * 1.5)), rng.randrange(64)), rng
    )
    if rng.random() < 0.25:
        held, share = _in_holder(flat, rng)
        middle = corners.mean(0)
        grown = middle + (corners - middle) * share
        laid, cover = warped(held, grown, (SIZE_PX, SIZE_PX))
        _blend(picture, laid, cover)
    laid, cover = warped(flat, corners, (SIZE_PX, SIZE_PX))
    _blend(picture, laid, cover)


def _blend(picture: Pixels, laid: Pixels, cover: NDArray[np.float32]) -> None:
    picture[:] = (picture * (1 - cover[:, :, None]) + laid * cover[:, :, None]).astype(np.uint8)


def _in_holder(plate: Pixels, rng: random.Random) -> tuple[Pixels, NDArray[np.float64]]:
    """An empty holder that stands out around a plate, and how much wider and higher it is."""
    high, wide = plate.shape[:2]
    share = np.array([1 + rng.uniform(0.01, 0.05), 1 + rng.uniform(0.1, 0.4)])
    held = np.full(
        (round(high * share[1]), round(wide * share[0]), 3), rng.choice((15, 30, 60, 190)), np.uint8
    )
    ink = (225, 225, 225) if held[0, 0, 0] < 100 else (30, 30, 30)
    edge = (held.shape[0] - high) / 2
    for base in (edge * 0.85, held.shape[0] - edge * 0.15):
        if rng.random() < 0.6:
            words = "".join(rng.choices("ABDEGILMNORSTUV .", k=rng.randint(8, 22)))
            cv2.putText(
                held, words, (round(0.1 * wide), round(base)), cv2.FONT_HERSHEY_SIMPLEX, edge / 32, ink, 1
            )
    return held, share


def _shine(picture: Pixels, box: NDArray[np.float32], rng: random.Random) -> None:
    """Headlamps or rear lamps at night, to both sides of a plate; they outshine what is near."""
    wide = float(box[2] - box[0])
    glow = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    for side in (-1, 1):
        x = float(box[0] + box[2]) / 2 + side * wide * rng.uniform(0.9, 1.7)
        y = float(box[1]) - wide * rng.uniform(0, 0.6)
        cv2.circle(glow, (round(x), round(y)), max(2, round(wide * rng.uniform(0.08, 0.25))), 1.0, -1)
    spread = cv2.GaussianBlur(glow, (0, 0), max(1.0, wide * rng.uniform(0.1, 0.35)))
    tint = (0.9, 0.95, 1.0) if rng.random() < 0.6 else (0.15, 0.15, 1.0)
    light = (glow + 1.5 * spread)[:, :, None] * np.array(tint, np.float32) * 255
    picture[:] = as_pixels(picture + light)


def _worn(plate: Pixels, rng: random.Random) -> Pixels:
    """Light, shade, dirt and screws, before the plate is put up."""
    high, wide = plate.shape[:2]
    light = np.full((high, wide, 1), rng.uniform(0.35, 1.15) if rng.random() < 0.9 else 1.6, np.float32)
    if rng.random() < 0.4:
        edge = rng.randint(0, wide)
        slant = np.clip((np.arange(wide)[None, :, None] - edge + np.arange(high)[:, None, None]) / 4, 0, 1)
        light = light * (1 - 0.55 * slant.astype(np.float32))
    worn = plate * light + rng.uniform(-12, 25)
    if rng.random() < 0.15:
        stains = np.random.default_rng(rng.getrandbits(32)).random((4, 9), np.float32) ** 2
        dirt = rng.uniform(0.3, 0.9) * cv2.resize(stains, (wide, high))[:, :, None]
        worn = (1 - dirt) * worn + dirt * np.array((70, 95, 115), np.float32)
    if rng.random() < 0.08:
        middle, reach = rng.uniform(0, wide), rng.uniform(0.05, 0.3) * wide
        away = (np.arange(wide, dtype=np.float32)[None, :, None] - middle) / reach
        worn = worn + 200 * np.exp(-(away**2))
    if rng.random() < 0.3:
        edge = max(1, round(high * rng.uniform(0.03, 0.1)))
        shade = rng.choice((20, 40, 200))
        worn[:edge] = worn[-edge:] = worn[:, :edge] = worn[:, -edge:] = shade
    if rng.random() < 0.5:
        for share in (0.12, 0.88):
            cv2.circle(
                worn, (round(share * wide), round(0.12 * high)), max(1, high // 22), (120, 120, 120), -1
            )
    return as_pixels(worn)


def photographed(picture: Pixels, rng: random.Random) -> Pixels:
    """Lens, shutter, sensor and encoder."""
    if rng.random() < 0.5:
        side = round(SIZE_PX * rng.uniform(0.45, 1))
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        picture = as_pixels(cv2.resize(small, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_LINEAR))
    if rng.random() < 0.35:
        picture = as_pixels(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.8)))
    if rng.random() < 0.2:
        length = rng.randint(2, 9)
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, rng.randrange(length)), (length - 1, rng.randrange(length)), 1.0)
        picture = as_pixels(cv2.filter2D(picture, -1, kernel / max(1.0, float(kernel.sum()))))
    numbers = np.random.default_rng(rng.getrandbits(32))
    toned = picture.astype(np.float32) * rng.uniform(0.3 if rng.random() < 0.2 else 0.7, 1.25) + rng.uniform(
        -25, 25
    )
    if rng.random() < 0.15:
        toned = toned.mean(2, keepdims=True).repeat(3, axis=2)
    elif rng.random() < 0.4:
        toned *= np.array([rng.uniform(0.8, 1.2) for _ in range(3)], np.float32)
    toned += numbers.normal(0, abs(rng.gauss(0, 6)), toned.shape)
    picture = as_pixels(toned)
    if rng.random() < 0.6:
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(25, 92)])
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        if decoded is not None:
            picture = decoded.astype(np.uint8)
    return picture
