"""The outputs of our own network of plates read: where in a tile there is a plate, and how sure it is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import VisionError
from edge.vision.inference import OWN, ModelStore, Network, PinnedModel
from edge.vision.picture import Pixels

PLATES = PinnedModel(
    name="plates.onnx",
    sha256="29443be80f1647076af6cce9ab6f0120a2dd7f59e7f388a7a0c430fbbc57c296",
    distribution=OWN,
    path="weights/plates.onnx",
    licence="MIT",
)
GRID = 32
"""Sides of a tile are whole multiples of this many pixels: the coarsest stride."""

STRIDE = 8
_OUTPUT = "plates"
_CHANNELS = 5


class PlateNetwork:
    """The network that `simulator.plates.training` trains.

    Args:
        store: where its weights are looked for.
        threads: how many ONNX Runtime may use.

    Raises:
        VisionError: as `Network`.
    """

    def __init__(self, store: ModelStore, *, threads: int = 1) -> None:
        self.network = Network(store, PLATES, (_OUTPUT,), threads=threads)

    def look(self, tile: Pixels, threshold: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look at a tile, sides multiples of `GRID`.

        The first map says how likely a plate's middle is in a cell; a cell counts where none beside it is
        likelier. The others say how far the plate reaches from the cell's middle, in pixels.

        Returns:
            (n, 4) float32 corners in pixels of the tile, and (n,) float32 scores of at least `threshold`.

        Raises:
            VisionError: the network failed, or its output is not that of ours.
        """
        rows, columns = tile.shape[0] // STRIDE, tile.shape[1] // STRIDE
        found = self.network.run(np.asarray(cv2.dnn.blobFromImage(tile), np.float32))[_OUTPUT]
        if found.shape != (1, _CHANNELS, rows, columns):
            raise VisionError(f"an output of {found.shape}", where=self.network.model.name)
        likely = found[0, 0]
        around = cv2.dilate(likely, np.ones((3, 3), np.uint8))
        row, column = np.nonzero((likely >= threshold) & (likely >= around))
        left, top, right, bottom = found[0, 1:, row, column].T
        middle_x, middle_y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
        corners = np.stack([middle_x - left, middle_y - top, middle_x + right, middle_y + bottom], axis=1)
        return corners.astype(np.float32), np.clip(likely[row, column], 0, 1)
