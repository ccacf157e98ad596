"""Backs and fronts of vehicles, roughly drawn around the place where the plate goes."""

from __future__ import annotations

import random

import cv2
import numpy as np

from edge.vision.picture import Pixels

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""


def _colour(rng: random.Random) -> tuple[int, int, int]:
    kind = rng.random()
    if kind < 0.55:
        grey = rng.choice((18, 30, 60, 110, 160, 200, 225, 240))
        return (grey + rng.randint(-8, 8), grey + rng.randint(-8, 8), grey + rng.randint(-8, 8))
    return (rng.randint(10, 220), rng.randint(10, 200), rng.randint(10, 230))


def draw_vehicle(picture: Pixels, plate: Box, rng: random.Random) -> None:
    """Draw a vehicle's back or front into a picture, around a plate's box that is drawn later."""
    left, top, right, bottom = plate
    wide, high = right - left, bottom - top
    middle = (left + right) / 2
    body = wide * rng.uniform(2.2, 4.2)
    tall = wide * rng.uniform(1.0, 2.6)
    base = bottom + high * rng.uniform(0.2, 4)
    colour = _colour(rng)
    _block(picture, (middle - body / 2, base - tall, middle + body / 2, base), colour, rng)
    if rng.random() < 0.7:
        glass = tuple(round(v * rng.uniform(0.1, 0.6)) + 20 for v in (90, 80, 70))
        _block(
            picture,
            (middle - body * 0.38, base - tall * 0.97, middle + body * 0.38, base - tall * 0.6),
            glass,
            rng,
        )
    for side in (-1, 1):
        lamp = (30, 30, rng.randint(120, 230)) if rng.random() < 0.6 else (rng.randint(150, 250),) * 3
        at = middle + side * body * rng.uniform(0.34, 0.44)
        size = wide * rng.uniform(0.2, 0.45)
        height = top - high * rng.uniform(-0.5, 3)
        _block(
            picture, (at - size / 2, height - size * rng.uniform(0.2, 0.6), at + size / 2, height), lamp, rng
        )
    if rng.random() < 0.45:
        for row in range(rng.randint(3, 9)):
            y = top - high * (0.3 + 0.35 * row)
            _block(picture, (middle - body * 0.3, y, middle + body * 0.3, y + high * 0.14), (25, 25, 28), rng)
    if rng.random() < 0.6:
        shade = tuple(max(0, v - rng.randint(10, 90)) for v in colour)
        margin = wide * rng.uniform(0.03, 0.3)
        _block(
            picture, (left - margin, top - margin * 0.6, right + margin, bottom + margin * 0.6), shade, rng
        )
    if rng.random() < 0.5:
        text = rng.choice(
            ("4MATIC", "HYBRID", "TURBO", "QUATTRO", "EV", "2.0T", "GLX", "SPORT", "BYD", "VOLVO")
        )
        where = (round(middle + body * rng.uniform(-0.4, 0.2)), round(top - high * rng.uniform(0.6, 2.5)))
        scale = max(0.2, wide / 220)
        cv2.putText(
            picture, text, where, cv2.FONT_HERSHEY_SIMPLEX, scale, (200, 200, 205), max(1, round(scale * 2))
        )
    if rng.random() < 0.4:
        y = bottom + high * rng.uniform(0.1, 1.2)
        _block(picture, (middle - body / 2, y, middle + body / 2, y + high * 0.1), (40, 40, 40), rng)


def _block(picture: Pixels, box: Box, colour: tuple[int, ...], rng: random.Random) -> None:
    """A filled box with a slope of light, clipped to the picture."""
    high, wide = picture.shape[:2]
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(wide, round(box[2])), min(high, round(box[3]))
    if right <= left or bottom <= top:
        return
    slope = np.linspace(rng.uniform(0.75, 1.2), rng.uniform(0.7, 1.1), bottom - top, dtype=np.float32)[
        :, None, None
    ]
    flat = np.array(colour, np.float32)[None, None] * slope
    picture[top:bottom, left:right] = np.clip(flat, 0, 255).astype(np.uint8).repeat(right - left, axis=1)
