"""`SimulatedCamera`: a camera that sees a drawn street and fails as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.vision.cameras.camera import Camera, CameraSettings
from edge.vision.picture import Picture, Pixels
from edge.vision.reasons import Dropped
from simulator.cameras.camera_address import drawn_camera
from simulator.cameras.clips import Frame
from simulator.cameras.faults import SPOILED, Fault, FaultWindow
from simulator.cameras.ring import frames_of
from simulator.cameras.scene import Truth


class SimulatedCamera(Camera):
    """Hands out pictures at its rate; a seed and a clock that moves only when told to replay them.

    Args:
        settings: whose source is an address as of `drawn_camera`; its rate and size win over the settings'.
        clock: times its pictures and waits for them.

    Raises:
        VisionError: the address cannot be read.
    """

    def __init__(self, settings: CameraSettings, clock: Clock) -> None:
        super().__init__(settings)
        self._drawn = drawn_camera(
            settings.source, width=settings.width, height=settings.height, rate_hz=settings.rate_hz
        )
        self._clock = clock
        self._frames: Iterator[Frame] = frames_of(self._drawn)
        self._next: Frame | None = next(self._frames)
        self._start_ns = clock.boot_ns()
        self._number = 0
        self._last: Pixels | None = None
        self._truths: tuple[Truth, ...] = ()
        self._never = threading.Event()

    @property
    def truths(self) -> tuple[Truth, ...]:
        """Faces and plates in the picture handed out last, as drawn, whatever a fault has done to it."""
        return self._truths

    def close(self) -> None:
        """End; what was drawn is let go."""
        self._frames = iter(())
        self._next = None
        self._last = None

    def read(self, timeout_s: float) -> Picture | None:
        """See `Camera.read`; of pictures that were due before, the newest is handed out."""
        until_ns = self._clock.boot_ns() + round(timeout_s * NS_PER_S)
        period_ns = NS_PER_S / self._drawn.rate_hz
        while self._next is not None:
            now_ns = self._clock.boot_ns()
            while round((self._number + 1) * period_ns) <= now_ns - self._start_ns:
                self._go_on()
            due_ns = self._start_ns + round(self._number * period_ns)
            if due_ns > until_ns:
                self._clock.wait(self._never, max(until_ns - now_ns, 0) / NS_PER_S)
                return None
            if due_ns > now_ns:
                self._clock.wait(self._never, (due_ns - now_ns) / NS_PER_S)
            frame, number, fault = self._next, self._number, self._fault(self._number)
            self._go_on()
            if fault is Fault.RAISES:
                raise VisionError("the camera is gone", where=f"camera {self.settings.name}")
            if fault is Fault.DAMAGED:
                self._losses[Dropped.DAMAGED] += 1
            elif fault is not Fault.STALL:
                return self._picture(frame, number, due_ns, fault)
        raise VisionError("is closed", where=f"camera {self.settings.name}")

    def _go_on(self) -> None:
        self._next = next(self._frames)
        self._number += 1

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
        return Picture(self.settings.name, number, t_ns, pixels)


def open_simulated(settings: CameraSettings, clock: Clock) -> Camera:
    """Open a drawn camera.

    Raises:
        VisionError: its address cannot be read.
    """
    return SimulatedCamera(settings, clock)


def _within(window: FaultWindow, seconds: float) -> bool:
    return window.from_s <= seconds < window.to_s
