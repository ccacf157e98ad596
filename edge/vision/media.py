"""`Media`: an encoded picture or clip in which nobody can be recognised, as it is kept and sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from edge.policy.classes import DataClass
from edge.policy.rules import Purpose


class MediaFormat(StrEnum):
    """How it is encoded, by its media type."""

    JPEG = "image/jpeg"
    AVIF = "image/avif"
    AVIF_SEQUENCE = "image/avif-sequence"
    MP4 = "video/mp4"


@dataclass(frozen=True)
class Media:
    """One still or clip.

    Attributes:
        camera: name of the camera.
        data_class: exterior or cabin.
        purpose: what it was taken for.
        cause: ``periodic``, ``request``, or the name of the event that it belongs to.
        from_ns: when its first frame was taken, nanoseconds of the boot clock.
        to_ns: when its last frame was taken, included.
        format: how `content` is encoded.
        width: of its frames, in pixels.
        height: of its frames, in pixels.
        frames: how many it shows.
        faces: boxes over faces that were filled, over all frames.
        plates: the same over plates.
        detectors: names of the detectors that looked.
        content: the encoded bytes.
    """

    camera: str
    data_class: DataClass
    purpose: Purpose
    cause: str
    from_ns: int
    to_ns: int
    format: MediaFormat
    width: int
    height: int
    frames: int
    faces: int
    plates: int
    detectors: tuple[str, ...]
    content: bytes

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of `content`, by which the platform checks what arrived."""
        return hashlib.sha256(self.content).digest()
