"""The linkage attack: by what is left of it, whose is this among many?

The attacker has a picture of each one in a gallery and a further picture of each as probe, both redacted
alike, and takes for each probe the one in the gallery that is most like it. He knows that masks are a box and
a quarter around it, and looks for the gallery's box in and around the probe's, at several sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels
from tests.vision_attacks.hiding import Hide, hidden, mask_of
from tests.vision_attacks.views import Pair, View


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A picture as it is kept, and where the mask is in it.

    Attributes:
        pixels: of it.
        mask: (4,) int32, left, top, right, bottom.
    """

    pixels: Pixels
    mask: NDArray[np.int32]


Vector = NDArray[np.float32]
Likeness = Callable[[Kept], Vector]
"""How like each picture of a gallery is to a probe, (n,) float32."""

Glance = Callable[[Sequence[Kept]], Likeness]
"""What an attacker looks at: he takes a gallery in, and then compares probes with it."""

_COLOUR, _AROUND = (12, 6), (24, 24)
_BOX_PX = 64, 28
"""Width and height at which the pixels of boxes are compared."""

_INNER = 0.84, 0.76
"""Share of a box that is compared: what is at its edge may be background."""

_WIDER, _HIGHER = (0.91, 0.97, 1.03, 1.09), (0.92, 1.0, 1.08)
"""A detector's box is off by some hundredths on each side, in either picture."""

_ALIKE = 1e-6

_REACH = 1.3
"""How much of what is around a box is searched for it."""


def _sought(gallery: Sequence[Kept]) -> Likeness:
    """Look for the inner part of each box of a gallery in and around the probe's, at several sizes."""
    known = [_inner(_grey(_resized(kept, (1, 1), 1))) for kept in gallery]

    def likeness(probe: Kept) -> Vector:
        planes = [_grey(_resized(probe, scale, _REACH)) for scale in product(_WIDER, _HIGHER)]
        return np.array(
            [
                max(cv2.matchTemplate(plane, one, cv2.TM_CCOEFF_NORMED).max() for plane in planes)
                for one in known
            ],
            np.float32,
        )

    return likeness


def _resized(kept: Kept, scale: tuple[float, float], reach: float) -> Pixels:
    """What lies in a box and around it, so that the box has `_BOX_PX` times a scale."""
    middle, sides = (kept.mask[:2] + kept.mask[2:]) / 2, (kept.mask[2:] - kept.mask[:2]) / 1.5
    size = np.round(np.array(_BOX_PX) * scale * reach).astype(int)
    ratio = sides * reach / size
    how = np.array([[ratio[0], 0, 0], [0, ratio[1], 0]], np.float32)
    how[:, 2] = middle - ratio * (size - 1) / 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(kept.pixels, how, size.tolist(), flags=flags, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _grey(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)


def _inner(plane: Pixels) -> Pixels:
    high, wide = plane.shape[:2]
    inner_wide, inner_high = round(wide * _INNER[0]), round(high * _INNER[1])
    left, top = (wide - inner_wide) // 2, (high - inner_high) // 2
    return np.ascontiguousarray(plane[top : top + inner_high, left : left + inner_wide])


def _nearest(look: Callable[[Kept], Vector]) -> Glance:
    """Compare by the distance of what a look gives."""

    def glance(gallery: Sequence[Kept]) -> Likeness:
        known = np.array([look(kept) for kept in gallery])
        return lambda probe: np.asarray(-np.square(known - look(probe)).sum(axis=1), np.float32)

    return glance


def _colours(kept: Kept) -> Vector:
    return _small(_inner(_resized(kept, (1, 1), 1)), _COLOUR)


def _mean_colour(kept: Kept) -> Vector:
    inner = _inner(_resized(kept, (1, 1), 1))
    return np.asarray(inner.reshape(-1, 3).mean(axis=0, dtype=np.float32))


def _whole_mask(kept: Kept) -> Vector:
    """All of the mask, with what the encoder's blocks bring into it from beyond its edge."""
    left, top, right, bottom = kept.mask.tolist()
    return _small(kept.pixels[top:bottom, left:right], _AROUND)


def _shape(kept: Kept) -> Vector:
    left, top, right, bottom = kept.mask.tolist()
    return np.log(np.array([(right - left) / (bottom - top)], np.float32))


def _size(kept: Kept) -> Vector:
    left, top, right, bottom = kept.mask.tolist()
    return np.log(np.array([right - left, bottom - top], np.float32))


def _surroundings(kept: Kept) -> Vector:
    """A band around the mask: hair, clothes, a car's colour. Hiding faces and plates leaves it."""
    left, top, right, bottom = kept.mask.tolist()
    wide, high = (right - left) // 4, (bottom - top) // 4
    first = max(top - high, 0), max(left - wide, 0)
    band = kept.pixels[first[0] : bottom + high, first[1] : right + wide].copy()
    band[top - first[0] : bottom - first[0], left - first[1] : right - first[1]] = 0
    return _small(band, _AROUND)


GLANCES: Mapping[str, Glance] = MappingProxyType(
    {
        "pixels": _sought,
        "colours": _nearest(_colours),
        "mean colour": _nearest(_mean_colour),
        "whole mask": _nearest(_whole_mask),
        "mask's shape": _nearest(_shape),
        "mask's size": _nearest(_size),
        "surroundings": _nearest(_surroundings),
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
    likeness_to = glance(gallery)
    chance = np.random.default_rng(0)
    hits = 0
    for place, probe in enumerate(probes):
        likeness = likeness_to(probe)
        hits += int(chance.choice(np.flatnonzero(likeness >= likeness.max() - _ALIKE)) == place)
    return hits / len(probes)


def _small(part: Pixels, size: tuple[int, int]) -> Vector:
    """The part at a small size, its mean and contrast taken out."""
    flat = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
    flat -= flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-3), np.float32)
