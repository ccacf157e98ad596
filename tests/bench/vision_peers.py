"""`make bench-vision`: faces as nevgate and as deface find them, on the same pictures in turn."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from edge.vision.boxes import Subject
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.measuring.annotations import Annotations, read_annotations
from edge.vision.measuring.folder import read_pixels
from edge.vision.measuring.measure import SIZES_PX, Share, SubjectMeasure
from edge.vision.redaction import masks_of
from tests.bench.vision_peer_process import DEFACE_MASK_SCALE, PeerProcess, deface_masks

SHARED = Path(__file__).parents[3] / "shared" / "data" / "pictures"
OURS = "nevgate, filled"


@dataclass(slots=True)
class Contender:
    """One of those that are compared.

    Attributes:
        name: of it.
        measure: what it found.
    """

    name: str
    measure: SubjectMeasure = field(default_factory=lambda: SubjectMeasure(Subject.FACE))


def compare(folder: Path, annotations: Annotations, python: Path, rounds: int) -> list[Contender]:
    """Let both look at every picture with faces marked in it, in turn; a time is the least of `rounds`.

    deface may run on OpenCV or on ONNX Runtime: its time is that of the quicker one on each picture.
    """
    (faces,) = open_detectors(DetectorSettings(plates=False))
    ours, bare = Contender(OURS), Contender("nevgate, boxes as found")
    found_boxes = Contender("deface, boxes as found")
    boxes_filled = Contender(f"deface --boxes, mask scale {DEFACE_MASK_SCALE}")
    as_it_comes = Contender(f"deface as it comes: ellipses, {DEFACE_MASK_SCALE}")
    pictures = [one for one in annotations.images if one.truth(Subject.FACE) is not None]
    with PeerProcess(python) as peer:
        for picture in pictures:
            file = folder / picture.file
            pixels = read_pixels(file, picture)
            size = picture.height, picture.width
            ours_s: list[float] = []
            theirs_s: list[float] = []
            for _ in range(rounds):
                start_s = time.process_time()
                boxes = faces.detect(pixels)
                ours_s.append(time.process_time() - start_s)
                found = [peer.faces(file, backend=backend) for backend in ("onnxrt", "opencv")]
                theirs_s += [one.cpu_s for one in found]
            ours.measure.add(picture, masks_of(boxes, *size), min(ours_s))
            bare.measure.add(picture, _whole(boxes.corners), min(ours_s))
            corners = found[0].corners
            grown = deface_masks(corners, DEFACE_MASK_SCALE, *size)
            found_boxes.measure.add(picture, deface_masks(corners, 1.0, *size), min(theirs_s))
            boxes_filled.measure.add(picture, grown, min(theirs_s))
            as_it_comes.measure.add(picture, _ellipses(grown), min(theirs_s))
    as_it_comes.measure.false = boxes_filled.measure.false
    return [ours, bare, found_boxes, boxes_filled, as_it_comes]


def _whole(corners: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.round(corners).astype(np.int32)


def _ellipses(masks: NDArray[np.int32]) -> NDArray[np.int32]:
    """The largest ellipse in each mask, row by row."""
    rows = []
    for left, top, right, bottom in masks.tolist():
        for row in range(top, bottom):
            across = (2 * (row + 0.5 - top) / (bottom - top) - 1) ** 2
            reach = (right - left) / 2 * (1 - across) ** 0.5
            middle = (left + right) / 2
            rows.append([round(middle - reach), row, round(middle + reach), row + 1])
    return np.array(rows, np.int32).reshape(-1, 4)


def table(contenders: list[Contender]) -> Table:
    """Lay it out for a person."""
    made = Table(title=f"hidden faces by shorter side, {contenders[0].measure.objects:,} faces")
    made.add_column("who")
    names = [*(f"{low}+" for low in SIZES_PX), "all from 16", "all", "detected", "false", "CPU ms", "time"]
    for name in names:
        made.add_column(name, justify="right")
    ours = sum(contenders[0].measure.cpu_s)
    for one in contenders:
        measure = one.measure
        shares = [measure.hidden[low] for low in SIZES_PX]
        shares += [measure.hidden_from(16), measure.hidden_from(8)]
        shares += [measure.detected, measure.false]
        made.add_row(
            one.name,
            *map(_figure, shares),
            f"{statistics.fmean(measure.cpu_s) * 1_000:.0f}",
            f"{sum(measure.cpu_s) / ours:.2f}",
        )
    return made


def _figure(share: Share) -> str:
    return "" if share.rate is None else f"{share.rate:.3f}"


def main(words: Callable[[str], None] = print) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=Path, required=True, help="Python of the environment with the peers")
    parser.add_argument("--folder", type=Path, default=SHARED)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    if not given.folder.is_dir():
        parser.error(
            f"{given.folder} is no folder with pictures and an annotations.json; name one by --folder"
        )
    contenders = compare(given.folder, read_annotations(given.folder), given.peers, given.rounds)
    Console(width=200).print(table(contenders))
    words("time: processor time by ours; deface's is that of the quicker of its two engines on each picture")
    if given.json is not None:
        figures = {one.name: one.measure.as_json() for one in contenders}
        given.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
