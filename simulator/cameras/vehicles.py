"""Draws vehicles seen from before or behind at an angle, with the exact outline of their plate."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.boxes import Subject
from simulator.cameras.figures import Sprite, reduced
from simulator.cameras.number_plates import NumberPlate, drawn_plate

_PX_PER_M = 240
_PAINTS = (
    (0.85, 0.85, 0.86), (0.10, 0.10, 0.11), (0.45, 0.45, 0.47), (0.12, 0.12, 0.60), (0.50, 0.25, 0.10),
    (0.70, 0.72, 0.75), (0.20, 0.35, 0.20), (0.10, 0.45, 0.75),
)  # fmt: skip
_GLASS = (0.22, 0.20, 0.18)


@dataclass(frozen=True, slots=True, eq=False)
class Vehicle:
    """One vehicle.

    Attributes:
        width_m: over all.
        height_m: over all.
        length_m: over all.
        rear: whether it is seen from behind.
        paint: blue, green, red, 0 to 1.
        plate: what it carries; its size is that of a real one.
        plate_height_m: of the plate's middle over the ground.
        seed: decides its details.
    """

    width_m: float
    height_m: float
    length_m: float
    rear: bool
    paint: tuple[float, float, float]
    plate: NumberPlate
    plate_height_m: float
    seed: int

    @classmethod
    def drawn(cls, rng: random.Random) -> Vehicle:
        """A vehicle by chance: car, high car, van or lorry."""
        width, height, length = rng.choice(
            ((1.8, 1.45, 4.4), (1.9, 1.7, 4.6), (2.0, 2.2, 5.2), (2.4, 3.2, 7.5))
        )
        rear = rng.random() < 0.6
        return cls(
            width, height, length, rear, rng.choice(_PAINTS), drawn_plate(rng),
            rng.uniform(0.35, 0.85) if rear else rng.uniform(0.35, 0.5), rng.getrandbits(32),
        )  # fmt: skip

    def sprite(self, yaw_deg: float, px_per_m: float, distance_m: float, light: float = 1.0) -> Sprite:
        """Draw.

        Args:
            yaw_deg: by which it is turned away; positive shows its right side in the picture.
            px_per_m: scale at the middle of its nearer end.
            distance_m: of that middle, for the perspective.
            light: brightness of the paint.
        """
        end, plate = _end(self)
        side = _side(self)
        yaw = np.radians(yaw_deg)
        half = self.width_m / 2
        across = np.array([np.cos(yaw), np.sin(yaw)])
        along = np.array([-np.sin(yaw), np.cos(yaw)]) * self.length_m
        left, right = -across * half, across * half
        shown = right if yaw_deg > 0 else left
        back = shown + along
        reach = max(abs(left[0]), abs(right[0]), abs(back[0])) + 0.1
        nearer = min(left[1], right[1], 0.0)
        swell = distance_m / max(distance_m + nearer, 0.3)
        width = int(np.ceil(2 * reach * swell * px_per_m)) + 2
        height = int(np.ceil((self.height_m + 0.1) * swell * px_per_m)) + 2
        eye_m = 1.3

        def seen(point: NDArray[np.float64], height_m: float) -> tuple[float, float]:
            scale = px_per_m * distance_m / max(distance_m + point[1], 0.3)
            horizon = height - 2 - eye_m * px_per_m
            return width / 2 + point[0] * scale, horizon + (eye_m - height_m) * scale

        def quad(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float32]:
            return np.array(
                [seen(a, self.height_m), seen(b, self.height_m), seen(b, 0), seen(a, 0)], np.float32
            )

        colours = np.zeros((height, width, 4), np.float32)
        if abs(yaw_deg) > 1:
            flank = quad(right, back) if yaw_deg > 0 else quad(back, left)
            warped_over(colours, side if yaw_deg > 0 else side[:, ::-1], flank)
        warped_over(colours, end, quad(left, right))
        outline = np.zeros(end.shape[:2], np.float32)
        outline[plate] = 1
        region = np.zeros((height, width), np.float32)
        drawn, rows, columns = _warped(outline, quad(left, right), (width, height))
        region[rows, columns] = drawn
        alpha = colours[:, :, 3]
        return Sprite(
            np.ascontiguousarray(colours[:, :, :3]) * np.float32(light), np.ascontiguousarray(alpha), region,
            (width / 2, height - 2.0), Subject.PLATE,
        )  # fmt: skip


@lru_cache(maxsize=8)
def _end(vehicle: Vehicle) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    rng = random.Random(vehicle.seed)  # noqa: S311 - draws pictures
    w, h = round(vehicle.width_m * _PX_PER_M), round(vehicle.height_m * _PX_PER_M)
    image = np.zeros((h, w, 4), np.float32)
    belt = round(h * 0.46)
    inset = round(w * (0.04 if vehicle.height_m > 2 else 0.12))
    body = _shaded(vehicle.paint, h)
    cabin = np.array([[0.02 * w, belt], [inset, 0.05 * h], [inset * 1.5, 0], [w - inset * 1.5, 0],
                      [w - inset, 0.05 * h], [0.98 * w, belt]], np.int32)  # fmt: skip
    shell = np.array([[0, belt + 0.06 * h], [0.02 * w, belt], [0.98 * w, belt], [w, belt + 0.06 * h],
                      [w, 0.90 * h], [0, 0.90 * h]], np.int32)  # fmt: skip
    mask = np.zeros((h, w), np.uint8)
    cv2.fillPoly(mask, [cabin, shell], 1)
    image[mask > 0, :3] = np.broadcast_to(body, (h, w, 3))[mask > 0]
    image[mask > 0, 3] = 1
    if not (vehicle.rear and vehicle.height_m > 3):
        pane = ((cabin - [w / 2, belt / 2]) * [0.90, 0.80] + [w / 2, belt / 2]).astype(np.int32)
        cv2.fillPoly(image, [pane], (*_GLASS, 1))
        cv2.line(
            image, (round(w * 0.3), belt - 8), (round(w * 0.55), round(h * 0.1)), (0.42, 0.40, 0.38, 1), 9
        )
    lamp = (0.12, 0.10, 0.65, 1) if vehicle.rear else (0.85, 0.90, 0.92, 1)
    for x in (0.03, 0.78):
        top = (round(w * x), round(h * 0.52))
        cv2.rectangle(image, top, (round(w * (x + 0.19)), round(h * rng.uniform(0.58, 0.64))), lamp, -1)
    cv2.rectangle(image, (0, round(h * 0.80)), (w - 1, round(h * 0.90)), (0.12, 0.12, 0.13, 1), -1)
    if not vehicle.rear:
        for row in np.arange(0.60, 0.74, 0.03):
            cv2.line(
                image,
                (round(w * 0.28), round(h * row)),
                (round(w * 0.72), round(h * row)),
                (0.1, 0.1, 0.1, 1),
                4,
            )
    else:
        cv2.putText(image, rng.choice(("EV", "TURBO", "4WD", "GLX")), (round(w * 0.66), round(h * 0.72)),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0.7, 0.7, 0.7, 1), 2, cv2.LINE_AA)  # fmt: skip
    for x in (0.03, 0.83):
        cv2.rectangle(
            image,
            (round(w * x), round(h * 0.86)),
            (round(w * (x + 0.14)), h - 1),
            (0.05, 0.05, 0.05, 1),
            -1,
        )
    plate_w, plate_h = round(vehicle.plate.width_m * _PX_PER_M), round(vehicle.plate.height_m * _PX_PER_M)
    beside, above = (w - plate_w) // 2, round(h - vehicle.plate_height_m * _PX_PER_M - plate_h / 2)
    place = slice(above, above + plate_h), slice(beside, beside + plate_w)
    image[place[0], place[1], :3] = cv2.resize(
        vehicle.plate.colours, (plate_w, plate_h), interpolation=cv2.INTER_AREA
    )
    image[place[0], place[1], 3] = 1
    return image, place


@lru_cache(maxsize=8)
def _side(vehicle: Vehicle) -> NDArray[np.float32]:
    w, h = round(vehicle.length_m * _PX_PER_M), round(vehicle.height_m * _PX_PER_M)
    image = np.zeros((h, w, 4), np.float32)
    mask = np.zeros((h, w), np.uint8)
    belt = round(h * 0.46)
    roof = np.array([[0.01 * w, belt], [0.06 * w, 0.02 * h], [0.60 * w, 0], [0.78 * w, belt]], np.int32)
    cv2.fillPoly(
        mask, [roof, np.array([[0, belt], [w, belt * 1.15], [w, 0.86 * h], [0, 0.86 * h]], np.int32)], 1
    )
    image[mask > 0, :3] = np.broadcast_to(_shaded(vehicle.paint, h) * 0.8, (h, w, 3))[mask > 0]
    image[mask > 0, 3] = 1
    pane = ((roof - [0.36 * w, belt / 2]) * [0.92, 0.75] + [0.36 * w, belt / 2]).astype(np.int32)
    cv2.fillPoly(image, [pane], (*_GLASS, 1))
    for x in (0.34, 0.62):
        cv2.line(image, (round(w * x), 0), (round(w * x), round(h * 0.8)), (0.15, 0.15, 0.15, 1), 3)
    for x in (0.18, 0.80):
        radius = min(round(0.33 * _PX_PER_M), h // 3)
        cv2.circle(image, (round(w * x), h - radius - 1), radius, (0.05, 0.05, 0.05, 1), -1, cv2.LINE_AA)
        cv2.circle(image, (round(w * x), h - radius - 1), radius // 2, (0.55, 0.55, 0.57, 1), -1, cv2.LINE_AA)
    image[:, :, :3] *= image[:, :, 3:]
    return image


def _shaded(paint: tuple[float, float, float], height: int) -> NDArray[np.float32]:
    shade = np.linspace(1.05, 0.70, height, dtype=np.float32)[:, None, None]
    return np.array(paint, np.float32)[None, None, :] * shade


def _warped(
    image: NDArray[np.float32], quad: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.float32], slice, slice]:
    """Put an image onto a quad of a canvas; returns the part that it touches, and its rows and columns."""
    height, width = image.shape[:2]
    left, top = (
        int(np.clip(np.floor(edge), 0, limit)) for edge, limit in zip(quad.min(axis=0) - 1, size, strict=True)
    )
    right, bottom = (
        int(np.clip(np.ceil(edge), 0, limit)) for edge, limit in zip(quad.max(axis=0) + 1, size, strict=True)
    )
    rows, columns = slice(top, max(bottom, top)), slice(left, max(right, left))
    if right <= left or bottom <= top:
        return np.zeros((0, 0, *image.shape[2:]), np.float32), slice(0, 0), slice(0, 0)
    need_w = max(float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[2] - quad[3])), 2.0)
    need_h = max(float(np.linalg.norm(quad[3] - quad[0])), float(np.linalg.norm(quad[2] - quad[1])), 2.0)
    # The reduction averages over source pixels, which the warping alone would leave out.
    small = (min(width, int(np.ceil(need_w * 1.5))), min(height, int(np.ceil(need_h * 1.5))))
    source = reduced(image, *small)
    corners = np.array([[0, 0], [small[0], 0], [small[0], small[1]], [0, small[1]]], np.float32) - np.float32(
        0.5
    )
    goal = (quad - np.array([left, top]) - 0.5).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, goal)
    drawn = cv2.warpPerspective(source, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    return drawn.astype(np.float32, copy=False), rows, columns


def warped_over(canvas: NDArray[np.float32], image: NDArray[np.float32], quad: NDArray[np.float32]) -> None:
    """Put an image with alpha onto a quad (4, 2: clockwise from left above) of a canvas with alpha."""
    premultiplied = image.copy()
    premultiplied[:, :, :3] *= image[:, :, 3:]
    drawn, rows, columns = _warped(premultiplied, quad, (canvas.shape[1], canvas.shape[0]))
    if drawn.size:
        canvas[rows, columns] *= 1 - drawn[:, :, 3:]
        canvas[rows, columns] += drawn
