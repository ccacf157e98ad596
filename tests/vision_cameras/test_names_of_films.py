"""A film whose name is not UTF-8 is named as such: OpenCV would end the program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.clock import VirtualClock
from edge.errors import VisionError

pytest.importorskip("cv2")

from edge.vision.cameras.camera import CameraSettings
from edge.vision.cameras.files import FileCamera
from edge.vision.encoding.films import WebmFilm

STRANGE = os.fsdecode(b"drive\xff.avi")


def test_a_film_of_a_strange_name_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / STRANGE
    path.write_bytes(b"RIFF")
    camera = FileCamera(CameraSettings("desk", f"file:{path}"), VirtualClock(), paced=False)
    with camera, pytest.raises(VisionError, match="not UTF-8"):
        camera.read(0)


def test_a_film_of_a_strange_name_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(VisionError, match="not UTF-8"):
        WebmFilm(tmp_path / STRANGE)
