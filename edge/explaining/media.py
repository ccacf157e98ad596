"""Explains cameras and microphones, of which a configuration names none."""

from __future__ import annotations

from dataclasses import dataclass

from edge.explaining.situation import Situation
from edge.explaining.uses import ClassAnswer, explain_class
from edge.policy.classes import DataClass

WORDS = ("camera", "cameras", "microphone", "microphones")


@dataclass(frozen=True, slots=True)
class MediaAnswer:
    """A camera or a microphone.

    Attributes:
        device: ``camera`` or ``microphone``.
        collected: whether anything is; never, since none can be configured.
        why: why not.
        policies: what the policy says of the classes that it would fall into.
    """

    device: str
    collected: bool
    why: str
    policies: tuple[ClassAnswer, ...]


def explain_media(situation: Situation, word: str) -> MediaAnswer:
    """Say that none is configured, and what the policy would say of one."""
    device = word.removesuffix("s")
    classes = (DataClass.CABIN, DataClass.EXTERIOR) if device == "camera" else (DataClass.CABIN,)
    return MediaAnswer(
        device,
        collected=False,
        why=f"no {device} is configured, and nevgate takes none up by itself",
        policies=tuple(explain_class(situation, one) for one in classes),
    )
