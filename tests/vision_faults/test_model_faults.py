"""Faults of the models' files: nothing is opened that is not what was pinned."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge.errors import VisionError
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.faces_network import YUNET
from edge.vision.inference import ModelStore


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Put a copy of the model for faces into a folder of its own."""
    shutil.copy(ModelStore().find(YUNET), tmp_path / YUNET.name)
    return tmp_path


def test_a_model_with_one_bit_changed_is_not_opened(models: Path) -> None:
    path = models / YUNET.name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(VisionError, match="pinned"):
        open_detectors(DetectorSettings(models=models, plates=False))


@pytest.mark.parametrize("length", [0, 1, 1000])
def test_a_model_that_was_cut_off_is_not_opened(models: Path, length: int) -> None:
    path = models / YUNET.name
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(VisionError, match="pinned"):
        open_detectors(DetectorSettings(models=models, plates=False))


def test_a_model_that_is_changed_while_it_runs_is_not_taken_up(models: Path) -> None:
    (detector,) = open_detectors(DetectorSettings(models=models, plates=False))
    pixels = np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    before = detector.detect(pixels).corners
    (models / YUNET.name).write_bytes(b"something else")
    assert np.array_equal(detector.detect(pixels).corners, before)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
    ],
    ids=["no pixel", "grey", "four planes", "floating point"],
)
def test_the_detector_refuses_what_is_no_picture(pixels: np.ndarray) -> None:
    (detector,) = open_detectors(DetectorSettings(plates=False))
    with pytest.raises(VisionError):
        detector.detect(pixels)
