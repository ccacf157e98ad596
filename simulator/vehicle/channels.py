"""Channels: the named quantities of the vehicle that signals are fed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

STEP_NS = 10_000_000
STEP_S = 0.01
TICK_STEPS = 10
TICK_S = 0.1
CHUNK_STEPS = 100
CHUNK_NS = CHUNK_STEPS * STEP_NS
"""The drive line moves every 10 ms, the rest every 100 ms; a second is computed at a time."""


def numbered(name: str, count: int) -> tuple[str, ...]:
    """Channel names of an array, counted from 1: ``cell_voltage_v[1]`` and so on."""
    return tuple(f"{name}[{place}]" for place in range(1, count + 1))


class Part(Protocol):
    """A part of the vehicle whose quantities are held for a tick."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the quantities."""
        ...

    def values(self) -> Sequence[float]:
        """The present value of each of `channels`, in their order."""
        ...
