"""`CameraWork`: all that is done with one camera, from its device to stills and clips, in one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.policy.rules import Purpose
from edge.vision.cameras.camera import Camera
from edge.vision.clipping import Clipping
from edge.vision.detector import Detector
from edge.vision.encoding.stills import encode_still
from edge.vision.judging import Judge, fit_to_judge
from edge.vision.line import LineSettings, RedactionLine
from edge.vision.media import Media
from edge.vision.memory import Memory
from edge.vision.pace import CpuShare
from edge.vision.picture import Picture, Redacted
from edge.vision.plan import VisionPlan
from edge.vision.reasons import Dropped
from edge.vision.redaction import destroy
from edge.vision.wanted import Stills, StillSettings

VERIFY_NS = 60 * NS_PER_S
"""So often each detector is seen to be as it was."""

_EVENT_LATEST_S = 600.0
"""Pictures of events may wait for their share of the processor: they are in memory, bounded there."""


class CameraWork:
    """Takes pictures, chooses, redacts and encodes, within its share of the processor.

    Args:
        plan: what is to be done.
        camera: open; closed by whoever opened it.
        detectors: all that look at each picture.
        clock: time.
        cpu_s: processor seconds that were spent so far.
        judge: says whether a picture is fit to be judged.
    """

    def __init__(
        self,
        plan: VisionPlan,
        camera: Camera,
        detectors: Sequence[Detector],
        *,
        clock: Clock,
        cpu_s: Callable[[], float],
        judge: Judge = fit_to_judge,
    ) -> None:
        self._plan = plan
        self._camera = camera
        self._clock = clock
        self._cpu_s = cpu_s
        self._spent_s = cpu_s()
        self._detectors = tuple(detectors)
        self._verify_ns = clock.boot_ns() + VERIFY_NS
        self._names = tuple(one.name for one in detectors)
        self._pace = CpuShare(plan.cpu_share)
        usual = LineSettings(latest_s=plan.latest_s)

        def line(settings: LineSettings) -> RedactionLine:
            return RedactionLine(plan.name, detectors, judge, Memory(), clock=clock, settings=settings)

        self._line = line(usual)
        takes_stills = plan.purpose is not None and (plan.every_s > 0 or plan.requests)
        self._stills = (
            Stills(plan.name, StillSettings(every_s=plan.every_s or None)) if takes_stills else None
        )
        self._clipping = (
            Clipping(plan, self._names, lambda: line(replace(usual, latest_s=_EVENT_LATEST_S)))
            if plan.events
            else None
        )
        self._last_ns: int | None = None
        self._causes: deque[tuple[int, tuple[str, ...]]] = deque()
        self._affords = False
        self._encoded = 0
        self._unencoded = 0
        self._refused_requests = 0

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more, as at the end of a file."""
        return self._camera.ended

    def request(self) -> None:
        """Keep the next picture, where requests are served."""
        if self._stills is None or not self._plan.requests or not self._stills.request():
            self._refused_requests += 1

    def trigger(self, name: str, t_ns: int) -> None:
        """Keep a clip around an event of `t_ns`."""
        if self._clipping is not None:
            self._clipping.trigger(name, t_ns)

    def step(self, timeout_s: float) -> list[Media]:
        """Take the next picture, waiting for it at most so long, and do what is due.

        Raises:
            VisionError: the camera is gone, detectors fail again and again, or a model is not as it was.
        """
        if self._clock.boot_ns() >= self._verify_ns:
            self._verify_ns = self._clock.boot_ns() + VERIFY_NS
            for detector in self._detectors:
                detector.verify()
        picture = self._read(timeout_s)
        out: list[Media] = []
        if picture is not None:
            if self._clipping is not None:
                self._clipping.add(picture)
            out += self._still(picture)
        out += self._kept(self._line.due())
        if self._clipping is not None:
            out += self._clipping.work(self._clock.boot_ns(), self._may_begin)
        self._note_spent()
        return out

    def finish(self) -> list[Media]:
        """Hand out what is under way: no more pictures come."""
        if self._stills is not None:
            self._stills.discard(Dropped.STOPPED)
        out = self._kept(self._line.finish())
        if self._clipping is not None:
            out += self._clipping.finish()
        return out

    def discard(self, reason: Dropped) -> None:
        """Drop everything that is under way, such as where nothing may be kept any more."""
        if self._stills is not None:
            self._stills.discard(reason)
        self._line.discard(reason)
        self._causes.clear()
        if self._clipping is not None:
            self._clipping.discard(reason)

    def hops(self) -> tuple[Hop, ...]:
        """The account of the camera's pictures."""
        name = self._plan.name
        aside = {str(Dropped.ENCODER): self._unencoded} if self._unencoded else {}
        encoder = Hop(
            f"encoder of {name}",
            "frames",
            self._encoded + self._unencoded,
            self._encoded,
            aside,
            facts={"requests refused": self._refused_requests},
        )
        # What was lost on the way is in the line's, also where no stills are taken.
        line = self._line.hop()
        stills = (line,) if self._stills is None else (self._stills.hop(), line, encoder)
        return (*stills, *(() if self._clipping is None else self._clipping.hops()))

    def _read(self, timeout_s: float) -> Picture | None:
        """The next picture; one that is not later than the one before is dropped, for all that follows."""
        try:
            picture = self._camera.read(timeout_s)
        finally:
            for reason, count in self._camera.take_losses().items():
                self._line.drop(reason, count)
        if picture is None:
            return None
        if self._last_ns is not None and picture.t_ns <= self._last_ns:
            self._lose(picture, Dropped.BACKWARDS)
            return None
        self._last_ns = picture.t_ns
        return picture

    def _still(self, picture: Picture) -> list[Media]:
        if self._stills is None:
            destroy(picture.pixels)
            return []
        out: list[Media] = []
        found = deque(self._stills.add(picture))
        if any(chosen.wanted for chosen in found):
            # One answer for a picture and those around it: they cannot take what it needs, nor it lack them.
            self._affords = self._pace.take(picture.t_ns)
        try:
            while found:
                chosen = found.popleft()
                if not self._affords:
                    self._lose(chosen.picture, Dropped.BUDGET)
                    continue
                if chosen.wanted:
                    self._causes.append((chosen.picture.number, chosen.causes))
                out += self._kept(self._line.take(chosen.picture, wanted=chosen.wanted))
                self._note_spent()
        finally:
            # Where the line ends, those that follow have not come to it.
            for chosen in found:
                self._lose(chosen.picture, Dropped.DETECTOR)
        return out

    def _lose(self, picture: Picture, reason: Dropped) -> None:
        destroy(picture.pixels)
        self._line.drop(reason)

    def _kept(self, frames: Sequence[Redacted]) -> list[Media]:
        out: list[Media] = []
        for frame in frames:
            while self._causes and self._causes[0][0] < frame.number:
                self._causes.popleft()
            causes = self._causes[0][1] if self._causes and self._causes[0][0] == frame.number else ()
            try:
                out.append(self._media(frame, causes))
            except VisionError:
                self._unencoded += 1
            else:
                self._encoded += 1
        return out

    def _media(self, frame: Redacted, causes: tuple[str, ...]) -> Media:
        plan = self._plan
        height, width = frame.pixels.shape[:2]
        return Media(
            camera=plan.name,
            data_class=plan.data_class,
            purpose=plan.purpose or Purpose.RECORDING,
            cause=" and ".join(causes),
            from_ns=frame.t_ns,
            to_ns=frame.t_ns,
            format=plan.still,
            width=width,
            height=height,
            frames=1,
            faces=frame.faces,
            plates=frame.plates,
            detectors=self._names,
            content=encode_still(frame, plan.still, plan.quality),
        )

    def _may_begin(self) -> bool:
        self._note_spent()
        t_ns = self._clock.boot_ns()
        return self._pace.may(t_ns) and self._pace.take(t_ns)

    def _note_spent(self) -> None:
        spent_s = self._cpu_s()
        self._pace.spent(self._clock.boot_ns(), spent_s - self._spent_s)
        self._spent_s = spent_s
