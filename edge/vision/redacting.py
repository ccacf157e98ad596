"""Redacts files at a desk by the line that a camera's pictures take; what is in doubt is not written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edge.account import Hop
from edge.clock import VirtualClock
from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.cameras.camera import CameraSettings
from edge.vision.cameras.files import FileCamera, read_still
from edge.vision.cameras.opened_picture import PIXELS_MOST
from edge.vision.detector import Detector
from edge.vision.encoding.films import open_film
from edge.vision.encoding.stills import encode_still
from edge.vision.judging import FitnessLimits, Judge, fit_to_judge
from edge.vision.line import LineSettings, RedactionLine
from edge.vision.memory import Memory, MemorySettings
from edge.vision.picture import Picture, Pixels, Redacted
from edge.vision.reasons import Dropped
from edge.vision.redacting_plan import Formats, Job, is_film
from edge.vision.redaction import masks_of

EVERY_FRAME_HZ = 1e6
_WAITING_BYTES = 1 << 30
_OUTLINES: Mapping[Subject, tuple[int, int, int]] = MappingProxyType(
    {Subject.FACE: (0, 200, 255), Subject.PLATE: (255, 160, 0)}
)
_OUTLINE_PX = 2


class Written(StrEnum):
    """What became of a file."""

    WHOLE = "written"
    PARTLY = "written in part"
    NOT = "not written"


@dataclass(frozen=True, slots=True)
class Hidden:
    """What was filled in one frame.

    Attributes:
        frame: its number in the file, from 0.
        t_ns: when it is shown, from the first frame on.
        boxes: what was found or remembered.
        masks: (n, 4) int32, what was filled for each: left, top, right, bottom; the latter two are outside.
    """

    frame: int
    t_ns: int
    boxes: Boxes
    masks: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Attributes:
        job: which.
        written: whether what came in went out.
        reason: why not all of it; empty where it did.
        frames: how many came in.
        kept: how many went out.
        dropped: how many did not, by reason.
        faces: boxes over faces that were filled, over all frames.
        plates: the same over plates.
        hidden: what was filled in each frame that went out, where that was asked for.
    """

    job: Job
    written: Written
    reason: str = ""
    frames: int = 0
    kept: int = 0
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    faces: int = 0
    plates: int = 0
    hidden: tuple[Hidden, ...] = ()


@dataclass(frozen=True, slots=True)
class RedactingSettings:
    """How files are redacted.

    Attributes:
        formats: of what is written.
        quality: of pictures and of H.264, 1 to 100.
        memory: what was found in a film's frames is hidden in those before and after too.
        outlines: outlines of the boxes are drawn over what was filled.
        force: files that are there are replaced.
        boxes: `Outcome.hidden` is wanted.
    """

    formats: Formats = field(default_factory=Formats)
    quality: int = 85
    memory: bool = True
    outlines: bool = False
    force: bool = False
    boxes: bool = False


class StoppedError(VisionError):
    """Somebody asked to stop; what was under way was not written."""


_judge_any_size: Judge = partial(fit_to_judge, limits=FitnessLimits(pixels_most=PIXELS_MOST))


class Redacting:
    """Redacts one file after another.

    Args:
        detectors: all that look at each frame.
        settings: how.
        judge: says whether a frame is fit to be judged.
        stopped: asked before each frame.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        settings: RedactingSettings | None = None,
        *,
        judge: Judge = _judge_any_size,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._detectors = tuple(detectors)
        self._settings = settings or RedactingSettings()
        self._judge = judge
        self._stopped = stopped

    def run(self, job: Job, tell: Callable[[float], None] = lambda _: None) -> Outcome:
        """Redact one file; what is written appears under its name when it is whole.

        Args:
            job: which file, and what it becomes.
            tell: called with the share that is done, 0 to 1.

        Raises:
            StoppedError: `stopped` said so; nothing was written.
        """
        if not self._settings.force and (job.target.exists() or job.target.is_symlink()):
            return Outcome(job, Written.NOT, f"{job.target} is there already; --force replaces it")
        passage = _Passage(job, self._detectors, self._settings, self._judge)
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".nevgate-", dir=job.target.parent) as folder:
                new = Path(folder) / job.target.name
                if is_film(job.source):
                    self._film(passage, new, tell)
                else:
                    self._still(passage, new)
                if passage.kept:
                    _settle(new)
                    new.replace(job.target)
        except StoppedError:
            raise
        except VisionError as error:
            return passage.outcome(f"{error.what}. {error.todo}".removesuffix(". "), written=False)
        except OSError as error:
            return passage.outcome(f"{error.strerror or error}, where it is to be written", written=False)
        return passage.outcome()

    def _still(self, passage: _Passage, new: Path) -> None:
        self._go_on()
        ready = passage.take(Picture(passage.name, 0, 0, read_still(passage.job.source)))
        for redacted in ready + passage.finish():
            new.write_bytes(encode_still(redacted, self._settings.formats.still, self._settings.quality))

    def _film(self, passage: _Passage, new: Path, tell: Callable[[float], None]) -> None:
        asked = CameraSettings(passage.name, f"file:{passage.job.source}", rate_hz=EVERY_FRAME_HZ)
        with (
            FileCamera(asked, VirtualClock(), paced=False) as camera,
            open_film(new, self._settings.quality) as film,
        ):
            while not camera.ended:
                self._go_on()
                picture = camera.read(0)
                passage.lose(camera.take_losses())
                for redacted in passage.take(picture) if picture is not None else ():
                    film.add(redacted)
                if camera.length_s:
                    tell(min(1.0, camera.reached_s / camera.length_s))
            for redacted in passage.finish():
                film.add(redacted)
            if camera.length_s and camera.missing_s:
                passage.note(
                    f"ends at {camera.reached_s:.1f} s, and says that it is {camera.length_s:.1f} s long"
                )
            if passage.kept:
                film.finish()

    def _go_on(self) -> None:
        if self._stopped():
            raise StoppedError("stopped")


class _Passage:
    """One file's frames on their way through a line of their own."""

    def __init__(
        self, job: Job, detectors: Sequence[Detector], settings: RedactingSettings, judge: Judge
    ) -> None:
        self.job = job
        self.name = job.source.name
        self._settings = settings
        remembers = settings.memory and is_film(job.source)
        self._memory = TellingMemory(MemorySettings() if remembers else MemorySettings.off())
        self._line = RedactionLine(
            self.name,
            detectors,
            judge,
            self._memory,
            clock=VirtualClock(),
            settings=LineSettings(waiting_bytes_most=_WAITING_BYTES),
        )
        self.kept = 0
        self._frames = 0
        self._faces = 0
        self._plates = 0
        self._hidden: list[Hidden] = []
        self._reason = ""

    def take(self, picture: Picture) -> list[Redacted]:
        """Hand a frame to the line; what is ready comes out."""
        self._frames += 1
        return self._out(self._line.take(picture))

    def finish(self) -> list[Redacted]:
        """Take what still waits in the line."""
        return self._out(self._line.finish())

    def lose(self, losses: Mapping[Dropped, int]) -> None:
        """Count frames that could not be read."""
        for reason, count in losses.items():
            self._frames += count
            self._line.drop(reason, count)

    def note(self, reason: str) -> None:
        """Say why this is not the whole file."""
        self._reason = reason

    def outcome(self, failure: str = "", *, written: bool = True) -> Outcome:
        """What became of the file."""
        hop: Hop = self._line.hop()
        one = not is_film(self.job.source)
        aside = [why if one else f"frames left out, {why}: {count}" for why, count in hop.set_aside.items()]
        reason = "; ".join(filter(None, [failure or self._reason, *aside]))
        if not written or not self.kept:
            reason = reason or "there is no frame in it"
            return Outcome(self.job, Written.NOT, reason, self._frames, dropped=hop.set_aside)
        return Outcome(
            self.job,
            Written.PARTLY if reason else Written.WHOLE,
            reason,
            frames=self._frames,
            kept=self.kept,
            dropped=hop.set_aside,
            faces=self._faces,
            plates=self._plates,
            hidden=tuple(self._hidden),
        )

    def _out(self, ready: list[Redacted]) -> list[Redacted]:
        for redacted in ready:
            boxes = self._memory.told.pop(redacted.t_ns)
            masks = masks_of(boxes, *redacted.pixels.shape[:2])
            if self._settings.outlines:
                _outline(redacted.pixels, boxes, masks)
            if self._settings.boxes:
                self._hidden.append(Hidden(redacted.number, redacted.t_ns, boxes, masks))
            self.kept += 1
            self._faces += redacted.faces
            self._plates += redacted.plates
        return ready


class TellingMemory(Memory):
    """Remembers what it recalled, for reports."""

    def __init__(self, settings: MemorySettings) -> None:
        super().__init__(settings)
        self.told: dict[int, Boxes] = {}

    def recall(self, t_ns: int) -> Boxes:
        """See `Memory.recall`."""
        boxes = self.told[t_ns] = super().recall(t_ns)
        return boxes


def _outline(pixels: Pixels, boxes: Boxes, masks: NDArray[np.int32]) -> None:
    """Draw the edge of each mask within it: nothing that was not filled is touched."""
    for subject, (left, top, right, bottom) in zip(boxes.subjects.tolist(), masks.tolist(), strict=True):
        colour = _OUTLINES[Subject(subject)]
        wide = _OUTLINE_PX
        pixels[top : min(top + wide, bottom), left:right] = colour
        pixels[max(bottom - wide, top) : bottom, left:right] = colour
        pixels[top:bottom, left : min(left + wide, right)] = colour
        pixels[top:bottom, max(right - wide, left) : right] = colour


def _settle(path: Path) -> None:
    """Wait until a file is on the disk, so that no power cut leaves an empty one under its name."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
