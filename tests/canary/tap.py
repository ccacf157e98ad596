"""What leaves the door: the gateway's own capture, listened to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.bus.source import FrameSource
from edge.capture import Capture, Captured, Guard
from edge.frames import FrameBatch
from edge.policy.door import Door
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource


@dataclass(slots=True)
class Admitted:
    """What left the door.

    Attributes:
        frames: bytes of all frames of a batch, with the second in which it was handed on.
        observations: what sensors said, likewise.
        padding: bytes behind the length of a frame that were not 0.
    """

    frames: list[tuple[int, bytes]] = field(default_factory=list)
    observations: list[tuple[int, Observation]] = field(default_factory=list)
    padding: int = 0


class Tap(Capture):
    """Capture with an ear behind the door."""

    def __init__(
        self,
        source: FrameSource,
        door: Door,
        *,
        sensors: Sequence[ItemSource] = (),
        guard: Guard | None = None,
        admitted: Admitted,
        now_s: Callable[[], float],
    ) -> None:
        super().__init__(source, door, sensors=sensors, guard=guard)
        self._heard = admitted
        self._now_s = now_s

    def read(self, timeout_s: float) -> Captured | None:
        """See `Capture.read`."""
        captured = super().read(timeout_s)
        if captured is not None:
            second = int(self._now_s())
            for batch in captured.batches:
                in_use, rest = used_bytes(batch)
                self._heard.frames.append((second, in_use))
                self._heard.padding += rest
            self._heard.observations += [(second, one) for one in captured.observations]
        return captured


def used_bytes(batch: FrameBatch) -> tuple[bytes, int]:
    """The bytes in use of all frames, and how many of the others are not 0."""
    used = np.arange(batch.data.shape[1]) < batch.length[:, None]
    return batch.data[used].tobytes(), int(np.count_nonzero(batch.data[~used]))
