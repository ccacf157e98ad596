"""Plates and faces seen twice under different conditions: what an attacker would like to match."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import read_annotations
from edge.vision.measuring.folder import annotated_pixels
from edge.vision.picture import Pixels
from simulator.plates.designs import DESIGNS, number_of
from simulator.plates.drawing import draw_plate, warped

_ALIKE = "cn blue", "cn green", "eu long"
"""Few designs, so that it is the number that tells most of them apart."""

_DRAWN_HIGH_PX = 140

_SCENE = 120, 240
"""Height and width."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Somebody's face or plate in a picture.

    Attributes:
        pixels: the picture.
        box: (4,) float32: where it is, as a detector would say.
    """

    pixels: Pixels
    box: NDArray[np.float32]


Pair = tuple[View, View]
"""The same one, seen twice."""


def plates(count: int, seed: int) -> list[Pair]:
    """Plates with numbers of their own, each before two backgrounds, from two sides, in two lights."""
    numbers = random.Random(seed)  # noqa: S311 - a seed replays it
    chance = np.random.default_rng(seed)
    designs = [design for design in DESIGNS if design.name in _ALIKE]
    pairs = []
    for _ in range(count):
        design = numbers.choice(designs)
        plate = draw_plate(design, number_of(design, numbers), _DRAWN_HIGH_PX)
        pairs.append((_seen(plate, chance), _seen(plate, chance)))
    return pairs


def faces(folder: Path, *, surroundings: bool, smallest_px: float = 32) -> list[Pair]:
    """Faces of annotated photographs, each seen twice in another light, size and noise.

    Both views are of one photograph, which makes linking them far easier than two photographs would.

    Args:
        folder: with annotations.
        surroundings: show what is around them in the photograph, alike in both views; else each view has a
            background of its own, and the face alone is what can link them.
        smallest_px: shorter side of those that are taken.
    """
    chance = np.random.default_rng(5)
    pairs = []
    for picture, pixels in annotated_pixels(folder, read_annotations(folder)):
        truth = picture.truth(Subject.FACE)
        for box in truth if truth is not None else ():
            if min(box[2] - box[0], box[3] - box[1]) >= smallest_px:
                first, second = (_taken_again(pixels, box, surroundings, chance) for _ in range(2))
                pairs.append((first, second))
    return pairs


def _seen(plate: Pixels, chance: np.random.Generator) -> View:
    """A plate from some side before a background of its own."""
    height, width = _SCENE
    scene = _background(_SCENE, chance)
    wide = chance.uniform(80, 150)
    high = wide * plate.shape[0] / plate.shape[1] * chance.uniform(0.92, 1.08)
    left, top = chance.uniform(40, width - 40 - wide), chance.uniform(25, height - 25 - high)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    corners = square * [wide, high] + [left, top] + chance.normal(0, wide * 0.008, (4, 2))
    laid, covered = warped(plate, corners, (width, height))
    scene = np.where(covered[..., None] > 0.5, laid, scene)
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return View(_in_some_light(np.asarray(scene, np.uint8), chance), _as_detected(box, chance))


def _background(shape: tuple[int, int], chance: np.random.Generator) -> Pixels:
    coarse = chance.integers(20, 200, (6, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def _taken_again(
    pixels: Pixels, box: NDArray[np.float32], surroundings: bool, chance: np.random.Generator
) -> View:
    """A face and what is around it, at another size, in another light."""
    side = float(max(box[2:] - box[:2]))
    low = np.maximum(np.floor(box[:2] - side), 0).astype(int)
    high = np.ceil(box[2:] + side).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]]
    scale = chance.uniform(48, 80) / side
    size = round(part.shape[1] * scale), round(part.shape[0] * scale)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    part = np.asarray(cv2.resize(part, size, interpolation=way), np.uint8)
    found = (box - np.tile(low, 2)) * scale
    if not surroundings:
        reach = (found[2:] - found[:2]) * 0.1
        left, top = np.maximum(np.floor(found[:2] - reach), 0).astype(int)
        right, bottom = np.ceil(found[2:] + reach).astype(int)
        scene = _background((part.shape[0], part.shape[1]), chance)
        scene[top:bottom, left:right] = part[top:bottom, left:right]
        part = scene
    return View(_in_some_light(part, chance), _as_detected(found, chance))


def _in_some_light(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    gains = chance.uniform(0.7, 1.25) * chance.uniform(0.93, 1.07, 3)
    bright = pixels * gains.astype(np.float32) + np.float32(chance.uniform(-12, 12))
    lit = cv2.GaussianBlur(bright, (0, 0), chance.uniform(0.4, 1.0))
    noise = chance.standard_normal(lit.shape, np.float32) * 4
    return np.asarray(np.clip(lit + noise, 0, 255), np.uint8)


def _as_detected(box: NDArray[np.floating], chance: np.random.Generator) -> NDArray[np.float32]:
    """The box with a detector's inaccuracy, 3 % of its sides."""
    sides = np.tile(box[2:] - box[:2], 2)
    return np.asarray(box + chance.normal(0, 0.03, 4) * sides, np.float32)
