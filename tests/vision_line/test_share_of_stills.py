"""Stills within a small share of the processor: fewer of them, and each with those around it looked at."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edge.clock import VirtualClock
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.vision.boxes import Boxes
from edge.vision.cameras.camera import Camera, CameraSettings
from edge.vision.line import RedactionLine
from edge.vision.memory import Memory
from edge.vision.picture import Picture, Pixels
from edge.vision.plan import VisionPlan
from edge.vision.work import CameraWork
from tests.vision_line.scripted import Scripted, picture

LOOK_S = 0.25
SECONDS = 120


class _Drawing(Camera):
    """Gives five pictures a second."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(CameraSettings("front", "test:"))
        self._clock = clock
        self._number = -1

    def read(self, timeout_s: float) -> Picture | None:
        self._clock.wait(threading.Event(), max(timeout_s, 0.2))
        self._number += 1
        return Picture("front", self._number, self._clock.boot_ns(), np.full((64, 64, 3), 90, np.uint8))

    def close(self) -> None:
        self.ended = True


@pytest.mark.parametrize("share", [0.5, 0.25, 0.1])
def test_what_a_still_needs_is_not_spent_on_those_around_it(share: float) -> None:
    clock, looks = VirtualClock(), [0]

    def look(pixels: Pixels) -> Boxes:
        looks[0] += len(pixels[:1])
        return Boxes.none()

    plan = VisionPlan(
        "front", "test:", DataClass.EXTERIOR, purpose=Purpose.RECORDING, every_s=1.0, cpu_share=share
    )
    work = CameraWork(
        plan,
        _Drawing(clock),
        [Scripted(look)],
        clock=clock,
        cpu_s=lambda: looks[0] * LOOK_S,
        judge=lambda _: None,
    )
    kept = sum(len(work.step(0)) for _ in range(5 * SECONDS))
    affordable = share * SECONDS / (3 * LOOK_S)
    assert kept >= 0.6 * affordable
    assert looks[0] >= 3 * kept - 2
    assert all(hop.balanced for hop in work.hops())


def test_pictures_that_are_only_looked_at_are_forgotten() -> None:
    memory = Memory()
    clock = VirtualClock()
    line = RedactionLine("front", [Scripted(lambda _: Boxes.none())], lambda _: None, memory, clock=clock)
    for number in range(50):
        line.take(picture(number, number * 0.2), wanted=False)
    with pytest.raises(KeyError):
        memory.recall(picture(40, 40 * 0.2).t_ns)
