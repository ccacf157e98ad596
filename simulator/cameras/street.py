"""Draws the street without anyone in it: neither face nor plate."""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.cameras.vehicles import warped_over

Image = NDArray[np.float32]
_WORDS = (
    "BAKERY",
    "HOTEL",
    "OPEN",
    "SALE 50%",
    "EXIT 24",
    "BUS 118",
    "PHARMACY",
    "P 200 m",
    "24 h",
    "TEA",
    "BOOKS",
)
_HORIZON = 0.46
EYE_M = 1.4
"""Height of the camera over the road."""


def focal_px(width: int) -> float:
    """Focal length of a camera whose pictures are `width` pixels wide: some 58 degrees."""
    return 0.9 * width


def horizon_px(height: int) -> float:
    """Row of the horizon."""
    return _HORIZON * height


def drawn_street(width: int, height: int, seed: int) -> Image:
    """An empty street, (height, width, 3) float32, 0 to 1."""
    rng = random.Random(seed)  # noqa: S311 - draws pictures
    grain = np.random.default_rng(seed)
    horizon = round(horizon_px(height))
    image = np.zeros((height, width, 4), np.float32)
    sky = np.array(rng.choice(((0.92, 0.78, 0.60), (0.85, 0.84, 0.82), (0.75, 0.80, 0.92))), np.float32)
    fade = np.linspace(0.75, 1.08, horizon, dtype=np.float32)[:, None, None]
    image[:horizon, :, :3] = np.clip(sky * fade, 0, 1)
    depth = np.linspace(0.42, 0.32, height - horizon, dtype=np.float32)[:, None, None]
    image[horizon:, :, :3] = depth
    image[:, :, 3] = 1
    for distance in (90.0, 55.0):
        _blocks(image, rng, distance)
    for side in (-1, 1):
        _plane(image, _pavement(rng), ((side * 4.5, 0), (side * 9, 0)), (1.2, 90))
        near = 2.0
        while near < 70:
            deep = rng.uniform(8, 18)
            _facade(image, rng, grain, side * rng.uniform(7.5, 9), near, near + deep)
            near += deep + rng.choice((0, 0, 3))
    for mark in range(2, 60, 6):
        _plane(image, np.ones((8, 8, 4), np.float32) * 0.85, ((-0.08, 0), (0.08, 0)), (mark, mark + 3))
    for _ in range(rng.randrange(3, 8)):
        _sign(image, rng)
    noise = grain.standard_normal((height // 2 + 1, width // 2 + 1), np.float32)
    texture = cv2.resize(noise, (width, height))
    return np.clip(image[:, :, :3] * (1 + 0.035 * texture[:, :, None]), 0, 1)


def _seen(image: Image, x: float, y: float, z: float) -> tuple[float, float]:
    height, width = image.shape[:2]
    focal = focal_px(width)
    return width / 2 + x / z * focal, horizon_px(height) + (EYE_M - y) / z * focal


def _plane(
    image: Image,
    texture: Image,
    ends: tuple[tuple[float, float], tuple[float, float]],
    deep: tuple[float, float],
) -> None:
    (left, low), (right, high) = ends
    near, far = deep
    corners = [(left, low, far), (right, high, far), (right, high, near), (left, low, near)]
    warped_over(image, texture, np.array([_seen(image, *corner) for corner in corners], np.float32))


def _pavement(rng: random.Random) -> Image:
    slabs = np.full((480, 120, 4), rng.uniform(0.45, 0.6), np.float32)
    slabs[::40, :, :3] *= 0.75
    slabs[:, ::40, :3] *= 0.75
    slabs[:, :, 3] = 1
    return slabs


def _blocks(image: Image, rng: random.Random, distance: float) -> None:
    x = -distance
    while x < distance:
        wide, high = rng.uniform(8, 20), rng.uniform(8, 30)
        left, top = _seen(image, x, high, distance)
        right, bottom = _seen(image, x + wide, 0, distance)
        shade = rng.uniform(0.45, 0.75)
        cv2.rectangle(
            image,
            (round(left), round(top)),
            (round(right), round(bottom)),
            (shade * 1.05, shade, shade * 0.97, 1),
            -1,
        )
        x += wide


def _facade(
    image: Image, rng: random.Random, grain: np.random.Generator, x: float, near: float, far: float
) -> None:
    floors, bays = rng.randrange(3, 7), rng.randrange(3, 7)
    tone = rng.uniform(0.35, 0.72)
    wall = np.array([tone * rng.uniform(0.75, 1.0), tone, tone * rng.uniform(1.0, 1.2), 1], np.float32)
    texture = np.empty((floors * 80, bays * 70, 4), np.float32)
    texture[:] = wall
    texture[:, :, :3] *= (
        1 + np.float32(0.06) * grain.standard_normal(texture.shape[:2], np.float32)[:, :, None]
    )
    for floor in range(floors):
        for bay in range(bays):
            pane = rng.uniform(0.12, 0.4)
            top, left = floor * 80 + 18, bay * 70 + 16
            if floor == floors - 1:
                cv2.rectangle(
                    texture, (left - 8, top), (left + 46, top + 60), (pane, pane, pane * 0.9, 1), -1
                )
                if rng.random() < 0.6:
                    _poster(texture, rng, left, top + 8)
            else:
                cv2.rectangle(
                    texture, (left, top), (left + 38, top + 46), (pane * 1.2, pane, pane * 0.9, 1), -1
                )
                cv2.rectangle(texture, (left, top), (left + 38, top + 46), (0.85, 0.85, 0.85, 1), 2)
    word = rng.choice(_WORDS)
    row = (floors - 1) * 80 + 14
    cv2.putText(
        texture,
        word,
        (12, row),
        cv2.FONT_HERSHEY_DUPLEX,
        0.8,
        (rng.random(), rng.random(), rng.random(), 1),
        2,
        cv2.LINE_AA,
    )
    high = floors * 3.2
    corners = [(x, high, near), (x, high, far), (x, 0, far), (x, 0, near)]
    if x > 0:
        corners = [corners[1], corners[0], corners[3], corners[2]]
    warped_over(image, texture, np.array([_seen(image, *corner) for corner in corners], np.float32))


def _poster(texture: Image, rng: random.Random, left: int, top: int) -> None:
    ground = (rng.random(), rng.random(), rng.random(), 1)
    cv2.rectangle(texture, (left, top), (left + 36, top + 46), ground, -1)
    ink = (rng.random(), rng.random(), rng.random(), 1)
    shape = rng.randrange(3)
    if shape == 0:
        cv2.circle(texture, (left + 18, top + 20), 12, ink, -1, cv2.LINE_AA)
    elif shape == 1:
        cv2.ellipse(texture, (left + 18, top + 22), (8, 16), rng.uniform(0, 90), 0, 360, ink, -1, cv2.LINE_AA)
    cv2.putText(
        texture,
        rng.choice(_WORDS)[:4],
        (left + 2, top + 42),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.4,
        ink,
        1,
        cv2.LINE_AA,
    )


def _sign(image: Image, rng: random.Random) -> None:
    z, x, y = rng.uniform(5, 30), rng.choice((-1, 1)) * rng.uniform(4.6, 6.5), rng.uniform(2.2, 3.2)
    board = np.ones((120, rng.choice((120, 220, 320)), 4), np.float32)
    high, wide = board.shape[:2]
    if wide == 120:
        board[:] = 0
        ring = rng.choice(((0.1, 0.1, 0.8, 1), (0.7, 0.3, 0.1, 1)))
        cv2.circle(board, (60, 60), 56, ring, -1, cv2.LINE_AA)
        cv2.circle(board, (60, 60), 42, (0.95, 0.95, 0.95, 1), -1, cv2.LINE_AA)
        cv2.putText(
            board,
            str(rng.choice((30, 50, 60, 80))),
            (24, 78),
            cv2.FONT_HERSHEY_DUPLEX,
            1.6,
            (0, 0, 0, 1),
            4,
            cv2.LINE_AA,
        )
    else:
        board[:] = (
            *rng.choice(((0.6, 0.25, 0.05), (0.25, 0.45, 0.05), (0.95, 0.95, 0.95), (0.1, 0.75, 0.95))),
            1,
        )
        ink = (0.05, 0.05, 0.05, 1) if float(board[0, 0, :3].sum()) > 1.6 else (0.95, 0.95, 0.95, 1)
        cv2.putText(board, rng.choice(_WORDS), (10, 75), cv2.FONT_HERSHEY_DUPLEX, 1.3, ink, 3, cv2.LINE_AA)
    half = 0.35 * wide / high
    foot, head = _seen(image, x, 0, z), _seen(image, x, y + 0.7, z)
    thick = max(round(0.07 / z * focal_px(image.shape[1])), 1)
    cv2.line(
        image, (round(foot[0]), round(foot[1])), (round(head[0]), round(head[1])), (0.5, 0.5, 0.5, 1), thick
    )
    corners = [(x - half, y + 0.7, z), (x + half, y + 0.7, z), (x + half, y, z), (x - half, y, z)]
    warped_over(image, board, np.array([_seen(image, *corner) for corner in corners], np.float32))
