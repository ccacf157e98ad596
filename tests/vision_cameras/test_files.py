import io
import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.clock import NS_PER_S, Clock, SystemClock, VirtualClock
from edge.errors import VisionError
from edge.vision.cameras.camera import Camera, CameraSettings
from edge.vision.cameras.files import FileCamera, read_still
from edge.vision.cameras.opening import open_camera
from edge.vision.encoding.films import open_film
from edge.vision.reasons import Dropped
from tests.vision_cameras.camera_cases import CameraCases
from tests.vision_encoding.painted import redacted, street


def write_film(path: Path, times_ms: tuple[int, ...]) -> None:
    with open_film(path, 90) as film:
        for number, t_ms in enumerate(times_ms):
            film.add(redacted(street(seed=number), number, t_ms * 1_000_000))
        film.finish()


class TestFolder(CameraCases):
    clock: Clock = VirtualClock(5 * NS_PER_S)

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Callable[[], AbstractContextManager[Camera]]:
        for number in range(4):
            cv2.imwrite(str(tmp_path / f"{number}.png"), street(seed=number))
        return lambda: open_camera(CameraSettings("front", f"file:{tmp_path}"), self.clock)


class TestVideo(CameraCases):
    clock: Clock = VirtualClock(5 * NS_PER_S)

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Callable[[], AbstractContextManager[Camera]]:
        write_film(tmp_path / "a.webm", (0, 200, 400, 600, 800))
        return lambda: open_camera(CameraSettings("front", f"file:{tmp_path / 'a.webm'}"), self.clock)


def played(path: Path, *, rate_hz: float = 5.0) -> tuple[list[tuple[int, float]], Camera]:
    """Numbers and times of what a file gives."""
    clock = VirtualClock()
    camera = FileCamera(CameraSettings("front", f"file:{path}", rate_hz=rate_hz), clock, paced=False)
    got: list[tuple[int, float]] = []
    while not camera.ended:
        picture = camera.read(1)
        if picture is not None:
            got.append((picture.number, round(picture.t_ns / NS_PER_S, 3)))
    return got, camera


def test_damaged_pictures_of_a_folder_are_counted_and_leave_a_gap(tmp_path: Path) -> None:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), street(seed=number))
    (tmp_path / "1.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:-300])
    (tmp_path / "notes.txt").write_text("passed over")
    got, camera = played(tmp_path)
    assert got == [(0, 0.0), (2, 0.4), (3, 0.6)]
    assert camera.take_losses() == {Dropped.DAMAGED: 1}


def test_a_video_is_thinned_to_the_rate_and_keeps_its_times(tmp_path: Path) -> None:
    write_film(tmp_path / "a.webm", tuple(range(0, 1000, 100)))
    got, _ = played(tmp_path / "a.webm", rate_hz=5)
    assert got == [(number, number / 10) for number in range(0, 10, 2)]
    write_film(tmp_path / "b.webm", (0, 10, 700, 710))
    assert played(tmp_path / "b.webm", rate_hz=1000)[0] == [(0, 0), (1, 0.01), (2, 0.7), (3, 0.71)]


def test_pictures_come_when_they_are_due(tmp_path: Path) -> None:
    write_film(tmp_path / "a.webm", (0, 300))
    clock = VirtualClock(9 * NS_PER_S)
    with open_camera(CameraSettings("front", f"file:{tmp_path / 'a.webm'}"), clock) as camera:
        first = camera.read(0.1)
        assert first is not None
        assert first.t_ns == 9 * NS_PER_S
        assert camera.read(0.1) is None
        assert clock.boot_ns() == round(9.1 * NS_PER_S)
        second = camera.read(1)
        assert second is not None
        assert second.t_ns == clock.boot_ns() == round(9.3 * NS_PER_S)
        assert camera.read(1) is None
        assert camera.ended


def test_a_video_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(bytes(range(256)) * 40)
    camera = FileCamera(CameraSettings("front", f"file:{tmp_path / 'a.mp4'}"), VirtualClock())
    with pytest.raises(VisionError, match=r"a\.mp4"):
        camera.read(1)


@pytest.mark.parametrize(
    "source", ["file:none", "file:empty", "file:", "v4l3:/dev/video0", "", "/dev/video0"]
)
def test_a_source_that_is_nothing_is_an_error(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(VisionError):
        open_camera(CameraSettings("front", source), VirtualClock())


@pytest.mark.parametrize("how", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright_whatever_holds_them(tmp_path: Path, how: str, orientation: int) -> None:
    upright = np.zeros((48, 80, 3), np.uint8)
    upright[:24, :40] = (0, 0, 255)
    upright[24:, :40] = (0, 255, 0)
    turned = upright.swapaxes(0, 1) if orientation > 4 else upright
    # Rows and columns of what is stored, from the other end or not (Exif 2.3, 4.6.4).
    rows, columns = {3: (-1, -1), 7: (-1, -1), 2: (1, -1), 4: (-1, 1), 6: (-1, 1), 8: (1, -1)}.get(
        orientation, (1, 1)
    )
    stored = np.ascontiguousarray(turned[::rows, ::columns, ::-1])
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(stored).save(path, how, exif=exif, quality=95)
    pixels = read_still(path)
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 5


def png(width: int, height: int) -> bytes:
    """Say that there are so many pixels, in a file that holds none."""

    def chunk(name: bytes, held: bytes) -> bytes:
        return struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    held = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", held) + chunk(b"IEND", b"")


def animation() -> bytes:
    pictures = [Image.fromarray(street(seed=number)) for number in range(3)]
    content = io.BytesIO()
    pictures[0].save(content, "WEBP", save_all=True, append_images=pictures[1:])
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n", "known format"),
        (b"GIF89a" + bytes(30), "known format"),
        (png(8000, 8001), "more than"),
        (png(2**31 - 1, 2**31 - 1), "exceeds limit"),
        (png(100, 100), "no picture"),
        (png(0, 100), "no picture"),
        (animation(), "several pictures"),
    ],
)
def test_what_is_no_picture_is_an_error_that_names_the_file(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(VisionError, match=why) as caught:
        read_still(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA", "CMYK", "I;16"])
def test_pictures_of_any_colours_become_blue_green_and_red(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.tiff"
    grey = Image.fromarray(street()[:, :, 0])
    if mode == "I;16":
        Image.fromarray(street()[:, :, 0].astype(np.uint16) << 8).save(path)
    else:
        (grey if mode != "CMYK" else grey.convert("RGB")).convert(mode).save(path)
    pixels = read_still(path)
    assert pixels.shape == (96, 160, 3)
    assert mode == "1" or np.abs(pixels.astype(int) - street()).mean() < 3


def test_flipped_bits_are_an_error_or_a_picture(tmp_path: Path) -> None:
    good, coded = cv2.imencode(".jpg", street())
    assert good
    random = np.random.default_rng(1)
    path = tmp_path / "a.jpg"
    for _ in range(60):
        changed = coded.copy()
        changed[random.integers(0, len(changed), 3)] ^= np.uint8(1 << random.integers(8))
        path.write_bytes(changed.tobytes()[: random.integers(1, len(changed) + 1)])
        with suppress(VisionError):
            assert read_still(path).ndim == 3


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "AVIF", "WEBP"])
def test_a_damaged_head_is_an_error_or_a_picture(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[274], exif[271], exif[282] = 6, "MAKER", 72.0
    whole = io.BytesIO()
    Image.fromarray(street()).save(whole, kind, exif=exif)
    random = np.random.default_rng(1)
    path = tmp_path / "a.jpg"
    for _ in range(120):
        changed = np.frombuffer(whole.getvalue(), np.uint8).copy()
        changed[random.integers(0, 300, 4)] = random.integers(0, 256, 4)
        path.write_bytes(changed.tobytes())
        with suppress(VisionError):
            assert read_still(path).ndim == 3


def test_the_clock_of_a_vehicle_paces_without_a_busy_loop(tmp_path: Path) -> None:
    class Counting(SystemClock):
        waits = 0

        def wait(self, wake: threading.Event, timeout_s: float) -> bool:
            self.waits += 1
            return super().wait(wake, timeout_s)

    write_film(tmp_path / "a.webm", (0, 60))
    clock = Counting()
    with open_camera(CameraSettings("front", f"file:{tmp_path / 'a.webm'}", rate_hz=50), clock) as camera:
        assert camera.read(1) is not None
        assert camera.read(1) is not None
    assert clock.waits == 1
