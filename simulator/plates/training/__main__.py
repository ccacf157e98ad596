"""``python -m simulator.plates.training OUT``: draws, trains, exports; some 40 minutes on a core."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulator.plates.training.mining import mistaken
from simulator.plates.training.training import drawn_pool, export, train

_PICTURES, _FIRST_STEPS, _STEPS, _MISTAKES_S = 2500, 1600, 2600, 130.0


def main() -> None:
    """Train twice: on what is drawn, then on more of it and on what the first network took for plates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=11)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    pool = [*drawn_pool(asked.seed, _PICTURES, 1)]
    first = train(asked.out, pool, steps=_FIRST_STEPS, seed=1)
    export(first, asked.out / "first.onnx")
    pool += drawn_pool(asked.seed + 1, _PICTURES, 1)
    pool += mistaken(asked.out / "first.onnx", seed=77, for_s=_MISTAKES_S)
    export(train(asked.out, pool, steps=_STEPS, seed=2, start=first), asked.out / "plates.onnx")


if __name__ == "__main__":
    main()
