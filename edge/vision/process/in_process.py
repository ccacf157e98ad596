"""`VisionInProcess`: a camera's work in this process and thread, for simulation under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.uplink.events import Notice
from edge.vision.cameras.camera import Camera
from edge.vision.media import Media
from edge.vision.plan import VisionPlan
from edge.vision.process.lives import VisionLives
from edge.vision.process.opening import Opening, planned
from edge.vision.process.surface import Tell, VisionSource
from edge.vision.reasons import Dropped
from edge.vision.work import CameraWork

PICTURES_MOST = 100
"""In one step; a gateway that comes so late does not stay for good."""

AGAIN_S = 1.0


class VisionInProcess(VisionSource):
    """The same work and account as of a `VisionProcess`, without its walls; never for a vehicle.

    Args:
        plan: what is to be done.
        clock: time.
        tell: told of what goes wrong.
        allowed: whether pictures may be taken now; asked in each step. The camera is open only then.
        opening: how its parts are opened.
        cpu_s: processor seconds that were spent so far; by default none ever are, so that a seed replays.
    """

    def __init__(
        self,
        plan: VisionPlan,
        *,
        clock: Clock,
        tell: Tell | None = None,
        allowed: Callable[[], bool] = lambda: True,
        opening: Opening | None = None,
        cpu_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._notify = tell
        self._allowed = allowed
        self._opening = opening or planned()
        self._cpu_s = cpu_s
        self._lives = VisionLives(plan.name)
        self._wanted = False
        self._camera: Camera | None = None
        self._work: CameraWork | None = None
        self._due_ns = 0
        self._media: list[Media] = []
        self.failure: VisionError | None = None
        self.ended = False

    def start(self) -> None:
        """See `VisionSource.start`."""
        self._wanted = True

    def step(self, now_ns: int) -> None:
        """See `VisionSource.step`."""
        may = self._wanted and not self.ended and self.failure is None and self._allowed()
        if not may:
            if self._work is not None:
                self._lives.withdraw(Dropped.POLICY, len(self._media))
                self._media = []
                self._end(Dropped.POLICY)
            return
        if self._work is None and now_ns >= self._due_ns:
            self._begin(now_ns)
        if self._work is None:
            return
        try:
            for _ in range(PICTURES_MOST):
                entered = _entered(self._work)
                self._keep(self._work.step(0.0))
                if self._work.ended:
                    self.ended = True
                    self._keep(self._work.finish())
                    self._end(Dropped.STOPPED)
                    return
                if _entered(self._work) == entered:
                    return
        except VisionError as error:
            self._due_ns = now_ns + round(AGAIN_S * NS_PER_S)
            self._tell(error)
            self._end(Dropped.CRASH)

    def take(self) -> list[Media]:
        """See `VisionSource.take`."""
        found, self._media = self._media, []
        return found

    def request(self) -> bool:
        """See `VisionSource.request`."""
        if self._work is None:
            return False
        self._work.request()
        return True

    def trigger(self, name: str, t_ns: int) -> bool:
        """See `VisionSource.trigger`."""
        if self._work is None:
            return False
        self._work.trigger(name, t_ns)
        return True

    def hops(self) -> tuple[Hop, ...]:
        """See `VisionSource.hops`."""
        self._report()
        return self._lives.hops()

    @property
    def gone(self) -> bool:
        """See `VisionSource.gone`."""
        return self._work is None

    def stop(self) -> None:
        """See `VisionSource.stop`."""
        self._wanted = False
        if self._work is not None:
            self._end(Dropped.STOPPED if self._allowed() else Dropped.POLICY)

    def close(self, within_s: float) -> None:
        """See `VisionSource.close`; it takes as long as it takes."""
        del within_s
        self._wanted = False
        if self._work is not None:
            if self._allowed():
                with suppress(VisionError):
                    self._keep(self._work.finish())
            self._end(Dropped.STOPPED if self._allowed() else Dropped.POLICY)

    def _begin(self, now_ns: int) -> None:
        try:
            detectors = self._opening.detectors(self._plan)
        except VisionError as error:
            self.failure = error
            self._tell(error)
            return
        try:
            self._camera = self._opening.camera(self._plan, self._clock)
        except VisionError as error:
            self._due_ns = now_ns + round(AGAIN_S * NS_PER_S)
            self._tell(error)
            return
        self._work = CameraWork(self._plan, self._camera, detectors, clock=self._clock, cpu_s=self._cpu_s)

    def _keep(self, found: list[Media]) -> None:
        for media in found:
            self._lives.arrive()
            self._media.append(media)

    def _report(self) -> None:
        if self._work is not None:
            self._lives.report(self._work.hops())

    def _end(self, lost: Dropped) -> None:
        if self._work is not None:
            self._work.discard(lost)
            self._report()
        if self._camera is not None:
            self._camera.close()
        self._work = self._camera = None
        self._lives.end(lost)

    def _tell(self, error: VisionError) -> None:
        if self._notify is not None:
            self._notify(Notice(f"camera {self._plan.name}: {error.what}", trouble=True))


def _entered(work: CameraWork) -> int:
    return sum(hop.entered + hop.facts.get("waiting", 0) for hop in work.hops())
