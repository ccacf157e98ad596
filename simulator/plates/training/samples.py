"""`sample`: one square picture with plates at known places, and with much that is none."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels
from simulator.plates.designs import AMERICAN_DESIGNS, CHINESE_DESIGNS, DESIGNS, EUROPEAN_DESIGNS, number_of
from simulator.plates.drawing import draw_plate, warped
from simulator.plates.training.backdrops import as_pixels, crop, drawn_ground
from simulator.plates.training.vehicles import draw_vehicle

SIZE_PX = 320
NARROWEST_PX = 18.0
WIDEST_PX = 220.0
_FAMILIES = (CHINESE_DESIGNS, EUROPEAN_DESIGNS, AMERICAN_DESIGNS)
_SIGNS = (
    "STOP",
    "EXIT",
    "P",
    "TAXI",
    "30",
    "50",
    "SALE",
    "CAFE",
    "BUS",
    "POLICE",
    "ONE WAY",
    "HOTEL",
    "BANK",
    "120",
)


def sample(photographs: Sequence[Pixels], rng: random.Random) -> tuple[Pixels, NDArray[np.float32]]:
    """Make one picture.

    Args:
        photographs: for the ground.
        rng: decides everything.

    Returns:
        (320, 320, 3) uint8, and (n, 4) float32: the boxes around its plates.
    """
    ground = rng.random() < 0.75
    picture = crop(rng.choice(photographs), SIZE_PX, rng) if ground else drawn_ground(SIZE_PX, rng)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
        place_distraction(picture, rng)
    boxes: list[NDArray[np.float32]] = []
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        box = _with_plate(picture, boxes, rng)
        if box is not None:
            boxes.append(box)
    if rng.random() < 0.3:
        place_distraction(picture, rng, away_from=boxes)
    return photographed(picture, rng), np.array(boxes, np.float32).reshape(-1, 4)


def _with_plate(
    picture: Pixels, taken: Sequence[NDArray[np.float32]], rng: random.Random
) -> NDArray[np.float32] | None:
    design = rng.choice(rng.choice(_FAMILIES) if rng.random() < 0.9 else DESIGNS)
    wide = NARROWEST_PX * (WIDEST_PX / NARROWEST_PX) ** rng.random()
    high = wide * design.height_mm / design.width_mm
    left = rng.uniform(-0.1 * wide, SIZE_PX - 0.9 * wide)
    top = rng.uniform(-0.1 * high, SIZE_PX - 0.9 * high)
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]]) + np.array([left, top])
    turn = np.deg2rad(rng.gauss(0, 5))
    shear, narrow = rng.gauss(0, 0.1), 1 - min(0.55, abs(rng.gauss(0, 0.2)))
    around = corners - corners.mean(0)
    around = around * (narrow, 1) + np.stack([np.zeros(4), around[:, 0] * shear], 1)
    around = around @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    corners = around + corners.mean(0) + [[rng.gauss(0, 0.02) * high for _ in "xy"] for _ in range(4)]
    box = np.array([*corners.min(0), *corners.max(0)], np.float32)
    reach = 0.7 * (box[2:] - box[:2])
    for other in taken:
        if (box[:2] - reach < other[2:]).all() and (box[2:] + reach > other[:2]).all():
            return None
    if rng.random() < 0.75:
        draw_vehicle(picture, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), rng)
    flat = draw_plate(design, number_of(design, rng), max(24, round(high * 1.5)), rng.randrange(64))
    flat = _worn(flat, rng)
    laid, cover = warped(flat, corners, (SIZE_PX, SIZE_PX))
    picture[:] = (picture * (1 - cover[:, :, None]) + laid * cover[:, :, None]).astype(np.uint8)
    clipped = np.clip(box, 0, SIZE_PX)
    return clipped.astype(np.float32)


def _worn(plate: Pixels, rng: random.Random) -> Pixels:
    """Light, shade, dirt and screws, before the plate is put up."""
    high, wide = plate.shape[:2]
    light = np.full((high, wide, 1), rng.uniform(0.35, 1.15), np.float32)
    if rng.random() < 0.4:
        edge = rng.randint(0, wide)
        slant = np.clip((np.arange(wide)[None, :, None] - edge + np.arange(high)[:, None, None]) / 4, 0, 1)
        light = light * (1 - 0.55 * slant.astype(np.float32))
    worn = plate * light + rng.uniform(-12, 25)
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


def place_distraction(
    picture: Pixels, rng: random.Random, away_from: Sequence[NDArray[np.float32]] = ()
) -> None:
    """Signs, posters, windows and plain boxes: what looks like a plate at first sight."""
    wide = round(2 ** rng.uniform(3.6, 7.2))
    high = max(5, round(wide * 2 ** rng.uniform(-2.2, 1.2)))
    left, top = rng.randint(-8, SIZE_PX - 12), rng.randint(-8, SIZE_PX - 12)
    for box in away_from:
        if left < box[2] and left + wide > box[0] and top < box[3] and top + high > box[1]:
            return
    face = tuple(rng.randint(0, 255) for _ in range(3))
    kind = rng.random()
    if kind < 0.25:
        cv2.circle(picture, (left, top), wide // 2, face, -1)
        cv2.circle(picture, (left, top), wide // 2, (30, 30, 200), max(1, wide // 12))
    elif kind < 0.85:
        cv2.rectangle(picture, (left, top), (left + wide, top + high), face, -1)
    lines = rng.choice((0, 1, 2, 3, 4)) if kind < 0.85 else 1
    ink = (255, 255, 255) if sum(face) < 380 else (10, 10, 10)
    scale = max(0.2, high / (30.0 * max(1, lines)))
    for line in range(lines):
        words = (
            rng.choice(_SIGNS)
            if rng.random() < 0.4
            else "".join(rng.choices(string.ascii_letters + "  ", k=rng.randint(4, 22)))
        )
        at = (left + 2, top + round((line + 0.8) * high / max(1, lines)))
        cv2.putText(
            picture, words, at, rng.choice((0, 2, 3, 4)), scale, ink, max(1, round(scale * 1.6)), cv2.LINE_AA
        )


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
