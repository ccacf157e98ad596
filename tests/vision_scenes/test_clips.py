"""Clips replay by their seed, and their tracks follow what the camera does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import read_annotations
from simulator.cameras.clips import DIFFICULTIES, Clip, Pose, moved, moved_truths
from simulator.cameras.degrading import Conditions, degraded
from simulator.cameras.photograph import PannedPhotograph
from simulator.cameras.scene import Truth
from simulator.cameras.truth import TruePicture, write_truth
from tests.vision_scenes.reading import read_truth

SMALL = (320, 180)


def test_a_clip_replays_and_another_seed_differs() -> None:
    few = replace(DIFFICULTIES["hard"], people=1, vehicles=0, largest_face_px=60)
    first, again = (list(Clip(1, few, *SMALL).frames(2)) for _ in range(2))
    (other,) = Clip(2, few, *SMALL).frames(1)
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.pixels, two.pixels)
        assert one.truths == two.truths
    assert not np.array_equal(first[0].pixels, other.pixels)
    assert first[0].pixels.shape == (180, 320, 3)
    assert first[0].pixels.dtype == np.uint8


def test_boxes_move_as_the_picture_does() -> None:
    scene = np.zeros((200, 300, 3), np.float32)
    scene[50:90, 100:130] = 1
    pose = Pose(1.5, -40.0, -12.0)
    seen = moved(scene, pose, 240, 160)
    rows, columns = np.nonzero(seen[:, :, 0] > 0.5)
    (truth,) = moved_truths([Truth(Subject.FACE, (100, 50, 130, 90), 0.0, 3, True, True)], pose, 240, 160)
    assert truth.box == pytest.approx((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), abs=1)
    assert truth.track == 3
    (cut,) = moved_truths([truth], Pose(1.0, -truth.box[0] - 9, 0.0), 240, 160)
    assert cut.hidden == pytest.approx(9 / 45)
    assert not list(moved_truths([truth], Pose(1.0, 500.0, 0.0), 240, 160))


def test_motion_blur_smears_along_the_motion_only() -> None:
    dot = np.zeros((41, 41, 3), np.float32)
    dot[20, 20] = 1
    smeared = degraded(dot, Conditions(blur_px=(10.0, 0.0)), np.random.default_rng(0))
    rows, columns = np.nonzero(smeared[:, :, 0] > 0.01)
    assert set(rows) == {20}
    assert 9 <= columns.max() - columns.min() <= 12
    assert smeared.sum() == pytest.approx(3, rel=0.01)


def test_a_photograph_becomes_a_clip_whose_boxes_lie_on_what_they_were_drawn_around(tmp_path: Path) -> None:
    photograph = np.full((300, 500, 3), 40, np.uint8)
    photograph[120:180, 220:270] = 230
    path = tmp_path / "photograph.png"
    cv2.imwrite(str(path), photograph)
    calm = replace(DIFFICULTIES["zoom"], noise=0.0, exposure=0.0)
    for frame in PannedPhotograph(
        path, [(220, 120, 270, 180)], difficulty=calm, width=320, height=180
    ).frames(4):
        rows, columns = np.nonzero(frame.pixels[:, :, 0] > 135)
        (truth,) = frame.truths
        bright = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert truth.box == pytest.approx(bright, abs=2)
    with pytest.raises(VisionError, match="no picture"):
        next(PannedPhotograph(tmp_path / "none.png", []).frames(1))


def test_the_truth_is_written_as_it_is_read(tmp_path: Path) -> None:
    face = Truth(Subject.FACE, (10.0, 20.0, 40.0, 60.0), 0.25, 1, True, True)
    hidden = Truth(Subject.FACE, (50.0, 20.0, 80.0, 60.0), 0.9, 2, True, False)
    picture = TruePicture(np.zeros((90, 120, 3), np.uint8), (face, hidden), Subject.FACE)
    assert write_truth(tmp_path, [picture]) == {Subject.FACE: 1, Subject.PLATE: 0}
    (image,) = read_annotations(tmp_path).images
    assert image.truth(Subject.FACE) == pytest.approx(np.array([[10, 20, 40, 60]]))
    assert image.truth(Subject.PLATE) == pytest.approx(np.empty((0, 4)))
    assert image.ignored() == pytest.approx(np.array([[50, 20, 80, 60]]))
    assert (image.width, image.height) == (120, 90)
    assert cv2.imread(str(tmp_path / image.file)) is not None
    ((file, truths),) = read_truth(tmp_path)
    assert file == tmp_path / image.file
    assert [truth.box for truth in truths] == [face.box]
