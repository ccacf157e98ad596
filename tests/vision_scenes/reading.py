"""Reads truth as `simulator.cameras.truth` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from edge.vision.boxes import Subject
from simulator.cameras.scene import Truth


def read_truth(folder: Path) -> Iterator[tuple[Path, list[Truth]]]:
    """Pictures of a folder, each with the truth about it."""
    truths: dict[str, list[Truth]] = {}
    for entry in json.loads((folder / "annotations.json").read_text("utf-8"))["images"]:
        subject = Subject[entry["task"].upper()]
        own = truths.setdefault(entry["file"], [])
        for counted, boxes in ((True, entry["boxes"]), (False, entry["ignore"])):
            own += [Truth(subject, tuple(box), 0.0, 0, counted, counted) for box in boxes]
    for file, found in truths.items():
        yield folder / file, found
