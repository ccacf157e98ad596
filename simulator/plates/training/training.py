"""Trains the detector of plates and writes its weights: ``python -m simulator.plates.training``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edge.vision.picture import Pixels
from simulator.plates.training.network import STRIDE, PlateNetwork
from simulator.plates.training.samples import LEAST_SHOWN, SIZE_PX, STEEP, sample

CROP_PX = 192
"""Side of what the network sees in training; the pool's pictures are larger, so that each gives many."""

CELLS = CROP_PX // STRIDE
LEAST_SIDE_PX = 5.0
"""A plate that shows less of itself at the edge teaches nothing."""

_KEPT_OF_MEAN = 0.998
"""So much of the mean is kept at each step."""

Taught = tuple[Pixels, NDArray[np.float32]]
"""A picture (320, 320, 3) and the boxes of its plates, (n, 4)."""

Pool = Sequence[Taught]


def drawn_pool(seed: int, count: int, grounds: Sequence[Pixels], steep: float = STEEP) -> list[Taught]:
    """Draw the pictures that training cuts its crops from; a seed, the grounds and a share repeat them."""
    cv2.setNumThreads(1)
    return [sample(grounds, random.Random(seed * 1_000_003 + number), steep) for number in range(count)]


def cut(pool: Pool, rng: random.Random) -> tuple[Pixels, NDArray[np.float32]]:
    """One crop (192, 192, 3) of a picture of the pool, mostly with a plate, lit anew; and its target."""
    pixels, boxes = rng.choice(pool)
    left = top = 0
    rest = SIZE_PX - CROP_PX
    for _ in range(6):
        left, top = rng.randint(0, rest), rng.randint(0, rest)
        inner = np.clip(boxes - (left, top, left, top), 0, CROP_PX)
        shown = (inner[:, 2:] - inner[:, :2]).prod(1) / (boxes[:, 2:] - boxes[:, :2]).prod(1)
        if (shown >= LEAST_SHOWN).any() or not len(boxes):
            break
    piece = pixels[top : top + CROP_PX, left : left + CROP_PX].astype(np.float32)
    inner = np.clip(boxes - (left, top, left, top), 0, CROP_PX)
    shown = (inner[:, 2:] - inner[:, :2]).prod(1) / np.maximum(1, (boxes[:, 2:] - boxes[:, :2]).prod(1))
    if rng.random() < 0.3:
        piece = piece[:, ::-1]
        inner[:, [0, 2]] = CROP_PX - inner[:, [2, 0]]
    piece = piece * rng.uniform(0.7, 1.25) + rng.uniform(-18, 18)
    if rng.random() < 0.25:
        piece = piece[:, :, rng.choice(((0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)))]
    lit = np.clip(piece, 0, 255).astype(np.uint8)
    said = target(inner[shown >= LEAST_SHOWN], inner[(shown < LEAST_SHOWN) & (shown > 0)])
    return lit, said


def target(boxes: NDArray[np.float32], unsure: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network is to say.

    Args:
        boxes: (n, 4) of the plates in a crop.
        unsure: (m, 4) of what is cut off too far to be one.

    Returns:
        (7, 24, 24) float32: middle 0 to 1, four logarithms of reach, weight of these, 1 where nothing is
        taught.
    """
    said = np.zeros((7, CELLS, CELLS), np.float32)
    for left, top, right, bottom in unsure:
        said[
            6, int(top / STRIDE) : int(bottom / STRIDE) + 1, int(left / STRIDE) : int(right / STRIDE) + 1
        ] = 1
    middles = (np.arange(CELLS, dtype=np.float32) + 0.5) * STRIDE
    for left, top, right, bottom in boxes:
        wide, high = right - left, bottom - top
        if min(wide, high) < LEAST_SIDE_PX:
            continue
        across = (middles - (left + right) / 2) / max(STRIDE * 0.7, wide * 0.16)
        down = (middles - (top + bottom) / 2) / max(STRIDE * 0.7, high * 0.16)
        bump = np.exp(-0.5 * (across[None, :] ** 2 + down[:, None] ** 2)).astype(np.float32)
        row = min(CELLS - 1, int((top + bottom) / 2 / STRIDE))
        column = min(CELLS - 1, int((left + right) / 2 / STRIDE))
        bump[row, column] = 1.0
        near = bump > np.maximum(said[0], 0.3)
        reach = np.stack(
            np.broadcast_arrays(
                middles[None, :] - left,
                middles[:, None] - top,
                right - middles[None, :],
                bottom - middles[:, None],
            )
        )
        inside = near & (reach.min(0) > 0.5)
        said[1:5, inside] = np.log(reach[:, inside] / STRIDE)
        said[5, inside] = bump[inside]
        said[0] = np.maximum(said[0], bump)
    return said


def loss(found: Tensor, told: Tensor) -> Tensor:
    """Penalty-reduced focal loss of the middles, and how the boxes overlap with the true ones."""
    middle = torch.sigmoid(found[:, 0]).clamp(1e-5, 1 - 1e-5)
    truth = told[:, 0]
    at = (truth > 0.999).float()
    taught = torch.maximum(1 - told[:, 6], at)
    hits = at * (1 - middle) ** 2 * torch.log(middle)
    rest = (1 - at) * (1 - truth) ** 4 * middle**2 * torch.log(1 - middle)
    plates = at.sum().clamp(min=1.0)
    weight = told[:, 5]
    ours, true = torch.exp(found[:, 1:].clamp(-4, 5)), torch.exp(told[:, 1:5])
    both = torch.minimum(ours, true)
    inner = (both[:, 0] + both[:, 2]) * (both[:, 1] + both[:, 3])
    area = (ours[:, 0] + ours[:, 2]) * (ours[:, 1] + ours[:, 3]) + (true[:, 0] + true[:, 2]) * (
        true[:, 1] + true[:, 3]
    )
    overlap = inner / (area - inner)
    apart = nn.functional.smooth_l1_loss(found[:, 1:], told[:, 1:5], reduction="none", beta=0.2).mean(1)
    boxes = (((1 - overlap) * 2 + apart) * weight).sum() / weight.sum().clamp(min=1.0)
    return -((hits + rest) * taught).sum() / plates + boxes


def train(
    network: PlateNetwork,
    pool: Pool,
    keep: Path,
    *,
    steps: int,
    seed: int,
    rate: float,
    batch: int = 24,
    averaged: bool = False,
) -> PlateNetwork:
    """Train a network further on crops of a pool.

    Args:
        network: changed in place, and given back.
        pool: what the crops are cut from.
        keep: a file that the weights are written to now and then and at the end.
        steps: how many batches.
        seed: decides the crops.
        rate: the highest learning rate; it rises to it for a tenth of the steps and falls to nothing.
        batch: crops a step.
        averaged: whether the mean of the last weights, the later the more, is given back.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate / 2, weight_decay=1e-4)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    network.train()
    means = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(_KEPT_OF_MEAN), use_buffers=True)
    smooth = 0.0
    for step in range(steps):
        crops, told = zip(*(cut(pool, rng) for _ in range(batch)), strict=True)
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
        value = loss(network.raw(pixels), torch.from_numpy(np.stack(told)))
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        pace.step()
        means.update_parameters(network)
        smooth = value.item() if not step else 0.98 * smooth + 0.02 * value.item()
        if step % 50 == 0:
            print(f"step {step} of {steps}: loss {smooth:.3f}", flush=True)
        if step % 250 == 249:
            torch.save(network.state_dict(), keep)
    trained: PlateNetwork = means.module if averaged else network
    torch.save(trained.state_dict(), keep)
    return trained.eval()


def export(network: PlateNetwork, out: Path) -> None:
    """Write the network as ONNX, its height and width left open."""
    example = (torch.zeros(1, 3, 320, 320),)
    torch.onnx.export(
        network.eval(),
        example,
        str(out),
        input_names=["pixels"],
        output_names=["plates"],
        opset_version=17,
        dynamo=False,
        dynamic_axes={"pixels": {2: "height", 3: "width"}, "plates": {2: "rows", 3: "columns"}},
    )
