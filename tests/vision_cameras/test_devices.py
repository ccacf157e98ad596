import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from edge.clock import NS_PER_S, Clock, SystemClock
from edge.errors import VisionError
from edge.vision.cameras import devices
from edge.vision.cameras.camera import Camera, CameraSettings
from edge.vision.cameras.opening import open_camera
from edge.vision.picture import Pixels
from edge.vision.reasons import Dropped
from tests.vision_cameras.camera_cases import CameraCases, next_of, read_on
from tests.vision_cameras.rtsp_server import RtspServer, flip
from tests.vision_encoding.painted import street

STREET = street(40)
SHORT_MS = 400


def scene(number: int) -> Pixels:
    del number
    return STREET


def open_stream(server: RtspServer, rate_hz: float = 50.0) -> Camera:
    return open_camera(CameraSettings("front", server.url, rate_hz=rate_hz), SystemClock())


class TestRtsp(CameraCases):
    @pytest.fixture
    def opened(self) -> Iterator[Callable[[], AbstractContextManager[Camera]]]:
        with RtspServer(scene) as server:
            yield lambda: open_stream(server)


def test_a_stream_is_shown_as_it_is_and_sound_is_not_asked_for() -> None:
    with RtspServer(scene, audio=True) as server, open_stream(server) as camera:
        assert np.abs(next_of(camera).pixels.astype(int) - STREET).mean() < 3
    assert sum(one.startswith("SETUP") for one in server.asked) == 1
    assert not any("audio" in one for one in server.asked)


def test_the_rate_is_that_which_was_asked_for() -> None:
    with RtspServer(scene) as server, open_stream(server, rate_hz=12.5) as camera:
        pictures = [next_of(camera) for _ in range(5)]
    steps = np.diff([one.t_ns for one in pictures]) / NS_PER_S
    assert 0.06 < steps.mean() < 0.11
    assert min(np.diff([one.number for one in pictures])) > 1


def test_what_waited_while_nobody_looked_is_passed_over_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with RtspServer(scene) as server, open_stream(server) as camera:
        first = next_of(camera)
        server.wait_for(50)
        picture = next_of(camera)
        assert SystemClock().boot_ns() - picture.t_ns < 0.7 * NS_PER_S
        assert picture.number - first.number > 10
        assert camera.take_losses()[Dropped.LATE] > 5
        monkeypatch.setattr(devices, "_CATCHING_UP_NS", -1)
        monkeypatch.setattr("edge.vision.cameras.arrival.STALE_NS", -1)
        with pytest.raises(VisionError, match="come late"):
            next_of(camera)


def test_a_stream_that_is_cut_is_gone() -> None:
    def cut(number: int, coded: bytes) -> bytes:
        if number > 40:
            raise ConnectionError
        return coded

    with RtspServer(scene, cut) as server, open_stream(server) as camera:
        next_of(camera)
        with pytest.raises(VisionError, match="no frame comes"):
            read_on(camera)


def test_a_stream_that_stalls_is_gone_after_the_time_that_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_READ_MS", SHORT_MS)
    with (
        RtspServer(scene, lambda number, coded: coded if number < 40 else None) as server,
        open_stream(server) as camera,
    ):
        next_of(camera)
        before_ns = SystemClock().boot_ns()
        with pytest.raises(VisionError, match="no frame comes"):
            read_on(camera, 0.1)
        assert SystemClock().boot_ns() - before_ns < 20 * NS_PER_S


def test_bits_that_flip_on_the_way_end_nothing() -> None:
    def damage(number: int, coded: bytes) -> bytes:
        return flip(coded, number, 20) if number % 2 and number > 30 else coded

    with RtspServer(scene, damage) as server, open_stream(server) as camera:
        shapes = {next_of(camera).pixels.shape for _ in range(40)}
    assert shapes == {STREET.shape}


def test_a_frame_that_was_cut_off_is_no_picture_and_is_counted() -> None:
    def cut(number: int, coded: bytes) -> bytes:
        return coded[: len(coded) * 2 // 3] if number % 3 == 0 else coded

    with RtspServer(scene, cut) as server, open_stream(server) as camera:
        pictures = [next_of(camera) for _ in range(20)]
        assert camera.take_losses()[Dropped.DAMAGED] >= 5
    assert all(np.abs(one.pixels.astype(int) - STREET).mean() < 0.5 for one in pictures)


def test_frames_that_can_never_be_decoded_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with RtspServer(scene) as server, open_stream(server) as camera:
        next_of(camera)

        class Blind:
            """Has frames, none of which can be decoded."""

            def __getattr__(self, name: str) -> object:
                return getattr(held, name)

            def retrieve(self) -> tuple[bool, None]:
                return False, None

        held = camera._capture  # type: ignore[attr-defined]
        monkeypatch.setattr(camera, "_capture", Blind())
        with pytest.raises(VisionError, match="could not be decoded"):
            read_on(camera)
        assert camera.take_losses()[Dropped.DAMAGED] == 20


def test_nobody_there_is_an_error_without_the_password() -> None:
    with RtspServer(scene) as server:
        address = server.url
    source = address.replace("rtsp://", "rtsp://user:secret@")
    with pytest.raises(VisionError, match=r"127\.0\.0\.1") as caught:
        open_camera(CameraSettings("front", source), SystemClock())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://camera.example/front",
        "rtsp:///front",
        "rtsp://",
        "rtsp:",
        "rtsp://192.0.2.7:port/",
        "rtsp://192.0.2.7@camera.example/",
        "rtsp://camera.example#@192.0.2.7/",
        "rtsp://camera.example?@192.0.2.7/",
        "rtsp://192.0.2.7\\@camera.example/",
        "rtsp://[::1/front",
    ],
)
def test_names_are_not_looked_up_for_a_stream(source: str) -> None:
    with pytest.raises(VisionError, match="named by an address"):
        open_camera(CameraSettings("front", source), SystemClock())


class TestNoV4l2:
    """What can be seen of V4L2 without a camera: how opening fails."""

    clock: Clock = SystemClock()

    def open(self, path: Path | str) -> Camera:
        return open_camera(CameraSettings("front", f"v4l2:{path}"), self.clock)

    @pytest.mark.parametrize("path", ["/dev/video99", "", "/", "front.mp4", "/dev/../dev/none"])
    def test_no_device(self, path: str) -> None:
        with pytest.raises(VisionError, match="there is no device") as caught:
            self.open(path)
        assert "by-id" in caught.value.todo

    def test_no_camera(self) -> None:
        with pytest.raises(VisionError, match="is no camera"):
            self.open("/dev/null")

    def test_no_right(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        device = tmp_path / "video0"
        try:
            os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("making a device needs root")
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(VisionError, match="may not be opened") as caught:
            self.open(device)
        assert "'video'" in caught.value.todo
