"""Draws one plate, flat and clean, as it leaves the press."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from edge.vision.picture import Pixels
from simulator.plates.designs import Colour, Design
from simulator.plates.fonts import CHINESE, LATIN, font

_CAPTION = 0.16
"""Share of the height that a caption takes."""

_WIDEST = 0.75
"""Of the place of a character, by its height."""

_STICKER_SHARE = 0.35
_PAIRS_IN = 3
"""One in so many emblems is a pair of stickers."""

_FIRST_CHINESE = "\u2e80"

_BAND = 0.085
"""Share of the width that a band takes."""


def draw_plate(design: Design, number: Sequence[str], height_px: int, typeface: int = 0) -> Pixels:
    """Draw a plate.

    Args:
        design: what it looks like.
        number: its characters, by line.
        height_px: of the whole plate; the width follows.
        typeface: counts through the fonts that are installed.

    Returns:
        (height, width, 3) uint8 blue, green, red.
    """
    width_px = max(8, round(height_px * design.width_mm / design.height_mm))
    ground = _ground(design, width_px, height_px)
    if design.pictured:
        _paint_picture(ground, np.random.default_rng(typeface * 131 + sum(map(ord, "".join(number)))))
    image = Image.fromarray(ground)
    draw = ImageDraw.Draw(image)
    left, right, top, bottom = 0.03, 0.97, 0.07, 0.93
    if design.left_band is not None:
        draw.rectangle((0, 0, _BAND * width_px, height_px), fill=design.left_band)
        left = _BAND + 0.02
    if design.right_band is not None:
        draw.rectangle(((1 - _BAND) * width_px, 0, width_px, height_px), fill=design.right_band)
        right = 1 - _BAND - 0.02
    if design.top_band is not None:
        draw.rectangle((0, 0, width_px, 0.24 * height_px), fill=design.top_band)
        top = 0.28
    if design.caption:
        _line(
            draw,
            design.caption,
            (left, top, right, top + _CAPTION),
            (width_px, height_px),
            design.ink,
            typeface,
        )
        top += _CAPTION + 0.03
    if design.caption_below:
        box = (left, bottom - _CAPTION, right, bottom)
        _line(draw, design.caption_below, box, (width_px, height_px), design.ink, typeface)
        bottom -= _CAPTION + 0.03
    parts = (design.first_line, 1 - design.first_line) if len(number) > 1 else (1.0,)
    whole = bottom - top
    for place, (line, part) in enumerate(zip(number, parts, strict=True)):
        high = part * whole
        aside = 0.0 if place or len(number) == 1 else 0.12 * (right - left)
        box = (left + aside, top, right - aside, top + 0.94 * high)
        accented = design.accented if place == len(number) - 1 else ()
        _line(draw, line, box, (width_px, height_px), design.ink, typeface, design.accent, accented)
        top += high
    if design.border:
        edge = max(1, round(0.02 * height_px))
        draw.rounded_rectangle(
            (edge, edge, width_px - 1 - edge, height_px - 1 - edge),
            0.06 * height_px,
            outline=design.ink,
            width=edge,
        )
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def _ground(design: Design, width_px: int, height_px: int) -> Pixels:
    share = np.linspace(0, 1, height_px)[:, None]
    column = (1 - share) * np.array(design.ground) + share * np.array(design.ground_below)
    return np.repeat(column.round().astype(np.uint8)[:, None], width_px, axis=1)


def _paint_picture(ground: Pixels, numbers: np.random.Generator) -> None:
    """Hills, suns and trees in pale colours behind the characters, and a sticker or two."""
    high, wide = ground.shape[:2]
    over = ground.copy()
    for _ in range(int(numbers.integers(2, 7))):
        middle = (int(numbers.integers(0, wide)), int(numbers.integers(high // 4, high)))
        axes = (int(numbers.integers(wide // 16, wide // 3)), int(numbers.integers(high // 12, high // 2)))
        colour = tuple(int(level) for level in numbers.integers(40, 255, 3))
        cv2.ellipse(over, middle, axes, 0, 0, 360, colour, -1)
    share = float(numbers.uniform(0.1, 0.5))
    ground[:] = np.clip(share * over + (1 - share) * ground, 0, 255)
    for left, top in ((0.03, 0.05), (0.83, 0.05), (0.03, 0.75), (0.83, 0.75)):
        if numbers.random() < _STICKER_SHARE:
            colour = tuple(int(level) for level in numbers.integers(30, 255, 3))
            corner = (round((left + 0.13) * wide), round((top + 0.19) * high))
            cv2.rectangle(ground, (round(left * wide), round(top * high)), corner, colour, -1)


def _line(
    draw: ImageDraw.ImageDraw,
    text: str,
    box: tuple[float, float, float, float],
    size_px: tuple[int, int],
    ink: Colour,
    typeface: int,
    accent: Colour | None = None,
    accented: tuple[int, ...] = (),
) -> None:
    """Draw characters as high as a box given in shares of the plate, and as wide as fits."""
    left, top, right, bottom = (share * size_px[place % 2] for place, share in enumerate(box))
    wide, high = max(1, round(right - left)), max(1, round(bottom - top))
    cell = min(wide / max(1, len(text)), _WIDEST * high)
    start = left + (wide - cell * len(text)) / 2
    special = {place % len(text) for place in accented} if accent is not None else set()
    for place, character in enumerate(text):
        middle = start + (place + 0.5) * cell
        colour = accent if place in special and accent is not None else ink
        if character == "*":
            _emblem(draw, (middle, top + high / 2), 0.36 * min(cell, high), typeface)
        elif character in "·-":
            dot = max(1, round(high * 0.08))
            long = dot if character == "·" else 2 * dot
            at = top + high / 2
            draw.rectangle((middle - long, at - dot, middle + long, at + dot), fill=colour)
        elif character != " ":
            glyph = _glyph(character, typeface, high)
            narrow = 0.45 if character in "1I" else 0.82
            sized = glyph.resize(
                (max(1, round(narrow * cell)), max(1, round(0.92 * high))), Image.Resampling.BILINEAR
            )
            draw.bitmap((round(middle - sized.width / 2), round(top + 0.04 * high)), sized, fill=colour)


def _emblem(draw: ImageDraw.ImageDraw, middle: tuple[float, float], reach: float, kind: int) -> None:
    """A coat of arms, a round sticker or a pair of them, of no authority in particular."""
    x, y = middle
    colours = ((200, 40, 40), (30, 70, 170), (60, 150, 70), (230, 200, 60), (150, 150, 155))
    if kind % _PAIRS_IN == _PAIRS_IN - 1:
        for side, colour in ((-0.55, colours[kind % 5]), (0.55, colours[(kind + 2) % 5])):
            at, half = y + side * 1.4 * reach, 0.7 * reach
            draw.ellipse((x - half, at - half, x + half, at + half), fill=colour)
        return
    draw.ellipse((x - reach, y - 1.2 * reach, x + reach, y + 1.2 * reach), fill=colours[kind % 5])
    draw.rectangle((x - 0.4 * reach, y - 0.5 * reach, x + 0.4 * reach, y), fill=colours[(kind + 3) % 5])


def _glyph(character: str, typeface: int, height_px: int) -> Image.Image:
    """One character, as large as its own outline."""
    face = font(CHINESE if character > _FIRST_CHINESE else LATIN, typeface, max(6, round(1.3 * height_px)))
    bounds = face.getbbox(character)
    size = max(1, round(bounds[2] - bounds[0])), max(1, round(bounds[3] - bounds[1]))
    glyph = Image.new("L", size)
    ImageDraw.Draw(glyph).text((-bounds[0], -bounds[1]), character, fill=255, font=face)
    return glyph


def warped(plate: Pixels, corners: np.ndarray, size_px: tuple[int, int]) -> tuple[Pixels, np.ndarray]:
    """Put a plate into a picture by its four corners.

    Args:
        plate: as `draw_plate` gives it.
        corners: (4, 2) float: where its corners lie, clockwise from the left top.
        size_px: width and height of the picture.

    Returns:
        The picture, black around it, and (height, width) float32, 0 to 1, how much of each pixel it covers.
    """
    high, wide = plate.shape[:2]
    flat = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    laid = cv2.warpPerspective(plate, matrix, size_px, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpPerspective(np.ones((high, wide), np.float32), matrix, size_px, flags=cv2.INTER_LINEAR)
    return laid.astype(np.uint8, copy=False), mask.astype(np.float32, copy=False)
