"""`Boxes`: where something is in a picture that has to go, and how sure a detector was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Subject(IntEnum):
    """What a person is recognised by."""

    FACE = 0
    PLATE = 1


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes in one picture.

    Attributes:
        corners: (n, 4) float32: left, top, right, bottom in pixels; right and bottom are outside the box.
        scores: (n,) float32, 0 to 1.
        subjects: (n,) uint8, of `Subject`.
    """

    corners: NDArray[np.float32]
    scores: NDArray[np.float32]
    subjects: NDArray[np.uint8]

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.corners.shape != (count, 4) or self.subjects.shape != (count,):
            raise ValueError(f"{count} scores, {self.corners.shape} corners, {self.subjects.shape} subjects")

    def __len__(self) -> int:
        """How many there are."""
        return len(self.scores)

    @classmethod
    def none(cls) -> Boxes:
        """No boxes."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.uint8))

    @classmethod
    def of(cls, subject: Subject, corners: NDArray[np.float32], scores: NDArray[np.float32]) -> Boxes:
        """Boxes of one subject; corners (n, 4), scores (n,)."""
        return cls(corners, scores, np.full(len(scores), subject, np.uint8))

    @classmethod
    def joined(cls, parts: Sequence[Boxes]) -> Boxes:
        """All boxes of several, in their order."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([part.corners for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.subjects for part in parts]),
        )

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Boxes:
        """Those at the places, or where the mask (n,) holds."""
        return Boxes(self.corners[which], self.scores[which], self.subjects[which])

    def about(self, subject: Subject) -> Boxes:
        """Those of one subject."""
        return self.chosen(self.subjects == subject)
