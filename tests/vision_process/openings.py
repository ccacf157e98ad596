"""What a process of a camera opens in tests: frames with a face that one detector knows, and faults."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.vision.boxes import Boxes, Subject
from edge.vision.cameras.camera import Camera
from edge.vision.cameras.opening import open_camera
from edge.vision.detector import Detector
from edge.vision.picture import Picture, Pixels
from edge.vision.plan import VisionPlan
from edge.vision.process.opening import Opening
from tests.vision_faults.planted import KnowsThePattern, Planted

SEED = 8
OPENING = "tests.vision_process.openings:drawn"
STREAMED = "tests.vision_process.openings:streamed"
DEVICE = "device"
AFTER = 3
"""So many frames come before a fault."""

logger = logging.getLogger("edge.vision.process.test")


def plan(folder: Path, fault: str = "none", **changed: object) -> VisionPlan:
    """A plan of a camera that draws; it has a file open in the folder while it is open."""
    (folder / DEVICE).touch()
    settings: dict[str, object] = {
        "name": "front",
        "source": f"test:{fault}:{folder}",
        "data_class": DataClass.EXTERIOR,
        "purpose": Purpose.RECORDING,
        "every_s": 0.1,
        "requests": True,
        "events": True,
        "rate_hz": 20.0,
        "before_s": 0.2,
        "after_s": 0.2,
        "clip_rate_hz": 10.0,
        "cpu_share": 4.0,
        **changed,
    }
    return VisionPlan(**settings)  # type: ignore[arg-type]


def fault_of(plan: VisionPlan) -> str:
    """What goes wrong."""
    return plan.source.split(":")[1]


class DrawnCamera(Camera):
    """Draws a face into frames, until something goes wrong as its source says."""

    def __init__(self, plan: VisionPlan, clock: Clock) -> None:
        super().__init__(plan.camera)
        _, fault, folder = plan.source.split(":", 2)
        self._clock = clock
        self._planted = Planted(SEED)
        self._folder = Path(folder)
        self._device = (self._folder / DEVICE).open("rb")
        self._fault = FAULTS[fault]
        self._frames = 0
        self._due_ns = clock.boot_ns()

    def read(self, timeout_s: float) -> Picture | None:
        wait_s = (self._due_ns - self._clock.boot_ns()) / NS_PER_S
        self._clock.wait(threading.Event(), max(0.0, min(wait_s, timeout_s)))
        if wait_s > timeout_s:
            return None
        self._due_ns += round(NS_PER_S / self.settings.rate_hz)
        number, self._frames = self._frames, self._frames + 1
        if number == AFTER:
            self._fault(self._folder)
        return self._planted.picture(number, self._clock.boot_ns())

    def close(self) -> None:
        self._device.close()


class Quotes(Detector):
    """Fails, and quotes what it saw wherever it can."""

    @property
    def subject(self) -> Subject:
        return Subject.FACE

    @property
    def name(self) -> str:
        return "quotes"

    def detect(self, pixels: Pixels) -> Boxes:
        raw = Planted(SEED).pixels
        for text in (raw[:8].tobytes().hex(), str(raw[:8].tolist()), raw[:8].tobytes().decode("latin-1")):
            sys.stdout.write(text)
            sys.stderr.write(text)
            logger.error("seen: %s", text)
            logging.getLogger("other").error(text)
        sys.stdout.buffer.write(pixels.tobytes())
        sys.stdout.buffer.flush()
        raise ValueError(f"cannot judge {raw.tolist()}")


def drawn() -> Opening:
    """Draws, and finds what it drew."""

    def detectors(plan: VisionPlan) -> tuple[Detector, ...]:
        if fault_of(plan) == "hash":
            raise VisionError("the model is not the pinned one", where="faces.onnx", todo="put it back")
        return (Quotes(),) if fault_of(plan) == "quotes" else (KnowsThePattern(Planted(SEED)),)

    return Opening(detectors, DrawnCamera)


def streamed() -> Opening:
    """The camera that the source names, as in a vehicle, and who knows the pattern."""
    return Opening(
        lambda _: (KnowsThePattern(Planted(SEED)),), lambda plan, clock: open_camera(plan.camera, clock)
    )


def _told(folder: Path) -> None:
    """Do as a file says, so that each life has a fault of its own."""
    FAULTS[(folder / "fault").read_text()](folder)


def _stall(_folder: Path) -> None:
    time.sleep(600)


def _devour(_folder: Path) -> None:
    kept = []
    while True:
        kept.append(np.ones(1 << 22, np.uint8))


def _gateway() -> int:
    """The socket to the gateway."""
    return next(number for number in range(3, 64) if _is_socket(number))


def _is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False


def attempts(folder: Path) -> Mapping[str, Callable[[], object]]:
    """What would take a picture out of the process."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: object) -> Callable[[], None]:
        def make() -> None:
            if getattr(libc, name)(*arguments) == -1:
                raise OSError(ctypes.get_errno(), name)

        return make

    return {
        "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "unix": lambda: socket.socket(socket.AF_UNIX),
        "pair": socket.socketpair,
        "create": lambda: (folder / "new").write_bytes(b"out"),
        "append": lambda: (folder / DEVICE).open("ab"),
        "both": lambda: (folder / DEVICE).open("r+b"),
        "folder": (folder / "made").mkdir,
        "remove": (folder / DEVICE).unlink,
        "rename": lambda: (folder / DEVICE).rename(folder / "else"),
        "memory": lambda: os.memfd_create("out"),
        "fork": os.fork,
        "execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 - it is to fail
        "trace": call("ptrace", 0, 0, 0, 0),
        "other": lambda: os.kill(os.getppid(), 0),
        "dumpable": call("prctl", 4, 1, 0, 0, 0),
        "replace": lambda: os.dup2(0, 2),
        "send": lambda: os.write(os.dup(_gateway()), b"x"),
        "pass": lambda: socket.socket(fileno=os.dup(_gateway())).sendmsg([b"x"]),
    }


def _attempt(folder: Path) -> None:
    for name, attempt in attempts(folder).items():
        try:
            attempt()
        except OSError as error:
            logger.info("attempt %s %s", name, errno.errorcode.get(error.errno or 0, "?"))
        else:
            logger.info("attempt %s done", name)


FAULTS: Mapping[str, Callable[[Path], None]] = {
    "none": lambda _: None,
    "hash": lambda _: None,
    "quotes": lambda _: None,
    "stall": _stall,
    "devour": _devour,
    "told": _told,
    "attempts": _attempt,
}
