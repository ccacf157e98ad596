"""Measures the detectors on truth that no detector made, with memory off and on.

Run it by `make vision-scenes`; it takes some minutes of one core.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.detector import Detector, detect_all
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.judging import Judge, fit_to_judge
from edge.vision.memory import MemorySettings
from edge.vision.redaction import masks_of
from simulator.cameras.clips import DIFFICULTIES, Clip
from simulator.cameras.figures import View, figure_of
from simulator.cameras.scene import Placed, composed, pixels_of
from simulator.cameras.street import drawn_street
from simulator.cameras.traits import Traits
from tests.vision_scenes.drawn_clips import DrawnClips
from tests.vision_scenes.measuring import (
    SIZES,
    ClipCoverage,
    Coverage,
    clip_coverage,
    coverage_by_size,
    hidden_share,
    kept_by_line,
)
from tests.vision_scenes.reading import read_truth

FACES_PX = (12, 16, 22, 32, 48, 80, 140, 260)
YAWS_DEG = (0, 25, 45, 65, 90)
MEMORIES = {"off": MemorySettings.off(), "on": MemorySettings()}
JUDGES: dict[str, Judge] = {"all": lambda _: None, "kept": fit_to_judge}


def opened(*, plates: bool) -> tuple[Detector, ...]:
    """Both detectors, or the faces' alone where there is none for plates or none is wanted."""
    try:
        return open_detectors(DetectorSettings(plates=plates))
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


def clips_by_memory(clips: DrawnClips, frames: int, seeds: Sequence[int]) -> None:
    """Print how much is covered frame by frame, and how long one thing stays open, by memory and judge."""
    click.echo(f"\nclips of {frames} frames at 10 a second, seeds {', '.join(map(str, seeds))} of each kind")
    click.echo("boxes covered frame by frame, frames in a row that one stays open, share of the area filled,")
    click.echo("memory off and on; all frames, and those that a vehicle keeps")
    click.echo(f"{'kind':<8}{'subject':<8}{'frames':<7}{'number':>7}{'boxes':>7}" + _HEADINGS)
    totals: defaultdict[tuple[Subject, str, str], list[ClipCoverage]] = defaultdict(list)
    for kind, difficulty in DIFFICULTIES.items():
        rows: defaultdict[tuple[Subject, str, str], list[ClipCoverage]] = defaultdict(list)
        for seed in seeds:
            for seen in clips.seen(Clip(seed, difficulty), frames):
                for judged, judge in JUDGES.items():
                    for memory, settings in MEMORIES.items():
                        measured = clip_coverage(seen, kept_by_line(seen, settings, judge))
                        rows[seen.subject, judged, memory].append(measured)
        _print_rows(kind, rows)
        for key, row in rows.items():
            totals[key] += row
    _print_rows("in all", totals)


_HEADINGS = "".join(
    f"{what + ' ' + memory:>10}" for what in ("covered", "open", "area") for memory in MEMORIES
)


def _print_rows(kind: str, rows: Mapping[tuple[Subject, str, str], Sequence[ClipCoverage]]) -> None:
    for subject, judged in sorted({key[:2] for key in rows}):
        off, on = (rows[subject, judged, memory] for memory in MEMORIES)
        asked, kept = (sum(one.asked for one in off), sum(one.kept for one in off))
        if not asked:
            click.echo(f"{kind:<8}{subject.name.lower():<8}{judged:<7}{kept:>7}{asked:>7}")
            continue
        shares = [sum(one.covered for one in ones) / asked for ones in (off, on)]
        longest = [max(one.longest_open for one in ones) for ones in (off, on)]
        areas = [sum(one.filled for one in ones) / kept for ones in (off, on)]
        click.echo(
            f"{kind:<8}{subject.name.lower():<8}{judged:<7}{kept:>7}{asked:>7}"
            + "".join(f"{share:>10.3f}" for share in shares)
            + "".join(f"{one:>10}" for one in longest)
            + "".join(f"{area:>10.4f}" for area in areas)
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
@click.option("--frames", default=20, show_default=True, help="Frames of each clip.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Of the clips of each kind.")
@click.option("--plates/--no-plates", default=True, show_default=True, help="Look for plates, too.")
@click.option(
    "--drawn",
    type=click.Path(path_type=Path),
    default=Path("build/drawn-clips"),
    show_default=True,
    help="Where clips and what was found in them are kept for the next run.",
)
@click.option(
    "--truth", type=click.Path(path_type=Path, exists=True), help="A folder of drawn pictures, too."
)
def command(each: int, frames: int, seeds: str, plates: bool, drawn: Path, truth: Path | None) -> None:
    """Measure on what was drawn."""
    cv2.setNumThreads(1)
    detectors = opened(plates=plates)
    click.echo("detectors: " + ", ".join(detector.name for detector in detectors))
    if truth is not None:
        truth_by_size(detectors, truth)
    if each:
        faces_by_view(next(one for one in detectors if one.subject is Subject.FACE), each)
    if frames:
        clips_by_memory(DrawnClips(drawn, detectors), frames, [int(seed) for seed in seeds.split(",")])


if __name__ == "__main__":
    command()
