"""Faults on the way through the line: what is kept and counted, and that no pixel of the face is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from edge.clock import VirtualClock
from edge.errors import VisionError
from edge.vision.detector import Detector
from edge.vision.judging import fit_to_judge
from edge.vision.line import LineSettings, RedactionLine
from edge.vision.memory import Memory
from edge.vision.picture import Picture, Pixels, Redacted
from edge.vision.reasons import Dropped
from tests.vision_faults import broken
from tests.vision_faults.broken import Broken, Judge, raising
from tests.vision_faults.planted import KnowsThePattern, Planted

PERIOD_NS = 200_000_000
FRAMES = 9
BAD = range(3, 6)
PLANTED = Planted(11)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with frames 3 to 5 of nine.

    Attributes:
        name: of it.
        counted: as what those frames are counted; None where any reason will do.
        frame: what becomes of a frame.
        judge: what becomes of what the detector found.
    """

    name: str
    counted: Dropped | None
    frame: Callable[[Pixels], Pixels] | None = None
    judge: Judge | None = None


FAULTS = (
    Fault("detector says that it cannot judge", Dropped.DETECTOR, judge=broken.refuses()),
    Fault("detector raises", Dropped.DETECTOR, judge=raising(RuntimeError("session lost"))),
    Fault("detector has no memory", Dropped.DETECTOR, judge=raising(MemoryError())),
    Fault("OpenCV fails", Dropped.DETECTOR, judge=raising(cv2.error("assertion"))),
    Fault("detector divides by zero", Dropped.DETECTOR, judge=raising(ZeroDivisionError())),
    Fault("corners are no numbers", Dropped.DETECTOR, judge=broken.no_numbers),
    Fault("one corner is no number", Dropped.DETECTOR, judge=broken.one_corner_lost),
    Fault("corners are infinite", Dropped.DETECTOR, judge=broken.infinite),
    Fault("scores are no numbers", Dropped.DETECTOR, judge=broken.scores_no_numbers),
    Fault("boxes are turned around", Dropped.DETECTOR, judge=broken.turned_around),
    Fault("black frames", Dropped.DARK, frame=broken.black),
    Fault("a hundredth of the light", Dropped.DARK, frame=broken.dim),
    Fault("white frames", Dropped.BRIGHT, frame=broken.white),
    Fault("overexposed", Dropped.BRIGHT, frame=broken.overexposed),
    Fault("lens covered", Dropped.FLAT, frame=broken.covered),
    Fault("water on the lens", Dropped.BLURRED, frame=broken.blurred),
    Fault("one pixel", Dropped.TOO_SMALL, frame=broken.one_pixel),
    Fault("one line", Dropped.TOO_SMALL, frame=broken.a_line),
    Fault("no pixel at all", Dropped.TOO_SMALL, frame=broken.nothing),
    Fault("8K", Dropped.TOO_LARGE, frame=broken.giant),
    Fault("grey", None, frame=broken.grey),
    Fault("four planes", None, frame=broken.with_transparency),
    Fault("floating point", None, frame=broken.of_floats),
)


class OnBadFrames(Detector):
    """Breaks while told so."""

    def __init__(self, sound: Detector, bad: Detector) -> None:
        self._sound, self._bad = sound, bad
        self.bad_now = False

    subject = KnowsThePattern.subject
    name = "on-bad-frames"

    def detect(self, pixels: Pixels):  # type: ignore[no-untyped-def] # noqa: ANN201
        return (self._bad if self.bad_now else self._sound).detect(pixels)


class Run:
    """Sends pictures through a line, and keeps all that a program would have had in its hands.

    Args:
        detectors: of the line.
        settings: of the line.
    """

    def __init__(self, detectors: Sequence[Detector], settings: LineSettings | None = None) -> None:
        self.clock = VirtualClock(10**12)
        self.line = RedactionLine(
            "front", detectors, fit_to_judge, Memory(), clock=self.clock, settings=settings
        )
        self.given: list[Pixels] = []
        self.kept: list[Redacted] = []

    def take(self, number: int, pixels: Pixels | None = None, *, age_ns: int = 0) -> None:
        """Hand in a picture, taken `age_ns` ago."""
        frame = PLANTED.frame(number) if pixels is None else pixels
        self.given.append(frame)
        self.kept += self.line.take(Picture("front", number, self.clock.boot_ns() - age_ns, frame))

    def wait(self, time_ns: int = PERIOD_NS) -> None:
        """Let time pass."""
        self.clock.wait(threading.Event(), time_ns / 1e9)

    def check(self, folder: Path, log: str) -> None:
        """See that the account balances, and that the face is nowhere."""
        self.kept += self.line.finish()
        hop = self.line.hop()
        assert hop.balanced
        assert hop.entered == len(self.given)
        for one in self.kept:
            cv2.imwrite(str(folder / f"{one.number}.jpg"), one.pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
            assert not PLANTED.raw_in(one.pixels.tobytes())
        assert list(PLANTED.traces(folder, [log.encode()])) == []
        open_yet = [frame for frame in self.given if frame.any() and PLANTED.raw_in(frame.tobytes())]
        assert not open_yet, "left in memory"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_in_doubt_is_dropped_counted_and_destroyed(
    fault: Fault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = KnowsThePattern(PLANTED)
    detector = OnBadFrames(sound, Broken(PLANTED, fault.judge) if fault.judge else sound)
    run = Run([detector])
    for number in range(FRAMES):
        bad = number in BAD
        detector.bad_now = bad
        pixels = PLANTED.frame(number)
        run.take(number, fault.frame(pixels) if bad and fault.frame else pixels)
        run.wait()
    run.check(tmp_path, caplog.text)
    assert [one.number for one in run.kept] == [number for number in range(FRAMES) if number not in BAD]
    set_aside = run.line.hop().set_aside
    assert sum(set_aside.values()) == len(BAD)
    assert fault.counted is None or set_aside == {str(fault.counted): len(BAD)}
    assert all(one.faces for one in run.kept)


def test_a_detector_that_fails_again_and_again_ends_the_line_and_nothing_that_waits_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector = OnBadFrames(KnowsThePattern(PLANTED), Broken(PLANTED, broken.refuses()))
    run = Run([detector], LineSettings(failures_most=5))
    for number in range(2):
        run.take(number)
        run.wait()
    detector.bad_now = True
    for number in range(2, 6):
        run.take(number)
        run.wait(PERIOD_NS // 10)
    with pytest.raises(VisionError):
        run.take(6)
    run.check(tmp_path, caplog.text)
    assert run.kept == []
    assert run.line.hop().set_aside == {str(Dropped.DETECTOR): 7}


def test_a_fault_that_nobody_foresaw_leaves_no_picture_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector = OnBadFrames(
        KnowsThePattern(PLANTED), Broken(PLANTED, raising(TypeError("nobody thought of it")))
    )
    run = Run([detector])
    run.take(0)
    run.wait()
    detector.bad_now = True
    with pytest.raises(TypeError):
        run.take(1)
    run.check(tmp_path, caplog.text)
    assert [one.number for one in run.kept] == [0]


def test_ten_seconds_of_stall_drop_what_is_too_old_by_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run([KnowsThePattern(PLANTED)])
    run.take(0)
    run.wait()
    run.wait(10 * 10**9)
    run.take(1, age_ns=10 * 10**9)
    run.take(2)
    run.check(tmp_path, caplog.text)
    assert [one.number for one in run.kept] == [0, 2]
    assert run.line.hop().set_aside == {str(Dropped.LATE): 1}


def test_times_that_step_back_or_stand_still_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run([KnowsThePattern(PLANTED)])
    for number, age_ns in enumerate([0, 0, 10**9, 0]):
        run.wait(0 if number == 1 else PERIOD_NS)
        run.take(number, age_ns=age_ns)
    run.check(tmp_path, caplog.text)
    assert [one.number for one in run.kept] == [0, 3]
    assert run.line.hop().set_aside == {str(Dropped.BACKWARDS): 2}


def test_a_frozen_camera_shows_the_face_no_more_than_a_moving_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run([KnowsThePattern(PLANTED)])
    for _ in range(8):
        run.take(0, PLANTED.frame(0))
        run.wait()
    run.check(tmp_path, caplog.text)


def test_a_size_that_changes_between_frames_does_not_open_the_face(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run([KnowsThePattern(PLANTED)])
    for number in range(8):
        wide = 224 if number % 2 else 304
        run.take(number, PLANTED.frame(number, width=wide))
        run.wait()
    run.check(tmp_path, caplog.text)
    assert len(run.kept) == 8


def test_pictures_that_are_given_up_while_they_wait_are_destroyed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run([KnowsThePattern(PLANTED)])
    run.take(0)
    assert run.line.discard(Dropped.STOPPED) == 1
    run.check(tmp_path, caplog.text)
    assert run.kept == []
    assert not run.given[0].any()


def test_a_detector_that_misses_the_face_in_between_does_not_open_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector = OnBadFrames(
        KnowsThePattern(PLANTED), Broken(PLANTED, lambda found: found.chosen(found.scores > 9))
    )
    run = Run([detector])
    for number in range(FRAMES):
        detector.bad_now = number in {4, 5}
        run.take(number)
        run.wait()
    run.check(tmp_path, caplog.text)
    assert len(run.kept) == FRAMES
