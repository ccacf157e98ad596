"""Measures the detectors on truth that no detector made, with memory off and on.

Run it by `make vision-scenes`; it takes some minutes of one core.
"""

from __future__ import annotations

import random
from pathlib import Path

import click
import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.detector import Detector, detect_all
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.memory import MemorySettings
from edge.vision.redaction import masks_of
from simulator.cameras.clips import DIFFICULTIES, Clip
from simulator.cameras.figures import View, figure_of
from simulator.cameras.scene import Placed, composed, pixels_of
from simulator.cameras.street import drawn_street
from simulator.cameras.traits import Traits
from tests.vision_scenes.measuring import (
    SIZES,
    Coverage,
    clip_coverage,
    coverage_by_size,
    found_in,
    hidden_share,
    remembered,
)
from tests.vision_scenes.reading import read_truth

FACES_PX = (12, 16, 22, 32, 48, 80, 140, 260)
YAWS_DEG = (0, 25, 45, 65, 90)
MEMORIES = {"off": MemorySettings.off(), "on": MemorySettings()}


def opened() -> tuple[Detector, ...]:
    """Both detectors, or the faces' alone where there is none for plates."""
    try:
        return open_detectors(DetectorSettings())
    except VisionError as error:
        click.echo(f"plates are not measured: {error}")
        return open_detectors(DetectorSettings(plates=False))


def faces_by_view(detector: Detector, each: int) -> None:
    """Print how many drawn faces are detected, by height and view, `each` of them a cell."""
    rng = random.Random(1)  # noqa: S311 - draws pictures
    streets = [drawn_street(640, 480, seed) for seed in range(4)]
    click.echo(f"faces detected (half of the box under the mask), {each} a cell, by height and by yaw")
    click.echo(
        "px      " + "".join(f"{yaw:>7}°" for yaw in YAWS_DEG) + "   covered   boxes a picture elsewhere"
    )
    total = Coverage()
    for face_px in FACES_PX:
        row, all_yaws, elsewhere = "", Coverage(), 0
        for yaw in YAWS_DEG:
            cell = Coverage()
            for number in range(each):
                view = View(
                    rng.choice((-1, 1)) * yaw, rng.uniform(-15, 15), rng.uniform(-8, 8), light=_light(rng)
                )
                sprite = figure_of(Traits.drawn(rng)).sprite(
                    view, face_px, max(1.4 - 0.22 * 240 / face_px, 0.0)
                )
                _, top, _, bottom = sprite.box() or (0, 0, 0, 0)
                x, y = rng.uniform(230, 410), 240 + sprite.anchor[1] - (top + bottom) / 2
                image, truths = composed(streets[number % 4], [Placed(sprite, x, y, 1.0, 0)])
                image += np.random.default_rng(number).normal(0, 0.01, image.shape).astype(np.float32)
                pixels = pixels_of(image)
                masks = masks_of(detector.detect(pixels), *pixels.shape[:2])
                for truth in truths:
                    share = hidden_share(truth, masks)
                    cell, all_yaws, total = cell + share, all_yaws + share, total + share
                    elsewhere += max(len(masks) - 1, 0)
            row += f"{cell.detected / max(cell.asked, 1):8.2f}"
        covered, beside = all_yaws.covered / max(all_yaws.asked, 1), elsewhere / (each * len(YAWS_DEG))
        click.echo(f"{face_px:<8}{row}{covered:10.2f}{beside:10.2f}")
    click.echo(f"{total.asked} faces, {total.detected} detected, {total.covered} covered")


def _light(rng: random.Random) -> tuple[float, float, float]:
    return rng.uniform(-0.9, 0.9), rng.uniform(0.2, 0.9), rng.uniform(0.2, 0.9)


def clips_by_memory(detectors: tuple[Detector, ...], frames: int, seeds: int) -> None:
    """Print how many boxes are covered frame by frame, and how long one stays open, by memory."""
    click.echo(f"\nclips of {frames} frames at 10 a second, {seeds} of each kind, memory off and on:")
    click.echo("share of boxes covered frame by frame, frames that one stays open, share of the area filled")
    click.echo("kind    subject   boxes     off      on  open off  open on  area off  area on")
    for name, difficulty in DIFFICULTIES.items():
        clips = [found_in(Clip(seed, difficulty).frames(frames), detectors) for seed in range(seeds)]
        for subject in sorted({detector.subject for detector in detectors}):
            boxes = 0
            share, longest, area = {}, {}, {}
            for state, settings in MEMORIES.items():
                measured = [clip_coverage(found, remembered(found, settings), subject) for found in clips]
                boxes = sum(one.frames for one in measured)
                share[state] = sum(one.covered for one in measured) / max(boxes, 1)
                longest[state] = max(one.longest_open for one in measured)
                area[state] = float(np.mean([one.filled for one in measured]))
            click.echo(
                f"{name:<8}{subject.name.lower():<8}{boxes:>7}{share['off']:>8.3f}{share['on']:>8.3f}"
                f"{longest['off']:>10}{longest['on']:>9}{area['off']:>10.3f}{area['on']:>9.3f}"
            )


def truth_by_size(detectors: tuple[Detector, ...], folder: Path) -> None:
    """Print coverage by size over a folder that `python -m simulator.cameras.truth` wrote."""
    pictures = []
    for file, truths in read_truth(folder):
        pixels = cv2.imread(str(file))
        assert pixels is not None, file
        pictures.append(
            (truths, detect_all(detectors, pixels.astype(np.uint8)), (pixels.shape[0], pixels.shape[1]))
        )
    for subject in sorted({detector.subject for detector in detectors}):
        click.echo(f"\n{subject.name.lower()} in drawn streets, by shorter side: boxes, detected, covered")
        for low, high, found in zip(SIZES, SIZES[1:], coverage_by_size(pictures, subject), strict=False):
            if found.asked:
                to = f"to {high}" if high < 1 << 30 else "on"
                shares = f"{found.detected / found.asked:>8.3f}{found.covered / found.asked:>8.3f}"
                click.echo(f"{low:>5} {to:<8}{found.asked:>6}{shares}")


@click.command()
@click.option("--each", default=8, show_default=True, help="Faces for each size and view.")
@click.option("--frames", default=30, show_default=True, help="Frames of each clip.")
@click.option("--seeds", default=2, show_default=True, help="Clips of each kind.")
@click.option(
    "--truth", type=click.Path(path_type=Path, exists=True), help="A folder of drawn pictures, too."
)
def command(each: int, frames: int, seeds: int, truth: Path | None) -> None:
    """Measure on what was drawn."""
    cv2.setNumThreads(1)
    detectors = opened()
    click.echo("detectors: " + ", ".join(detector.name for detector in detectors))
    if truth is not None:
        truth_by_size(detectors, truth)
    if each:
        faces_by_view(next(one for one in detectors if one.subject is Subject.FACE), each)
    if frames:
        clips_by_memory(detectors, frames, seeds)


if __name__ == "__main__":
    command()
