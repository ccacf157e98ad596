"""Makes each camera a process of its own, as a configuration says."""

from __future__ import annotations

from collections.abc import Callable

from edge.capturing.opening import user_called
from edge.capturing.rights import Rights
from edge.clock import Clock
from edge.config.camera import VisionSection
from edge.uplink.events import Notice
from edge.vision.plan import VisionPlan
from edge.vision.process.supervising import VisionProcess
from edge.vision.process.surface import VisionSource


def in_processes(
    vision: VisionSection, *, clock: Clock, tell: Callable[[Notice], None]
) -> Callable[[VisionPlan, Callable[[], bool]], VisionSource]:
    """Gives what makes the source of a camera's pictures out of its plan, and what says whether it may be.

    Raises:
        ConfigError: nobody is called what ``vision.user`` says.
    """
    rights = Rights(user=user_called(vision.user, "vision.user"))

    def make(plan: VisionPlan, allowed: Callable[[], bool]) -> VisionSource:
        return VisionProcess(plan, clock=clock, tell=tell, allowed=allowed, rights=rights)

    return make
