"""Who is in a street: people and vehicles drawn by a seed, near and far."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import cv2
import numpy as np

from simulator.cameras.figures import Figure, Sprite, View, figure_of
from simulator.cameras.scene import Image, Placed
from simulator.cameras.street import EYE_M, focal_px, horizon_px
from simulator.cameras.traits import Traits
from simulator.cameras.vehicles import Vehicle

_FACE_M = 0.19
_NEAREST_VEHICLE_M = 3.2
_STEP = 1.05
_NEAR_M = 2.5
_TALL_M = 1.62


@dataclass(frozen=True, slots=True)
class Daylight:
    """How a scene is lit.

    Attributes:
        light: from where: right, up, towards the camera.
        ambient: share of light from everywhere.
        brightness: of everything, 1 by day.
    """

    light: tuple[float, float, float] = (0.3, 0.6, 0.7)
    ambient: float = 0.45
    brightness: float = 1.0

    @classmethod
    def drawn(cls, rng: random.Random) -> Daylight:
        """From where the sun comes, by chance."""
        return cls(
            (rng.uniform(-0.9, 0.9), rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.9)), rng.uniform(0.35, 0.65)
        )


@dataclass(slots=True)
class Walker:
    """A person who walks.

    Attributes:
        figure: how they look.
        x_m: to the right of the camera's axis.
        z_m: in front of it.
        speed_m_per_s: to the right.
        coming_m_per_s: towards the camera.
        yaw_deg: of the body, 0 towards the camera.
        look_deg: of the head against the body.
        nod_deg: of the head.
        track: number.
        raised_m: of the ground that they stand on, over the road.
    """

    figure: Figure
    x_m: float
    z_m: float
    speed_m_per_s: float
    coming_m_per_s: float
    yaw_deg: float
    look_deg: float
    nod_deg: float
    track: int
    raised_m: float = 0.0
    _drawn: dict[tuple[int, ...], Sprite] = field(default_factory=dict)

    def placed(self, seconds: float, width: int, height: int, daylight: Daylight) -> Placed | None:
        """Where they are after some seconds; None where they cannot be seen."""
        z = self.z_m - self.coming_m_per_s * seconds
        x = self.x_m + self.speed_m_per_s * seconds
        focal = focal_px(width)
        if z < 0.45 or abs(x) / z * focal > width:
            return None
        face_px = focal * _FACE_M / z
        moves = abs(self.speed_m_per_s) + abs(self.coming_m_per_s) > 0.1
        look = self.look_deg * (math.cos(seconds * 1.1 + self.track) if moves else 1.0)
        stride = round(seconds * 6 + self.track) % 8 if moves else -1
        key = (round(math.log(face_px) / math.log(_STEP)), round((self.yaw_deg + look) / 6), stride)
        if key not in self._drawn:
            if len(self._drawn) > 8:
                self._drawn.pop(next(iter(self._drawn)))
            view = View(
                yaw_deg=key[1] * 6.0,
                pitch_deg=self.nod_deg,
                body_yaw_deg=self.yaw_deg,
                stride=None if stride < 0 else stride * math.pi / 4,
                light=daylight.light,
                ambient=daylight.ambient,
            )
            lowest_m = EYE_M - (height - horizon_px(height)) / focal * z - 0.1 - self.raised_m
            self._drawn[key] = self.figure.sprite(view, _STEP ** key[0], lowest_m)
        sprite = self._drawn[key]
        row = horizon_px(height) + (EYE_M - self.raised_m) / z * focal
        return Placed(sprite, width / 2 + x / z * focal, row, z, self.track)


@dataclass(slots=True)
class Traffic:
    """A vehicle that drives.

    Attributes:
        vehicle: how it looks.
        x_m: of the middle of its nearer end, to the right.
        z_m: the same, in front.
        coming_m_per_s: towards the camera.
        yaw_deg: by which it is turned.
        track: number.
    """

    vehicle: Vehicle
    x_m: float
    z_m: float
    coming_m_per_s: float
    yaw_deg: float
    track: int
    _drawn: dict[int, Sprite] = field(default_factory=dict)

    def placed(self, seconds: float, width: int, height: int, daylight: Daylight) -> Placed | None:
        """Where it is after some seconds; None where it cannot be seen."""
        z = self.z_m - self.coming_m_per_s * seconds
        focal = focal_px(width)
        if z < 1.2 or abs(self.x_m) / z * focal > 1.3 * width:
            return None
        key = round(math.log(focal / z) / math.log(1.03))
        if key not in self._drawn:
            if len(self._drawn) > 8:
                self._drawn.pop(next(iter(self._drawn)))
            scale = 1.03**key
            toward = -math.degrees(math.atan2(self.x_m, z))
            light = 0.75 + 0.25 * daylight.light[2]
            self._drawn[key] = self.vehicle.sprite(self.yaw_deg + toward, scale, focal / scale, light)
        return Placed(
            self._drawn[key],
            width / 2 + self.x_m / z * focal,
            horizon_px(height) + EYE_M / z * focal,
            z,
            self.track,
        )


def post_sprite(height_px: float, colour: float) -> Sprite:
    """A post that hides what is behind it."""
    height = max(round(height_px), 2)
    width = max(round(height_px * 0.05), 2)
    shade = np.cos(np.linspace(-1.2, 1.2, width, dtype=np.float32))[None, :, None]
    colours = np.ascontiguousarray(np.broadcast_to(shade * colour, (height, width, 3)).astype(np.float32))
    alpha = np.ones((height, width), np.float32)
    return Sprite(colours, alpha, np.zeros_like(alpha), (width / 2, float(height)), None)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who is in a scene.

    Attributes:
        walkers: people.
        traffic: vehicles.
        posts: places of posts: right and front, in metres.
        daylight: how they are lit.
    """

    walkers: tuple[Walker, ...]
    traffic: tuple[Traffic, ...]
    posts: tuple[tuple[float, float], ...]
    daylight: Daylight

    def placed(self, seconds: float, width: int, height: int) -> list[Placed]:
        """All of them after some seconds."""
        moving: tuple[Walker | Traffic, ...] = (*self.walkers, *self.traffic)
        found = [one.placed(seconds, width, height, self.daylight) for one in moving]
        focal = focal_px(width)
        posts = [
            Placed(
                post_sprite(3.2 / z * focal, 0.4),
                width / 2 + x / z * focal,
                horizon_px(height) + EYE_M / z * focal,
                z,
                -1 - number,
            )
            for number, (x, z) in enumerate(self.posts)
        ]
        return [one for one in found if one is not None] + posts


def drawn_crowd(
    seed: int,
    *,
    people: int = 4,
    vehicles: int = 3,
    posts: int = 1,
    covered: bool = True,
    largest_face_px: float = 300,
    width: int = 1280,
) -> Crowd:
    """Who is in a scene, by a seed.

    Args:
        seed: decides.
        people: how many walk.
        vehicles: how many drive.
        posts: how many stand there.
        covered: whether masks, hats and dark glasses occur.
        largest_face_px: height of the largest face, of pictures as wide as `width`; the smallest has 9.
        width: of the pictures, for the sizes.
    """
    rng = random.Random(seed)  # noqa: S311 - draws pictures
    focal = focal_px(width)
    walkers = []
    for number in range(people):
        face_px = math.exp(rng.uniform(math.log(9), math.log(largest_face_px)))
        z = focal * _FACE_M / face_px
        yaw = rng.choice((0, 0, rng.uniform(-40, 40), rng.uniform(-95, 95), rng.uniform(-180, 180)))
        walks = rng.random() < 0.7
        pace = rng.uniform(0.6, 1.5) if walks else 0.0
        figure = figure_of(Traits.drawn(rng, covered=covered))
        walkers.append(
            Walker(
                figure,
                rng.uniform(-0.48, 0.48) * z * width / focal,
                z,
                pace * math.sin(math.radians(yaw)),
                pace * math.cos(math.radians(yaw)) * min(z / 8, 1),
                yaw,
                rng.uniform(-35, 35),
                rng.uniform(-15, 12),
                number,
                max(_TALL_M - figure.height_m, 0.0) if z < _NEAR_M else 0.0,
            )
        )
    traffic: list[Traffic] = []
    for number in range(vehicles):
        plate_px = math.exp(rng.uniform(math.log(8), math.log(90)))
        z = max(focal * 0.14 / plate_px, _NEAREST_VEHICLE_M)
        beside_m = _beside(rng, z, width / focal, [(one.x_m / one.z_m, one.z_m) for one in traffic])
        traffic.append(
            Traffic(
                Vehicle.drawn(rng),
                beside_m,
                z,
                rng.uniform(-6, 9),
                rng.choice((0, 0, rng.uniform(-35, 35))),
                1000 + number,
            )
        )
    places = tuple((rng.uniform(-3, 3), rng.uniform(2.5, 8)) for _ in range(posts))
    return Crowd(tuple(walkers), tuple(traffic), places, Daylight.drawn(rng))


def _beside(rng: random.Random, z_m: float, field: float, others: list[tuple[float, float]]) -> float:
    """Where a vehicle stands, so that plates are hidden seldom: of some places, the freest.

    Args:
        rng: proposes places.
        z_m: how far it is away.
        field: width of what the camera sees at one metre.
        others: direction and distance of those that stand already.
    """

    def freedom(x_m: float) -> float:
        return min((abs(x_m / z_m - at) - 1.2 / min(z_m, far) for at, far in others), default=1.0)

    reach = min(0.42 * z_m * field, 7.0)
    return max((rng.uniform(-reach, reach) for _ in range(6)), key=freedom)


def lit_background(image: Image, daylight: Daylight) -> Image:
    """A street by the light of the people in it."""
    shade = np.float32((0.85 + 0.2 * daylight.light[1]) * daylight.brightness)
    soft = cv2.GaussianBlur(image, (3, 3), 0).astype(np.float32, copy=False)
    result: Image = np.clip(soft * shade, 0, 1)
    return result
