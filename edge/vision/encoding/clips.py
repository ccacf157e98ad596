"""Redacted pixels to one clip, in memory from the first byte to the last."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.clock import NS_PER_S
from edge.closing import Closing
from edge.errors import VisionError
from edge.vision.media import MediaFormat
from edge.vision.picture import Pixels, Redacted

NS_PER_MS = NS_PER_S // 1000
FRAMES_MOST = 25
"""Of one clip: they wait in memory until it is whole. What is longer is kept as several clips."""

_FASTEST = 10
_H264_CLOCK = 90_000


class ClipWriter(Closing):
    """Takes the frames of one clip, one by one, and gives its bytes; frames of another size are fitted in.

    Args:
        rate_hz: frames a second that are expected.
        quality: 1 to 100.
    """

    format: MediaFormat

    def __init__(self, rate_hz: float, quality: int) -> None:
        self._rate_hz = rate_hz
        self._quality = quality
        self.frames = 0
        self.size = (0, 0)

    def add(self, redacted: Redacted) -> None:
        """Encode the next frame, in order of time.

        Raises:
            VisionError: the encoder fails, or there is nothing to be encoded.
        """
        if 0 in redacted.pixels.shape:
            raise VisionError("a frame without pixels", where=f"camera {redacted.camera}")
        if not self.frames:
            self.size = redacted.pixels.shape[1], redacted.pixels.shape[0]
        pixels = fitted(redacted.pixels, self.size)
        try:
            self._encode(pixels, redacted.t_ns)
        except (cv2.error, OSError, ValueError, RuntimeError) as error:
            raise VisionError("the encoder of clips failed", where=f"camera {redacted.camera}") from error
        self.frames += 1

    @abstractmethod
    def _encode(self, pixels: Pixels, t_ns: int) -> None:
        """Encode one frame of `size`, made even."""

    @abstractmethod
    def finish(self) -> bytes:
        """The whole clip.

        Raises:
            VisionError: there is no frame in it, or the encoder fails.
        """


class Av1Writer(ClipWriter):
    """AV1 as a sequence in AVIF, by libraries that OpenCV carries (BSD licences), each frame with its time.

    All of it happens in memory, so that a process that may write no file can do it.
    """

    format = MediaFormat.AVIF_SEQUENCE

    def __init__(self, rate_hz: float, quality: int) -> None:
        super().__init__(rate_hz, quality)
        self._frames: list[Pixels] = []
        self._times_ns: list[int] = []

    def close(self) -> None:
        """Let the frames go."""
        self._frames.clear()

    def _encode(self, pixels: Pixels, t_ns: int) -> None:
        self._frames.append(pixels)
        self._times_ns.append(t_ns)

    def finish(self) -> bytes:
        """See `ClipWriter.finish`."""
        if not self._frames:
            raise VisionError("a clip without a frame")
        steps_ms = [round(step / NS_PER_MS) for step in np.diff(self._times_ns)]
        last_ms = steps_ms[-1] if steps_ms else round(1000 / self._rate_hz)
        animation = cv2.Animation()
        animation.frames = self._frames
        animation.durations = [max(1, step) for step in (*steps_ms, last_ms)]
        how = [cv2.IMWRITE_AVIF_QUALITY, self._quality, cv2.IMWRITE_AVIF_SPEED, _FASTEST]
        try:
            done, coded = cv2.imencodeanimation(".avif", animation, how)
        except cv2.error as error:
            raise VisionError("the encoder of clips failed") from error
        if not done:
            raise VisionError("the encoder of clips failed")
        return bytes(coded)


class H264Writer(ClipWriter):
    """H.264 in MP4, by PyAV where the user has installed it: its wheels carry x264, which is GPL.

    Args:
        rate_hz: frames a second that are expected.
        quality: 1 to 100.
        path: of a file that it is to go into; None keeps it in memory.

    Raises:
        VisionError: PyAV is not installed.
    """

    format = MediaFormat.MP4

    def __init__(self, rate_hz: float, quality: int, path: Path | None = None) -> None:
        super().__init__(rate_hz, quality)
        self._path = path
        try:
            self._av: Any = importlib.import_module("av")
        except ImportError as error:
            raise VisionError(
                "H.264 needs PyAV, which nevgate does not install: what its wheels carry is under the GPL",
                todo='pip install av, if that licence suits you; or clip = "av1"',
            ) from error
        self._memory = BytesIO()
        self._container: Any = None
        self._stream: Any = None
        self._first_ns = 0

    def close(self) -> None:
        """Let the memory go."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _encode(self, pixels: Pixels, t_ns: int) -> None:
        if self._container is None:
            self._first_ns = t_ns
            self._container = self._av.open(str(self._path or "") or self._memory, "w", format="mp4")
            self._stream = self._container.add_stream(
                "h264", rate=Fraction(self._rate_hz).limit_denominator(1000)
            )
            self._stream.width, self._stream.height = pixels.shape[1], pixels.shape[0]
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, _H264_CLOCK)
            self._stream.options = {"crf": str(round(51 - 0.36 * self._quality)), "preset": "veryfast"}
        frame = self._av.VideoFrame.from_ndarray(pixels, format="bgr24")
        frame.pts = round((t_ns - self._first_ns) * _H264_CLOCK / NS_PER_S)
        frame.time_base = Fraction(1, _H264_CLOCK)
        self._mux(self._stream.encode(frame))

    def finish(self) -> bytes:
        """See `ClipWriter.finish`; nothing where it went into a file."""
        if self._container is None:
            raise VisionError("a clip without a frame")
        try:
            self._mux(self._stream.encode(None))
            self._container.close()
        except (OSError, ValueError, RuntimeError) as error:
            raise VisionError("the encoder of clips failed") from error
        self._container = None
        return self._memory.getvalue()

    def _mux(self, packets: Sequence[object]) -> None:
        for packet in packets:
            self._container.mux(packet)


def clip_writer(codec: str, rate_hz: float, quality: int) -> ClipWriter:
    """The writer of a codec, ``av1`` or ``h264``.

    Raises:
        VisionError: it is not to be had.
    """
    if codec == "av1":
        return Av1Writer(rate_hz, quality)
    if codec == "h264":
        return H264Writer(rate_hz, quality)
    raise VisionError(f"nobody writes '{codec}'", todo="Write av1 or h264")


def fitted(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The frame in the clip's size, with even sides, as encoders of half the colours want them."""
    wide, high = max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)
    if (pixels.shape[1], pixels.shape[0]) != size:
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return np.ascontiguousarray(pixels[:high, :wide])
