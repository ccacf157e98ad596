"""The detectors that a camera's settings ask for, opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.errors import VisionError
from edge.vision.detector import Detector

_INSTALL = "pip install nevgate[vision]"


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """What to look for, and with what.

    Attributes:
        models: folder whose files of weights are taken before those of installed packages; None has none.
        faces: faces are looked for.
        plates: plates are looked for.
        threads: how many threads one detector may use.
    """

    models: Path | None = None
    faces: bool = True
    plates: bool = True
    threads: int = 1


def open_detectors(settings: DetectorSettings) -> tuple[Detector, ...]:
    """Open what `settings` ask for, each proved to be the pinned model.

    Raises:
        VisionError: the extra is not installed, a model is missing or not the pinned one, or nothing is to be
            looked for.
    """
    if not (settings.faces or settings.plates):
        raise VisionError("neither faces nor plates are looked for", todo="ask for one of them at least")
    try:
        from edge.vision.inference import ModelStore  # noqa: PLC0415 - numpy alone, but beside the others

        store = ModelStore(settings.models)
        detectors: list[Detector] = []
        if settings.faces:
            from edge.vision.faces import FaceDetector  # noqa: PLC0415 - needs the extra

            detectors.append(FaceDetector(store, threads=settings.threads))
        if settings.plates:
            from edge.vision.plates import PlateDetector  # noqa: PLC0415 - the same

            detectors.append(PlateDetector(store, threads=settings.threads))
    except ImportError as error:
        raise VisionError(f"{error.name} is not installed", todo=_INSTALL) from error
    return tuple(detectors)
