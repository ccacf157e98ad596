"""`make vision-attacks`: what others still find, read and match in what nevgate keeps."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.measuring.annotations import read_annotations
from edge.vision.measuring.folder import Looking
from tests.bench.vision_peer_process import PeerProcess
from tests.bench.vision_peers import SHARED
from tests.vision_attacks.finding import (
    Attack,
    attack_folder,
    centerface,
    haar_faces,
    haar_plates,
    lines_of_text,
    reader,
)
from tests.vision_attacks.hiding import WAYS
from tests.vision_attacks.linking import BLIND, GLANCES, Glance, top_1
from tests.vision_attacks.views import Pair, faces, plates

PLATES = 160


def found(folder: Path, python: Path | None) -> tuple[list[Attack], int]:
    """Detectors and the reader on all pictures of a folder."""
    attacks = [haar_faces(), haar_plates()]
    looking = Looking(open_detectors(DetectorSettings()))
    annotations = read_annotations(folder)
    if python is None:
        return attacks, attack_folder(folder, annotations, looking, attacks)
    with tempfile.TemporaryDirectory() as scratch, PeerProcess(python) as peer:
        picture = Path(scratch) / "picture.png"
        attacks += [centerface(peer, picture, 0.2), centerface(peer, picture, 0.5)]
        attacks += [lines_of_text(peer, picture), reader(peer, picture)]
        return attacks, attack_folder(folder, annotations, looking, attacks)


def crowds(folder: Path) -> Iterator[tuple[str, list[Pair], Mapping[str, Glance]]]:
    """Those among whom one is looked for, and by what."""
    yield "plates, drawn", plates(PLATES, 1), GLANCES
    if folder.is_dir():
        yield "faces before backgrounds of their own", faces(folder, surroundings=False), GLANCES
        yield "faces of one photograph each, surroundings and all", faces(folder, surroundings=True), BLIND


def main() -> None:
    """Attack, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=SHARED)
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    python = os.environ.get("NEVGATE_VISION_PEERS")
    console = Console(width=180)
    figures: dict[str, object] = {}
    if given.folder.is_dir():
        attacks, dropped = found(given.folder, Path(python) if python else None)
        table = Table(title=f"found by others, before and after; {dropped} pictures were not kept")
        for name in (
            *("who", "of", "there are", "found before", "found after"),
            *("all boxes before", "all boxes after"),
        ):
            table.add_column(name, justify="left" if name in {"who", "of"} else "right")
        for one in attacks:
            o = one.outcome
            counts = [o.true, o.before, o.after, o.boxes_before, o.boxes_after]
            table.add_row(one.name, one.subject.name.lower(), *map(str, counts))
            figures[f"{one.name}, {one.subject.name}"] = counts
        console.print(table)
    else:
        console.print(f"no pictures at {given.folder}: no detector was run, and only plates are linked")
    for crowd, pairs, glances in crowds(given.folder):
        table = Table(title=f"linked, top 1 of {len(pairs)} {crowd}: chance {1 / len(pairs):.3f}")
        for name in ("hidden by", *glances):
            table.add_column(name, justify="left" if name == "hidden by" else "right")
        for way, hide in WAYS.items():
            shares = top_1(pairs, hide, glances)
            table.add_row(way, *(f"{share:.3f}" for share in shares.values()))
            figures[f"{crowd}, {way}"] = shares
        console.print(table)
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
