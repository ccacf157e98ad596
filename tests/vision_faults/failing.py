"""A camera whose pictures go wrong after the first three, for a whole camera's work and its process."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.vision.picture import Picture, Pixels
from edge.vision.plan import VisionPlan
from edge.vision.process.opening import Opening
from tests.vision_faults import broken
from tests.vision_faults.planted import KnowsThePattern, Planted
from tests.vision_process.openings import AFTER, SEED, DrawnCamera

OPENING = "tests.vision_faults.failing:failing"

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
        t_ns, pixels = picture.t_ns, picture.pixels
        if self._wrong == "stale":
            t_ns -= 10 * NS_PER_S
        elif self._wrong in SPOILED:
            pixels = SPOILED[self._wrong](pixels)
        return Picture(picture.camera, picture.number, t_ns, pixels)


def _as_none(plan: VisionPlan, folder: str) -> VisionPlan:
    return VisionPlan.of_json({**plan.as_json(), "source": f"test:none:{folder}"})


def failing() -> Opening:
    """Fails as the source says, before a detector that knows the pattern."""
    return Opening(lambda _: (KnowsThePattern(Planted(SEED)),), FailingCamera)
