"""What is measured over clips: shares of boxes that are hidden, and how long one stays open."""

from __future__ import annotations

import numpy as np
import pytest

from edge.vision.boxes import Boxes, Subject
from edge.vision.memory import MemorySettings
from simulator.cameras.clips import Frame
from simulator.cameras.scene import Truth
from tests.vision_scenes.measuring import bin_of, clip_coverage, hidden_share, remembered

FACE = (40.0, 40.0, 60.0, 70.0)


def frame(number: int, counted: bool = True) -> Frame:
    truth = Truth(Subject.FACE, FACE, 0.0, 1, True, counted)
    return Frame(np.zeros((120, 160, 3), np.uint8), (truth,), number / 10)


def found(hit: bool) -> Boxes:
    corners = np.array([FACE] if hit else np.empty((0, 4)), np.float32)
    return Boxes.of(Subject.FACE, corners, np.ones(len(corners), np.float32))


def test_the_share_that_is_hidden_is_that_of_pixels_under_any_mask() -> None:
    truth = Truth(Subject.FACE, (10, 10, 20, 20), 0.0, 1, True, True)
    assert hidden_share(truth, np.array([[0, 0, 15, 40]], np.int32)) == pytest.approx(0.5)
    assert hidden_share(truth, np.array([[0, 0, 15, 40], [12, 0, 18, 40]], np.int32)) == pytest.approx(0.8)
    assert hidden_share(truth, np.array([[20, 10, 30, 20]], np.int32)) == 0
    assert [bin_of(Truth(Subject.FACE, (0, 0, side, 99), 0, 1, True, True)) for side in (8, 11.9, 12)] == [
        0,
        0,
        1,
    ]


def test_the_longest_run_counts_frames_in_a_row_and_memory_closes_it() -> None:
    hits = [True, False, False, True, False, True, True]
    clip = [(frame(number), found(hit)) for number, hit in enumerate(hits)]
    off = clip_coverage(clip, remembered(clip, MemorySettings.off()), Subject.FACE)
    assert (off.frames, off.covered, off.longest_open) == (7, 4, 2)
    on = clip_coverage(clip, remembered(clip, MemorySettings()), Subject.FACE)
    assert (on.covered, on.longest_open) == (7, 0)
    assert on.filled > off.filled


def test_memory_sees_no_farther_ahead_than_it_waits() -> None:
    hits = [False] * 5 + [True] * 5
    clip = [(frame(number), found(hit)) for number, hit in enumerate(hits)]
    short = MemorySettings(ahead_s=0.2, hold_s=1.0)
    assert [len(boxes) > 0 for boxes in remembered(clip, short)] == [False] * 3 + [True] * 7


def test_what_need_not_be_found_is_not_counted() -> None:
    clip = [(frame(0, counted=False), found(False))]
    assert clip_coverage(clip, remembered(clip, MemorySettings.off()), Subject.FACE).frames == 0
