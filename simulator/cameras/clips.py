"""`Clip`: frames of a street with known tracks, under a pan, a zoom and the weather, replayed by a seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.vision.picture import Pixels
from simulator.cameras.degrading import Conditions, degraded
from simulator.cameras.populating import drawn_crowd, lit_background
from simulator.cameras.scene import HIDDEN, SMALLEST_PX, Image, Truth, composed, pixels_of
from simulator.cameras.street import drawn_street

_MARGIN = 1.3
"""By how much more is drawn than is seen, for the camera to turn."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What makes a clip hard.

    Attributes:
        pan: widths of the picture per second by which the camera turns, at most.
        zoom: factor by which it comes nearer and goes away again.
        exposure: share of the time between frames during which the shutter is open.
        gain_swing: by which brightness swings, 0 to 1.
        brightness: of the scene, 1 by day.
        noise: of the sensor, standard deviation of 1.
        rain: drops per thousand pixels.
        posts: that stand in the way.
        people: who walk.
        vehicles: that drive.
        largest_face_px: in pictures 1280 wide.
    """

    pan: float = 0.03
    zoom: float = 1.0
    exposure: float = 0.1
    gain_swing: float = 0.0
    brightness: float = 1.0
    noise: float = 0.005
    rain: float = 0.0
    posts: int = 0
    people: int = 5
    vehicles: int = 2
    largest_face_px: float = 120


DIFFICULTIES: Mapping[str, Difficulty] = {
    "easy": Difficulty(),
    "pan": Difficulty(pan=0.35, exposure=0.25),
    "zoom": Difficulty(zoom=1.7, pan=0.1),
    "crowd": Difficulty(people=9, vehicles=3, posts=3, pan=0.08),
    "gain": Difficulty(gain_swing=0.6, noise=0.02, pan=0.08),
    "night": Difficulty(brightness=0.22, noise=0.045, exposure=0.3, pan=0.08),
    "rain": Difficulty(rain=0.5, noise=0.02, pan=0.08),
    "hard": Difficulty(
        pan=0.25,
        zoom=1.4,
        exposure=0.3,
        gain_swing=0.4,
        brightness=0.6,
        noise=0.035,
        rain=0.2,
        posts=3,
        people=7,
    ),
}
"""Settings by name."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a clip.

    Attributes:
        pixels: what the camera gives.
        truths: the faces and plates in it.
        seconds: since the clip's beginning.
    """

    pixels: Pixels
    truths: tuple[Truth, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip; iterating it twice gives the same frames.

    Attributes:
        seed: decides everything.
        difficulty: what makes it hard.
        width: of the pictures.
        height: of the pictures.
        rate_hz: frames a second.
    """

    seed: int
    difficulty: Difficulty = DIFFICULTIES["easy"]
    width: int = 1280
    height: int = 720
    rate_hz: float = 10.0

    def frames(self, count: int) -> Iterator[Frame]:
        """The first `count` frames."""
        hard = self.difficulty
        wide, high = self.drawn_size
        crowd = drawn_crowd(
            self.seed, people=hard.people, vehicles=hard.vehicles, posts=hard.posts, width=wide,
            largest_face_px=hard.largest_face_px * self.width / 1280,
        )  # fmt: skip
        street = lit_background(drawn_street(wide, high, self.seed), crowd.daylight)
        for number in range(count):
            seconds = number / self.rate_hz
            image, truths = composed(street, crowd.placed(seconds, wide, high))
            yield self.taken(image, truths, number)

    @property
    def drawn_size(self) -> tuple[int, int]:
        """Width and height of the scene that the camera turns over."""
        return round(self.width * _MARGIN), round(self.height * _MARGIN)

    def taken(self, image: Image, truths: list[Truth], number: int) -> Frame:
        """What the camera gives of a scene of `drawn_size` at a frame's time."""
        seconds = number / self.rate_hz
        hard = self.difficulty
        pose, ahead = self._pose(seconds), self._pose(seconds + hard.exposure / self.rate_hz)
        drawn = moved(image, pose, self.width, self.height)
        middle = (self.width / 2, self.height / 2)
        blur = tuple(
            (later[0] * at + later[1]) - (now[0] * at + now[1])
            for now, later, at in zip(pose.axes, ahead.axes, middle, strict=True)
        )
        swing = 1 + hard.gain_swing * math.sin(seconds * 4.1 + self.seed)
        rng = np.random.default_rng([self.seed, number])
        taken = degraded(
            drawn, Conditions((blur[0], blur[1]), hard.brightness * swing, hard.noise, hard.rain), rng
        )
        return Frame(pixels_of(taken), tuple(moved_truths(truths, pose, self.width, self.height)), seconds)

    def _pose(self, seconds: float) -> Pose:
        hard = self.difficulty
        phase = self.seed % 7
        zoom = 1.0 if hard.zoom <= 1 else 1 + (hard.zoom - 1) * 0.5 * (1 - math.cos(seconds * 1.7))
        slack = (_MARGIN - 1) / 2
        turn = hard.pan / 2.2 * math.sin(seconds * 2.2 + phase) if hard.pan > 0 else 0.0
        shake = 0.002 * math.sin(seconds * 23 + phase)
        return Pose(
            zoom,
            self.width * (0.5 - zoom * _MARGIN / 2 + max(-slack, min(slack, turn))),
            self.height * (0.5 - zoom * _MARGIN / 2 + shake),
        )


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera looks: columns and rows of a scene are scaled and moved.

    Attributes:
        zoom: factor.
        right_px: by which the scene moves to the right.
        down_px: by which it moves down.
    """

    zoom: float
    right_px: float
    down_px: float

    @property
    def axes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Factor and shift of columns and of rows."""
        return (self.zoom, self.right_px), (self.zoom, self.down_px)


def moved(image: Image, pose: Pose, width: int, height: int) -> Image:
    """A scene as it is seen from a pose, in a picture of a size; its border goes on beyond it."""
    half = (pose.zoom - 1) / 2
    matrix = np.array([[pose.zoom, 0, pose.right_px + half], [0, pose.zoom, pose.down_px + half]], np.float32)
    result: Image = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32, copy=False)
    return result


def moved_truths(truths: list[Truth], pose: Pose, width: int, height: int) -> Iterator[Truth]:
    """The truth as it is seen from a pose; what leaves the picture counts as hidden by its edge."""
    for truth in truths:
        left, top, right, bottom = truth.box
        wide = [edge * pose.zoom + pose.right_px for edge in (left, right)]
        high = [edge * pose.zoom + pose.down_px for edge in (top, bottom)]
        box = (max(wide[0], 0.0), max(high[0], 0.0), min(wide[1], float(width)), min(high[1], float(height)))
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            continue
        inside = (box[2] - box[0]) * (box[3] - box[1]) / ((wide[1] - wide[0]) * (high[1] - high[0]))
        hidden = 1 - (1 - truth.hidden) * inside
        # What was hidden or turned away stays uncounted; a small one may have become large enough.
        small = min(right - left, bottom - top) < SMALLEST_PX
        fit = truth.counted or (small and truth.asked)
        large = min(box[2] - box[0], box[3] - box[1]) >= SMALLEST_PX
        yield replace(truth, box=box, hidden=hidden, counted=fit and hidden < HIDDEN and large)
