"""How much of true boxes is hidden: by size, by view, and over the frames of clips with memory off and on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.clock import NS_PER_S
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector, detect_all
from edge.vision.memory import Memory, MemorySettings
from edge.vision.redaction import masks_of
from simulator.cameras.clips import Frame
from simulator.cameras.scene import Truth

COVERED = 0.8
"""Share of a true box that has to be under the masks for it to count as covered."""

DETECTED = 0.5
"""The same for it to count as detected: GB/T 44464-2024, 5.6.2."""

SIZES = (8, 12, 16, 24, 32, 64, 128, 1 << 30)
"""Edges of the bins of the shorter side, in pixels."""


def hidden_share(truth: Truth, masks: NDArray[np.int32]) -> float:
    """Share of a true box that is under at least one of (n, 4) masks."""
    left, top, right, bottom = truth.box
    left, top, right, bottom = math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
    open_pixels = np.ones((bottom - top, right - left), np.bool_)
    for mask in masks:
        columns = slice(max(mask[0] - left, 0), max(mask[2] - left, 0))
        rows = slice(max(mask[1] - top, 0), max(mask[3] - top, 0))
        open_pixels[rows, columns] = False
    return 1 - float(open_pixels.mean())


def bin_of(truth: Truth) -> int:
    """Which of `SIZES` a box belongs to, from 0."""
    return int(np.searchsorted(SIZES, truth.shorter_px, side="right")) - 1


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of true boxes.

    Attributes:
        asked: boxes that are to be found.
        covered: of which enough is hidden.
        detected: of which half is hidden.
    """

    asked: int = 0
    covered: int = 0
    detected: int = 0

    def __add__(self, share: float) -> Coverage:
        """With one more box, of which this share is hidden."""
        return Coverage(
            self.asked + 1, self.covered + (share >= COVERED), self.detected + (share >= DETECTED)
        )


def coverage_by_size(
    pictures: Iterable[tuple[Sequence[Truth], Boxes, tuple[int, int]]], subject: Subject
) -> list[Coverage]:
    """Coverage by `SIZES` of pictures, each with its truth, what was found, and its height and width."""
    bins = [Coverage() for _ in SIZES[:-1]]
    for truths, boxes, (height, width) in pictures:
        masks = masks_of(boxes.about(subject), height, width)
        for truth in truths:
            if truth.subject is subject and truth.counted:
                bins[bin_of(truth)] += hidden_share(truth, masks)
    return bins


@dataclass(frozen=True, slots=True)
class ClipCoverage:
    """What became of the tracks of one subject in a clip.

    Attributes:
        frames: in which something was to be found, counted once for each track.
        covered: of these.
        longest_open: frames in a row in which one and the same thing stayed open, at most.
        filled: share of the pictures' area that was filled, on average.
    """

    frames: int
    covered: int
    longest_open: int
    filled: float


def found_in(frames: Iterable[Frame], detectors: Sequence[Detector]) -> list[tuple[Frame, Boxes]]:
    """What detectors find in each frame by itself."""
    return [(frame, detect_all(detectors, frame.pixels)) for frame in frames]


def remembered(found: Sequence[tuple[Frame, Boxes]], settings: MemorySettings) -> list[Boxes]:
    """What is hidden in each frame, by what was found in it and in those up to `ahead_s` after it."""
    memory = Memory(settings)
    times_ns = [round(frame.seconds * NS_PER_S) for frame, _ in found]
    ahead_ns = round(settings.ahead_s * NS_PER_S)
    hidden: list[Boxes] = []
    for number, (_, boxes) in enumerate(found):
        memory.add(times_ns[number], boxes)
        while len(hidden) < number and times_ns[len(hidden)] + ahead_ns <= times_ns[number]:
            hidden.append(memory.recall(times_ns[len(hidden)]))
        if ahead_ns == 0:
            hidden.append(memory.recall(times_ns[number]))
    hidden += [memory.recall(t_ns) for t_ns in times_ns[len(hidden) :]]
    return hidden


def clip_coverage(
    found: Sequence[tuple[Frame, Boxes]], hidden: Sequence[Boxes], subject: Subject
) -> ClipCoverage:
    """Coverage over the frames of a clip."""
    asked = covered = longest = 0
    filled = 0.0
    runs: defaultdict[int, int] = defaultdict(int)
    for (frame, _), boxes in zip(found, hidden, strict=True):
        height, width = frame.pixels.shape[:2]
        masks = masks_of(boxes.about(subject), height, width)
        filled += _area(masks, height, width)
        for truth in frame.truths:
            if truth.subject is not subject or not truth.counted:
                continue
            asked += 1
            if hidden_share(truth, masks) >= COVERED:
                covered += 1
                runs[truth.track] = 0
            else:
                runs[truth.track] += 1
                longest = max(longest, runs[truth.track])
    return ClipCoverage(asked, covered, longest, filled / max(len(found), 1))


def _area(masks: NDArray[np.int32], height: int, width: int) -> float:
    picture = np.zeros((height, width), np.bool_)
    for left, top, right, bottom in masks.tolist():
        picture[top:bottom, left:right] = True
    return float(picture.mean())
