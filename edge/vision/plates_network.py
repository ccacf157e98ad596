"""The outputs of our own networks of plates read: where in a tile there is a plate, and how sure it is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import VisionError
from edge.vision.inference import OWN, ModelStore, Network, PinnedModel
from edge.vision.picture import Pixels

PLATES_3 = PinnedModel(
    name="plates_3.onnx",
    sha256="e9b208dd3d6b914604d88a776940fc87a7f423f60ec0f9d137d12f76ffe9b782",
    distribution=OWN,
    path="weights/plates_3.onnx",
    licence="MIT",
)
PLATES_2 = PinnedModel(
    name="plates_2.onnx",
    sha256="eb9808413a3b98ff486766c6dfd060eaa6cc395a322360435a5921beba261aa1",
    distribution=OWN,
    path="weights/plates_2.onnx",
    licence="MIT",
)
"""What `PLATES_3` was trained onward from. It errs elsewhere, so that both together err less than either."""

GRID = 32
"""Sides of a tile are whole multiples of this many pixels: the coarsest stride."""

STRIDE = 8
_OUTPUT = "plates"
_CHANNELS = 5


class PlateNetwork:
    """A network that `simulator.plates.training` trains.

    Args:
        store: where its weights are looked for.
        model: which weights.
        threads: how many ONNX Runtime may use.

    Raises:
        VisionError: as `Network`.
    """

    def __init__(self, store: ModelStore, model: PinnedModel, *, threads: int = 1) -> None:
        self.network = Network(store, model, (_OUTPUT,), threads=threads)

    def look(self, tile: Pixels, threshold: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look at a tile, sides multiples of `GRID`.

        The first map says how likely a plate's middle is in a cell; a cell counts where none beside it is
        likelier. The others say how far the plate reaches from the cell's middle, in pixels.

        Returns:
            (n, 4) float32 corners in pixels of the tile, and (n,) float32 scores of at least `threshold`.

        Raises:
            VisionError: the network failed, or its output is not that of ours.
        """
        likely, reach = self._maps(tile)
        around = cv2.dilate(likely, np.ones((3, 3), np.uint8))
        row, column = np.nonzero((likely >= threshold) & (likely >= around))
        left, top, right, bottom = reach[:, row, column]
        middle_x, middle_y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
        corners = np.stack([middle_x - left, middle_y - top, middle_x + right, middle_y + bottom], axis=1)
        return corners.astype(np.float32), np.clip(likely[row, column], 0, 1)

    def best(self, crop: Pixels, box: NDArray[np.float32], overlap: float) -> float:
        """Say how likely the likeliest plate is that lies where a box does.

        Args:
            crop: as a tile of `look`.
            box: (4,) float32 in its pixels.
            overlap: area shared over the area of both together, from which on a plate is the box's.

        Returns:
            0 to 1; 0 where none lies there.

        Raises:
            VisionError: as `look`.
        """
        likely, (left, top, right, bottom) = self._maps(crop)
        middle_x = (np.arange(likely.shape[1], dtype=np.float32) + 0.5) * STRIDE
        middle_y = ((np.arange(likely.shape[0], dtype=np.float32) + 0.5) * STRIDE)[:, None]
        wide = np.minimum(middle_x + right, box[2]) - np.maximum(middle_x - left, box[0])
        high = np.minimum(middle_y + bottom, box[3]) - np.maximum(middle_y - top, box[1])
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        both = (left + right) * (top + bottom) + (box[2] - box[0]) * (box[3] - box[1])
        return float(np.where(shared > overlap * (both - shared), np.clip(likely, 0, 1), 0).max())

    def _maps(self, tile: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """How likely, (rows, columns), and the four reaches, (4, rows, columns)."""
        rows, columns = tile.shape[0] // STRIDE, tile.shape[1] // STRIDE
        planes = np.empty((1, 3, *tile.shape[:2]), np.float32)
        for channel in range(3):
            planes[0, channel] = cv2.extractChannel(tile, channel)
        found = self.network.run(planes)[_OUTPUT]
        if found.shape != (1, _CHANNELS, rows, columns):
            raise VisionError(f"an output of {found.shape}", where=self.network.model.name)
        return found[0, 0], found[0, 1:]
