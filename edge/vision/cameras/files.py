"""Cameras that are files: a picture, a folder of pictures, a video; for the bench and `nevgate redact`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.vision.cameras.camera import Camera, CameraSettings
from edge.vision.cameras.opened_picture import check_size, opened_picture
from edge.vision.cameras.rate import Rate
from edge.vision.picture import Picture, Pixels
from edge.vision.reasons import Dropped

STILLS = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".avif", ".tif", ".tiff", ".gif", ".heic", ".heif"}
)
"""Endings of pictures; what of them cannot be read is named as such, and not taken for something else."""

VIDEOS = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".ts",
        ".mts",
        ".m2ts",
        ".264",
        ".h264",
        ".mpg",
        ".mpeg",
        ".wmv",
        ".3gp",
    }
)
_NS_PER_MS = NS_PER_S // 1000
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "AVIF", "TIFF")
_WITH_ATTACHMENTS = "MPO"
"""JPEG with previews or depth behind the picture, which are not read."""

_FALLBACK_HZ = 25.0
_HIGHEST_HZ = 1000.0
_CUT_OFF_S = 1.0
"""A film that ends so much earlier than it says was cut off; sound is often some tenths longer."""

_MISSING_MOST_S = 86_400.0

_NEVER = threading.Event()


def check_name_of_film(path: Path) -> None:
    """See that OpenCV can be told of a file: it ends the program at a name that is not of characters.

    Raises:
        VisionError: it cannot.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise VisionError(
            "has a name, or lies in a folder, that is not UTF-8", where=ascii(str(path)), todo="Rename it"
        ) from error


def read_still(path: Path) -> Pixels:
    """Decode a picture, turned as its EXIF says; nothing else of what is beside its pixels is read.

    Raises:
        VisionError: it is none, is damaged or cut off, holds several, or has more than `PIXELS_MOST` pixels.
    """
    with opened_picture(path, _FORMATS, str(path)) as image:
        if image.format != _WITH_ATTACHMENTS and getattr(image, "n_frames", 1) > 1:
            raise VisionError("holds several pictures, and only films may", where=str(path))
        return _pixels_of(image)


def _pixels_of(image: Image.Image) -> Pixels:
    """What a picture shows: upright, in eight bits, without what is transparent about it."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        grey = (np.asarray(upright) >> 8).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(grey[:, :, np.newaxis], 3, axis=2))
    if upright.mode in {"I", "F"}:
        raise ValueError(f"its values have no known range ({upright.mode})")
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1])


class FileCamera(Camera):
    """Plays a picture, a folder of pictures or a video once.

    Frames that a video says that it has, and that are cut off, count as damaged.

    Args:
        settings: a folder's pictures follow each other at its rate; a video is thinned to it.
        clock: stamps the pictures.
        paced: whether a picture is handed out when its time has come, as by a camera; else at once.

    Attributes:
        length_s: how long a video says it is; None where it does not, or has not been begun.
        reached_s: when the last frame that could be read was, from the first on.

    Raises:
        VisionError: there is nothing that can be played.
    """

    def __init__(self, settings: CameraSettings, clock: Clock, *, paced: bool = True) -> None:
        super().__init__(settings)
        self.length_s: float | None = None
        self.reached_s = 0.0
        self._clock = clock
        self._paced = paced
        path = Path(settings.source.removeprefix("file:"))
        if path.is_dir():
            files = sorted(one for one in path.iterdir() if one.suffix.lower() in STILLS)
            if not files:
                raise VisionError("holds no pictures", where=str(path))
            self._frames = self._of_stills(files)
        elif path.suffix.lower() in STILLS and path.is_file():
            self._frames = self._of_stills([path])
        elif path.is_file():
            self._frames = self._of_video(path)
        else:
            raise VisionError("there is no such file", where=str(path))
        self._start_ns = clock.boot_ns()
        self._next: tuple[int, int, Pixels] | None = None

    @property
    def missing_s(self) -> float:
        """By how much a film ended earlier than it says; 0 where it was not cut off."""
        missing_s = (self.length_s or 0.0) - self.reached_s
        return missing_s if missing_s > _CUT_OFF_S else 0.0

    def read(self, timeout_s: float) -> Picture | None:
        """See `Camera.read`; a picture that is not due in time comes with a later call."""
        if self.ended:
            return None
        if self._next is None:
            self._next = next(self._frames, None)
            if self._next is None:
                self.ended = True
                return None
        number, after_ns, pixels = self._next
        due_ns = self._start_ns + after_ns
        if self._paced:
            wait_ns = due_ns - self._clock.boot_ns()
            if wait_ns > timeout_s * NS_PER_S:
                self._clock.wait(_NEVER, timeout_s)
                return None
            if wait_ns > 0:
                self._clock.wait(_NEVER, wait_ns / NS_PER_S)
        self._next = None
        return Picture(self.settings.name, number, due_ns, pixels)

    def close(self) -> None:
        """Let the file go."""
        self.ended = True
        self._next = None
        self._frames = iter(())

    def _of_stills(self, files: list[Path]) -> Iterator[tuple[int, int, Pixels]]:
        for number, path in enumerate(files):
            try:
                pixels = read_still(path)
            except VisionError:
                self._losses[Dropped.DAMAGED] += 1
                continue
            yield number, round(number * NS_PER_S / self.settings.rate_hz), pixels

    def _of_video(self, path: Path) -> Iterator[tuple[int, int, Pixels]]:
        check_name_of_film(path)
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            if not capture.isOpened():
                raise VisionError("is no video that can be read", where=str(path))
            wide, high = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
            check_size(wide, high, str(path))
            rate, number = Rate(self.settings.rate_hz), -1
            hz = capture.get(cv2.CAP_PROP_FPS)
            hz = hz if 0 < hz <= _HIGHEST_HZ else _FALLBACK_HZ
            frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
            self.length_s = frames / hz if frames > 0 else None
            last_ns = -1
            while capture.grab():
                number += 1
                after_ns = round(capture.get(cv2.CAP_PROP_POS_MSEC) * _NS_PER_MS)
                if after_ns <= last_ns:
                    # Some containers have no times, or begin anew.
                    after_ns = max(last_ns + 1, round(number * NS_PER_S / hz))
                last_ns = after_ns
                self.reached_s = after_ns / NS_PER_S
                if not rate.take(after_ns):
                    continue
                good, pixels = capture.retrieve()
                if good and len(pixels.shape) == 3:  # noqa: PLR2004 - height, width, colours
                    yield number, after_ns, np.ascontiguousarray(pixels, np.uint8)
                else:
                    self._losses[Dropped.DAMAGED] += 1
            missed_hz = min(hz, self.settings.rate_hz)
            self._losses[Dropped.DAMAGED] += round(min(self.missing_s, _MISSING_MOST_S) * missed_hz)
        finally:
            capture.release()
