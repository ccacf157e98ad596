"""Explains cameras and microphones: which there are, and whether pictures are taken now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.config.camera import CameraSection
from edge.explaining.situation import Situation
from edge.explaining.uses import ClassAnswer, explain_class
from edge.policy.classes import DataClass

WORDS = ("camera", "cameras", "microphone", "microphones")


@dataclass(frozen=True, slots=True)
class MediaAnswer:
    """A camera, or that there is none, or no microphone.

    Attributes:
        device: ``microphone``, ``camera``, or ``camera front`` of one that is configured.
        collected: whether pictures of it are taken now for any purpose.
        why: in words, with each purpose.
        policies: what the policy says of the class that it is of, or would be of.
    """

    device: str
    collected: bool
    why: str
    policies: tuple[ClassAnswer, ...]


def camera_names(situation: Situation) -> tuple[str, ...]:
    """The names of the cameras that are configured."""
    return tuple(one.name for one in situation.config.camera)


def explain_media(situation: Situation, word: str) -> Iterator[MediaAnswer]:
    """Say what each camera takes, or that none is configured; of microphones that there never is one.

    Args:
        situation: policy, vehicle and consents.
        word: one of `WORDS`, or the name of a camera.
    """
    device = word.removesuffix("s") if word in WORDS else "camera"
    if device == "camera":
        found = [one for one in situation.config.camera if word in {one.name, *WORDS}]
        yield from (_camera(situation, one) for one in found)
        if found:
            return
    classes = (DataClass.CABIN, DataClass.EXTERIOR) if device == "camera" else (DataClass.CABIN,)
    yield MediaAnswer(
        device,
        collected=False,
        why=f"no {device} is configured, and nevgate takes none up by itself",
        policies=tuple(explain_class(situation, one) for one in classes),
    )


def _camera(situation: Situation, section: CameraSection) -> MediaAnswer:
    reasons = {
        purpose: situation.why_not_collected(section.data_class, purpose)
        for purpose in sorted(section.purposes)
    }
    taken = [str(purpose) for purpose, why in reasons.items() if not why]
    said = [f"pictures are taken for {', '.join(taken)}"] if taken else ["it is not opened"]
    said += [f"{purpose}: {why}" for purpose, why in reasons.items() if why]
    return MediaAnswer(
        f"camera {section.name}",
        collected=bool(taken),
        why="; ".join(said),
        policies=(explain_class(situation, section.data_class),),
    )
