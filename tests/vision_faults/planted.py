"""A face that nothing else looks like: a pattern planted in frames, and the search for it afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.picture import Picture, Pixels

HIGH, WIDE = 48, 40
FRAME_HIGH, FRAME_WIDE = 176, 224
_NEEDLE_PIXELS = 8
_ROWS = 6
_ALIKE = 0.45
"""Correlation from which on the pattern counts as seen; that of unrelated noise stays below 0.25 here."""


class Planted:
    """A pattern of coarse noise, as large as a face, and frames with it.

    Args:
        seed: of the pattern; another one gives another face.
    """

    def __init__(self, seed: int = 1) -> None:
        random = np.random.default_rng(seed)
        coarse = random.integers(0, 256, (HIGH // 4, WIDE // 4, 3), dtype=np.uint8)
        fine = random.integers(-12, 13, (HIGH, WIDE, 3))
        large = np.kron(coarse.astype(np.int64), np.ones((4, 4, 1), np.int64))
        self.pixels: Pixels = np.clip(large + fine, 0, 255).astype(np.uint8)

    def frame(self, number: int, *, width: int = FRAME_WIDE, height: int = FRAME_HIGH) -> Pixels:
        """A street of sharp lines and soft light with the pattern in it, which moves from frame to frame."""
        pixels = _street(number, width, height).copy()
        left, top = self.place(number, width, height)
        pixels[top : top + HIGH, left : left + WIDE] = self.pixels
        return np.ascontiguousarray(pixels)

    def place(self, number: int, width: int = FRAME_WIDE, height: int = FRAME_HIGH) -> tuple[int, int]:
        """Left and top of the pattern in a frame."""
        return 60 + 3 * number % (width - WIDE - 120), 50 + number % (height - HIGH - 100)

    def picture(self, number: int, t_ns: int, pixels: Pixels | None = None) -> Picture:
        """A frame as a camera hands it on."""
        return Picture("front", number, t_ns, self.frame(number) if pixels is None else pixels)

    @cached_property
    def needles(self) -> tuple[bytes, ...]:
        """Stretches of every sixth row of it as they lie in memory: in colour, in grey, each plane."""
        grey = np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        rows: list[bytes] = []
        middle = slice(WIDE // 2 - _NEEDLE_PIXELS, WIDE // 2 + _NEEDLE_PIXELS)
        for part in (self.pixels, self.pixels[:, :, ::-1], grey, *np.moveaxis(self.pixels, 2, 0)):
            rows += [np.ascontiguousarray(row[middle]).tobytes() for row in part[::_ROWS]]
        return tuple(rows)

    def raw_in(self, content: bytes) -> bool:
        """Whether a stretch of the pattern's pixels lies in these bytes as it is."""
        return any(needle in content for needle in self.needles)

    def seen_in(self, pixels: Pixels) -> bool:
        """Whether the pattern can be made out in a picture, also when it went through an encoder."""
        if pixels.shape[0] < HIGH or pixels.shape[1] < WIDE or not pixels.any():
            return False
        return self.likeness(pixels)[0] > _ALIKE

    def likeness(self, pixels: Pixels) -> tuple[float, int, int]:
        """How much the likeliest part of a picture is like the pattern, and its left and top."""
        grey, sought = (cv2.cvtColor(one, cv2.COLOR_BGR2GRAY) for one in (pixels, self.pixels))
        _, best, _, (left, top) = cv2.minMaxLoc(cv2.matchTemplate(grey, sought, cv2.TM_CCOEFF_NORMED))
        return best, left, top

    def traces(self, folder: Path, spoken: Iterable[bytes] = ()) -> Iterator[str]:
        """Where the pattern is in the files under a folder and in what a process has said or sent.

        Every file is searched for raw pixels, and decoded where it is a picture or a clip.
        """
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            content = path.read_bytes()
            if self.raw_in(content):
                yield f"raw pixels in {path.name}"
            if any(self.seen_in(one) for one in decoded(path, content)):
                yield f"to be seen in {path.name}"
        for place, content in enumerate(spoken):
            if self.raw_in(content):
                yield f"raw pixels in what was said, part {place}"


@lru_cache(64)
def _street(number: int, width: int, height: int) -> Pixels:
    rows, columns = np.mgrid[0:height, 0:width]
    soft = 110 + 50 * np.sin(columns / 37 + number / 9) + 30 * np.cos(rows / 23)
    lines = ((columns // 16 + rows // 12) % 2) * 40
    frame = np.repeat((soft + lines)[:, :, None], 3, axis=2) + np.array([0, 8, -8])
    frame += np.random.default_rng(number).normal(0, 3, frame.shape)
    pixels: Pixels = np.clip(frame, 0, 255).astype(np.uint8)
    return pixels


def decoded(path: Path, content: bytes) -> Iterator[Pixels]:
    """The pictures in a file: one of a still, all of a clip, none of anything else."""
    still = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if still is not None:
        yield np.asarray(still, np.uint8)
        return
    if path.suffix not in {".webm", ".mp4", ".avi", ".mkv"}:
        return
    clip = cv2.VideoCapture(str(path))
    try:
        while True:
            good, frame = clip.read()
            if not good:
                return
            yield np.asarray(frame, np.uint8)
    finally:
        clip.release()


class KnowsThePattern(Detector):
    """Finds the planted pattern where it is, to the pixel, and nothing else.

    Args:
        planted: what it finds.
    """

    def __init__(self, planted: Planted) -> None:
        self._planted = planted

    @property
    def subject(self) -> Subject:
        """See `Detector.subject`."""
        return Subject.FACE

    @property
    def name(self) -> str:
        """See `Detector.name`."""
        return "knows-the-pattern"

    def detect(self, pixels: Pixels) -> Boxes:
        """See `Detector.detect`."""
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise VisionError("no picture")
        if pixels.shape[0] < HIGH or pixels.shape[1] < WIDE:
            return Boxes.none()
        best, left, top = self._planted.likeness(pixels)
        if best < _ALIKE:
            return Boxes.none()
        corners = np.array([[left, top, left + WIDE, top + HIGH]], np.float32)
        return Boxes.of(Subject.FACE, corners, np.array([best], np.float32))
