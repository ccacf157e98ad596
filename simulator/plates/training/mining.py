"""Pictures without plates in which a network sees some: what it has to learn next."""

from __future__ import annotations

import random
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge.vision.picture import Pixels
from simulator.plates.training.backdrops import crop, drawn_ground, photographs
from simulator.plates.training.samples import SIZE_PX, photographed, place_distraction
from simulator.plates.training.training import Pool
from simulator.plates.training.vehicles import draw_vehicle

_SEEN = 0.25
_MOST = 1500


def mistaken(network: Path, *, seed: int, for_s: float) -> Pool:
    """Draw pictures without plates for a while, and keep those in which the network sees one.

    Args:
        network: as `export` writes it.
        seed: decides what is drawn.
        for_s: how long.
    """
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(network), options)
    grounds, rng = photographs(), random.Random(seed)
    kept: list[tuple[Pixels, NDArray[np.float32]]] = []
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s and len(kept) < _MOST:
        photograph = rng.random() < 0.85
        picture = crop(rng.choice(grounds), SIZE_PX, rng) if photograph else drawn_ground(SIZE_PX, rng)
        for _ in range(rng.choice((0, 1, 2, 4, 6))):
            place_distraction(picture, rng)
        if rng.random() < 0.25:
            wide = rng.uniform(30, 120)
            left, top = rng.uniform(0, SIZE_PX - wide), rng.uniform(0, SIZE_PX - 20)
            draw_vehicle(picture, (left, top, left + wide, top + 0.3 * wide), rng)
        picture = photographed(picture, rng)
        likely = np.asarray(session.run(None, {"pixels": cv2.dnn.blobFromImage(picture)})[0])[0, 0]
        if likely.max() > _SEEN:
            kept.append((picture, np.zeros((0, 4), np.float32)))
    return kept
