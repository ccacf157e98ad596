"""Redacted frames to a file of any length, for people at a desk; in a vehicle clips stay in memory."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import cv2

from edge.clock import NS_PER_S
from edge.closing import Closing
from edge.errors import VisionError
from edge.vision.cameras.files import check_name_of_film
from edge.vision.encoding.clips import H264Writer, fitted
from edge.vision.picture import Redacted

FILMS = frozenset({".webm", ".mp4"})
"""Endings of what can be written: VP8 in WebM, H.264 in MP4."""

_CODEC = "VP80"
_NOMINAL_HZ = 30.0
_TICKS_HZ = 1000.0
_NS_PER_TICK = NS_PER_S // 1000
_MATROSKA = b"\x42\x82\x88matroska"
_WEBM = b"\x42\x82\x84webm\xec\x82\x00\x00"
_HEADER_BYTES = 64


class Film(Closing):
    """Takes frames in order of time; the file is whole when `finish` has returned, and nothing before."""

    @abstractmethod
    def add(self, redacted: Redacted) -> None:
        """Encode the next frame; one of another size than the first is fitted in.

        Raises:
            VisionError: the encoder fails.
            OSError: the file cannot be written.
        """

    @abstractmethod
    def finish(self) -> None:
        """Write the rest.

        Raises:
            VisionError: there is no frame in it, the encoder fails, or the disk did not take all.
            OSError: the file cannot be written.
        """


class WebmFilm(Film):
    """VP8 in WebM by the FFmpeg that OpenCV carries, each frame with its time to the millisecond.

    OpenCV encodes at a constant rate only, and copies what is encoded with times that are told: so it is
    encoded into a file beside this one, which is gone afterwards.

    Args:
        path: of the file.

    Raises:
        VisionError: as `check_name_of_film`.
    """

    def __init__(self, path: Path) -> None:
        check_name_of_film(path)
        self._path = path
        self._constant = path.with_name(f"{path.name}.constant.mkv")
        self._copied = path.with_name(f"{path.name}.times.mkv")
        self._size = (0, 0)
        self._ticks: list[int] = []
        self._first_ns = 0
        self._writer: cv2.VideoWriter | None = None

    def close(self) -> None:
        """Let go of what is half done."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        self._constant.unlink(missing_ok=True)
        self._copied.unlink(missing_ok=True)

    def add(self, redacted: Redacted) -> None:
        """See `Film.add`."""
        if self._writer is None:
            self._first_ns = redacted.t_ns
            self._size = redacted.pixels.shape[1], redacted.pixels.shape[0]
            self._writer = _writer(self._constant, _even(self._size), _NOMINAL_HZ)
        tick = round((redacted.t_ns - self._first_ns) / _NS_PER_TICK)
        self._ticks.append(max(tick, self._ticks[-1] + 1) if self._ticks else tick)
        try:
            self._writer.write(fitted(redacted.pixels, self._size))
        except cv2.error as error:
            raise VisionError("the encoder of films failed", where=str(self._path)) from error

    def finish(self) -> None:
        """See `Film.finish`."""
        if self._writer is None:
            raise VisionError("there is no frame to be written", where=str(self._path))
        self._writer.release()
        self._writer = None
        self._copy()
        # OpenCV tells of an error in neither: what is in the file is counted.
        if _packets(self._copied) != len(self._ticks):
            raise VisionError("not all could be written; is the disk full?", where=str(self._path))
        with self._copied.open("r+b") as file:
            # The same container; of WebM itself OpenCV complains on standard error.
            header = file.read(_HEADER_BYTES)
            if _MATROSKA not in header:
                raise VisionError("the encoder of films failed", where=str(self._path))
            file.seek(0)
            file.write(header.replace(_MATROSKA, _WEBM))
        self._constant.unlink()
        self._copied.rename(self._path)

    def _copy(self) -> None:
        """Copy the encoded frames with their own times."""
        reader = _reader(self._constant)
        how = [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1]
        writer = _writer(self._copied, _even(self._size), _TICKS_HZ, how)
        try:
            for tick in self._ticks:
                good, packet = reader.read()
                if not good:
                    break
                writer.set(cv2.VIDEOWRITER_PROP_KEY_FLAG, reader.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))
                writer.set(cv2.VIDEOWRITER_PROP_PTS, tick)
                writer.write(packet)
        except cv2.error as error:
            raise VisionError("the encoder of films failed", where=str(self._path)) from error
        finally:
            reader.release()
            writer.release()


class Mp4Film(Film):
    """H.264 in MP4, where the user has installed PyAV; see `H264Writer`.

    Args:
        path: of the file.
        quality: 1 to 100.

    Raises:
        VisionError: PyAV is not installed.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, quality: int) -> None:
        self._writer = H264Writer(_NOMINAL_HZ, quality, path)

    def close(self) -> None:
        """Let go of what is half done."""
        self._writer.close()

    def add(self, redacted: Redacted) -> None:
        """See `Film.add`."""
        self._writer.add(redacted)

    def finish(self) -> None:
        """See `Film.finish`."""
        self._writer.finish()


def open_film(path: Path, quality: int) -> Film:
    """Begin a film; what it is its ending says.

    Raises:
        VisionError: nobody writes such a file, or PyAV is not installed.
    """
    if path.suffix.lower() == ".webm":
        return WebmFilm(path)
    if path.suffix.lower() == ".mp4":
        return Mp4Film(path, quality)
    raise VisionError(f"nobody writes films as '{path.suffix}'", todo="Write .webm or .mp4")


def _writer(
    path: Path, size: tuple[int, int], rate_hz: float, how: list[int] | None = None
) -> cv2.VideoWriter:
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*_CODEC), rate_hz, size, how or []
    )
    if not writer.isOpened():
        raise VisionError("cannot be written", where=str(path))
    return writer


def _reader(path: Path) -> cv2.VideoCapture:
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])


def _packets(path: Path) -> int:
    """How many encoded frames are in a file."""
    reader, count = _reader(path), 0
    while reader.grab():
        count += 1
    reader.release()
    return count


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)
