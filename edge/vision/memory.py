"""`Memory`: what was found in the frames before and after one is hidden in that one too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edge.clock import NS_PER_S
from edge.vision.boxes import Boxes, Subject
from edge.vision.tracks import Corners, Tracks, TrackSettings

_STILL = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """How far memory reaches, in time, so that lost frames and changed rates leave it as it is.

    Attributes:
        ahead_s: how long a frame waits for what is found after it.
        hold_s: how long something is hidden after it was last found, and before it was first found.
        gap_s: longest time between two finds of one thing that is filled in between them.
        growth_per_s: by which share of its size a box that was not found but remembered grows on each side
            for each second between it and the nearest find.
        single_growth_per_s: the same for what was found once only, so that nobody knows where it went.
        growth_most: share of its size by which a box grows on each side at most.
        sure: by subject, a box of a lower score is hidden only where the same thing was found with this score
            in a frame before or after; a subject that is not named has all its boxes hidden.
    """

    ahead_s: float = 0.6
    hold_s: float = 0.6
    gap_s: float = 1.2
    growth_per_s: float = 0.5
    single_growth_per_s: float = 1.0
    growth_most: float = 0.5
    sure: Mapping[Subject, float] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def off(cls) -> MemorySettings:
        """No memory: what is found in a frame is hidden in that frame."""
        return cls(ahead_s=0, hold_s=0, gap_s=0)


class Memory:
    """Follows what detectors find over the frames of one camera.

    Nothing that was found is ever taken away: memory only adds boxes, but for those that `sure` holds back.

    Args:
        settings: how far it reaches.
    """

    def __init__(self, settings: MemorySettings | None = None) -> None:
        self.settings = settings or MemorySettings()
        self._tracks = Tracks(
            TrackSettings(
                gap_ns=round(self.settings.gap_s * NS_PER_S),
                hold_ns=round(self.settings.hold_s * NS_PER_S),
                growth_per_s=self.settings.growth_per_s,
                single_growth_per_s=self.settings.single_growth_per_s,
                growth_most=self.settings.growth_most,
            )
        )
        self._shown: dict[int, tuple[float, float]] = {}
        self._offset = _STILL
        self._last_ns: int | None = None

    def add(self, t_ns: int, boxes: Boxes, *, shift: tuple[float, float] = _STILL, cut: bool = False) -> None:
        """Take in what was found in a frame.

        Args:
            t_ns: when the frame was taken; later than all before.
            boxes: what was found in it.
            shift: by how many pixels to the right and down the whole scene moved since the frame before.
            cut: nothing of what was before is shown any more, such as in a film or after a change of size.

        Raises:
            ValueError: the frame is not later than the one before.
        """
        if self._last_ns is not None and t_ns <= self._last_ns:
            raise ValueError("frames are remembered in the order of their time")
        if cut:
            self.cut()
        self._last_ns = t_ns
        self._offset = (self._offset[0] + shift[0], self._offset[1] + shift[1])
        self._shown[t_ns] = self._offset
        sure = np.array([self.settings.sure.get(subject, 0.0) for subject in Subject], np.float32)
        self._tracks.add(
            t_ns, boxes, _moved(boxes.corners, self._offset, -1), boxes.scores >= sure[boxes.subjects]
        )

    def recall(self, t_ns: int) -> Boxes:
        """All that is to be hidden in the frame of `t_ns`, by what is known up to now.

        Raises:
            KeyError: no frame of that time was added, or it was forgotten.
        """
        offset = self._shown[t_ns]
        found = self._tracks.at(t_ns)
        return Boxes(_moved(found.corners, offset, 1), found.scores, found.subjects)

    def forget(self, before_ns: int) -> None:
        """Say that no frame earlier than `before_ns` will be asked for again."""
        self._tracks.forget(before_ns)
        self._shown = {t_ns: offset for t_ns, offset in self._shown.items() if t_ns >= before_ns}

    @property
    def size(self) -> int:
        """How many finds are kept."""
        return self._tracks.size

    def cut(self) -> None:
        """End all that is followed: what comes is another scene, which says nothing of the one before."""
        self._tracks.cut()


def _moved(corners: NDArray[np.float32], offset: tuple[float, float], sign: int) -> Corners:
    return (corners + sign * np.array([*offset, *offset], np.float32)).astype(np.float32)
