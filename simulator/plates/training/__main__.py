"""``python -m simulator.plates.training OUT``: draws, trains, exports."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from simulator.plates.training.backdrops import photographs, streets
from simulator.plates.training.earlier import earlier_network
from simulator.plates.training.mining import mistaken
from simulator.plates.training.network import PlateNetwork
from simulator.plates.training.samples import STEEP
from simulator.plates.training.training import Pool, drawn_pool, export, train

_STREETS, _STREET_SEED = 36, 900_000
_PICTURES, _TRIED = 2600, 3500
_FIRST_STEPS, _FIRST_RATE = 1600, 4e-3


@dataclass(frozen=True, slots=True)
class _Round:
    """Drawn pictures and mistakes are added to the pool, then the network is trained on all of it."""

    pictures: int
    steps: int
    rate: float
    steep: float = STEEP
    averaged: bool = False


_ROUNDS = (
    _Round(0, 1500, 2.5e-3),
    _Round(_PICTURES, 2200, 2e-3),
    _Round(2000, 5600, 2.5e-3, steep=0.4, averaged=True),
)
"""The last two give the weights that the detector takes."""


def main() -> None:
    """Train on what is drawn; then in rounds on more of it and on what the network took for plates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the weights")
    parser.add_argument(
        "--onward", type=Path, help="exported weights to go on from, instead of the first steps"
    )
    parser.add_argument("--seed", type=int, default=11)
    asked = parser.parse_args()
    out: Path = asked.out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    grounds = [*photographs(), *streets(_STREETS, _STREET_SEED)]
    pool = drawn_pool(asked.seed, _PICTURES, grounds)
    if asked.onward is None:
        network = train(PlateNetwork(), pool, out / "first.pt", steps=_FIRST_STEPS, seed=1, rate=_FIRST_RATE)
    else:
        network = earlier_network(asked.onward, _some(pool))
    export(network, out / "first.onnx")
    exported = out / "first.onnx"
    for number, one in enumerate(_ROUNDS, 1):
        pool += drawn_pool(asked.seed + number - 1, one.pictures, grounds, one.steep)
        pool += mistaken(exported, grounds, seed=76 + number, tried=_TRIED)
        print(f"round {number}: {len(pool)} pictures", flush=True)
        kept = out / f"round-{number}.pt"
        network = train(
            network, pool, kept, steps=one.steps, seed=1 + number, rate=one.rate, averaged=one.averaged
        )
        exported = out / f"plates_{number}.onnx"
        export(network, exported)


def _some(pool: Pool) -> torch.Tensor:
    pixels = np.stack([picture for picture, _ in pool[:64]])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float()


if __name__ == "__main__":
    main()
