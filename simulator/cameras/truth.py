"""Writes pictures of drawn streets and what is to be found in them, as `annotations.json`."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import (
    AnnotatedPicture,
    Annotations,
    Corners,
    write_annotations,
)
from edge.vision.picture import Pixels
from simulator.cameras.degrading import Conditions, degraded
from simulator.cameras.populating import drawn_crowd, lit_background
from simulator.cameras.scene import Truth, composed, pixels_of
from simulator.cameras.street import drawn_street

FORMAT = "drawn streets: every face and plate from 8 px on, of which at least 0.4 can be seen"
_QUALITY = 92


@dataclass(frozen=True, slots=True, eq=False)
class TruePicture:
    """A picture and the truth about it.

    Attributes:
        pixels: the picture.
        truths: every face and plate in it, counted or not.
        subject: what there is most of.
    """

    pixels: Pixels
    truths: tuple[Truth, ...]
    subject: Subject


def true_picture(seed: int, subject: Subject, width: int = 1280, height: int = 720) -> TruePicture:
    """One picture by a seed, mostly of faces or mostly of plates, under mild noise, blur and light."""
    rng = random.Random(seed)  # noqa: S311 - draws pictures
    faces = subject is Subject.FACE
    crowd = drawn_crowd(
        seed, people=9 if faces else 1, vehicles=1 if faces else 8, posts=rng.randrange(2), width=width,
        largest_face_px=300 * width / 1280 if rng.random() < 0.4 else 90 * width / 1280,
    )  # fmt: skip
    street = lit_background(drawn_street(width, height, seed), crowd.daylight)
    image, truths = composed(street, crowd.placed(0.0, width, height))
    conditions = Conditions(
        blur_px=(rng.choice((0.0, 0.0, rng.uniform(0, 3))), 0.0),
        gain=rng.choice((1.0, 1.0, rng.uniform(0.5, 1.3))),
        noise=rng.uniform(0.0, 0.03),
        defocus_px=rng.uniform(0.3, 0.9),
    )
    return TruePicture(
        pixels_of(degraded(image, conditions, np.random.default_rng(seed))), tuple(truths), subject
    )


def true_pictures(count: int, seed: int, width: int = 1280, height: int = 720) -> Iterator[TruePicture]:
    """Pictures of both subjects in turn."""
    for number in range(count):
        yield true_picture(
            seed * 100_000 + number, Subject.PLATE if number % 2 else Subject.FACE, width, height
        )


def annotated(picture: TruePicture, file: str) -> AnnotatedPicture:
    """What is in a picture, looked through for faces and plates."""
    height, width = picture.pixels.shape[:2]

    def boxes(subject: Subject) -> tuple[Corners, ...]:
        return tuple(one.box for one in picture.truths if one.counted and one.subject is subject)

    return AnnotatedPicture(
        file=file,
        width=width,
        height=height,
        face_boxes=boxes(Subject.FACE),
        plate_boxes=boxes(Subject.PLATE),
        ignore=tuple(truth.box for truth in picture.truths if not truth.counted),
        labels="drawn",
    )


def write_truth(out: Path, pictures: Iterable[TruePicture]) -> dict[Subject, int]:
    """Write pictures and `annotations.json` to a folder; returns how many of each subject are to be found."""
    out.mkdir(parents=True, exist_ok=True)
    images: list[AnnotatedPicture] = []
    for number, picture in enumerate(pictures):
        file = f"{picture.subject.name.lower()}_drawn_{number:03}.jpg"
        cv2.imwrite(str(out / file), picture.pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        images.append(annotated(picture, file))
    write_annotations(out, Annotations(format=FORMAT, images=tuple(images)))
    return {
        Subject.FACE: sum(len(image.face_boxes or ()) for image in images),
        Subject.PLATE: sum(len(image.plate_boxes or ()) for image in images),
    }


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to."
)
@click.option("--count", default=100, show_default=True, help="How many pictures.")
@click.option("--seed", default=1, show_default=True, help="Decides everything in them.")
@click.option(
    "--size", type=(int, int), default=(1280, 720), show_default=True, help="Width and height in pixels."
)
def command(out: Path, count: int, seed: int, size: tuple[int, int]) -> None:
    """Draw streets with people and vehicles, and write where their faces and plates are.

    \b
      python -m simulator.cameras.truth --out build/truth --count 100 --seed 1
      nevgate vision test build/truth
    """  # noqa: D301 - click knows the mark of a paragraph that keeps its lines only as the character itself
    counted = write_truth(out, true_pictures(count, seed, *size))
    click.echo(f"{count} pictures, {counted[Subject.FACE]} faces, {counted[Subject.PLATE]} plates: {out}")


if __name__ == "__main__":
    command()
