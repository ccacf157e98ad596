"""`PannedPhotograph`: a clip made by moving over one photograph whose boxes are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Subject
from simulator.cameras.clips import DIFFICULTIES, Clip, Difficulty, Frame
from simulator.cameras.scene import SMALLEST_PX, Truth

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PannedPhotograph:
    """A clip of a photograph.

    Attributes:
        path: of the photograph.
        boxes: left, top, right, bottom of what is in it.
        subject: what the boxes are around.
        ignored: boxes of what need not be found.
        seed: decides how the camera moves, and its noise.
        difficulty: of which people, vehicles and posts count for nothing.
        width: of the clip's pictures.
        height: of the clip's pictures.
        rate_hz: frames a second.
    """

    path: Path
    boxes: Sequence[Box]
    subject: Subject = Subject.FACE
    ignored: Sequence[Box] = ()
    seed: int = 1
    difficulty: Difficulty = DIFFICULTIES["hard"]
    width: int = 1280
    height: int = 720
    rate_hz: float = 10.0

    def frames(self, count: int) -> Iterator[Frame]:
        """The first `count` frames; tracks are the places of the boxes.

        Raises:
            VisionError: the file is no picture.
        """
        photograph = cv2.imread(str(self.path))
        if photograph is None:
            raise VisionError("is no picture that can be read", where=str(self.path))
        clip = Clip(
            self.seed, replace(self.difficulty, brightness=1.0), self.width, self.height, self.rate_hz
        )
        wide, high = clip.drawn_size
        scale = max(wide / photograph.shape[1], high / photograph.shape[0])
        size = (round(photograph.shape[1] * scale), round(photograph.shape[0] * scale))
        left, top = (size[0] - wide) // 2, (size[1] - high) // 2
        scene = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        scene = scene[top : top + high, left : left + wide]
        truths = []
        for track, box in enumerate([*self.boxes, *self.ignored]):
            own = (box[0] * scale - left, box[1] * scale - top, box[2] * scale - left, box[3] * scale - top)
            asked = track < len(self.boxes)
            large = min(own[2] - own[0], own[3] - own[1]) >= SMALLEST_PX
            truths.append(Truth(self.subject, own, 0.0, track, asked, asked and large))
        image = scene.astype(np.float32) / np.float32(255)
        for number in range(count):
            yield clip.taken(image, truths, number)
