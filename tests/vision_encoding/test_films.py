from pathlib import Path

import numpy as np
import pytest

from edge.clock import NS_PER_S
from edge.errors import VisionError
from edge.vision.encoding import films
from edge.vision.encoding.films import open_film
from tests.vision_encoding.painted import frames_of, redacted, street

TIMES_MS = (0, 33, 50, 400, 420, 1000)
START_NS = 3600 * NS_PER_S


def write(path: Path, *, times_ms: tuple[float, ...] = TIMES_MS, height: int = 96, width: int = 160) -> None:
    with open_film(path, 85) as film:
        for number, t_ms in enumerate(times_ms):
            pixels = street(seed=number, height=height, width=width)
            film.add(redacted(pixels, number, START_NS + round(t_ms * 1e6)))
        film.finish()


def test_each_frame_is_there_at_its_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.webm"
    write(path)
    back = frames_of(path)
    assert [round(t_ms) for t_ms, _ in back] == list(TIMES_MS)
    for number, (_, pixels) in enumerate(back):
        assert np.abs(pixels.astype(int) - street(seed=number)).mean() < 12
    assert b"webm" in path.read_bytes()[:64]
    assert b"matroska" not in path.read_bytes()[:64]
    assert [one.name for one in tmp_path.iterdir()] == ["a.webm"]
    assert capfd.readouterr().err == ""


def test_frames_of_one_millisecond_keep_their_order(tmp_path: Path) -> None:
    write(tmp_path / "a.webm", times_ms=(0, 0.2, 0.4, 5), height=97, width=161)
    assert [round(t_ms) for t_ms, _ in frames_of(tmp_path / "a.webm")] == [0, 1, 2, 5]


def test_nothing_is_left_of_a_film_that_was_not_finished(tmp_path: Path) -> None:
    with open_film(tmp_path / "a.webm", 85) as film:
        film.add(redacted(street()))
    assert list(tmp_path.iterdir()) == []


def test_no_frame_no_folder_and_no_format_are_errors(tmp_path: Path) -> None:
    with open_film(tmp_path / "a.webm", 85) as film, pytest.raises(VisionError, match="no frame"):
        film.finish()
    with open_film(tmp_path / "none" / "a.webm", 85) as film, pytest.raises(VisionError):
        film.add(redacted(street()))
    with pytest.raises(VisionError, match=r"\.webm or \.mp4"):
        open_film(tmp_path / "a.avi", 85)


def test_a_disk_that_did_not_take_all_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = films._packets
    monkeypatch.setattr(films, "_packets", lambda path: counted(path) - 1)
    with pytest.raises(VisionError, match="disk full"):
        write(tmp_path / "a.webm")
    assert list(tmp_path.iterdir()) == []
