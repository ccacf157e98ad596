"""A camera that the kernel draws (vivid), opened by V4L2 as a vehicle's would be."""

from __future__ import annotations

import ctypes
import subprocess
from itertools import pairwise

import pytest

from tests.vm.boot import CACHE
from tests.vm.kernel import CAMERA_MODULES, loading_order

MS = 1_000_000
SECOND = 1000 * MS
LIBRARY = ctypes.CDLL(None, use_errno=True)
FINIT_MODULE = 313
"""The call's number on x86-64, which the machine is."""


@pytest.mark.long
class TestADrawnCamera:
    @pytest.fixture(scope="class", autouse=True)
    def loaded(self) -> None:
        folder = CACHE / "kernel"
        for path in loading_order(folder, CAMERA_MODULES):
            with path.open("rb") as file:
                assert LIBRARY.syscall(FINIT_MODULE, file.fileno(), b"", 0) == 0

    def test_pictures_come_in_the_size_and_at_the_rate_and_are_never_old(self) -> None:
        from edge.clock import SystemClock  # noqa: PLC0415 - takes long to load
        from edge.vision.cameras.camera import CameraSettings  # noqa: PLC0415 - the same
        from edge.vision.cameras.opening import open_camera  # noqa: PLC0415 - the same

        clock = SystemClock()
        settings = CameraSettings("front", "v4l2:/dev/video0", width=640, height=360, rate_hz=5)
        with open_camera(settings, clock) as camera:
            assert camera.read(5) is not None
            pictures = [camera.read(5) for _ in range(5)]
            came_ns = clock.boot_ns()
            taken = [one for one in pictures if one is not None]
            assert {one.pixels.shape for one in taken} == {(360, 640, 3)}
            assert min(float(one.pixels.std()) for one in taken) > 10
            steps = [after.t_ns - before.t_ns for before, after in pairwise(taken)]
            assert all(140 * MS < step < 260 * MS for step in steps)
            assert came_ns - taken[-1].t_ns < 100 * MS

            subprocess.run(["sleep", "2"], check=True)
            late = camera.read(5)
            assert late is not None
            assert clock.boot_ns() - late.t_ns < 500 * MS
            assert late.t_ns - came_ns > SECOND

    def test_what_is_no_camera_is_told(self) -> None:
        from edge.clock import SystemClock  # noqa: PLC0415 - takes long to load
        from edge.errors import VisionError  # noqa: PLC0415 - the same
        from edge.vision.cameras.camera import CameraSettings  # noqa: PLC0415 - the same
        from edge.vision.cameras.opening import open_camera  # noqa: PLC0415 - the same

        # vivid's second device takes pictures in and gives none.
        with pytest.raises(VisionError, match="is no camera"):
            open_camera(CameraSettings("front", "v4l2:/dev/video1"), SystemClock())
