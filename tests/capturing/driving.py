"""Reads capture as the core does, and remembers what came."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edge.account import Hop
from edge.capture import Captured, MaskedSource
from edge.frames import FrameBatch
from edge.sensors.observation import Observation

LONG_S = 30.0


@dataclass
class Reader:
    """What has been read.

    Attributes:
        capture: what is read.
        batches: those with frames, in order.
        masks: of all batches, in order.
        observations: of sensors.
    """

    capture: MaskedSource
    batches: list[FrameBatch] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)

    def take(self, captured: Captured) -> None:
        self.masks += [batch.mask for batch in captured.batches]
        self.batches += [batch for batch in captured.batches if len(batch)]
        self.observations += captured.observations

    def read(self, timeout_s: float = 0.05) -> bool:
        captured = self.capture.read(timeout_s)
        if captured is not None:
            self.take(captured)
        return captured is not None

    def until(self, condition: Callable[[], bool]) -> None:
        end_s = time.monotonic() + LONG_S
        while not condition():
            assert time.monotonic() < end_s, "it did not come about"
            assert self.read(), "capture has ended"

    def to_the_end(self) -> None:
        end_s = time.monotonic() + LONG_S
        while self.read(0):
            assert time.monotonic() < end_s, "it did not end"

    @property
    def frames(self) -> int:
        return sum(map(len, self.batches))

    @property
    def numbers(self) -> list[int]:
        """Of the frames, as their sender counted them."""
        if not self.batches:
            return []
        data = np.concatenate([batch.data[:, :4] for batch in self.batches])
        found: list[int] = np.ascontiguousarray(data).view("<u4")[:, 0].tolist()
        return found

    def cabin(self) -> set[bytes]:
        """Values of the bits of the cabin signal."""
        return {bytes(row) for batch in self.batches for row in np.unique(batch.data[:, 4:], axis=0)}

    def hop(self, name: str, unit: str = "frames") -> Hop:
        (found,) = [hop for hop in self.capture.hops() if (hop.name, hop.unit) == (name, unit)]
        return found
