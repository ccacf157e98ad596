"""`SimulatedCamera`: a camera that sees a drawn street and fails as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.vision.picture import Picture, Pixels
from simulator.cameras.camera_address import DrawnCamera
from simulator.cameras.clips import Frame
from simulator.cameras.faults import SPOILED, Fault, FaultWindow
from simulator.cameras.ring import frames_of
from simulator.cameras.scene import Truth


class SimulatedCamera:
    """Hands out pictures at its rate; a seed and a clock that moves only when told to replay them.

    Args:
        name: of the camera.
        drawn: what it sees.
        clock: times its pictures and waits for them.
    """

    def __init__(self, name: str, drawn: DrawnCamera, clock: Clock) -> None:
        self._name = name
        self._drawn = drawn
        self._clock = clock
        self._frames: Iterator[Frame] = iter(())
        self._start_ns: int | None = None
        self._number = 0
        self._last: Pixels | None = None
        self._truths: tuple[Truth, ...] = ()

    @property
    def truths(self) -> tuple[Truth, ...]:
        """Faces and plates in the picture handed out last, as drawn, whatever a fault has done to it."""
        return self._truths

    def open(self) -> None:
        """Draw what there is to be drawn at first, and begin."""
        self._frames = frames_of(self._drawn)
        self._start_ns = self._clock.boot_ns()
        self._number = 0

    def close(self) -> None:
        """End; what was drawn is let go."""
        self._frames = iter(())
        self._start_ns = None
        self._last = None

    def read(self, stop: threading.Event) -> Picture | None:
        """Wait for the next picture; None where `stop` is set before, which also ends a stall.

        Pictures that were due before this was asked are lost, as with a camera that nobody reads.

        Raises:
            VisionError: it is not open, or fails as it was told to.
        """
        while self._start_ns is not None:
            period_ns = NS_PER_S / self._drawn.rate_hz
            late = int((self._clock.boot_ns() - self._start_ns) / period_ns)
            while self._number < late:
                next(self._frames)
                self._number += 1
            due_ns = self._start_ns + round(self._number * period_ns)
            wait_ns = due_ns - self._clock.boot_ns()
            if (wait_ns > 0 and self._clock.wait(stop, wait_ns / NS_PER_S)) or stop.is_set():
                return None
            frame = next(self._frames)
            number, self._number = self._number, self._number + 1
            fault = self._fault(number)
            if fault is Fault.STALL:
                continue
            if fault is Fault.RAISES:
                raise VisionError("the camera is gone", where=self._name)
            return self._picture(frame, number, due_ns, fault)
        raise VisionError("is not open", where=self._name)

    def _fault(self, number: int) -> Fault | None:
        seconds = number / self._drawn.rate_hz
        return next((one.fault for one in self._drawn.faults if _within(one, seconds)), None)

    def _picture(self, frame: Frame, number: int, t_ns: int, fault: Fault | None) -> Picture:
        self._truths = frame.truths
        pixels = frame.pixels.copy()
        if fault is Fault.FREEZE and self._last is not None:
            pixels = self._last.copy()
        elif fault is not None and fault in SPOILED:
            pixels = SPOILED[fault](pixels)
        elif fault is Fault.BACKWARDS:
            t_ns -= round(2 * NS_PER_S)
        if fault is None:
            self._last = frame.pixels
        return Picture(self._name, number, t_ns, pixels)


def _within(window: FaultWindow, seconds: float) -> bool:
    return window.from_s <= seconds < window.to_s
