"""Looks at every picture of a folder with the detectors, and measures what would have been filled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.measuring.annotations import AnnotatedPicture, Annotations
from edge.vision.measuring.measure import Requirement, SubjectMeasure, annex_b
from edge.vision.picture import Pixels
from edge.vision.redaction import masks_of

Masks = Callable[[Boxes, int, int], NDArray[np.int32]]
"""Which pixels are filled for boxes in a picture of a height and width: (n, 4) int32, one a box."""


@dataclass(frozen=True, slots=True)
class Looking:
    """How pictures are looked at.

    Attributes:
        detectors: for faces, plates, or both.
        masks: what is filled for what they find.
    """

    detectors: Sequence[Detector]
    masks: Masks = masks_of

    def at(self, pixels: Pixels, subject: Subject | None = None) -> Boxes:
        """What the detectors of a subject, or all, find.

        Raises:
            VisionError: one cannot judge this picture.
        """
        chosen = [one for one in self.detectors if subject is None or one.subject is subject]
        return Boxes.joined([detector.detect(pixels) for detector in chosen])


@dataclass(frozen=True, slots=True)
class Measurement:
    """A folder, measured.

    Attributes:
        subjects: what was found of each subject that there is a detector for and a truth.
        without_detector: subjects that the annotations mark and nothing looked for.
        without_truth: subjects that were looked for in no picture of the folder by people.
        refused: pictures that a detector would not judge, and why; in a vehicle they are not kept.
        requirements: of the standard's annex B, about the pictures.
        pictures: how many there are.
        detectors: names of the detectors.
        versions: of what the measurement rests on, by name.
    """

    subjects: tuple[SubjectMeasure, ...]
    without_detector: tuple[Subject, ...]
    without_truth: tuple[Subject, ...]
    refused: tuple[tuple[str, str], ...]
    requirements: tuple[Requirement, ...]
    pictures: int
    detectors: tuple[str, ...]
    versions: dict[str, str]

    def of(self, subject: Subject) -> SubjectMeasure | None:
        """What was found of `subject`; None where it was not measured."""
        return next((one for one in self.subjects if one.subject is subject), None)

    @property
    def passed(self) -> bool | None:
        """Whether the standard's detection rate is reached for faces and for plates.

        None where it is for what was measured, and something was not. The rate of false detections is a
        recommendation there.
        """
        measured = {one.subject: one.enough_detected for one in self.subjects}
        if any(enough is False for enough in measured.values()):
            return False
        return True if all(measured.get(subject) for subject in Subject) else None

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "passed": self.passed,
            "pictures": self.pictures,
            "subjects": {one.subject.name.lower(): one.as_json() for one in self.subjects},
            "without_detector": [one.name.lower() for one in self.without_detector],
            "without_truth": [one.name.lower() for one in self.without_truth],
            "refused": [{"file": file, "why": why} for file, why in self.refused],
            "test_set": [
                {"name": one.name, "asked": one.asked, "found": one.found, "met": one.met}
                for one in self.requirements
            ],
            "detectors": list(self.detectors),
            "versions": self.versions,
        }


def measure_folder(
    folder: Path,
    annotations: Annotations,
    looking: Looking,
    progress: Callable[[int], None] = lambda _done: None,
) -> Measurement:
    """Detect in every picture, picture by picture without memory, and measure what would be filled.

    A picture that a detector refuses to judge counts as if nothing had been found in it.

    Raises:
        VisionError: a picture is missing, cannot be decoded, or has another size than its annotation says.
    """
    measures = {
        subject: SubjectMeasure(subject)
        for subject in Subject
        if any(detector.subject is subject for detector in looking.detectors)
    }
    refused: list[tuple[str, str]] = []
    for done, (picture, pixels) in enumerate(annotated_pixels(folder, annotations)):
        for subject, measure in measures.items():
            if picture.truth(subject) is None:
                continue
            start_s = time.process_time()
            try:
                boxes = looking.at(pixels, subject)
            except VisionError as error:
                refused.append((picture.file, str(error)))
                boxes = Boxes.none()
            cpu_s = time.process_time() - start_s
            measure.add(picture, looking.masks(boxes, picture.height, picture.width), cpu_s)
        progress(done + 1)
    marked = {one for one in Subject if any(image.truth(one) is not None for image in annotations.images)}
    measured = tuple(one for one in measures.values() if one.subject in marked)
    return Measurement(
        subjects=measured,
        without_detector=tuple(one for one in Subject if one in marked and one not in measures),
        without_truth=tuple(one for one in Subject if one not in marked),
        refused=tuple(refused),
        requirements=annex_b(annotations.images, measured),
        pictures=len(annotations.images),
        detectors=tuple(detector.name for detector in looking.detectors),
        versions=versions(),
    )


def annotated_pixels(folder: Path, annotations: Annotations) -> Iterator[tuple[AnnotatedPicture, Pixels]]:
    """Every picture of a folder with its pixels, one at a time.

    Raises:
        VisionError: a picture is missing, cannot be decoded, or has another size than its annotation says.
    """
    for picture in annotations.images:
        yield picture, read_pixels(folder / picture.file, picture)


def read_pixels(path: Path, picture: AnnotatedPicture) -> Pixels:
    """Decode a picture as it lies in its file, without turning it as its EXIF says.

    Raises:
        VisionError: it is missing, cannot be decoded, or has another size than its annotation says.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise VisionError(f"cannot be read: {error.strerror}", where=str(path)) from None
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        decoded = cv2.imdecode(content, flags) if len(content) else None
    except cv2.error:
        decoded = None
    if decoded is None:
        raise VisionError("is no picture that can be decoded", where=str(path))
    if decoded.shape[:2] != (picture.height, picture.width):
        raise VisionError(
            f"is {decoded.shape[1]} x {decoded.shape[0]}, annotated as {picture.width} x {picture.height}",
            where=str(path),
        )
    return np.ascontiguousarray(decoded, np.uint8)


def versions() -> dict[str, str]:
    """Versions of the packages that a measurement rests on, by name."""
    found = {}
    for name in ("nevgate", "onnxruntime", "opencv-python-headless", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
