"""Opens detectors for the commands that measure: what cannot be opened is told, not passed over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.detector import Detector
from edge.vision.detectors import DetectorSettings, open_detectors

SUBJECT_NAMES: Mapping[Subject, str] = MappingProxyType({Subject.FACE: "faces", Subject.PLATE: "plates"})


def open_each(models: Path | None, only: str | None = None) -> tuple[list[Detector], dict[Subject, str]]:
    """Open the detectors that are to be had, and say why one is not.

    Args:
        models: folder of the models, or None.
        only: one of `SUBJECT_NAMES`, where nothing else is to be looked for.

    Raises:
        VisionError: none is to be had.
    """
    detectors: list[Detector] = []
    missing: dict[Subject, str] = {}
    failed: VisionError | None = None
    for subject in Subject:
        if only not in {None, SUBJECT_NAMES[subject]}:
            continue
        settings = DetectorSettings(
            models=models, faces=subject is Subject.FACE, plates=subject is Subject.PLATE
        )
        try:
            detectors += open_detectors(settings)
        except VisionError as error:
            failed = error
            missing[subject] = str(error)
    if failed is not None and not detectors:
        raise failed
    return detectors, missing
