"""The measure of GB/T 44464-2024, 5.6.2, and beside it how much of each face and plate is really hidden.

The standard's own: of faces of at least 32 pixels and plates of at least 16 (the shorter side), the share of
which at least half is masked, ``Na / (Na + Nm)``; and of all masks the share that touches nothing true. Half
a face is often enough to know a person by, and people know faces smaller than 32 pixels: so coverage is
counted by size as well, with at least 0.8 of the true box under masks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import AnnotatedPicture

STANDARD_SIZE_PX: Mapping[Subject, int] = MappingProxyType({Subject.FACE: 32, Subject.PLATE: 16})
"""GB/T 44464-2024, 5.6.2: from this shorter side on an object counts."""

STANDARD_COVERED = 0.5
"""The same: an object is detected when at least this share of its true box is masked."""

LEAST_DETECTED = 0.90
"""The same, shall."""

MOST_FALSE = 0.10
"""The same, should."""

COVERED = 0.8
"""From this share of the true box on an object is counted as hidden."""

SIZES_PX = (8, 12, 16, 24, 32, 64, 128)
"""Where bins of the shorter side begin; the last is open."""

_95_PERCENT = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many.

    Attributes:
        part: how many.
        whole: of how many.
    """

    part: int
    whole: int

    @property
    def rate(self) -> float | None:
        """Part by whole; None where there is nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the rate, 95 %: what so few objects leave open; all of 0 to 1 for none."""
        if not self.whole:
            return 0.0, 1.0
        rate, count, z = self.part / self.whole, self.whole, _95_PERCENT
        middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
        reach = z * math.sqrt(rate * (1 - rate) / count + (z / (2 * count)) ** 2) / (1 + z * z / count)
        return (
            0.0 if self.part == 0 else middle - reach,
            1.0 if self.part == count else middle + reach,
        )

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {"part": self.part, "whole": self.whole, "rate": self.rate, "interval": list(self.interval)}


@dataclass(frozen=True, slots=True)
class Miss:
    """An object of which less than `COVERED` is under masks.

    Attributes:
        file: of the picture.
        subject: what it is.
        corners: its true box: left, top, right, bottom in pixels.
        covered: which share of it is under masks.
        counts: whether the standard counts it as missed: large enough, and less than half of it masked.
    """

    file: str
    subject: Subject
    corners: tuple[float, float, float, float]
    covered: float
    counts: bool

    @property
    def size_px(self) -> float:
        """Its shorter side."""
        return shorter_side(self.corners)


@dataclass(slots=True)
class SubjectMeasure:
    """What was found of one subject.

    Attributes:
        subject: which.
        pictures: how many were looked through by people for it, and are measured.
        objects: true boxes in them, of any size.
        detected: by the standard: of those that are large enough, how many are masked by half or more.
        false: by the standard: of all masks, how many touch nothing true.
        hidden: by the shorter side's bin, how many are hidden.
        misses: every object that is not.
        cpu_s: processor time of each picture's detection, seconds.
    """

    subject: Subject
    pictures: int = 0
    objects: int = 0
    detected: Share = Share(0, 0)
    false: Share = Share(0, 0)
    hidden: dict[int, Share] = field(default_factory=lambda: dict.fromkeys(SIZES_PX, Share(0, 0)))
    misses: list[Miss] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def add(self, picture: AnnotatedPicture, masks: NDArray[np.int32], cpu_s: float) -> None:
        """Take in what was masked in a picture; one that nobody looked through for the subject adds nothing.

        Args:
            picture: with what is truly in it.
            masks: (n, 4) int32, left, top, right, bottom: the pixels that are filled.
            cpu_s: processor time that finding them took.
        """
        truth = picture.truth(self.subject)
        if truth is None:
            return
        self.pictures += 1
        self.cpu_s.append(cpu_s)
        self._count_found(picture, truth, masks)
        if picture.exhaustive:
            self._count_false(truth, picture.ignored(), masks)

    def hidden_from(self, size_px: int, to_px: int | None = None) -> Share:
        """How many of a shorter side from `size_px` on, below `to_px`, are hidden, by bounds of bins."""
        chosen = [
            share for low, share in self.hidden.items() if low >= size_px and (to_px is None or low < to_px)
        ]
        return Share(sum(share.part for share in chosen), sum(share.whole for share in chosen))

    @property
    def cpu_ms(self) -> float | None:
        """Median processor time of a picture in milliseconds; None for no pictures."""
        return median(self.cpu_s) * 1_000 if self.cpu_s else None

    @property
    def enough_detected(self) -> bool | None:
        """Whether the standard's detection rate is reached; None where there is nothing to judge by."""
        return None if self.detected.rate is None else self.detected.rate >= LEAST_DETECTED

    @property
    def few_false(self) -> bool | None:
        """Whether the standard's rate of false detections is kept; None where nothing is to be judged by."""
        return None if self.false.rate is None else self.false.rate <= MOST_FALSE

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "pictures": self.pictures,
            "objects": self.objects,
            "smallest_counted_px": STANDARD_SIZE_PX[self.subject],
            "detected": self.detected.as_json(),
            "detected_enough": self.enough_detected,
            "false": self.false.as_json(),
            "false_few_enough": self.few_false,
            "hidden": [
                {"from_px": low, "to_px": high, **self.hidden[low].as_json()}
                for low, high in zip(SIZES_PX, (*SIZES_PX[1:], None), strict=True)
            ],
            "misses": [
                {
                    "file": miss.file,
                    "box": list(miss.corners),
                    "covered": round(miss.covered, 3),
                    "counts": miss.counts,
                }
                for miss in self.misses
            ],
            "cpu_ms_median": self.cpu_ms,
            "cpu_s_total": sum(self.cpu_s),
        }

    def _count_found(
        self, picture: AnnotatedPicture, truth: NDArray[np.float32], masks: NDArray[np.int32]
    ) -> None:
        self.objects += len(truth)
        for corners, covered in zip(
            truth.tolist(), covered_shares(truth, masks, (picture.height, picture.width)), strict=True
        ):
            box = (corners[0], corners[1], corners[2], corners[3])
            side = shorter_side(box)
            large = side >= STANDARD_SIZE_PX[self.subject]
            found, hidden = bool(covered >= STANDARD_COVERED), bool(covered >= COVERED)
            if large:
                self.detected = Share(self.detected.part + found, self.detected.whole + 1)
            low = max((size for size in SIZES_PX if size <= side), default=None)
            if low is not None:
                self.hidden[low] = Share(self.hidden[low].part + hidden, self.hidden[low].whole + 1)
                if not hidden:
                    missed = large and not found
                    self.misses.append(Miss(picture.file, self.subject, box, float(covered), missed))

    def _count_false(
        self, truth: NDArray[np.float32], ignored: NDArray[np.float32], masks: NDArray[np.int32]
    ) -> None:
        touches = _meet(masks, truth)
        excused = ~touches & _meet(masks, ignored)
        false = ~touches & ~excused
        self.false = Share(
            self.false.part + int(false.sum()), self.false.whole + len(masks) - int(excused.sum())
        )


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of what the standard asks of a set of test pictures.

    Attributes:
        name: what is asked about.
        asked: in words.
        found: in words.
        met: None where the annotations do not say.
    """

    name: str
    asked: str
    found: str
    met: bool | None


_PICTURES, _OBJECTS, _PER_SENSOR, _APART_S = 500, 200, 10, 1.0
_WIDTH, _HEIGHT = 1920, 1080


def annex_b(
    pictures: Sequence[AnnotatedPicture], measures: Iterable[SubjectMeasure]
) -> tuple[Requirement, ...]:
    """Hold a set of pictures against GB/T 44464-2024, annex B."""
    counted = {measure.subject: measure.detected.whole for measure in measures}
    found = [
        Requirement("pictures", f"at least {_PICTURES}", f"{len(pictures):,}", len(pictures) >= _PICTURES)
    ]
    for subject, name in ((Subject.FACE, "faces"), (Subject.PLATE, "plates")):
        count = counted.get(subject, 0)
        found.append(
            Requirement(
                f"{name} of at least {STANDARD_SIZE_PX[subject]} px",
                f"at least {_OBJECTS}",
                f"{count:,}",
                count >= _OBJECTS,
            )
        )
    smallest = min(((one.width, one.height) for one in pictures), key=lambda size: size[0] * size[1])
    found.append(
        Requirement(
            "resolution of the reference camera, not resized",
            f"at least {_WIDTH} x {_HEIGHT}",
            f"smallest picture {smallest[0]} x {smallest[1]}",
            all(one.width >= _WIDTH and one.height >= _HEIGHT for one in pictures),
        )
    )
    found.append(_per_sensor(pictures))
    found.append(_apart(pictures))
    return tuple(found)


def _per_sensor(pictures: Sequence[AnnotatedPicture]) -> Requirement:
    name, asked = "pictures of each camera with at least one object", f"at least {_PER_SENSOR}"
    if not all(one.sensor for one in pictures):
        return Requirement(name, asked, "the annotations do not name the cameras", None)
    counts = dict.fromkeys((one.sensor for one in pictures), 0)
    for one in pictures:
        counts[one.sensor] += any(len(truth) for s in Subject if (truth := one.truth(s)) is not None)
    least = min(counts, key=lambda sensor: counts[sensor])
    return Requirement(name, asked, f"{counts[least]:,} of {least}, the fewest", counts[least] >= _PER_SENSOR)


def _apart(pictures: Sequence[AnnotatedPicture]) -> Requirement:
    name, asked = "time between pictures of a camera", f"at least {_APART_S:g} s"
    times: dict[tuple[str, str], list[float]] = {}
    for one in pictures:
        if one.t_s is None:
            return Requirement(name, asked, "the annotations do not say when they were taken", None)
        times.setdefault((one.sensor, one.clip), []).append(one.t_s)
    gaps = [float(np.diff(sorted(of_one)).min()) for of_one in times.values() if len(of_one) > 1]
    if not gaps:
        return Requirement(name, asked, "one picture each", True)
    return Requirement(name, asked, f"shortest {min(gaps):.2f} s", min(gaps) >= _APART_S)


def shorter_side(corners: Sequence[float]) -> float:
    """Of a box of left, top, right and bottom."""
    return min(corners[2] - corners[0], corners[3] - corners[1])


def covered_shares(
    boxes: NDArray[np.float32], masks: NDArray[np.int32], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Which share of each box lies under masks, under all of them together.

    Args:
        boxes: (n, 4) float32 within the picture.
        masks: (m, 4) int32, whole pixels.
        shape: of the picture: height, width.

    Returns:
        (n,) float64, 0 to 1; exact also where boxes cut through pixels.
    """
    filled = np.zeros(shape, np.float32)
    for left, top, right, bottom in masks.clip(0).tolist():
        filled[top:bottom, left:right] = 1
    shares = np.zeros(len(boxes))
    for place, (left, top, right, bottom) in enumerate(boxes.tolist()):
        first_column, columns = _weights(left, right, shape[1])
        first_row, rows = _weights(top, bottom, shape[0])
        part = filled[first_row : first_row + len(rows), first_column : first_column + len(columns)]
        shares[place] = rows @ part @ columns / max(rows.sum() * columns.sum(), 1e-9)
    return shares


def _weights(low: float, high: float, size: int) -> tuple[int, NDArray[np.float64]]:
    """The first pixel that a stretch touches, and how much of each pixel from there on lies in it."""
    first, last = max(math.floor(low), 0), min(math.ceil(high), size)
    starts = np.arange(first, max(last, first), dtype=np.float64)
    return first, np.minimum(starts + 1, high) - np.maximum(starts, low)


def _meet(masks: NDArray[np.int32], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which masks share some area with any of the boxes; (n,) bool."""
    if not len(masks) or not len(boxes):
        return np.zeros(len(masks), np.bool_)
    one, other = masks[:, None, :].astype(np.float64), boxes[None, :, :].astype(np.float64)
    wide = np.minimum(one[..., 2], other[..., 2]) > np.maximum(one[..., 0], other[..., 0])
    high = np.minimum(one[..., 3], other[..., 3]) > np.maximum(one[..., 1], other[..., 1])
    return np.asarray((wide & high).any(axis=1), np.bool_)
