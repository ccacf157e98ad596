"""What a frame costs, step by step: processor time and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from edge.vision.picture import Pixels

_KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the way of a frame.

    Attributes:
        name: of it.
        work: does it, with what the step before made of the frame; hands on what the next one needs.
    """

    name: str
    work: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one step costs.

    Attributes:
        name: of it.
        cpu_ms: median processor time of a frame, milliseconds.
        worst_cpu_ms: of the dearest frame.
    """

    name: str
    cpu_ms: float
    worst_cpu_ms: float


@dataclass(frozen=True, slots=True)
class FrameCost:
    """What a frame costs.

    Attributes:
        stages: step by step.
        cpu_ms: median of all steps together.
        frames: how many were measured.
        peak_mib: the most memory that the process has had, its libraries and models included.
    """

    stages: tuple[StageCost, ...]
    cpu_ms: float
    frames: int
    peak_mib: float


def measure_stages(
    stages: Sequence[Stage],
    frame: Callable[[int], object],
    frames: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> FrameCost:
    """Send frames through all steps; the first one is left out, since libraries take up their memory then.

    Args:
        stages: in order.
        frame: makes the input of the first step, by its number.
        frames: how many are measured.
        progress: told how many are done.

    Raises:
        VisionError: a step fails.
    """
    times: list[list[float]] = [[] for _ in stages]
    for number in range(frames + 1):
        passed = frame(number)
        for stage, own in zip(stages, times, strict=True):
            start_s = time.process_time()
            passed = stage.work(passed)
            own.append(time.process_time() - start_s)
        progress(number)
    measured = [own[1:] for own in times]
    return FrameCost(
        stages=tuple(
            StageCost(stage.name, median(own) * 1_000, max(own) * 1_000)
            for stage, own in zip(stages, measured, strict=True)
        ),
        cpu_ms=median(map(sum, zip(*measured, strict=True))) * 1_000,
        frames=frames,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MIB,
    )


def made_up_frame(number: int, width: int, height: int) -> Pixels:
    """A frame (height, width, 3) with structure of many sizes, as a street has, and nobody in it."""
    random = np.random.default_rng(number)
    frame = np.zeros((height, width, 3), np.float32)
    for size in (4, 12, 36, 108):
        coarse = random.normal(0, 22, (height // size + 1, width // size + 1, 3)).astype(np.float32)
        frame += np.repeat(np.repeat(coarse, size, axis=0), size, axis=1)[:height, :width]
    return np.clip(frame + 118, 0, 255).astype(np.uint8)
