"""What every camera does, whatever it is."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import numpy as np
import pytest

from edge.clock import Clock, SystemClock
from edge.errors import VisionError
from edge.vision.cameras.camera import Camera
from edge.vision.picture import Picture

WAIT_S = 10.0


def next_of(camera: Camera) -> Picture:
    """The next picture; reading goes on until there is one."""
    for _ in range(100):
        picture = camera.read(WAIT_S)
        if picture is not None:
            return picture
    raise AssertionError("no picture came")


def read_on(camera: Camera, timeout_s: float = 1.0) -> None:
    """Read until that fails."""
    for _ in range(1000):
        camera.read(timeout_s)


class CameraCases(ABC):
    """Cameras whose pictures are 160 x 96."""

    clock: Clock = SystemClock()

    @abstractmethod
    @pytest.fixture
    def opened(self) -> Callable[[], AbstractContextManager[Camera]]:
        """How one is opened that has pictures, at least four."""

    def test_pictures_have_numbers_and_times_that_rise(
        self, opened: Callable[[], AbstractContextManager[Camera]]
    ) -> None:
        with opened() as camera:
            pictures = [next_of(camera) for _ in range(4)]
        for picture in pictures:
            assert picture.camera == camera.settings.name == "front"
            assert picture.pixels.shape == (96, 160, 3)
            assert picture.pixels.dtype == np.uint8
            assert picture.pixels.flags.c_contiguous
        assert [one.number for one in pictures] == sorted({one.number for one in pictures})
        times = [one.t_ns for one in pictures]
        assert times == sorted(set(times))
        assert times[-1] <= self.clock.boot_ns()

    def test_pixels_are_the_callers_alone(self, opened: Callable[[], AbstractContextManager[Camera]]) -> None:
        with opened() as camera:
            first = next_of(camera)
            assert first.pixels.flags.writeable
            before = first.pixels.copy()
            second = next_of(camera)
            assert (first.pixels == before).all()
            assert not np.shares_memory(first.pixels, second.pixels)

    def test_losses_are_told_once(self, opened: Callable[[], AbstractContextManager[Camera]]) -> None:
        with opened() as camera:
            next_of(camera)
            camera.take_losses()
            assert camera.take_losses() == {}

    def test_a_closed_camera_has_ended_and_holds_no_file(
        self, opened: Callable[[], AbstractContextManager[Camera]]
    ) -> None:
        with opened() as camera:
            next_of(camera)
            held = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a listing, no paths
        assert camera.ended
        assert len(os.listdir("/proc/self/fd")) <= held  # noqa: PTH208 - the same
        camera.close()
        with suppress(VisionError):
            assert camera.read(0) is None
