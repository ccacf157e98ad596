import importlib.util
import io
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.clock import NS_PER_S
from edge.errors import VisionError
from edge.vision.encoding.clips import ClipWriter, clip_writer
from edge.vision.picture import Pixels
from tests.vision_encoding.painted import frames_of, redacted, street

TIMES_MS = (0, 200, 400, 1500, 1520, 2000)
START_NS = 77 * NS_PER_S


class ClipCases(ABC):
    """What every writer of clips does."""

    codec: str

    @abstractmethod
    def read(self, content: bytes, folder: Path) -> list[tuple[float, Pixels]]:
        """Frames with their times in milliseconds."""

    def written(self, frames: list[Pixels], times_ms: tuple[int, ...] = TIMES_MS) -> bytes:
        with clip_writer(self.codec, 5.0, 85) as writer:
            for number, (pixels, t_ms) in enumerate(zip(frames, times_ms, strict=False)):
                writer.add(redacted(pixels, number, START_NS + t_ms * 1_000_000))
            assert writer.frames == len(frames)
            return writer.finish()

    def test_each_frame_is_there_at_its_time(self, tmp_path: Path) -> None:
        frames = [street(seed=number) for number in range(len(TIMES_MS))]
        back = self.read(self.written(frames), tmp_path)
        assert [round(t_ms) for t_ms, _ in back] == list(TIMES_MS)
        for (_, shown), pixels in zip(back, frames, strict=True):
            assert np.abs(shown.astype(int) - pixels).mean() < 10

    def test_one_frame_is_a_clip_and_none_is_an_error(self, tmp_path: Path) -> None:
        assert len(self.read(self.written([street()]), tmp_path)) == 1
        with clip_writer(self.codec, 5.0, 85) as writer, pytest.raises(VisionError, match="without a frame"):
            writer.finish()

    def test_frames_of_odd_and_of_other_sizes_are_fitted_in(self, tmp_path: Path) -> None:
        frames = [street(height=97, width=161), street(height=48, width=80)]
        assert [shown.shape for _, shown in self.read(self.written(frames), tmp_path)] == [(96, 160, 3)] * 2

    def test_nothing_tells_when_and_with_what_it_was_taken(self) -> None:
        content = self.written([street()])
        assert b"Exif" not in content
        assert b"front" not in content

    def test_a_frame_that_is_none_is_an_error(self) -> None:
        with pytest.raises(VisionError):
            self.written([np.empty((0, 0, 3), np.uint8)])


class TestAv1(ClipCases):
    codec = "av1"

    def read(self, content: bytes, folder: Path) -> list[tuple[float, Pixels]]:
        del folder
        shown = Image.open(io.BytesIO(content))
        back, t_ms = [], 0.0
        for number in range(getattr(shown, "n_frames", 1)):
            shown.seek(number)
            pixels = np.ascontiguousarray(np.asarray(shown.convert("RGB"))[:, :, ::-1])
            back.append((t_ms, pixels))
            t_ms += shown.info.get("duration", 0)
        return back


@pytest.mark.skipif(
    importlib.util.find_spec("av") is None, reason="PyAV, which H.264 needs, is not installed"
)
class TestH264(ClipCases):
    codec = "h264"

    def read(self, content: bytes, folder: Path) -> list[tuple[float, Pixels]]:
        path = folder / "clip.mp4"
        path.write_bytes(content)
        return frames_of(path)


def test_what_is_not_to_be_had_is_said_when_a_clip_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("edge.vision.encoding.clips.importlib.import_module", missing)
    with pytest.raises(VisionError, match="pip install av"):
        clip_writer("h264", 5.0, 85)
    with pytest.raises(VisionError, match="av1 or h264"):
        clip_writer("vp9", 5.0, 85)


def test_a_writer_takes_no_more_after_it_was_closed() -> None:
    writer: ClipWriter = clip_writer("av1", 5.0, 85)
    writer.add(redacted(street()))
    writer.close()
    with pytest.raises(VisionError):
        writer.finish()
