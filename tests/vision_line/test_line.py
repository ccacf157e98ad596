"""What is in doubt does not come out, what comes out is filled, and every frame is accounted for."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import NS_PER_S, VirtualClock
from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.judging import Judge
from edge.vision.line import LineSettings, RedactionLine
from edge.vision.memory import Memory, MemorySettings
from edge.vision.picture import Picture, Pixels, Redacted
from edge.vision.reasons import Dropped
from edge.vision.redaction import FILL, masks_of
from edge.vision.scene_motion import Glance, SceneMotion
from tests.vision_line.scripted import HEIGHT, WIDTH, Answer, Scripted, faces, picture, plates

PERIOD_S = 0.2
FACE = (20.0, 20.0, 30.0, 30.0)


def fit(_: Pixels) -> Dropped | None:
    return None


class Camera:
    """Sends pictures through a line as they are taken, with the clock in step."""

    def __init__(
        self,
        *scripts: list[Answer],
        memory: MemorySettings | None = None,
        judge: Judge = fit,
        settings: LineSettings | None = None,
    ) -> None:
        self.clock = VirtualClock(100 * NS_PER_S)
        self.detectors = [Scripted(script, Subject(at)) for at, script in enumerate(scripts)]
        self.line = RedactionLine(
            "front", self.detectors, judge, Memory(memory), clock=self.clock, settings=settings
        )
        self.given: list[Picture] = []
        self.out: list[Redacted] = []

    def take(self, *, after_s: float = PERIOD_S, age_s: float = 0.0, wanted: bool = True) -> Picture:
        self.clock.advance_to(self.clock.boot_ns() + round(after_s * NS_PER_S))
        one = picture(len(self.given), self.clock.boot_ns() / NS_PER_S - age_s)
        self.given.append(one)
        self.out += self.line.take(one, wanted=wanted)
        return one

    def finish(self) -> list[int]:
        self.out += self.line.finish()
        return [one.number for one in self.out]


def is_filled(one: Redacted, corners: tuple[float, ...] = FACE) -> bool:
    left, top, right, bottom = (round(corner) for corner in corners)
    return bool((one.pixels[top:bottom, left:right] == FILL).all())


def test_a_face_is_filled_in_the_frames_around_it() -> None:
    camera = Camera([faces(), faces(FACE), *[faces()] * 4])
    for _ in range(6):
        camera.take()
    assert camera.finish() == list(range(6))
    assert [is_filled(one) for one in camera.out] == [True] * 5 + [False]
    assert [one.faces for one in camera.out] == [1] * 5 + [0]


@pytest.mark.parametrize(
    "failure",
    [
        VisionError("no"),
        RuntimeError("onnxruntime"),
        MemoryError(),
        cv2.error("cv2"),
        ValueError("shape"),
        faces((1, 1, float("nan"), 2)),
        faces((1, 1, float("inf"), 2)),
        faces((9, 1, 5, 2)),
        faces(FACE, score=float("nan")),
        Boxes(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.array([7], np.uint8)),
        faces(*[FACE] * 5_000),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_frame_in_which_a_detector_failed_does_not_come_out(failure: Answer) -> None:
    camera = Camera([faces(), failure, faces()], [plates(), plates(), plates()])
    for _ in range(3):
        camera.take()
    assert camera.finish() == [0, 2]
    assert not camera.given[1].pixels.any()
    assert camera.line.hop().set_aside == {str(Dropped.DETECTOR): 1}


def test_what_the_other_detector_found_in_a_dropped_frame_hides_it_in_its_neighbours() -> None:
    camera = Camera([faces(), faces(FACE), faces()], [plates(), RuntimeError(), plates()])
    for _ in range(3):
        camera.take()
    assert camera.finish() == [0, 2]
    assert all(is_filled(one) for one in camera.out)


def test_a_failure_that_nobody_foresaw_leaves_no_picture_and_is_counted() -> None:
    camera = Camera([TypeError("nobody foresaw it")])
    with pytest.raises(TypeError):
        camera.take()
    assert camera.finish() == []
    assert not camera.given[0].pixels.any()
    assert camera.line.hop().set_aside == {str(Dropped.DETECTOR): 1}


def test_too_many_failures_in_a_row_end_the_line_and_nothing_that_waits_comes_out() -> None:
    found: list[Answer] = [faces(), RuntimeError(), RuntimeError(), faces(), *[RuntimeError()] * 3]
    settings = LineSettings(failures_most=3)
    camera = Camera(found, settings=settings, memory=MemorySettings(ahead_s=60))
    for _ in range(6):
        camera.take()
    with pytest.raises(VisionError, match="3 pictures in a row"):
        camera.take()
    assert camera.finish() == []
    assert not any(one.pixels.any() for one in camera.given)
    assert camera.line.hop().set_aside == {str(Dropped.DETECTOR): 7}


def test_what_is_found_is_filled_while_the_frame_still_waits() -> None:
    camera = Camera([faces(FACE)])
    one = camera.take()
    assert camera.out == []
    assert (one.pixels[18:32, 18:32] == FILL).all()


def test_a_part_too_dark_to_be_judged_is_filled() -> None:
    one = picture(0, 0.0)
    one.pixels[:, : WIDTH // 2] //= 40
    line = RedactionLine("front", [Scripted([faces()])], fit, Memory(), clock=VirtualClock())
    line.take(one)
    (out,) = line.finish()
    assert (out.pixels[:, : WIDTH // 2] == FILL).all()
    assert not (out.pixels[:, WIDTH // 2 :] == FILL).all(axis=2).any()


def test_a_late_frame_is_dropped_before_it_is_looked_at() -> None:
    camera = Camera([faces(), faces()])
    camera.take()
    camera.take(after_s=6, age_s=5.5)
    camera.take(after_s=1)
    assert camera.finish() == [0, 2]
    assert camera.line.hop().set_aside == {str(Dropped.LATE): 1}


def test_a_frame_that_comes_after_a_later_one_is_dropped() -> None:
    camera = Camera([faces(), faces()])
    camera.take()
    camera.take(age_s=0.3)
    camera.take()
    assert camera.finish() == [0, 2]
    assert camera.line.hop().set_aside == {str(Dropped.BACKWARDS): 1}


def test_what_nothing_follows_comes_out_by_the_clock() -> None:
    camera = Camera([faces()], settings=LineSettings(wait_s=2))
    camera.take()
    assert camera.line.due() == []
    camera.clock.advance_to(camera.clock.boot_ns() + 2 * NS_PER_S)
    assert [one.number for one in camera.line.due()] == [0]
    assert camera.line.hop().left == 1


def test_frames_that_wait_are_bounded_in_bytes() -> None:
    settings = LineSettings(waiting_bytes_most=3 * HEIGHT * WIDTH * 3)
    camera = Camera([faces()] * 20, settings=settings, memory=MemorySettings(ahead_s=60))
    for number in range(20):
        camera.take()
        assert len(camera.out) == max(0, number - 2)


def test_a_frame_that_is_only_looked_at_helps_its_neighbour_and_is_not_kept() -> None:
    camera = Camera([faces(FACE), faces(), faces()])
    camera.take(wanted=False)
    camera.take()
    camera.take(wanted=False)
    assert camera.finish() == [1]
    assert is_filled(camera.out[0])
    assert not camera.given[0].pixels.any()
    assert camera.line.hop().set_aside == {str(Dropped.NOT_WANTED): 2}


def test_what_waits_can_be_discarded() -> None:
    camera = Camera([faces()] * 2)
    camera.take()
    camera.take()
    assert camera.line.discard(Dropped.POLICY) == 2
    assert camera.finish() == []
    assert not any(one.pixels.any() for one in camera.given)
    assert camera.line.hop().set_aside == {str(Dropped.POLICY): 2}


def test_losses_before_the_line_are_counted_with_it() -> None:
    camera = Camera([])
    camera.line.drop(Dropped.QUEUE, 3)
    camera.line.drop(Dropped.BUDGET)
    assert camera.line.hop().entered == 4
    assert camera.line.hop().balanced


def test_a_line_without_a_detector_is_refused() -> None:
    with pytest.raises(VisionError):
        RedactionLine("front", [], fit, Memory(), clock=VirtualClock())


def test_a_picture_of_another_camera_is_refused() -> None:
    line = RedactionLine("rear", [Scripted([])], fit, Memory(), clock=VirtualClock())
    with pytest.raises(ValueError, match="rear"):
        line.take(picture(0, 0.0))


def test_after_a_change_of_size_nothing_old_is_remembered() -> None:
    clock = VirtualClock(0)
    line = RedactionLine("front", [Scripted([faces(FACE), faces()])], fit, Memory(), clock=clock)
    line.take(picture(0, 0.0))
    line.take(picture(1, 0.2, height=96, width=128))
    assert [one.faces for one in line.finish()] == [1, 0]


def test_a_face_is_filled_where_the_turning_camera_shows_it() -> None:
    scenery = np.random.default_rng(1).integers(0, 256, (20, 60, 3), np.uint8)
    wide = cv2.resize(scenery, (1200, 400), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    found = [faces(), faces((400, 100, 430, 140)), *[faces()] * 3]
    line = RedactionLine("front", [Scripted(found)], fit, Memory(), clock=VirtualClock())
    out = []
    for number in range(5):
        pixels = np.ascontiguousarray(wide[:, 90 * number : 90 * number + 640])
        out += line.take(Picture("front", number, number * NS_PER_S // 10, pixels))
    out += line.finish()
    places = [(490 - 90 * number, 100, 520 - 90 * number, 140) for number in range(5)]
    assert [is_filled(one, place) for one, place in zip(out, places, strict=True)] == [True] * 5


@pytest.mark.parametrize("end", ["finish", "discard", "due", "failure"])
def test_nothing_is_kept_to_see_a_turn_by_when_what_it_was_kept_for_has_left(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    glances: list[Glance] = []
    look = SceneMotion.look

    def noted(motion: SceneMotion, pixels: Pixels) -> Glance:
        glances.append(look(motion, pixels))
        return glances[-1]

    monkeypatch.setattr(SceneMotion, "look", noted)
    clock = VirtualClock()
    answers: list[Answer] = [faces(), RuntimeError() if end == "failure" else faces()]
    line = RedactionLine("front", [Scripted(answers)], fit, Memory(), clock=clock)
    line.take(picture(0, 0.0))
    first = glances[0].small
    assert first.any()
    if end == "finish":
        line.finish()
    elif end == "discard":
        line.discard(Dropped.POLICY)
    elif end == "due":
        clock.advance_to(2 * NS_PER_S)
        line.due()
    else:
        line.take(picture(1, 0.2))
        first = glances[1].small
    assert not first.any()


def test_pixels_that_may_not_be_written_are_left_to_their_owner() -> None:
    one = picture(0, 0.0)
    one.pixels.flags.writeable = False
    before = one.pixels.copy()
    line = RedactionLine("front", [Scripted([faces(FACE)])], fit, Memory(), clock=VirtualClock())
    line.take(one)
    (out,) = line.finish()
    assert is_filled(out)
    assert (one.pixels == before).all()


@dataclass(frozen=True)
class Step:
    """One frame of a run in which anything may happen."""

    after_s: float
    age_s: float
    reason: Dropped | None
    wanted: bool
    face: Answer
    plate: Answer


a_box = st.tuples(st.floats(-10, WIDTH), st.floats(-10, HEIGHT), st.floats(0, 30), st.floats(0, 30)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
an_answer = st.one_of(
    st.lists(a_box, max_size=2).map(lambda boxes: faces(*boxes)),
    st.sampled_from([VisionError("no"), MemoryError(), cv2.error("no")]),
)
a_step = st.builds(
    Step,
    after_s=st.floats(0, 1),
    age_s=st.sampled_from([0.0, 0.0, 0.0, 0.3, 9.0]),
    reason=st.sampled_from([None, None, None, Dropped.DARK, Dropped.BLURRED]),
    wanted=st.sampled_from([True, True, False]),
    face=an_answer,
    plate=an_answer,
)


@settings(max_examples=60)
@given(st.lists(a_step, max_size=14), st.sampled_from([MemorySettings(), MemorySettings.off()]))
def test_whatever_happens_no_frame_leaves_whose_boxes_are_not_known(
    steps: list[Step], memory: MemorySettings
) -> None:
    step: list[Step] = []
    clock = VirtualClock(100 * NS_PER_S)
    detectors = [Scripted(lambda _: step[-1].face), Scripted(lambda _: step[-1].plate, Subject.PLATE)]
    line = RedactionLine(
        "front",
        detectors,
        lambda _: step[-1].reason,
        Memory(memory),
        clock=clock,
        settings=LineSettings(failures_most=100),
    )
    given_away: list[Picture] = []
    out: list[Redacted] = []
    for number, now in enumerate(steps):
        step.append(now)
        clock.advance_to(clock.boot_ns() + round(now.after_s * NS_PER_S))
        given_away.append(picture(number, clock.boot_ns() / NS_PER_S - now.age_s))
        out += line.take(given_away[-1], wanted=now.wanted)
        assert line.hop().balanced
        assert line.hop().entered + line.hop().facts["waiting"] == number + 1
    out += line.finish()
    numbers = [one.number for one in out]
    assert numbers == sorted(set(numbers))
    for one in out:
        now = steps[one.number]
        assert now.wanted
        assert now.reason is None
        for answer in (now.face, now.plate):
            assert isinstance(answer, Boxes)
            for left, top, right, bottom in masks_of(answer, HEIGHT, WIDTH).tolist():
                assert (one.pixels[top:bottom, left:right] == FILL).all()
    assert [given.pixels.any() for given in given_away] == [n in numbers for n in range(len(steps))]
    assert line.hop().balanced
    assert line.hop().entered == len(steps)
    assert line.hop().left == len(out)
