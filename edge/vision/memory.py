"""`Memory`: what was found in the frames before and after one is hidden in that one too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.clock import NS_PER_S
from edge.vision.boxes import Boxes
from edge.vision.tracks import Tracks, TrackSettings

_STILL = (0.0, 0.0)
_SAME_PX = 0.5


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """How far memory reaches, in time, so that lost frames and changed rates leave it as it is.

    Attributes:
        ahead_s: how long a frame waits for what is found after it.
        hold_s: how long something is hidden where it lies in the scene after it was last found, and before it
            was first found; less where that was in doubt, see `TrackSettings.hold_ns`.
        hold_in_picture_s: the same where it lies in the picture, in case the scene was seen to move otherwise
            than it did.
        gap_s: longest time between two finds of one thing that is filled in between them.
        growth_per_s: by which share of its size a box that was not found but remembered grows on each side
            for each second between it and the nearest find.
    """

    ahead_s: float = 0.6
    hold_s: float = 0.6
    hold_in_picture_s: float = 0.3
    gap_s: float = 1.2
    growth_per_s: float = 0.5

    @classmethod
    def off(cls) -> MemorySettings:
        """No memory: what is found in a frame is hidden in that frame."""
        return cls(ahead_s=0, hold_s=0, hold_in_picture_s=0, gap_s=0)


class Memory:
    """Follows what detectors find over the frames of one camera.

    Everything is followed twice: where it lies in the picture, and where it lies in the scene, which moves
    through the picture as the camera turns. What shows by either is hidden: so where the scene was seen to
    move otherwise than it did, what is followed in the picture is hidden all the same.

    Nothing that was found is ever taken away: memory only adds.

    Args:
        settings: how far it reaches.
    """

    def __init__(self, settings: MemorySettings | None = None) -> None:
        self.settings = settings or MemorySettings()
        self._in_picture = self._tracks(self.settings.hold_in_picture_s)
        self._in_scene = self._tracks(self.settings.hold_s)
        self._scenes: dict[int, tuple[float, float]] = {}
        self._last_ns: int | None = None

    def add(self, t_ns: int, boxes: Boxes, *, scene: tuple[float, float] = _STILL, cut: bool = False) -> None:
        """Take in what was found in a frame.

        Args:
            t_ns: when the frame was taken; later than all before.
            boxes: what was found in it.
            scene: where the scene lies in it: by how many pixels to the right and down of where it lay first.
            cut: nothing of what was before is shown any more, such as after a change of size.

        Raises:
            ValueError: the frame is not later than the one before.
        """
        if self._last_ns is not None and t_ns <= self._last_ns:
            raise ValueError("frames are remembered in the order of their time")
        if cut:
            self._in_picture.cut()
            self._in_scene.cut()
        self._last_ns = t_ns
        self._scenes[t_ns] = scene
        self._in_picture.add(t_ns, boxes)
        self._in_scene.add(t_ns, _moved(boxes, scene, -1))

    def recall(self, t_ns: int) -> Boxes:
        """All that is to be hidden in the frame of `t_ns`, by what is known up to now.

        Raises:
            KeyError: no frame of that time was added, or it was forgotten.
        """
        in_scene = _moved(self._in_scene.at(t_ns), self._scenes[t_ns], 1)
        in_picture = self._in_picture.at(t_ns)
        in_scene = in_scene.chosen(~_within(in_scene, in_picture, _SAME_PX))
        return Boxes.joined([in_picture.chosen(~_within(in_picture, in_scene, 0)), in_scene])

    def forget(self, before_ns: int) -> None:
        """Say that no frame earlier than `before_ns` will be asked for again."""
        self._in_picture.forget(before_ns)
        self._in_scene.forget(before_ns)
        self._scenes = {t_ns: scene for t_ns, scene in self._scenes.items() if t_ns >= before_ns}

    @property
    def size(self) -> int:
        """How many finds are kept."""
        return self._in_picture.size + self._in_scene.size

    def _tracks(self, hold_s: float) -> Tracks:
        return Tracks(
            TrackSettings(
                gap_ns=round(self.settings.gap_s * NS_PER_S),
                hold_ns=round(hold_s * NS_PER_S),
                growth_per_s=self.settings.growth_per_s,
            )
        )


def _moved(boxes: Boxes, scene: tuple[float, float], sign: int) -> Boxes:
    corners = (boxes.corners + sign * np.array([*scene, *scene])).astype(np.float32)
    return Boxes(corners, boxes.scores, boxes.subjects)


def _within(boxes: Boxes, others: Boxes, over_px: float) -> NDArray[np.bool_]:
    """(n,) which boxes reach no farther than `over_px` beyond one of the others that is of their subject."""
    own, other = boxes.corners[:, None], others.corners[None]
    inside = (own[:, :, :2] >= other[:, :, :2] - over_px) & (own[:, :, 2:] <= other[:, :, 2:] + over_px)
    same = boxes.subjects[:, None] == others.subjects[None]
    return np.asarray((inside.all(axis=2) & same).any(axis=1), np.bool_)
