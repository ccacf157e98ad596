"""What looks like a plate at first sight and is none: signs, stamps, lamps, eyes, fences, cloth, windows."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge.vision.picture import Pixels
from simulator.plates.designs import PROVINCES, SUFFIXES
from simulator.plates.fonts import CHINESE, LATIN, font

Colour = tuple[int, int, int]
_Box = tuple[int, int, int, int]

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
_CHARACTERS = PROVINCES + SUFFIXES + "停车场出口银行饭店公交站广告中国人民大学路街"


def place_distraction(
    picture: Pixels, rng: random.Random, away_from: Sequence[NDArray[np.float32]] = ()
) -> None:
    """Draw one of them somewhere.

    Args:
        picture: square; drawn into.
        rng: decides which, where, how large.
        away_from: boxes that are not touched.
    """
    side = picture.shape[0]
    wide = round(2 ** rng.uniform(3.6, 7.6))
    high = max(5, round(wide * 2 ** rng.uniform(-2.2, 1.2)))
    left, top = rng.randint(-8, side - 12), rng.randint(-8, side - 12)
    for box in away_from:
        if left - 2 < box[2] and left + wide + 2 > box[0] and top - 2 < box[3] and top + high + 2 > box[1]:
            return
    draw = rng.choices(_KINDS, _OFTEN)[0]
    draw(picture, (left, top, left + wide, top + high), rng)


def _any_colour(rng: random.Random) -> Colour:
    return rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)


def _grey(rng: random.Random, low: int = 0, high: int = 255) -> Colour:
    level = rng.randint(low, high)
    return level, level, level


def _sign(picture: Pixels, box: _Box, rng: random.Random) -> None:
    """A round or square sign, or a poster, in the strokes that OpenCV draws."""
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    face, kind = _any_colour(rng), rng.random()
    if kind < 0.25:
        cv2.circle(picture, (left, top), wide // 2, face, -1)
        cv2.circle(picture, (left, top), wide // 2, (30, 30, 200), max(1, wide // 12))
    elif kind < 0.85:
        cv2.rectangle(picture, (left, top), (right, bottom), face, -1)
    lines = rng.choice((0, 1, 2, 3, 4)) if kind < 0.85 else 1
    ink = (255, 255, 255) if sum(face) < 380 else (10, 10, 10)
    scale = max(0.2, high / (30.0 * max(1, lines)))
    for line in range(lines):
        words = rng.choice(_SIGNS) if rng.random() < 0.4 else _letters(rng, rng.randint(4, 22))
        at = (left + 2, top + round((line + 0.8) * high / max(1, lines)))
        cv2.putText(
            picture, words, at, rng.choice((0, 2, 3, 4)), scale, ink, max(1, round(scale * 1.6)), cv2.LINE_AA
        )


def _letters(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.ascii_letters + "  ", k=count))


def _stamp(picture: Pixels, box: _Box, rng: random.Random) -> None:
    """Date and time in the picture's corner, as cameras write them."""
    left, top, right, _ = box
    high = max(7, (right - left) // 8)
    day = f"{rng.randint(1999, 2031)}{rng.choice('-/.')}{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    lines = rng.choice(((f"{day} {clock}",), (day, clock), (clock,), (day,)))
    ink = rng.choice(((255, 255, 255), (255, 230, 80), (255, 140, 20), (20, 20, 20)))
    _write(picture, (left, top), lines, high, rng, ink)


def _writing(picture: Pixels, box: _Box, rng: random.Random) -> None:
    """Lines of printed text, on a wall or on a panel of many lines."""
    left, top, right, bottom = box
    lines = rng.randint(1, 5)
    high = max(5, (bottom - top) // lines)
    if lines > 2 and rng.random() < 0.6:
        cv2.rectangle(picture, (left, top), (right, bottom), _any_colour(rng), -1)
    words = []
    for _ in range(lines):
        if rng.random() < 0.3:
            words.append("".join(rng.choices(_CHARACTERS, k=rng.randint(2, 12))))
        else:
            words.append(rng.choice(_SIGNS) if rng.random() < 0.2 else _letters(rng, rng.randint(4, 20)))
    shade = picture[max(0, top) : bottom, max(0, left) : right]
    dark = shade.size > 0 and shade.mean() < 120
    ink = _grey(rng, 190) if dark else (_grey(rng, 0, 60) if rng.random() < 0.7 else _any_colour(rng))
    _write(picture, (left, top), words, high, rng, ink)


def _write(
    picture: Pixels, at: tuple[int, int], lines: Sequence[str], high: int, rng: random.Random, ink: Colour
) -> None:
    image = Image.fromarray(picture)
    draw, typeface = ImageDraw.Draw(image), rng.randrange(64)
    for place, line in enumerate(lines):
        chinese = any(character in _CHARACTERS for character in line)
        face = font(CHINESE if chinese else LATIN, typeface, max(5, round(0.85 * high)))
        draw.text((at[0], at[1] + place * high), line, fill=ink, font=face)
    picture[:] = np.asarray(image)


def _lamp(picture: Pixels, box: _Box, rng: random.Random) -> None:
    """A lamp in its housing: a lens with rings, ribs and what it reflects."""
    left, top, right, bottom = box
    wide, high = max(6, right - left), max(6, min(bottom - top, right - left))
    middle = (left + wide // 2, top + high // 2)
    turn = rng.uniform(-25, 25)
    axes = (wide // 2, high // 2)
    cv2.ellipse(picture, middle, axes, turn, 0, 360, _grey(rng, 0, 90), -1)
    red = rng.random() < 0.4
    lens = (rng.randint(0, 50), rng.randint(0, 50), rng.randint(90, 230)) if red else _grey(rng, 90, 240)
    inner = (max(1, round(axes[0] * 0.85)), max(1, round(axes[1] * 0.8)))
    if rng.random() < 0.5:
        cv2.ellipse(picture, middle, inner, turn, 0, 360, lens, -1)
    else:
        reach = np.array(inner)
        low, top_right = np.array(middle) - reach, np.array(middle) + reach
        cv2.rectangle(picture, low.tolist(), top_right.tolist(), lens, -1)
    for _ in range(rng.randint(0, 7)):
        x = middle[0] + rng.randint(-inner[0], inner[0])
        shade = tuple(max(0, level - rng.randint(10, 80)) for level in lens)
        cv2.line(picture, (x, middle[1] - inner[1] // 2), (x, middle[1] + inner[1] // 2), shade, 1)
    for _ in range(rng.randint(1, 3)):
        spot = (middle[0] + rng.randint(-inner[0], inner[0]) // 2, middle[1])
        size = max(1, round(inner[1] * rng.uniform(0.1, 0.7)))
        cv2.circle(picture, spot, size, _grey(rng, 120), -1 if rng.random() < 0.6 else max(1, size // 4))


def _eye(picture: Pixels, box: _Box, rng: random.Random) -> None:
    """An eye in a face's skin: lids, white, iris, light in it, brow."""
    left, top, right, _ = box
    wide = max(8, right - left)
    high = round(wide * rng.uniform(0.3, 0.55))
    x, y = left + wide // 2, top + high
    tone = rng.uniform(0.25, 1.0)
    skin = tuple(round(tone * level + rng.randint(-10, 10)) for level in (150, 180, 225))
    patch = picture.copy()
    cv2.ellipse(patch, (x, y), (wide, round(1.2 * wide)), 0, 0, 360, skin, -1)
    lid = tuple(max(0, level - rng.randint(40, 110)) for level in skin)
    cv2.ellipse(patch, (x, y), (wide // 2, high // 2), rng.uniform(-12, 12), 0, 360, lid, -1)
    inner = (round(0.42 * wide), max(1, round(0.36 * high)))
    cv2.ellipse(patch, (x, y), inner, rng.uniform(-12, 12), 0, 360, _grey(rng, 170, 240), -1)
    size = max(1, round(0.38 * high))
    iris = (rng.randint(20, 160), rng.randint(20, 110), rng.randint(10, 90))
    cv2.circle(patch, (x, y), size, iris, -1)
    cv2.circle(patch, (x, y), max(1, size // 2), (10, 10, 10), -1)
    cv2.circle(patch, (x - size // 3, y - size // 3), max(1, size // 4), (245, 245, 245), -1)
    brow = (max(1, round(0.55 * wide)), max(1, high // 3))
    cv2.ellipse(patch, (x, y - round(0.7 * high)), brow, 0, 200, 340, lid, max(1, high // 6))
    picture[:] = cv2.GaussianBlur(patch, (0, 0), max(0.3, wide * rng.uniform(0.005, 0.04)))


def _bars(picture: Pixels, box: _Box, rng: random.Random) -> None:
    """A fence, railing, grille, blind or striped cloth: bars side by side, upright, level or slanting."""
    left, top, right, bottom = box
    right += right - left if rng.random() < 0.5 else 0
    side = picture.shape[0]
    part = picture[max(0, top) : max(0, min(side, bottom)), max(0, left) : max(0, min(side, right))]
    if not part.size:
        return
    rows, columns = np.indices(part.shape[:2], np.float64)
    turn = rng.choice((0.0, 0.0, 90.0, 90.0, rng.uniform(0, 180)))
    across = columns * np.cos(np.deg2rad(turn)) + rows * np.sin(np.deg2rad(turn))
    if rng.random() < 0.2:
        across = across + 3 * np.sin(rows / rng.uniform(2, 12))
    pitch = rng.uniform(2.5, 16)
    on = (across % pitch) < pitch * rng.uniform(0.2, 0.7)
    if rng.random() < 0.6:
        part[~on] = _any_colour(rng) if rng.random() < 0.4 else _grey(rng)
    part[on] = _any_colour(rng) if rng.random() < 0.4 else _grey(rng)
    if rng.random() < 0.4:
        edge = _grey(rng)
        cv2.rectangle(picture, (left, top), (right, bottom), edge, max(1, (bottom - top) // 14))


def _window(picture: Pixels, box: _Box, rng: random.Random) -> None:
    """A window, a framed picture, a vent or an empty holder: a frame, and in it glass, clutter or nothing."""
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    inside = _grey(rng, 10, 230) if rng.random() < 0.6 else _any_colour(rng)
    cv2.rectangle(picture, (left, top), (right, bottom), inside, -1)
    for _ in range(rng.choice((0, 0, 1, 3, 8))):
        x, y = rng.randint(left, right), rng.randint(top, bottom)
        size = (max(1, rng.randint(1, wide) // 3), max(1, rng.randint(1, high) // 2))
        colour = _any_colour(rng) if rng.random() < 0.5 else _grey(rng)
        if rng.random() < 0.5:
            cv2.ellipse(picture, (x, y), size, 0, 0, 360, colour, -1)
        else:
            end = (min(right, x + size[0]), min(bottom, y + size[1]))
            cv2.rectangle(picture, (x, y), end, colour, -1)
    thick = max(1, round(min(wide, high) * rng.uniform(0.02, 0.15)))
    frame = _grey(rng)
    if rng.random() < 0.7:
        cv2.rectangle(picture, (left, top), (right, bottom), frame, thick)
    for _ in range(rng.choice((0, 0, 1, 2))):
        x = rng.randint(left, right)
        cv2.line(picture, (x, top), (x, bottom), frame, thick)


def _patch(picture: Pixels, box: _Box, rng: random.Random) -> None:
    """A bright or dark gap, a paint mark on the road, a shadow: four corners and one colour."""
    left, top, right, bottom = box
    wide = right - left
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    corners += np.array([[rng.gauss(0, 0.12) * wide for _ in "xy"] for _ in range(4)])
    over = picture.copy()
    cv2.fillPoly(over, [corners.round().astype(np.int32)], _grey(rng))
    share = rng.uniform(0.4, 1)
    picture[:] = np.clip(share * over.astype(np.float32) + (1 - share) * picture, 0, 255).astype(np.uint8)


_KINDS: tuple[Callable[[Pixels, _Box, random.Random], None], ...] = (
    _sign,
    _stamp,
    _writing,
    _lamp,
    _eye,
    _bars,
    _window,
    _patch,
)
_OFTEN = (5, 2, 4, 3, 2, 4, 3, 1)
