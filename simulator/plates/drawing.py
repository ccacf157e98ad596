"""Draws one plate, flat and clean, as it leaves the press."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from edge.vision.picture import Pixels
from simulator.plates.designs import PROVINCES, Colour, Design
from simulator.plates.fonts import CHINESE, LATIN, font

_CAPTION = 0.16
"""Share of the height that a caption takes."""

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
    image = Image.fromarray(_ground(design, width_px, height_px))
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
    step = (bottom - top) / len(number)
    for place, line in enumerate(number):
        box = (left, top + place * step, right, top + (place + 0.94) * step)
        _line(draw, line, box, (width_px, height_px), design.ink, typeface)
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


def _line(
    draw: ImageDraw.ImageDraw,
    text: str,
    box: tuple[float, float, float, float],
    size_px: tuple[int, int],
    ink: Colour,
    typeface: int,
) -> None:
    """Draw characters stretched to fill a box given in shares of the plate."""
    left, top, right, bottom = (share * size_px[place % 2] for place, share in enumerate(box))
    wide, high = max(1, round(right - left)), max(1, round(bottom - top))
    canvas = Image.new("L", (wide, high))
    pen = 0
    strips = []
    for character in text:
        names = CHINESE if character in PROVINCES else LATIN
        face = font(names, typeface, max(6, round(1.3 * high)))
        bounds = face.getbbox(character)
        glyph_wide = max(1, round(bounds[2] - bounds[0]))
        glyph_high = max(1, round(bounds[3] - bounds[1]))
        glyph = Image.new("L", (glyph_wide, glyph_high))
        ImageDraw.Draw(glyph).text((-bounds[0], -bounds[1]), character, fill=255, font=face)
        strips.append((character, glyph))
        pen += 1
    cell = wide / max(1, pen)
    for place, (character, glyph) in enumerate(strips):
        if character in " ·-":
            if character != " ":
                dot = max(1, round(high * 0.12))
                middle = (round((place + 0.5) * cell), high // 2)
                ImageDraw.Draw(canvas).rectangle(
                    (middle[0] - dot, middle[1] - dot // 2, middle[0] + dot, middle[1] + dot // 2), fill=255
                )
            continue
        narrow = 0.45 if character in "1I" else 0.82
        sized = glyph.resize(
            (max(1, round(narrow * cell)), max(1, round(0.92 * high))), Image.Resampling.BILINEAR
        )
        canvas.paste(sized, (round((place + 0.5) * cell - sized.width / 2), round(0.04 * high)))
    draw.bitmap((round(left), round(top)), canvas, fill=ink)


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
