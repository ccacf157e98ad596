"""Pictures without plates in which a network sees some: what it has to learn next."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from edge.vision.picture import Pixels
from simulator.plates.training.backdrops import crop, drawn_ground
from simulator.plates.training.lookalikes import place_distraction
from simulator.plates.training.samples import SIZE_PX, photographed
from simulator.plates.training.training import Taught
from simulator.plates.training.vehicles import draw_vehicle

_SEEN = 0.2
_MOST = 1500
_MOST_OF_ONE = 24
"""Pictures on one ground that are kept, so that no photograph makes up what is learned."""


def mistaken(network: Path, grounds: Sequence[Pixels], *, seed: int, tried: int) -> list[Taught]:
    """Draw pictures without plates, and keep those in which the network sees one.

    Args:
        network: as `export` writes it.
        grounds: photographs and drawn streets without plates.
        seed: decides what is drawn.
        tried: how many are drawn, at most.
    """
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(network), options)
    rng = random.Random(seed)
    kept: list[Taught] = []
    used: Counter[int] = Counter()
    for _ in range(tried):
        if len(kept) == _MOST:
            break
        place = rng.randrange(len(grounds)) if rng.random() < 0.85 else None
        picture = drawn_ground(SIZE_PX, rng) if place is None else crop(grounds[place], SIZE_PX, rng)
        for _ in range(rng.choice((0, 1, 2, 4, 6))):
            place_distraction(picture, rng)
        if rng.random() < 0.25:
            wide = rng.uniform(30, 120)
            left, top = rng.uniform(0, SIZE_PX - wide), rng.uniform(0, SIZE_PX - 20)
            draw_vehicle(picture, (left, top, left + wide, top + 0.3 * wide), rng)
        picture = photographed(picture, rng)
        likely = np.asarray(session.run(None, {"pixels": cv2.dnn.blobFromImage(picture)})[0])[0, 0]
        if likely.max() > _SEEN and (place is None or used[place] < _MOST_OF_ONE):
            kept.append((picture, np.zeros((0, 4), np.float32)))
            if place is not None:
                used[place] += 1
    return kept
