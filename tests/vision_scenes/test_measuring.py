"""What is measured over clips: shares of boxes that are hidden, and how long one stays open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.judging import Judge
from edge.vision.memory import MemorySettings
from edge.vision.picture import Pixels
from edge.vision.reasons import Dropped
from simulator.cameras.clips import DIFFICULTIES, Clip, Frame
from simulator.cameras.scene import Truth
from tests.vision_scenes.drawn_clips import DrawnClips, Seen
from tests.vision_scenes.measuring import ClipCoverage, bin_of, clip_coverage, hidden_share, kept_by_line

FACE = (40.0, 40.0, 60.0, 70.0)


def frame(number: int, counted: bool = True) -> Frame:
    truth = Truth(Subject.FACE, FACE, 0.0, 1, True, counted)
    return Frame(np.full((120, 160, 3), 90, np.uint8), (truth,), number / 10)


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


def seen(hits: list[bool], counted: bool = True) -> Seen:
    frames = [frame(number, counted) for number in range(len(hits))]
    return Seen(frames, Subject.FACE, [found(hit) for hit in hits])


def any_frame(_: Pixels) -> Dropped | None:
    return None


def measured(clip: Seen, settings: MemorySettings, judge: Judge = any_frame) -> ClipCoverage:
    return clip_coverage(clip, kept_by_line(clip, settings, judge))


def test_the_longest_run_counts_frames_in_a_row_and_memory_closes_it() -> None:
    clip = seen([True, False, False, True, False, True, True])
    off = measured(clip, MemorySettings.off())
    assert (off.kept, off.asked, off.covered, off.longest_open) == (7, 7, 4, 2)
    on = measured(clip, MemorySettings())
    assert (on.covered, on.longest_open) == (7, 0)
    assert on.filled > off.filled


def test_memory_sees_no_farther_ahead_than_it_waits() -> None:
    clip = seen([False] * 5 + [True] * 5)
    hidden = kept_by_line(clip, MemorySettings(ahead_s=0.2, hold_s=1.0), any_frame)
    assert [len(hidden[number]) > 0 for number in range(10)] == [False] * 3 + [True] * 7


def test_what_the_judge_drops_counts_for_nothing() -> None:
    clip = seen([True, False, False, True, False])
    answers = iter([None, Dropped.BLURRED, None, None, Dropped.BLURRED])
    kept = measured(clip, MemorySettings.off(), lambda _: next(answers))
    assert (kept.frames, kept.kept, kept.asked, kept.covered, kept.longest_open) == (5, 3, 3, 2, 1)


def test_what_need_not_be_found_is_not_counted() -> None:
    assert measured(seen([False], counted=False), MemorySettings.off()).asked == 0


class Looks(Detector):
    """Finds one box, and counts its looks."""

    def __init__(self) -> None:
        self.looks = 0

    @property
    def subject(self) -> Subject:
        return Subject.FACE

    @property
    def name(self) -> str:
        return "looks"

    def detect(self, pixels: Pixels) -> Boxes:
        assert pixels.any()
        self.looks += 1
        return found(hit=True)


def test_a_clip_is_drawn_and_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = Clip(1, DIFFICULTIES["easy"], 160, 120)
    monkeypatch.setattr(Clip, "frames", lambda _, count: (frame(number) for number in range(count)))
    first, again = Looks(), Looks()
    (one,) = DrawnClips(tmp_path, [first]).seen(clip, 3)
    monkeypatch.setattr(Clip, "frames", lambda _, count: pytest.fail(f"{count} drawn again"))
    (two,) = DrawnClips(tmp_path, [again]).seen(clip, 3)
    assert (first.looks, again.looks) == (3, 0)
    for left, right in zip(one.frames, two.frames, strict=True):
        assert np.array_equal(left.pixels, right.pixels)
        assert (left.truths, left.seconds) == (right.truths, right.seconds)
    assert all(np.array_equal(boxes.corners, found(hit=True).corners) for boxes in two.found)
