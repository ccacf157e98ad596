"""Cameras that OpenCV opens: V4L2 devices, and streams by RTSP over TCP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np

from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.vision.cameras.arrival import Arrival
from edge.vision.cameras.camera import Camera, CameraSettings
from edge.vision.cameras.jpeg import decode_whole
from edge.vision.cameras.rate import Rate
from edge.vision.picture import Picture, Pixels
from edge.vision.reasons import Dropped

_NS_PER_MS = NS_PER_S // 1000
_CHANNELS = 3
_JPEG, _AS_IT_CAME = b"MJPG", -1
_OPEN_MS = 5_000
_READ_MS = 3_000
_FAILURES_MOST = 20
_CATCHING_UP_NS = 10 * NS_PER_S
_V4L2_VARIABLE, _V4L2_SELECT_S = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3"
_FFMPEG_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_RTSP_OPTIONS = {
    "rtsp_transport": "tcp",
    # Sound is not even asked for.
    "allowed_media_types": "video",
    "max_delay": "500000",
    "fflags": "nobuffer",
    # Microseconds of a stream that are looked at before it is opened.
    "analyzeduration": "1000000",
}


class _OpenCvCamera(Camera):
    """Grabs every frame, passes over what has waited in a buffer, and decodes what is wanted."""

    def __init__(self, settings: CameraSettings, capture: cv2.VideoCapture, clock: Clock) -> None:
        super().__init__(settings)
        self._capture = capture
        self._clock = clock
        self._rate = Rate(settings.rate_hz)
        self._arrival = Arrival()
        self._fresh_ns = clock.boot_ns()
        self._number = -1
        self._failed = 0

    def read(self, timeout_s: float) -> Picture | None:
        """See `Camera.read`."""
        end_ns = self._clock.boot_ns() + round(timeout_s * NS_PER_S)
        while True:
            if not self._capture.grab():
                raise VisionError("no frame comes any more", where=f"camera {self.settings.name}")
            now_ns = self._clock.boot_ns()
            self._number += 1
            stamp = self._arrival.stamp(round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * _NS_PER_MS), now_ns)
            if stamp.stale:
                self._pass_over(stamp.t_ns, now_ns)
            else:
                self._fresh_ns = now_ns
                picture = self._decoded(stamp.t_ns) if self._rate.take(stamp.t_ns) else None
                if picture is not None:
                    return picture
            if now_ns >= end_ns:
                return None

    def close(self) -> None:
        """Let the device go."""
        self._capture.release()
        self.ended = True

    def _pixels(self) -> Pixels | None:
        """Decode the frame that was grabbed; None where that cannot be."""
        try:
            good, pixels = self._capture.retrieve()
        except cv2.error:
            return None
        return np.asarray(pixels) if good and pixels is not None else None

    def _pass_over(self, t_ns: int, now_ns: int) -> None:
        """Count a frame that newer ones wait behind, unless that has been so for too long already.

        What was in buffers when the camera was opened is from before, and counts for nothing.
        """
        if self._arrival.settled and self._rate.take(t_ns):
            self._losses[Dropped.LATE] += 1
        if now_ns - self._fresh_ns > _CATCHING_UP_NS:
            raise VisionError(
                f"no frame was new for {_CATCHING_UP_NS // NS_PER_S} s: they come late, or are too many",
                where=f"camera {self.settings.name}",
                todo="Have the camera send fewer or smaller ones",
            )

    def _decoded(self, t_ns: int) -> Picture | None:
        pixels = self._pixels()
        if pixels is None or pixels.dtype != np.uint8 or pixels.shape[2:] != (_CHANNELS,):
            self._losses[Dropped.DAMAGED] += 1
            self._failed += 1
            if self._failed >= _FAILURES_MOST:
                raise VisionError(
                    f"{self._failed} frames in a row could not be decoded",
                    where=f"camera {self.settings.name}",
                )
            return None
        self._failed = 0
        return Picture(self.settings.name, self._number, t_ns, np.ascontiguousarray(pixels))


class V4l2Camera(_OpenCvCamera):
    """A camera of this machine, ``v4l2:/dev/video0``.

    Raises:
        VisionError: there is no such device, it may not be opened, or it is no camera.
    """

    def __init__(self, settings: CameraSettings, clock: Clock) -> None:
        device = Path(settings.source.removeprefix("v4l2:"))
        where = f"camera {settings.name}"
        if not device.is_char_device():
            raise VisionError(
                f"there is no device {device}",
                where=where,
                todo="'ls -l /dev/v4l/by-id' lists the cameras of this machine",
            )
        if not os.access(device, os.R_OK | os.W_OK):
            raise VisionError(
                f"{device} may not be opened", where=where, todo="Put the user into the group 'video'"
            )
        with _environment(_V4L2_VARIABLE, _V4L2_SELECT_S):
            capture = cv2.VideoCapture(str(device), cv2.CAP_V4L2)
        if not capture.isOpened():
            raise VisionError(f"{device} is no camera, or is in use", where=where)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        super().__init__(settings, capture, clock)


class RtspCamera(_OpenCvCamera):
    """A camera on the vehicle's own network, ``rtsp://192.0.2.7:554/front``, by TCP.

    Raises:
        VisionError: the source is no address, or nothing answers there.
    """

    def __init__(self, settings: CameraSettings, clock: Clock) -> None:
        check_rtsp(settings.source, settings.name)
        with _environment(_FFMPEG_VARIABLE, "|".join(map(";".join, _RTSP_OPTIONS.items()))):
            capture = cv2.VideoCapture(
                settings.source,
                cv2.CAP_FFMPEG,
                [
                    *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_MS),
                    *(cv2.CAP_PROP_N_THREADS, 1),
                ],
            )
        if not capture.isOpened():
            host = urlsplit(settings.source).hostname
            raise VisionError(f"no stream is to be had from {host}", where=f"camera {settings.name}")
        super().__init__(settings, capture, clock)
        # FFmpeg fills in what a cut-off JPEG lacks, and tells nobody. It is made to hand it on as it came.
        self._coded = _is_jpeg(capture) and capture.set(cv2.CAP_PROP_FORMAT, _AS_IT_CAME)

    def _pixels(self) -> Pixels | None:
        found = super()._pixels()
        if found is None or not self._coded:
            return found
        try:
            return decode_whole(found.tobytes())
        except VisionError:
            return None


def _is_jpeg(capture: cv2.VideoCapture) -> bool:
    return round(capture.get(cv2.CAP_PROP_FOURCC)) == int.from_bytes(_JPEG, "little")


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable by which alone OpenCV can be told something, for the one call that is meant."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def check_rtsp(source: str, name: str) -> None:
    """See that a stream is named by an address: no name is looked up on the way to a camera.

    Raises:
        VisionError: it is not.
    """
    try:
        parts = urlsplit(source)
        ip_address(parts.hostname or "")
        _ = parts.port
    except ValueError as error:
        raise VisionError(
            "the stream of a camera is named by an address, since no name is looked up for it",
            where=f"camera {name}",
            todo='Write source = "rtsp://192.0.2.7:554/PATH"',
        ) from error
