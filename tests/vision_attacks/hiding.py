"""Ways of hiding a box, nevgate's own and those that it refuses, and what its encoders keep of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.clock import NS_PER_S, VirtualClock
from edge.vision.boxes import Boxes, Subject
from edge.vision.encoding.clips import Av1Writer
from edge.vision.encoding.stills import encode_still
from edge.vision.line import RedactionLine
from edge.vision.media import MediaFormat
from edge.vision.memory import Memory
from edge.vision.picture import Picture, Pixels, Redacted
from edge.vision.redaction import fill, masks_of
from tests.vision_attacks.views import View
from tests.vision_line.scripted import Scripted

_QUALITY = 85
_CAMERA = "attacked"

_FRAMES, _BLIND = 5, 2
"""Of a clip, and which of them the detector is blind in, so that memory alone hides."""

_RATE_HZ = 5.0

Hide = Callable[[View], Pixels]
"""A picture as it is kept, encoded and decoded again."""


def _within(soften: Callable[[Pixels], Pixels]) -> Hide:
    """A way that changes the rectangle which nevgate would fill, and nothing else."""

    def hide(view: View) -> Pixels:
        left, top, right, bottom = mask_of(view).tolist()
        pixels = view.pixels.copy()
        pixels[top:bottom, left:right] = soften(np.ascontiguousarray(pixels[top:bottom, left:right]))
        return through_jpeg(Redacted(_CAMERA, 0, 0, pixels, 0, 1))

    return hide


def _mean(part: Pixels) -> Pixels:
    return np.full_like(part, part.reshape(-1, 3).mean(axis=0).round())


def _mosaic(part: Pixels) -> Pixels:
    small = cv2.resize(part, (6, 6), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.resize(small, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST), np.uint8
    )


def _blur(part: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(part, (0, 0), min(part.shape[:2]) / 8), np.uint8)


def _filled(view: View) -> Pixels:
    return through_jpeg(fill(Picture(_CAMERA, 0, 0, view.pixels.copy()), _boxes(view)))


def clip_of(view: View) -> bytes:
    """A clip as nevgate keeps it: the picture stands still, and one frame's box only memory knows.

    The time of day is in its bytes.
    """
    found = [Boxes.none() if number == _BLIND else _boxes(view) for number in range(_FRAMES)]
    line = RedactionLine(
        _CAMERA, [Scripted(found, Subject.PLATE)], lambda _pixels: None, Memory(), clock=VirtualClock()
    )
    frames = []
    for number in range(_FRAMES):
        picture = Picture(_CAMERA, number, round(number * NS_PER_S / _RATE_HZ), view.pixels.copy())
        frames += line.take(picture)
    frames += line.finish()
    assert len(frames) == _FRAMES
    with Av1Writer(_RATE_HZ, _QUALITY) as writer:
        for frame in frames:
            writer.add(frame)
        return writer.finish()


def _in_a_clip(view: View) -> Pixels:
    """The frame of a clip that memory alone hid."""
    done, animation = cv2.imdecodeanimation(np.frombuffer(clip_of(view), np.uint8)[None, :])
    assert done
    assert len(animation.frames) == _FRAMES
    return np.ascontiguousarray(animation.frames[_BLIND][:, :, :3], np.uint8)


WAYS: Mapping[str, Hide] = MappingProxyType(
    {
        "as it is": _within(lambda part: part),
        "Gaussian blur": _within(_blur),
        "mosaic 6x6": _within(_mosaic),
        "mean colour": _within(_mean),
        "constant fill": _filled,
        "constant fill, in a clip": _in_a_clip,
    }
)


def mask_of(view: View) -> NDArray[np.int32]:
    """The rectangle that nevgate fills for the box of a view: left, top, right, bottom."""
    return np.asarray(masks_of(_boxes(view), *view.pixels.shape[:2])[0], np.int32)


def _boxes(view: View) -> Boxes:
    return Boxes.of(Subject.PLATE, view.box[None, :], np.ones(1, np.float32))


def through_jpeg(redacted: Redacted) -> Pixels:
    """What is left after the encoder of stills."""
    encoded = np.frombuffer(encode_still(redacted, MediaFormat.JPEG, _QUALITY), np.uint8)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
