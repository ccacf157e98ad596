"""What stands around plates in training: photographs of free licence where installed, and drawn ground."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels
from simulator.cameras.populating import drawn_crowd, lit_background
from simulator.cameras.scene import composed, pixels_of
from simulator.cameras.street import drawn_street

FOLDERS = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))
"""Debian's gnome-backgrounds, mate-backgrounds and plasma-workspace-wallpapers."""

IN_PACKAGES = (("skimage", "data"), ("matplotlib", "mpl-data/sample_data"))
"""Packages of Python that carry photographs, and the folders in which they do."""

_LARGEST_PX = 1600


def photographs(folders: Sequence[Path] = FOLDERS) -> list[Pixels]:
    """All that are there, made smaller; at least one flat ground."""
    found: list[Pixels] = []
    seen: set[str] = set()
    files = [path for folder in folders if folder.is_dir() for path in sorted(folder.rglob("*"))]
    files += _of_packages()
    for path in files:
        key = path.parent.parent.parent.name if "contents" in path.parts else path.stem
        if (
            path.suffix.lower() not in {".jpg", ".png", ".webp", ".jpeg"}
            or "screenshot" in path.name
            or key in seen
        ):
            continue
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is None or min(pixels.shape[:2]) < 200:
            continue
        seen.add(key)
        scale = min(1.0, _LARGEST_PX / max(pixels.shape[:2]))
        found.append(
            cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
        )
    return found or [np.full((800, 800, 3), 120, np.uint8)]


def streets(count: int, seed: int) -> list[Pixels]:
    """Drawn streets with people and signs, without a vehicle, 1280 x 720 and smaller.

    What the detector is measured on has vehicles and other seeds.
    """
    drawn = []
    for number in range(count):
        near = (90, 300, 500)[number % 3]
        wide, high = ((1280, 720), (640, 360))[number % 2]
        crowd = drawn_crowd(
            seed + number, people=9, vehicles=0, posts=number % 2, width=wide,
            largest_face_px=near * wide / 1280,
        )  # fmt: skip
        ground = lit_background(drawn_street(wide, high, seed + number), crowd.daylight)
        drawn.append(pixels_of(composed(ground, crowd.placed(0.0, wide, high))[0]))
    return drawn


def _of_packages() -> list[Path]:
    found: list[Path] = []
    for package, folder in IN_PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            found += sorted((Path(spec.origin).parent / folder).glob("*.*g"))
    return found


def crop(photograph: Pixels, size_px: int, rng: random.Random) -> Pixels:
    """A square piece at any scale, perhaps mirrored, brighter or darker."""
    high, wide = photograph.shape[:2]
    side = min(high, wide, round(size_px * 2 ** rng.uniform(-0.6, 2.2)))
    top, left = rng.randint(0, high - side), rng.randint(0, wide - side)
    piece = cv2.resize(
        photograph[top : top + side, left : left + side], (size_px, size_px), interpolation=cv2.INTER_AREA
    )
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    changed = piece.astype(np.float32) * rng.uniform(0.5, 1.3) + rng.uniform(-20, 20)
    return as_pixels(changed)


def as_pixels(levels: NDArray[Any]) -> Pixels:
    """Levels of any size as pixels, 0 to 255."""
    clipped: Pixels = np.clip(levels, 0, 255).astype(np.uint8)
    return clipped


def drawn_ground(size_px: int, rng: random.Random) -> Pixels:
    """Road, wall or sky: a slope of colour with grain."""
    ends = np.array([[rng.randint(20, 230) for _ in range(3)] for _ in range(2)], np.float32)
    if rng.random() < 0.6:
        ends = ends.mean(1, keepdims=True).repeat(3, axis=1)
    share = np.linspace(0, 1, size_px, dtype=np.float32)[:, None, None]
    ground = ((1 - share) * ends[0] + share * ends[1]).repeat(size_px, axis=1)
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 14), (size_px, size_px, 1))
    return as_pixels(ground + grain)
