"""Take frames from stand-ins of machine.CAN and pyb.CAN on MicroPython, with the heap locked."""

import gc
import sys

import micropython
from bridge.controllers.machine_can import MachineCan
from bridge.controllers.pyb_can import PybCan
from bridge.ring import Ring


class Canned:
    """Both classes' way to receive, from what was made before, so that it takes no memory itself."""

    def __init__(self) -> None:
        self.waiting = 0

    def recv(self, fifo: object, arg: list | None = None, timeout: int = 5000) -> object:  # noqa: ARG002 - MicroPython's
        """Receive as machine.CAN, which has only a list, or as pyb.CAN."""
        if arg is None:
            if not self.waiting:
                return None
            fifo[0] = 0x1FFFFFFF
            fifo[2] = 2
        else:
            arg[0] = 0x1FFFFFFF
            arg[1] = True
        self.waiting -= 1
        return self

    def any(self, fifo: int) -> bool:  # noqa: ARG002 - MicroPython's
        """Tell whether pyb.CAN has a frame."""
        return self.waiting > 0


def clock() -> int:
    """Tell the time."""
    return 5


def main() -> None:
    """Take a hundred frames of each."""
    for driver in (
        MachineCan(None, 1, None, 0, 42000000, 500000, None, clock),
        PybCan(None, 1, None, 0, 48000000, 500000, None, 2000000, None, clock),
    ):
        ring = Ring(0, 300, driver.fd, 0)
        canned = Canned()
        driver._can = canned
        driver._cells = ring.cells
        driver._state = ring.state
        taken = 0
        gc.collect()
        micropython.heap_lock()
        for _ in range(50):
            canned.waiting = 2
            taken += driver.take()
        micropython.heap_unlock()
        sys.stdout.write(f"{driver.name} {taken} {ring.accepted()}\n")


main()
