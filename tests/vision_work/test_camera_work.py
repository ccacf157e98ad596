"""One camera's work from pictures to stills and clips: what is kept for what, and within which share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edge.clock import NS_PER_S, VirtualClock
from edge.errors import VisionError
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.vision import work as work_module
from edge.vision.boxes import Boxes, Subject
from edge.vision.cameras.camera import Camera
from edge.vision.detector import Detector
from edge.vision.encoding.clips import Av1Writer
from edge.vision.media import Media, MediaFormat
from edge.vision.picture import Picture, Pixels
from edge.vision.plan import VisionPlan
from edge.vision.reasons import Dropped
from edge.vision.work import VERIFY_NS, CameraWork

RATE_HZ = 5
STEP_NS = NS_PER_S // RATE_HZ
PLAN = VisionPlan(
    "front", "file:none", DataClass.EXTERIOR, 96, 64, RATE_HZ, Purpose.RECORDING, every_s=1.0, cpu_share=1.0
)


class Drawn(Camera):
    """Noise, a frame a step; for ten frames one box of a face's colour in the middle."""

    def __init__(self, clock: VirtualClock, frames: int) -> None:
        super().__init__(PLAN.camera)
        self._clock = clock
        self._frames = frames
        self._number = 0
        self._noise = np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8)

    def read(self, timeout_s: float) -> Picture | None:
        del timeout_s
        self._clock.advance_to(self._clock.boot_ns() + STEP_NS)
        if self._number >= self._frames:
            self.ended = True
            return None
        self._number += 1
        return Picture("front", self._number - 1, self._clock.boot_ns(), self._noise.copy())

    def close(self) -> None:
        self.ended = True


class Finds(Detector):
    """Finds the same face in every picture, at a cost."""

    def __init__(self, cost_s: float = 0.0) -> None:
        self.cost_s = cost_s
        self.spent_s = 0.0
        self.changed = False

    @property
    def subject(self) -> Subject:
        return Subject.FACE

    @property
    def name(self) -> str:
        return "finds"

    def verify(self) -> None:
        if self.changed:
            raise VisionError("the model is not the pinned one")

    def detect(self, pixels: Pixels) -> Boxes:
        del pixels
        self.spent_s += self.cost_s
        return Boxes.of(Subject.FACE, np.array([[40, 20, 56, 44]], np.float32), np.ones(1, np.float32))


def worked(
    plan: VisionPlan,
    frames: int,
    detector: Finds | None = None,
    then: Callable[[CameraWork, int, VirtualClock], None] | None = None,
) -> tuple[list[Media], CameraWork]:
    clock, finds = VirtualClock(NS_PER_S), detector or Finds()
    work = CameraWork(
        plan,
        Drawn(clock, frames),
        [finds],
        clock=clock,
        cpu_s=lambda: finds.spent_s,
        judge=lambda _: None,
    )
    found: list[Media] = []
    step = 0
    while not work.ended:
        if then is not None:
            then(work, step, clock)
        found += work.step(0.1)
        step += 1
    found += work.finish()
    assert all(hop.balanced for hop in work.hops())
    return found, work


def test_a_still_a_second_is_kept_of_five_frames_a_second() -> None:
    found, work = worked(PLAN, 26)
    times = [one.from_ns for one in found]
    assert np.diff(times).tolist() == [NS_PER_S] * 5
    first = found[0]
    assert (first.camera, first.data_class, first.purpose) == ("front", DataClass.EXTERIOR, Purpose.RECORDING)
    assert (first.cause, first.format, first.frames, first.faces) == ("periodic", MediaFormat.JPEG, 1, 1)
    assert first.detectors == ("finds",)
    stills, line, encoder = work.hops()
    assert (stills.entered, encoder.left) == (26, len(found))
    # One before each but the first and one after each but the last were looked at for its sake.
    assert line.set_aside == {"nothing asked for it": 10}


def test_a_picture_asked_for_is_the_next_one_and_says_so() -> None:
    def ask(work: CameraWork, step: int, clock: VirtualClock) -> None:
        del clock
        if step == 8:
            work.request()

    found, _ = worked(replace(PLAN, every_s=0.0, requests=True), 15, then=ask)
    assert [one.cause for one in found] == ["request"]
    assert found[0].from_ns == NS_PER_S + 9 * STEP_NS


def test_where_nobody_may_ask_a_request_is_refused_and_counted() -> None:
    found, work = worked(replace(PLAN, every_s=100.0), 8, then=lambda work, *_: work.request())
    assert len(found) == 1
    assert work.hops()[-1].facts["requests refused"] == 9


def test_a_clip_shows_what_was_before_and_after_its_event() -> None:
    def crash(work: CameraWork, step: int, clock: VirtualClock) -> None:
        if step == 20:
            work.trigger("hard braking@7", clock.boot_ns())

    plan = replace(PLAN, purpose=None, every_s=0.0, events=True, before_s=2.0, after_s=1.0)
    (clip,), work = worked(plan, 40, then=crash)
    at_ns = NS_PER_S + 20 * STEP_NS
    assert (clip.purpose, clip.cause, clip.format) == (
        Purpose.EVENT,
        "hard braking@7",
        MediaFormat.AVIF_SEQUENCE,
    )
    assert (clip.from_ns, clip.to_ns) == (at_ns - 2 * NS_PER_S, at_ns + NS_PER_S)
    assert (clip.frames, clip.faces) == (16, 16)
    assert work.hops()[-1].facts["clips"] == 1


def test_an_event_that_is_told_twice_has_two_clips_and_loses_no_frame() -> None:
    def crash(work: CameraWork, step: int, clock: VirtualClock) -> None:
        del clock
        if step in {20, 22}:
            work.trigger("hard braking@7", NS_PER_S + 20 * STEP_NS)

    plan = replace(PLAN, purpose=None, every_s=0.0, events=True, before_s=1.0, after_s=1.0)
    found, work = worked(plan, 40, then=crash)
    _, windows, clips = work.hops()
    assert [one.frames for one in found] == [11, 11]
    assert clips.entered == clips.left == windows.facts["handed out"] == 22


def test_a_long_clip_comes_in_pieces_that_miss_no_frame() -> None:
    def crash(work: CameraWork, step: int, clock: VirtualClock) -> None:
        if step == 20:
            work.trigger("collision@1", clock.boot_ns())

    plan = replace(PLAN, purpose=None, every_s=0.0, events=True, before_s=2.0, after_s=6.0)
    clips, _ = worked(plan, 70, then=crash)
    assert [one.frames for one in clips] == [25, 16]
    assert clips[1].from_ns - clips[0].to_ns == STEP_NS


def test_a_share_that_is_used_up_lowers_the_rate_and_is_counted() -> None:
    plan = replace(PLAN, every_s=0.2, cpu_share=0.1)
    detector = Finds(cost_s=0.1)
    found, work = worked(plan, 150, detector)
    assert 20 <= len(found) <= 40
    assert detector.spent_s <= 0.1 * 31 + 0.3
    assert work.hops()[1].set_aside["no CPU share left"] > 100


@pytest.mark.parametrize("events", [False, True])
def test_one_picture_in_ten_seconds_is_taken_whatever_it_costs_and_whatever_events_may_come(
    events: bool,
) -> None:
    plan = replace(PLAN, every_s=7.0, cpu_share=0.01, events=events)
    found, _ = worked(plan, 71 * RATE_HZ, Finds(cost_s=1.0))
    assert np.diff([one.from_ns for one in found]).tolist() == [14 * NS_PER_S] * 5


def test_what_cannot_be_encoded_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> bytes:
        raise VisionError("the encoder of stills failed")

    monkeypatch.setattr(work_module, "encode_still", failing)
    found, work = worked(PLAN, 11)
    assert found == []
    assert work.hops()[-1].set_aside == {"the encoder failed": 3}


@pytest.mark.parametrize(("fails_at", "lost"), [("add", 16), ("finish", 16)])
def test_frames_of_a_clip_that_cannot_be_encoded_are_counted(
    monkeypatch: pytest.MonkeyPatch, fails_at: str, lost: int
) -> None:
    def failing(*_: object) -> bytes:
        raise VisionError("the encoder of clips failed")

    def crash(work: CameraWork, step: int, clock: VirtualClock) -> None:
        if step == 20:
            work.trigger("collision@1", clock.boot_ns())
        if step == 23:
            clips = work.hops()[-1]
            assert clips.left == 0, "a frame in the encoder is in no clip yet"

    monkeypatch.setattr(Av1Writer, fails_at, failing)
    plan = replace(PLAN, purpose=None, every_s=0.0, events=True, before_s=2.0, after_s=1.0)
    found, work = worked(plan, 40, then=crash)
    assert found == []
    clips = work.hops()[-1]
    assert (clips.left, clips.set_aside) == (0, {"the encoder failed": lost})


def test_frames_in_the_encoder_are_counted_as_lost_with_what_is_discarded() -> None:
    def forbid(work: CameraWork, step: int, clock: VirtualClock) -> None:
        if step == 20:
            work.trigger("collision@1", clock.boot_ns())
        if step == 25:
            work.discard(Dropped.POLICY)

    plan = replace(PLAN, purpose=None, every_s=0.0, events=True, before_s=2.0, after_s=4.0)
    found, work = worked(plan, 30, then=forbid)
    assert all(one.from_ns > NS_PER_S + 25 * STEP_NS for one in found)
    assert work.hops()[-1].left == sum(one.frames for one in found)
    assert work.hops()[-1].set_aside["not allowed when it was taken"] > 5


def test_a_model_that_changes_meanwhile_ends_the_work() -> None:
    detector = Finds()
    detector.changed = True
    seen: list[int] = []
    with pytest.raises(VisionError, match="not the pinned one"):
        worked(PLAN, 1000, detector, then=lambda *now: seen.append(now[2].boot_ns()))
    assert seen[-1] == NS_PER_S + VERIFY_NS


def test_nothing_comes_out_of_what_was_discarded() -> None:
    def forbid(work: CameraWork, step: int, clock: VirtualClock) -> None:
        del clock
        if step == 7:
            work.discard(Dropped.POLICY)

    found, work = worked(replace(PLAN, every_s=1.0), 9, then=forbid)
    assert [one.from_ns for one in found] == [NS_PER_S + STEP_NS]
    assert sum(hop.set_aside.get("not allowed when it was taken", 0) for hop in work.hops()) > 0


class Troubled(Drawn):
    """Loses a frame at each read, says times of its own, and is gone in the end."""

    def __init__(self, clock: VirtualClock, times_s: list[float]) -> None:
        super().__init__(clock, len(times_s))
        self.times_s = times_s
        self.given: list[Picture] = []

    def read(self, timeout_s: float) -> Picture | None:
        self._losses[Dropped.DAMAGED] += 1
        one = super().read(timeout_s)
        if one is None:
            raise VisionError("the device is gone")
        t_ns = NS_PER_S + round(self.times_s[one.number] * NS_PER_S)
        self.given.append(replace(one, t_ns=t_ns))
        return self.given[-1]


def go_on(work: CameraWork) -> None:
    while True:
        work.step(0.1)


def troubled(plan: VisionPlan, times_s: list[float], detector: Detector) -> tuple[Troubled, CameraWork]:
    """Work until it raises."""
    clock = VirtualClock(NS_PER_S)
    camera = Troubled(clock, times_s)
    work = CameraWork(plan, camera, [detector], clock=clock, cpu_s=lambda: 0.0, judge=lambda _: None)
    with pytest.raises(VisionError):
        go_on(work)
    work.discard(Dropped.CRASH)
    assert all(hop.balanced for hop in work.hops())
    return camera, work


class FailsAfter(Finds):
    """Finds some times, and raises from then on."""

    def __init__(self, looks: int, error: Exception) -> None:
        super().__init__()
        self.left = looks
        self.error = error

    def detect(self, pixels: Pixels) -> Boxes:
        if self.left == 0:
            raise self.error
        self.left -= 1
        return super().detect(pixels)


def test_what_is_not_looked_at_in_the_end_is_counted_and_overwritten_with_what_is_discarded() -> None:
    clock = VirtualClock(NS_PER_S)
    plan = replace(PLAN, purpose=None, every_s=0.0, events=True, cpu_share=0.0)
    camera, detector = Drawn(clock, 10), FailsAfter(1, TypeError("nobody foresaw it"))
    work = CameraWork(plan, camera, [detector], clock=clock, cpu_s=lambda: 0.0, judge=lambda _: None)
    for _ in range(10):
        work.step(0.1)
    work.trigger("collision@1", clock.boot_ns())
    with pytest.raises(TypeError):
        work.finish()
    work.discard(Dropped.CRASH)
    _, windows, clips = work.hops()
    assert (windows.left, windows.set_aside) == (2, {str(Dropped.CRASH): 8})
    assert (clips.entered, clips.left) == (2, 0)


STILLS, CLIPS = PLAN, replace(PLAN, purpose=None, every_s=0.0, events=True)


@pytest.mark.parametrize("plan", [STILLS, CLIPS], ids=["stills", "clips"])
def test_what_a_camera_loses_is_counted_up_to_its_end_whatever_is_kept_of_it(plan: VisionPlan) -> None:
    _, work = troubled(plan, [0.2, 0.4, 0.6], Finds())
    aside = {hop.name: hop.set_aside for hop in work.hops()}
    assert aside["camera front"]["damaged, could not be decoded"] == 4


@pytest.mark.parametrize("plan", [STILLS, CLIPS], ids=["stills", "clips"])
def test_a_picture_that_is_not_later_than_the_one_before_is_overwritten_and_counted_as_such(
    plan: VisionPlan,
) -> None:
    camera, work = troubled(plan, [0.2, 0.2, -4.0, 0.1, 0.4], Finds())
    aside = {hop.name: hop.set_aside for hop in work.hops()}
    assert aside["camera front"]["not later than the picture before it"] == 3
    assert not any(one.pixels.any() for one in camera.given[1:4])
    chooses = next(hop for hop in work.hops() if hop.name in {"stills of front", "windows of front"})
    assert chooses.entered == 2


def test_where_the_line_ends_what_was_chosen_with_its_last_picture_is_overwritten_and_counted() -> None:
    camera, work = troubled(
        PLAN, [number / RATE_HZ for number in range(100)], FailsAfter(2, VisionError("the network failed"))
    )
    assert len(camera.given) == 21
    stills, line, _ = work.hops()
    assert line.entered == stills.left + len(camera.given)
    assert not any(one.pixels.any() for one in camera.given[1:])
