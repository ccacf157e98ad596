"""Makes the page of pictures before and after redaction, of drawn streets alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.detector import Detector, detect_all
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.picture import Picture, Pixels
from edge.vision.redaction import fill
from simulator.cameras.clips import DIFFICULTIES, Clip
from simulator.cameras.truth import true_picture

_FOLDER = "vision-pictures"
_PAGE = "vision-before-and-after.md"
_LARGEST_BYTES = 58_000
_WIDTH = 640
_HEAD = """# Before and after

What a camera sees, and what is kept of it. Nobody here exists: streets, people, vehicles and plates are drawn
by `simulator/cameras` from shapes in the public domain (`simulator/cameras/assets/README.md`). The boxes are
those of the detectors named below, filled as on the way into the journal ([vision.md](vision.md)); what they
missed can be seen.

    python -m simulator.cameras.page docs
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of the page.

    Attributes:
        name: of its files.
        title: above it.
        pixels: as the camera gave it.
    """

    name: str
    title: str
    pixels: Pixels


def shown() -> list[Shown]:
    """The pictures of the page."""
    pictures = [
        Shown("street", "People in a street, near and far", true_picture(11, Subject.FACE).pixels),
        Shown("traffic", "Vehicles before and behind", true_picture(21, Subject.PLATE).pixels),
    ]
    for name, title in (("night", "At night, with the noise of the sensor"), ("rain", "In the rain")):
        *_, last = Clip(4, DIFFICULTIES[name]).frames(3)
        pictures.append(Shown(name, title, last.pixels))
    return pictures


def encoded(pixels: Pixels) -> bytes:
    """A small JPEG for the page."""
    height = round(pixels.shape[0] * _WIDTH / pixels.shape[1])
    small = cv2.resize(pixels, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    for quality in range(85, 20, -10):
        _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= _LARGEST_BYTES:
            break
    return data.tobytes()


def write_page(docs: Path, detectors: tuple[Detector, ...], pictures: list[Shown]) -> None:
    """Write the page and its pictures to the folder `docs`."""
    (docs / _FOLDER).mkdir(exist_ok=True)
    parts = [_HEAD]
    for number, picture in enumerate(pictures):
        before = encoded(picture.pixels)
        boxes = detect_all(detectors, picture.pixels)
        after = fill(Picture(picture.name, number, 0, picture.pixels.copy()), boxes)
        both = {"before": before, "after": encoded(np.asarray(after.pixels))}
        for state, data in both.items():
            (docs / _FOLDER / f"{picture.name}-{state}.jpg").write_bytes(data)
        images = "\n".join(
            f"![{picture.title}, {state}]({_FOLDER}/{picture.name}-{state}.jpg)" for state in both
        )
        counts = f"{after.faces} boxes over faces, {after.plates} over plates."
        parts.append(f"## {picture.title}\n\n{images}\n\n{counts}\n")
    names = " and ".join(f"`{detector.name}`" for detector in detectors)
    parts.append(f"Detectors: {names}.\n")
    (docs / _PAGE).write_text("\n".join(parts), encoding="utf-8")


@click.command()
@click.argument("docs", type=click.Path(path_type=Path, exists=True, file_okay=False))
def command(docs: Path) -> None:
    """Write the page of pictures before and after to DOCS.

    \b
      python -m simulator.cameras.page docs
    """  # noqa: D301 - click knows the mark of a paragraph that keeps its lines only as the character itself
    cv2.setNumThreads(1)
    try:
        detectors = open_detectors(DetectorSettings())
    except VisionError as error:
        click.echo(f"plates stay open: {error}", err=True)
        detectors = open_detectors(DetectorSettings(plates=False))
    write_page(docs, detectors, shown())


if __name__ == "__main__":
    command()
