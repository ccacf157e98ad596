"""What the gateway believes of a still or clip that a camera's process hands over."""

from __future__ import annotations

from edge.clock import NS_PER_S
from edge.policy.rules import Purpose
from edge.vision.media import Media, MediaFormat
from edge.vision.plan import VisionPlan

_SIDE_MOST_PX, _COUNT_MOST = 1 << 14, 1 << 31
_ISO_BASE = slice(4, 8)


def is_believed(media: Media, plan: VisionPlan, now_ns: int) -> bool:
    """Whether it is of a plan's camera and of its purposes, and could be at `now_ns` of the boot clock."""
    return (
        media.camera == plan.name
        and media.data_class is plan.data_class
        and media.purpose in {plan.purpose, Purpose.EVENT}
        and media.cause.isprintable()
        and media.from_ns >= 0
        and media.to_ns <= now_ns + NS_PER_S
        and max(media.width, media.height) <= _SIDE_MOST_PX
        and max(media.frames, media.faces, media.plates) <= _COUNT_MOST
        and _is_what_it_says(media)
    )


def _is_what_it_says(media: Media) -> bool:
    """Whether it begins like what it says it is; nothing of it is decoded here."""
    if media.format is MediaFormat.JPEG:
        return media.content.startswith(b"\xff\xd8\xff")
    return media.content[_ISO_BASE] == b"ftyp"
