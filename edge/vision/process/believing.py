"""What the gateway believes of what a camera's process hands over: its stills and clips, and its account."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from edge.account import Hop
from edge.clock import NS_PER_S
from edge.policy.rules import Purpose
from edge.vision.media import Media, MediaFormat
from edge.vision.plan import VisionPlan
from edge.vision.process.lives import hand_over_of
from edge.vision.reasons import Dropped

_SIDE_MOST_PX, _COUNT_MOST = 1 << 14, 1 << 31
_ISO_BASE = slice(4, 8)
_HOPS = ("stills of {}", "camera {}", "encoder of {}", "windows of {}", "clips of {}")
_FRAMES_MOST = 1 << 40
"""Of one life: a thousand years of a camera. Sums over many lives stay within what an account can tell."""

_FACTS_MOST = 64
_CAUSES = frozenset(map(str, Dropped))


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


def is_believed_account(hops: Sequence[Hop], plan: VisionPlan, known: Collection[str]) -> bool:
    """Whether an account is one of a plan's camera, and can be told with the gateway's own.

    Args:
        hops: as they came.
        plan: of the camera.
        known: the names of the facts that all its processes told so far; only so many are ever new.
    """
    names = [hop.name for hop in hops]
    facts = {name for hop in hops for name in hop.facts}
    counts = [
        count
        for hop in hops
        for count in (hop.entered, hop.left, *hop.set_aside.values(), *hop.facts.values())
    ]
    return (
        len(set(names)) == len(names)
        and {*names} <= {hand_over_of(plan.name), *(one.format(plan.name) for one in _HOPS)}
        and all(_CAUSES.issuperset(hop.set_aside) for hop in hops)
        and all(name and name.isprintable() for name in facts)
        and len(facts.union(known)) <= _FACTS_MOST
        and max(counts, default=0) <= _FRAMES_MOST
    )
