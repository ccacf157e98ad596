"""Stand-ins of the line's tests: a detector that finds what is painted, or what a script says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edge.clock import NS_PER_S
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.picture import Picture, Pixels

Answer = Boxes | Exception
HEIGHT, WIDTH = 48, 64


def faces(*corners: Sequence[float], score: float = 0.9) -> Boxes:
    """Boxes of faces."""
    return Boxes.of(
        Subject.FACE, np.array(corners, np.float32).reshape(-1, 4), np.full(len(corners), score, np.float32)
    )


def plates(*corners: Sequence[float], score: float = 0.9) -> Boxes:
    """Boxes of plates."""
    return Boxes.of(
        Subject.PLATE, np.array(corners, np.float32).reshape(-1, 4), np.full(len(corners), score, np.float32)
    )


def picture(
    number: int, t_s: float, *, value: int | None = None, height: int = HEIGHT, width: int = WIDTH
) -> Picture:
    """A picture of noise, or of one value."""
    if value is None:
        pixels = np.random.default_rng(number).integers(0, 120, (height, width, 3), np.uint8)
    else:
        pixels = np.full((height, width, 3), value, np.uint8)
    return Picture("front", number, round(t_s * NS_PER_S), pixels)


class Scripted(Detector):
    """Answers from a script: the next answer at each look; an error is raised."""

    def __init__(
        self, answers: Sequence[Answer] | Callable[[Pixels], Answer], subject: Subject = Subject.FACE
    ) -> None:
        self._answers = answers
        self._subject = subject
        self.looks = 0

    @property
    def subject(self) -> Subject:
        return self._subject

    @property
    def name(self) -> str:
        return f"scripted-{self._subject.name.lower()}"

    def detect(self, pixels: Pixels) -> Boxes:
        answers = self._answers
        answer = answers(pixels) if callable(answers) else answers[self.looks]
        self.looks += 1
        if isinstance(answer, Exception):
            raise answer
        return answer
