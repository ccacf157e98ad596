"""The way of a frame from pixels to an encoded picture, for measuring what each step costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.encoding.stills import encode_still
from edge.vision.measuring.stages import FrameCost, Stage, made_up_frame, measure_stages
from edge.vision.media import MediaFormat
from edge.vision.picture import Picture, Pixels, Redacted
from edge.vision.redaction import fill

_STEPS = {Subject.FACE: "faces", Subject.PLATE: "plates"}
_QUALITY = 85


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    pixels: Pixels
    boxes: tuple[Boxes, ...] = ()


def measure_way(
    detectors: Sequence[Detector],
    width: int,
    height: int,
    frames: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> FrameCost:
    """Measure every step of frames of a size.

    Raises:
        VisionError: a detector fails.
    """
    stages = [Stage(_STEPS[detector.subject], _detecting(detector)) for detector in detectors]
    stages += [Stage("fill", _fill), Stage("encode", _encode)]
    return measure_stages(
        stages, lambda number: _Frame(made_up_frame(number, width, height)), frames, progress
    )


def _detecting(detector: Detector) -> Callable[[object], object]:
    def detect(frame: object) -> _Frame:
        assert isinstance(frame, _Frame)  # noqa: S101 - the steps are ours
        return _Frame(frame.pixels, (*frame.boxes, detector.detect(frame.pixels)))

    return detect


def _fill(frame: object) -> Redacted:
    assert isinstance(frame, _Frame)  # noqa: S101 - the steps are ours
    return fill(Picture("bench", 0, 0, frame.pixels), Boxes.joined(frame.boxes))


def _encode(redacted: object) -> bytes:
    assert isinstance(redacted, Redacted)  # noqa: S101 - the steps are ours
    return encode_still(redacted, MediaFormat.JPEG, _QUALITY)
