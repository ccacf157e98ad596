"""Stills and clips that show nobody, for the tests of their way to the platform."""

from __future__ import annotations

from random import Random

from edge.clock import NS_PER_S
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.vision.media import Media, MediaFormat


def still(
    seed: int = 1,
    *,
    size: int = 20_000,
    t_ns: int = NS_PER_S,
    data_class: DataClass = DataClass.EXTERIOR,
    purpose: Purpose = Purpose.RECORDING,
    cause: str = "periodic",
) -> Media:
    """A still whose content does not compress."""
    content = b"\xff\xd8" + Random(seed).randbytes(size - 2)  # noqa: S311 - a test repeats its seed
    return Media(
        "front",
        data_class,
        purpose,
        cause,
        t_ns,
        t_ns,
        MediaFormat.JPEG,
        1280,
        720,
        1,
        2,
        1,
        ("yunet 0.5", "plates 1"),
        content,
    )
