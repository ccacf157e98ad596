"""`RedactionLine`: the way of one camera's pictures to redacted ones; what is in doubt does not come out."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.judging import Judge, too_dark
from edge.vision.memory import Memory
from edge.vision.picture import Picture, Redacted
from edge.vision.reasons import Dropped
from edge.vision.redaction import cover, destroy, fill, masks_of
from edge.vision.scene_motion import Glance, SceneMotion

_FAILURES = (VisionError, cv2.error, RuntimeError, MemoryError, ValueError, ArithmeticError, LookupError)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What the line puts up with.

    Attributes:
        latest_s: a picture that is older than this when its turn comes is dropped.
        wait_s: a picture leaves the line after this long at the latest, also where nothing follows it.
        waiting_bytes_most: pictures that wait for those after them take no more memory than this.
        failures_most: so many pictures in a row in which a detector failed are too many.
        boxes_most: a detector that finds more in one picture has failed.
    """

    latest_s: float = 5.0
    wait_s: float = 2.0
    waiting_bytes_most: int = 256 << 20
    failures_most: int = 10
    boxes_most: int = 4096


@dataclass(frozen=True, slots=True)
class _Waiting:
    picture: Picture
    wanted: bool
    since_ns: int


@dataclass(frozen=True, slots=True)
class _Found:
    boxes: Boxes
    glance: Glance


class RedactionLine:
    """Judges, detects, remembers and fills; whatever fails, no picture leaves whose boxes are not known.

    A picture that was handed in belongs to the line: it leaves as a `Redacted` made of the same pixels, or
    its pixels are overwritten with zeros; only pixels that may not be written are copied, and theirs to
    destroy who handed them in. What was found in a picture is filled at once, while it still waits for what
    is found after it, and so are its parts that are too dark to be judged. A small grey picture of the last
    one stays beside them, in which the same is averaged, to see by how much the camera turned.

    A picture that is dropped weakens its neighbours: it gives memory nothing to hide them by. They are hidden
    by what was found in the others within memory's reach, and by what the other detectors found in the
    dropped one where one of several failed. They are not dropped with it: each was judged by all detectors
    itself.

    Args:
        camera: its name; pictures of another are refused.
        detectors: all that look at each picture; at least one.
        judge: says whether a picture is fit to be judged.
        memory: of this camera alone.
        clock: tells how old a picture is.
        settings: what is put up with.

    Raises:
        VisionError: there is no detector.
    """

    def __init__(
        self,
        camera: str,
        detectors: Sequence[Detector],
        judge: Judge,
        memory: Memory,
        *,
        clock: Clock,
        settings: LineSettings | None = None,
    ) -> None:
        if not detectors:
            raise VisionError("nothing looks at its pictures", where=camera, todo="give it a detector")
        self._camera = camera
        self._detectors = tuple(detectors)
        self._judge = judge
        self._memory = memory
        self._motion = SceneMotion()
        self._clock = clock
        self._settings = settings or LineSettings()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._entered = 0
        self._left = 0
        self._set_aside: Counter[Dropped] = Counter()
        self._facts: Counter[str] = Counter()
        self._failures = 0
        self._last_ns: int | None = None
        self._shape: tuple[int, ...] | None = None

    def take(self, picture: Picture, *, wanted: bool = True) -> list[Redacted]:
        """Take the next picture in; hands out those whose turn has come, often none, in order.

        Args:
            picture: of this camera, later than all before.
            wanted: whether it is to come out; if not, it is looked at for its neighbours' sake and counted as
                `Dropped.NOT_WANTED`.

        Raises:
            VisionError: detectors failed in too many pictures in a row. Everything that waits is dropped, and
                the process is to end.
            ValueError: the picture is of another camera.
        """
        if picture.camera != self._camera:
            raise ValueError(f"a picture of {picture.camera} in the line of {self._camera}")
        self._entered += 1
        now_ns = self._clock.boot_ns()
        try:
            found = self._looked_at(picture, now_ns)
            reason = found if isinstance(found, Dropped) else None
            kept = None if isinstance(found, Dropped) else self._covered(picture, found)
        except BaseException:
            self._set_picture_aside(picture, Dropped.DETECTOR)
            raise
        if reason is not None:
            self._set_picture_aside(picture, reason)
            self._end_after_too_many_failures()
        if kept is not None:
            self._waiting.append(_Waiting(kept, wanted, now_ns))
            self._waiting_bytes += kept.pixels.nbytes
        return self._ready()

    def due(self) -> list[Redacted]:
        """Hand out what has waited long enough by the clock; to be asked where pictures stay away."""
        before_ns = self._clock.boot_ns() - round(self._settings.wait_s * NS_PER_S)
        out: list[Redacted] = []
        while self._waiting and self._waiting[0].since_ns <= before_ns:
            out += self._out()
        if not self._waiting:
            self._motion.forget()
        return out

    def finish(self) -> list[Redacted]:
        """Hand out all that waits: nothing more will come."""
        out: list[Redacted] = []
        while self._waiting:
            out += self._out()
        self._motion.forget()
        return out

    def discard(self, reason: Dropped) -> int:
        """Drop all that waits, such as where it may not be kept any more; tells how many that were."""
        count = len(self._waiting)
        while self._waiting:
            self._set_picture_aside(self._waiting.popleft().picture, reason)
        self._waiting_bytes = 0
        self._motion.forget()
        return count

    def drop(self, reason: Dropped, count: int = 1) -> None:
        """Count pictures that were lost on the way to `take`."""
        self._entered += count
        self._set_aside[reason] += count

    def hop(self) -> Hop:
        """The account of all pictures; those that wait have not entered yet, and are a fact beside it."""
        set_aside = {str(reason): self._set_aside[reason] for reason in Dropped if self._set_aside[reason]}
        return Hop(
            name=f"camera {self._camera}",
            unit="frames",
            entered=self._entered - len(self._waiting),
            left=self._left,
            set_aside=set_aside,
            facts={
                "waiting": len(self._waiting),
                **{name: self._facts[name] for name in sorted(self._facts)},
            },
        )

    def _looked_at(self, picture: Picture, now_ns: int) -> Dropped | _Found:
        """What was found in a picture, or why it is dropped."""
        if self._last_ns is not None and picture.t_ns <= self._last_ns:
            return Dropped.BACKWARDS
        self._last_ns = picture.t_ns
        if now_ns - picture.t_ns > self._settings.latest_s * NS_PER_S:
            return Dropped.LATE
        try:
            reason = self._judge(picture.pixels)
        except _FAILURES as error:
            logger.warning("camera %s: a picture could not be judged: %s", self._camera, _named(error))
            return Dropped.DAMAGED
        return reason or self._detected(picture)

    def _detected(self, picture: Picture) -> Dropped | _Found:
        parts, failed = [], False
        for detector in self._detectors:
            try:
                found = detector.detect(picture.pixels)
                self._check(found)
                parts.append(found)
            except _FAILURES as error:
                failed = True
                logger.warning("camera %s: %s failed: %s", self._camera, detector.name, _named(error))
        self._failures = self._failures + 1 if failed else 0
        boxes = Boxes.joined(parts)
        cut = self._shape not in {None, picture.pixels.shape}
        self._shape = picture.pixels.shape
        glance = self._motion.look(picture.pixels)
        self._memory.add(picture.t_ns, boxes, scene=glance.scene, cut=cut)
        if failed:
            destroy(glance.small)
            return Dropped.DETECTOR
        return _Found(boxes, glance)

    def _check(self, boxes: Boxes) -> None:
        """See that what a detector says can be filled."""
        corners = boxes.corners
        if len(boxes) > self._settings.boxes_most:
            raise VisionError(f"{len(boxes)} boxes are more than there can be")
        if not (np.isfinite(corners).all() and np.isfinite(boxes.scores).all()):
            raise VisionError("a box is no number")
        if (corners[:, 2:] < corners[:, :2]).any():
            raise VisionError("a box is turned around")
        if (boxes.subjects >= len(Subject)).any():
            raise VisionError("a box is of nothing known")

    def _covered(self, picture: Picture, found: _Found) -> Picture:
        """The picture with what was found in it filled, in place where it may be written."""
        pixels = picture.pixels if picture.pixels.flags.writeable else picture.pixels.copy()
        height, width = pixels.shape[:2]
        filled = np.concatenate([masks_of(found.boxes, height, width), too_dark(pixels)])
        cover(pixels, filled)
        self._motion.keep(found.glance, filled, height, width)
        return Picture(picture.camera, picture.number, picture.t_ns, pixels)

    def _end_after_too_many_failures(self) -> None:
        if self._failures < self._settings.failures_most:
            return
        self.discard(Dropped.DETECTOR)
        raise VisionError(
            f"detectors failed in {self._failures} pictures in a row",
            where=f"camera {self._camera}",
            todo="nothing is kept of it until its process is begun again",
        )

    def _ready(self) -> list[Redacted]:
        out: list[Redacted] = []
        ahead_ns = round(self._memory.settings.ahead_s * NS_PER_S)
        while self._waiting and self._last_ns is not None:
            full = self._waiting_bytes > self._settings.waiting_bytes_most
            if not full and self._last_ns - self._waiting[0].picture.t_ns < ahead_ns:
                break
            self._facts["let go early"] += full
            out += self._out()
        return out

    def _out(self) -> list[Redacted]:
        """Let the oldest go."""
        waiting = self._waiting.popleft()
        picture = waiting.picture
        self._waiting_bytes -= picture.pixels.nbytes
        if not waiting.wanted:
            self._memory.forget(picture.t_ns)
            self._set_picture_aside(picture, Dropped.NOT_WANTED)
            return []
        boxes = self._memory.recall(picture.t_ns)
        self._memory.forget(picture.t_ns)
        redacted = fill(picture, boxes)
        self._left += 1
        self._facts["faces"] += redacted.faces
        self._facts["plates"] += redacted.plates
        return [redacted]

    def _set_picture_aside(self, picture: Picture, reason: Dropped) -> None:
        destroy(picture.pixels)
        self._set_aside[reason] += 1


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
