"""The shapes of persons: heads and clothed bodies, mixed of the targets in `assets/people.npz`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.cameras.raster import Floats, triangulated

_PEOPLE = Path(__file__).parent / "assets" / "people.npz"


@dataclass(frozen=True, slots=True, eq=False)
class PeopleMesh:
    """The mean person and what may be changed about them; decimetres, y up, z to the front, x to their left.

    Attributes:
        vertices: (n, 3).
        targets: (names, n, 3) int8, in steps of `scales`.
        scales: (names,).
        names: of the targets.
        head: (m, 3) triangles.
        clothed: of the body up to the neck.
        eyes: of both eyeballs.
        masks: (n,) 0 to 1 by region.
    """

    vertices: Floats
    targets: NDArray[np.int8]
    scales: NDArray[np.float32]
    names: tuple[str, ...]
    head: NDArray[np.int64]
    clothed: NDArray[np.int64]
    eyes: NDArray[np.int64]
    masks: Mapping[str, Floats]

    def shaped(self, weights: Mapping[str, float]) -> Floats:
        """Vertices of a person: the mean one and weighted targets."""
        result = self.vertices.copy()
        for name, weight in weights.items():
            place = self.names.index(name)
            result += self.targets[place] * float(self.scales[place] * weight)
        return result


@cache
def people_mesh() -> PeopleMesh:
    """The assets, read once."""
    with np.load(_PEOPLE) as stored:
        masks = {
            name.removeprefix("mask_"): stored[name] / 255.0
            for name in stored.files
            if name.startswith("mask_")
        }
        return PeopleMesh(
            vertices=stored["vertices"].astype(np.float64),
            targets=np.ascontiguousarray(stored["targets"].transpose(0, 2, 1)),
            scales=stored["scales"],
            names=tuple(str(name) for name in stored["names"]),
            head=triangulated(stored["head"]),
            clothed=triangulated(stored["clothed"]),
            eyes=triangulated(np.concatenate([stored["left_eye"], stored["right_eye"]])),
            masks=masks,
        )


def normals_of(vertices: Floats, triangles: NDArray[np.int64]) -> Floats:
    """(n, 3) unit normals of vertices, the mean over their triangles."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    corners, repeated = triangles.T.ravel(), np.tile(across, (3, 1))
    for axis in range(3):
        normals[:, axis] = np.bincount(corners, repeated[:, axis], minlength=len(vertices))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    result: Floats = normals / np.maximum(length, 1e-12)
    return result
