"""How much of true boxes is hidden: by size, by view, and over the frames of clips with memory off and on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.clock import NS_PER_S, VirtualClock
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector, check_picture
from edge.vision.judging import Judge, too_dark
from edge.vision.line import RedactionLine
from edge.vision.memory import MemorySettings
from edge.vision.picture import Picture, Pixels, Redacted
from edge.vision.redacting import TellingMemory
from edge.vision.redaction import masks_of
from simulator.cameras.scene import Truth
from tests.vision_scenes.drawn_clips import Seen

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
        frames: of the clip.
        kept: of which the line let out; the others count for nothing below.
        asked: in which something was to be found, counted once for each track.
        covered: of these.
        longest_open: kept frames in a row in which one and the same thing stayed open, at most.
        filled: share of the kept pictures' area that was filled for what was found, summed over them.
    """

    frames: int
    kept: int
    asked: int
    covered: int
    longest_open: int
    filled: float


class _Replayed(Detector):
    """Answers what was found before in the frame that it is told."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self.number = 0

    @property
    def subject(self) -> Subject:
        return self._seen.subject

    @property
    def name(self) -> str:
        return "replayed"

    def detect(self, pixels: Pixels) -> Boxes:
        check_picture(pixels, self.name)
        return self._seen.found[self.number]


def kept_by_line(seen: Seen, settings: MemorySettings, judge: Judge) -> dict[int, Boxes]:
    """The frames of a clip that the line of a vehicle lets out, each with what is hidden in it by memory."""
    detector, memory = _Replayed(seen), TellingMemory(settings)
    line = RedactionLine("clip", [detector], judge, memory, clock=VirtualClock())
    out: list[Redacted] = []
    for number, frame in enumerate(seen.frames):
        detector.number = number
        picture = Picture("clip", number, round(frame.seconds * NS_PER_S), frame.pixels.copy())
        out += line.take(picture)
    out += line.finish()
    return {one.number: memory.told[one.t_ns] for one in out}


def clip_coverage(seen: Seen, hidden: Mapping[int, Boxes]) -> ClipCoverage:
    """Coverage over those frames of a clip that are among `hidden`, by number."""
    asked = covered = longest = 0
    filled = 0.0
    runs: defaultdict[int, int] = defaultdict(int)
    for number, boxes in sorted(hidden.items()):
        frame = seen.frames[number]
        height, width = frame.pixels.shape[:2]
        masks = masks_of(boxes, height, width)
        filled += _area(masks, height, width)
        masks = np.concatenate([masks, too_dark(frame.pixels)])
        for truth in frame.truths:
            if truth.subject is not seen.subject or not truth.counted:
                continue
            asked += 1
            if hidden_share(truth, masks) >= COVERED:
                covered += 1
                runs[truth.track] = 0
            else:
                runs[truth.track] += 1
                longest = max(longest, runs[truth.track])
    return ClipCoverage(len(seen.frames), len(hidden), asked, covered, longest, filled)


def _area(masks: NDArray[np.int32], height: int, width: int) -> float:
    picture = np.zeros((height, width), np.bool_)
    for left, top, right, bottom in masks.tolist():
        picture[top:bottom, left:right] = True
    return float(picture.mean())
