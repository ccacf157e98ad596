"""What the process of a camera opens: its detectors first, which see nothing yet, then the camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from edge.clock import Clock
from edge.vision.cameras.camera import Camera
from edge.vision.detector import Detector
from edge.vision.plan import VisionPlan

PLANNED = "edge.vision.process.opening:planned"


@dataclass(frozen=True, slots=True)
class Opening:
    """How the parts of a camera's work are opened, in this order.

    Attributes:
        detectors: opens those that a plan asks for.
        camera: opens its camera.
    """

    detectors: Callable[[VisionPlan], Sequence[Detector]]
    camera: Callable[[VisionPlan, Clock], Camera]


def planned() -> Opening:
    """How a gateway opens them."""
    from edge.vision.cameras.opening import open_camera  # noqa: PLC0415 - needs the extra
    from edge.vision.detectors import DetectorSettings, open_detectors  # noqa: PLC0415 - the same
    from edge.vision.encoding.clips import clip_writer  # noqa: PLC0415 - the same

    def detectors(plan: VisionPlan) -> Sequence[Detector]:
        if plan.events:
            # A codec that is not to be had would be found out with the first clip, and cost each of them.
            clip_writer(plan.clip, plan.clip_rate_hz, plan.quality).close()
        return open_detectors(DetectorSettings(models=plan.models_folder))

    return Opening(
        detectors,
        lambda plan, clock: open_camera(plan.camera, clock),
    )


def opening_of(name: str) -> Opening:
    """What ``package.module:function`` gives.

    Raises:
        ImportError: there is no such module.
        AttributeError: it has no such function.
    """
    module, _, function = name.partition(":")
    found: Opening = getattr(import_module(module), function)()
    return found
