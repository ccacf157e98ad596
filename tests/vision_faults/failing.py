"""A camera whose pictures go wrong after the first three, for a whole camera's work and its process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2

from edge.clock import NS_PER_DAY, NS_PER_S, Clock
from edge.errors import VisionError
from edge.vision import work
from edge.vision.boxes import Boxes
from edge.vision.detector import Detector
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.picture import Picture, Pixels
from edge.vision.plan import VisionPlan
from edge.vision.process.opening import Opening
from tests.vision_faults import broken
from tests.vision_faults.planted import KnowsThePattern, Planted
from tests.vision_process.openings import AFTER, SEED, DrawnCamera, fault_of

OPENING = "tests.vision_faults.failing:failing"
MODELS = "models"
"""Folder beside the device, with a model of its own for the fault that changes it."""

STALLED_S = 10.0

SPOILED: Mapping[str, Callable[[Pixels], Pixels]] = {
    "black": broken.black,
    "covered": broken.covered,
    "one-pixel": broken.one_pixel,
    "8k": broken.giant,
}


class FailingCamera(DrawnCamera):
    """Does as its source says from the fourth picture on."""

    def __init__(self, plan: VisionPlan, clock: Clock) -> None:
        _, self._wrong, folder = plan.source.split(":", 2)
        super().__init__(_as_none(plan, folder), clock)

    def read(self, timeout_s: float) -> Picture | None:
        picture = super().read(timeout_s)
        if picture is None or picture.number < AFTER:
            return picture
        if self._wrong == "unplugged":
            raise VisionError("the device is gone")
        if picture.number == AFTER and self._wrong in AT_ONCE:
            AT_ONCE[self._wrong]()
        t_ns, pixels = picture.t_ns, picture.pixels
        if self._wrong == "stale":
            t_ns -= 10 * NS_PER_S
        elif self._wrong in SPOILED:
            pixels = SPOILED[self._wrong](pixels)
        return Picture(picture.camera, picture.number, t_ns, pixels)


def _stall() -> None:
    """The driver holds on, and what it gives then was taken before."""
    time.sleep(STALLED_S)


def _clock_steps() -> None:
    """A day back, as far as anything in this process asks Python for the time of day."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() - NS_PER_DAY / NS_PER_S
    time.time_ns = lambda: now_ns() - NS_PER_DAY


def _no_stills() -> None:
    cv2.imencode = lambda *_: (False, None)  # type: ignore[assignment]


def _no_clips() -> None:
    def refuse(*_: object) -> tuple[bool, None]:
        raise cv2.error("no memory")

    cv2.imencodeanimation = refuse  # type: ignore[assignment]


AT_ONCE: Mapping[str, Callable[[], None]] = {
    "stall": _stall,
    "clock": _clock_steps,
    "stills": _no_stills,
    "clips": _no_clips,
}


class _Raises(KnowsThePattern):
    """Raises from the fourth picture on, and quotes what it saw."""

    _seen = 0

    def detect(self, pixels: Pixels) -> Boxes:
        self._seen += 1
        if self._seen > AFTER:
            raise RuntimeError(f"session lost at {pixels.tobytes()!r}")
        return super().detect(pixels)


def _as_none(plan: VisionPlan, folder: str) -> VisionPlan:
    return VisionPlan.of_json({**plan.as_json(), "source": f"test:none:{folder}"})


def _detectors(plan: VisionPlan) -> tuple[Detector, ...]:
    planted, fault = Planted(SEED), fault_of(plan)
    if fault == "raises":
        return (_Raises(planted),)
    if fault == "model":
        work.VERIFY_NS = NS_PER_S // 2
        models = Path(plan.source.split(":", 2)[2]) / MODELS
        return (KnowsThePattern(planted), *open_detectors(DetectorSettings(models=models, plates=False)))
    return (KnowsThePattern(planted),)


def failing() -> Opening:
    """Fails as the source says, before a detector that knows the pattern."""
    return Opening(_detectors, FailingCamera)
