"""The linkage attack: by what is left of it, whose is this among many?

The attacker has a picture of each one in a gallery and a further picture of each as probe, both redacted
alike, and takes for each probe the one in the gallery that is most like it. He knows that masks are a box and
a quarter around it, looks for the gallery's box in and around the probe's at 49 sizes, and compares the
likeliest in parts that may have moved against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from types import MappingProxyType
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels
from tests.vision_attacks.hiding import Hide, mask_of
from tests.vision_attacks.views import Pair, View


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A picture as it is kept, and where the mask is in it.

    Attributes:
        pixels: of it.
        mask: (4,), left, top, right, bottom.
    """

    pixels: Pixels
    mask: NDArray[np.int32] | Vector


Vector = NDArray[np.float32]
Plane = NDArray[np.float32]
Number = TypeVar("Number", np.uint8, np.float32)
Likeness = Callable[[Kept], Vector]
"""How like each picture of a gallery is to a probe, (n,) float32."""

Glance = Callable[[Sequence[Kept]], Likeness]
"""What an attacker looks at: he takes a gallery in, and then compares probes with it."""

_COLOUR, _AROUND = (12, 6), (24, 24)
_MASK_BY_BOX = 1.5
_SHARP_PX = 0.3
_BOX_PX = 64, 28
"""Width and height at which colours of boxes are compared."""

_COARSE_PX, _FINE_PX = (48, 20), (128, 44)
"""The same where a box is looked for, and where the likeliest are compared part by part."""

_COARSE_EDGES_PX, _FINE_EDGES_PX = (0.6, 3.0), (0.8, 5.0)
"""Standard deviations of two blurs, whose difference leaves strokes and takes light, noise and haze away."""

_INNER, _FINE_INNER = (0.84, 0.76), (0.94, 0.86)
"""Share of a box that is compared: what is at its edge may be background."""

_WIDER = 0.85, 0.9, 0.95, 1.0, 1.055, 1.11, 1.18
_HIGHER = 0.8, 0.87, 0.93, 1.0, 1.07, 1.15, 1.25
"""A detector's box is off by some hundredths on each side, in either picture, and seen from two sides."""

_ALIKE = 1e-6

_REACH = 1.3
"""How much of what is around a box is searched for it."""

_LIKELIEST, _PARTS, _SLACK_PX = 12, 4, 4
"""How many of a gallery are compared in parts, how many parts side by side, and how far each may be moved."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a box of a gallery is most like what lies around a probe's mask.

    Attributes:
        likeness: correlation, -1 to 1.
        scale: of the probe's box, by which it is as large as the gallery's.
        off: of its middle, in sides of the probe's box.
    """

    likeness: float
    scale: tuple[float, float]
    off: tuple[float, float]


def _sought(gallery: Sequence[Kept]) -> Likeness:
    """Look for each box of a gallery in and around the probe's, and compare the likeliest in parts."""
    known = [_inner(_strokes(_resized(kept, _COARSE_PX), _COARSE_EDGES_PX), _INNER) for kept in gallery]
    fine = [_inner(_strokes(_resized(kept, _FINE_PX), _FINE_EDGES_PX), _FINE_INNER) for kept in gallery]

    def likeness(probe: Kept) -> Vector:
        planes = {
            scale: _strokes(_resized(probe, _COARSE_PX, scale, _REACH), _COARSE_EDGES_PX)
            for scale in product(_WIDER, _HIGHER)
        }
        places = [_best_place(one, planes) for one in known]
        alike = np.array([place.likeness for place in places], np.float32)
        for index in np.argsort(-alike)[:_LIKELIEST]:
            alike[index] += 1 + _in_parts(fine[index], probe, places[index])
        return alike

    return likeness


def _best_place(one: Plane, planes: Mapping[tuple[float, float], Plane]) -> _Place:
    best = _Place(-1, (1, 1), (0, 0))
    for scale, plane in planes.items():
        map_of_likeness = cv2.matchTemplate(plane, one, cv2.TM_CCOEFF_NORMED)
        _, most, _, (x, y) = cv2.minMaxLoc(map_of_likeness)
        if most > best.likeness:
            off = np.array([x, y]) + (np.array(one.shape[::-1]) - plane.shape[::-1]) / 2
            across, down = (off / (np.array(_COARSE_PX) * scale)).tolist()
            best = _Place(most, scale, (across, down))
    return best


def _in_parts(one: Plane, probe: Kept, place: _Place) -> float:
    """Mean correlation of parts that lie side by side, each where it fits best nearby."""
    middle, sides = _box_of(probe.mask)
    middle, half = middle + sides * place.off, sides / place.scale * _MASK_BY_BOX / 2
    there = Kept(probe.pixels, np.concatenate([middle - half, middle + half]))
    plane = _strokes(_resized(there, _FINE_PX), _FINE_EDGES_PX)
    top, left = ((np.array(plane.shape) - one.shape) // 2).tolist()
    ends = np.linspace(0, one.shape[1], _PARTS + 1).astype(int).tolist()
    found = []
    for first, last in pairwise(ends):
        across = slice(max(0, left + first - _SLACK_PX), left + last + _SLACK_PX)
        down = slice(max(0, top - _SLACK_PX), top + one.shape[0] + _SLACK_PX)
        where = np.ascontiguousarray(plane[down, across])
        part = np.ascontiguousarray(one[:, first:last])
        found.append(float(cv2.matchTemplate(where, part, cv2.TM_CCOEFF_NORMED).max()))
    return sum(found) / _PARTS


def _box_of(mask: NDArray[np.int32] | Vector) -> tuple[Vector, Vector]:
    """Middle and sides of the box that a mask was made for."""
    low, high = mask[:2].astype(np.float32), mask[2:].astype(np.float32)
    middle, sides = (low + high) / np.float32(2), (high - low) / np.float32(_MASK_BY_BOX)
    return middle.astype(np.float32), sides.astype(np.float32)


def _resized(
    kept: Kept, box_px: tuple[int, int], scale: tuple[float, float] = (1, 1), reach: float = 1
) -> Pixels:
    """What lies in a box and around it, so that the box has `box_px` times a scale."""
    middle, sides = _box_of(kept.mask)
    size = np.round(np.array(box_px) * scale * reach).astype(int)
    ratio = sides * reach / size
    pixels = kept.pixels
    finest = float(np.sqrt(max(float(ratio.max()) ** 2 - 1, 0)) / 2)
    if finest > _SHARP_PX:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), finest), np.uint8)
    how = np.array([[ratio[0], 0, 0], [0, ratio[1], 0]], np.float32)
    how[:, 2] = middle - ratio * (size - 1) / 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(pixels, how, size.tolist(), flags=flags, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _strokes(pixels: Pixels, edges_px: tuple[float, float]) -> Plane:
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    near, far = (cv2.GaussianBlur(grey, (0, 0), width) for width in edges_px)
    return np.asarray(near - far, np.float32)


def _inner(plane: NDArray[Number], share: tuple[float, float]) -> NDArray[Number]:
    high, wide = plane.shape[:2]
    inner_wide, inner_high = round(wide * share[0]), round(high * share[1])
    left, top = (wide - inner_wide) // 2, (high - inner_high) // 2
    return np.ascontiguousarray(plane[top : top + inner_high, left : left + inner_wide])


def _nearest(look: Callable[[Kept], Vector]) -> Glance:
    """Compare by the distance of what a look gives."""

    def glance(gallery: Sequence[Kept]) -> Likeness:
        known = np.array([look(kept) for kept in gallery])
        return lambda probe: np.asarray(-np.square(known - look(probe)).sum(axis=1), np.float32)

    return glance


def _colours(kept: Kept) -> Vector:
    return _small(_inner(_resized(kept, _BOX_PX), _INNER), _COLOUR)


def _mean_colour(kept: Kept) -> Vector:
    inner = _inner(_resized(kept, _BOX_PX), _INNER)
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


BLIND: Mapping[str, Glance] = MappingProxyType(
    {name: GLANCES[name] for name in ("whole mask", "mask's shape", "mask's size", "surroundings")}
)
"""What looks beside the box itself."""


def top_1(pairs: Sequence[Pair], way: Hide, glances: Mapping[str, Glance] = GLANCES) -> dict[str, float]:
    """By each glance the share of probes whose nearest neighbour in the gallery is the same one.

    Chance is one by their number. Where nothing tells several apart, one of them is taken blindly.
    """
    gallery = [_kept(first, way) for first, _ in pairs]
    probes = [_kept(second, way) for _, second in pairs]
    return {name: _matched(gallery, probes, glance) for name, glance in glances.items()}


def _kept(view: View, way: Hide) -> Kept:
    return Kept(way(view), mask_of(view))


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
