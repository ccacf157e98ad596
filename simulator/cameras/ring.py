"""Pictures of a drawn camera: drawn one by one, or a few in turn that cost nothing once they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from simulator.cameras.camera_address import DrawnCamera
from simulator.cameras.clips import Clip, Frame
from simulator.cameras.populating import drawn_crowd, lit_background
from simulator.cameras.scene import composed
from simulator.cameras.street import drawn_street

RING = 8
"""How many pictures are shown in turn, forth and back."""

_NO_END = 1 << 62


def frames_of(camera: DrawnCamera) -> Iterator[Frame]:
    """Frames without end; the truth in each belongs to its pixels, which nobody may change."""
    if camera.moving:
        yield from _clip(camera).frames(_NO_END)
    ring = _ring(camera)
    for number in count():
        place = number % (2 * RING - 2)
        frame = ring[min(place, 2 * RING - 2 - place)]
        yield replace(frame, seconds=number / camera.rate_hz)


def _clip(camera: DrawnCamera) -> Clip:
    difficulty = camera.difficulty
    if camera.place == "cabin":
        difficulty = replace(difficulty, people=1, vehicles=0, posts=0, pan=0.02, largest_face_px=300)
    return Clip(camera.seed, difficulty, camera.width, camera.height, camera.rate_hz)


def _ring(camera: DrawnCamera) -> list[Frame]:
    clip = _clip(camera)
    wide, high = clip.drawn_size
    hard = clip.difficulty
    crowd = drawn_crowd(
        clip.seed, people=hard.people, vehicles=hard.vehicles, posts=hard.posts, width=wide,
        largest_face_px=hard.largest_face_px * clip.width / 1280,
    )  # fmt: skip
    street = lit_background(drawn_street(wide, high, clip.seed), crowd.daylight)
    image, truths = composed(street, crowd.placed(0.0, wide, high))
    return [clip.taken(image, truths, number) for number in range(RING)]
