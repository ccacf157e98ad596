"""Reads truth as `simulator.cameras.truth` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import read_annotations
from simulator.cameras.scene import Truth


def read_truth(folder: Path) -> Iterator[tuple[Path, list[Truth]]]:
    """Pictures of a folder, each with what is to be found in it."""
    for image in read_annotations(folder).images:
        yield (
            folder / image.file,
            [
                Truth(subject, (left, top, right, bottom), 0.0, 0, True, True)
                for subject in Subject
                for left, top, right, bottom in (
                    image.face_boxes if subject is Subject.FACE else image.plate_boxes
                )
                or ()
            ],
        )
