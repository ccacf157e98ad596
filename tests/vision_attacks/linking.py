"""The linkage attack: by what is left of it, whose is this among many?

The attacker has a picture of each one in a gallery and a further picture of each as probe, both redacted
alike, and takes for each probe the one in the gallery that is most like it. He knows that masks are a box and
a quarter around it, and tries what the box may have been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels
from tests.vision_attacks.hiding import Hide, hidden, mask_of
from tests.vision_attacks.views import Pair, View

Vector = NDArray[np.float32]
Glance = Callable[["Kept"], list[Vector]]
"""What an attacker looks at: vectors to compare, the likeliest first."""

_GREY, _COLOUR, _AROUND = (48, 24), (12, 6), (24, 24)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A picture as it is kept, and where the mask is in it.

    Attributes:
        pixels: of it.
        mask: (4,) int32, left, top, right, bottom.
    """

    pixels: Pixels
    mask: NDArray[np.int32]


def _rectangles(mask: NDArray[np.int32]) -> list[tuple[int, int, int, int]]:
    """What the box may have been: the mask less a quarter around it first, then a little beside that."""
    middle, sides = (mask[:2] + mask[2:]) / 2, (mask[2:] - mask[:2]) / 1.5
    tried = [(0.0, 0.0, 1.0)]
    tried += [
        (x, y, s) for s in (1.0, 0.93, 1.07) for x in (0, -0.03, 0.03, -0.06, 0.06) for y in (0, -0.07, 0.07)
    ]
    found = []
    for x, y, scale in tried:
        at = middle + sides * [x, y]
        low, high = np.round(at - sides * scale / 2), np.round(at + sides * scale / 2)
        found.append((max(int(low[0]), 0), max(int(low[1]), 0), int(high[0]), int(high[1])))
    return found


def _pixels(kept: Kept) -> list[Vector]:
    grey = np.asarray(cv2.cvtColor(kept.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    return [
        _small(grey[top:bottom, left:right], _GREY) for left, top, right, bottom in _rectangles(kept.mask)
    ]


def _colours(kept: Kept) -> list[Vector]:
    return [
        _small(kept.pixels[top:bottom, left:right], _COLOUR)
        for left, top, right, bottom in _rectangles(kept.mask)
    ]


def _mean_colour(kept: Kept) -> list[Vector]:
    left, top, right, bottom = _rectangles(kept.mask)[0]
    return [kept.pixels[top:bottom, left:right].reshape(-1, 3).mean(axis=0, dtype=np.float32)]


def _whole_mask(kept: Kept) -> list[Vector]:
    """All of the mask, with what the encoder's blocks bring into it from beyond its edge."""
    left, top, right, bottom = kept.mask.tolist()
    return [_small(kept.pixels[top:bottom, left:right], _AROUND)]


def _shape(kept: Kept) -> list[Vector]:
    left, top, right, bottom = kept.mask.tolist()
    return [np.log(np.array([(right - left) / (bottom - top)], np.float32))]


def _size(kept: Kept) -> list[Vector]:
    left, top, right, bottom = kept.mask.tolist()
    return [np.log(np.array([right - left, bottom - top], np.float32))]


def _surroundings(kept: Kept) -> list[Vector]:
    """A band around the mask: hair, clothes, a car's colour. Hiding faces and plates leaves it."""
    left, top, right, bottom = kept.mask.tolist()
    wide, high = (right - left) // 4, (bottom - top) // 4
    first = max(top - high, 0), max(left - wide, 0)
    band = kept.pixels[first[0] : bottom + high, first[1] : right + wide].copy()
    band[top - first[0] : bottom - first[0], left - first[1] : right - first[1]] = 0
    return [_small(band, _AROUND)]


GLANCES: Mapping[str, Glance] = MappingProxyType(
    {
        "pixels": _pixels,
        "colours": _colours,
        "mean colour": _mean_colour,
        "whole mask": _whole_mask,
        "mask's shape": _shape,
        "mask's size": _size,
        "surroundings": _surroundings,
    }
)


def top_1(pairs: Sequence[Pair], way: Hide, glances: Mapping[str, Glance] = GLANCES) -> dict[str, float]:
    """By each glance the share of probes whose nearest neighbour in the gallery is the same one.

    Chance is one by their number. Where nothing tells several apart, one of them is taken blindly.
    """
    gallery = [_kept(first, way) for first, _ in pairs]
    probes = [_kept(second, way) for _, second in pairs]
    return {name: _matched(gallery, probes, glance) for name, glance in glances.items()}


def _kept(view: View, way: Hide) -> Kept:
    return Kept(hidden(view, way), mask_of(view))


def _matched(gallery: Sequence[Kept], probes: Sequence[Kept], glance: Glance) -> float:
    known = np.array([glance(kept)[0] for kept in gallery])
    lengths = np.square(known).sum(axis=1)
    random = np.random.default_rng(0)
    hits = 0
    for place, probe in enumerate(probes):
        tried = np.array(glance(probe))
        distances = (np.square(tried).sum(axis=1)[:, None] + lengths - 2 * tried @ known.T).min(axis=0)
        nearest = np.flatnonzero(distances <= distances.min() + 1e-6)
        hits += int(random.choice(nearest) == place)
    return hits / len(probes)


def _small(part: Pixels, size: tuple[int, int]) -> Vector:
    """The part at a small size, its mean and contrast taken out."""
    flat = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
    flat -= flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-3), np.float32)
