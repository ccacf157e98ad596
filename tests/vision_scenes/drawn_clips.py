"""Clips that are drawn and looked at once: their frames and finds are kept in a folder, to be replayed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

import edge.vision
import simulator.cameras
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from simulator.cameras.clips import Clip, Frame
from simulator.cameras.scene import Truth

_TRUTHS = "truths.json"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A clip that one detector has looked at.

    Attributes:
        frames: of the clip.
        subject: what was looked for.
        found: in each frame by itself.
    """

    frames: Sequence[Frame]
    subject: Subject
    found: Sequence[Boxes]


class DrawnClips:
    """Draws clips and has detectors look at them, or reads what an earlier run has left of both.

    What was left is taken only where nothing has changed that made it: the simulator's own files for frames,
    the detectors' and their weights for finds.

    Args:
        folder: where it is kept, some 1.5 MB a frame of 1280x720.
        detectors: that look at each clip.
    """

    def __init__(self, folder: Path, detectors: Sequence[Detector]) -> None:
        self._folder = folder
        self._detectors = detectors
        drawing = Path(*simulator.cameras.__path__)
        self._drawn_by = _digest(path for path in sorted(drawing.rglob("*")) if path.suffix != ".pyc")

    def seen(self, clip: Clip, count: int) -> list[Seen]:
        """The first `count` frames of a clip, and what each detector finds in them."""
        made_of = hashlib.sha256(f"{clip} {count} {self._drawn_by}".encode()).hexdigest()[:16]
        folder = self._folder / made_of
        frames = _read_frames(folder) if (folder / _TRUTHS).exists() else None
        if frames is None:
            frames = list(clip.frames(count))
            _write_frames(folder, frames)
        return [self._looked_at(folder, frames, detector) for detector in self._detectors]

    def _looked_at(self, folder: Path, frames: Sequence[Frame], detector: Detector) -> Seen:
        looking = Path(*edge.vision.__path__)
        stem = f"{detector.subject.name.lower()}s"
        patterns = (f"{stem}*.py", f"weights/{stem}*", "inference*.py", "tiles.py", "suppression.py")
        made_of = _digest(path for pattern in patterns for path in sorted(looking.glob(pattern)))
        file = folder / f"{stem}-{made_of}.json"
        if file.exists():
            rows = json.loads(file.read_text(encoding="utf-8"))
        else:
            found = [detector.detect(frame.pixels) for frame in frames]
            rows = [[one.corners.tolist(), one.scores.tolist()] for one in found]
            file.write_text(json.dumps(rows), encoding="utf-8")
        return Seen(
            frames,
            detector.subject,
            [
                Boxes.of(
                    detector.subject,
                    np.array(corners, np.float32).reshape(-1, 4),
                    np.array(scores, np.float32),
                )
                for corners, scores in rows
            ],
        )


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _write_frames(folder: Path, frames: Sequence[Frame]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        written = cv2.imwrite(
            str(folder / f"{number:03}.png"), frame.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1]
        )
        assert written, folder
    rows = [[frame.seconds, [asdict(truth) for truth in frame.truths]] for frame in frames]
    # Last, so that a run that was interrupted leaves no clip that looks whole.
    (folder / _TRUTHS).write_text(json.dumps(rows), encoding="utf-8")


def _read_frames(folder: Path) -> list[Frame]:
    frames = []
    for number, (seconds, truths) in enumerate(json.loads((folder / _TRUTHS).read_text(encoding="utf-8"))):
        pixels = cv2.imread(str(folder / f"{number:03}.png"))
        assert pixels is not None, folder
        frames.append(Frame(pixels.astype(np.uint8), tuple(_truth(row) for row in truths), seconds))
    return frames


def _truth(row: dict[str, object]) -> Truth:
    return Truth(**{**row, "subject": Subject(row["subject"]), "box": tuple(row["box"])})  # type: ignore[arg-type]
