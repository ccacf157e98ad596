"""What the controllers of an STM32 have in common, whichever module of MicroPython leads to them."""

from . import NotListenOnly

LENGTH_CODES = bytes(range(9)) + b"\x09" * 4 + b"\x0a" * 4 + b"\x0b" * 4 + b"\x0c" * 4 + b"\x0d" * 8
LENGTH_CODES += b"\x0e" * 16 + b"\x0f" * 16
"""DLC code by bytes of CAN FD (ISO 11898-1, table 5)."""

MOST = 64
"""Frames at a time: a bus that goes on talking must not keep an interrupt for itself."""


class Stm32Controller:
    """Starts, stops, and takes frames for one caller at a time; see the package for what each method does.

    A driver has `_begin`, which configures the controller and reads back that it listens only, and `_drain`,
    which moves what it holds into the ring and tells how many frames.
    """

    counted = False
    hardware_stamps = False

    def __init__(self, can: object, number: int, memory: object, base: int, ticks_us: object) -> None:
        """Keep what leads to the controller, which is not touched yet.

        Args:
            can: MicroPython's class.
            number: which controller, from 1.
            memory: `machine.mem32`.
            base: the address of the controller's registers.
            ticks_us: the clock, `time.ticks_us`.
        """
        self._class = can
        self._number = number
        self._memory = memory
        self._base = base
        self._ticks_us = ticks_us
        self._can = None
        self._ring = None
        self._state = None
        self._cells = None
        self._callback = None
        self._at_it = False
        self._left = False
        # MicroPython writes as many bytes as a DLC says, also where it says more than a classic frame has.
        self._data = bytearray(64)
        self._errors_before = 0

    def start(self, ring: object) -> None:
        """Configure it and listen; see the package.

        Args:
            ring: takes the frames, with the numbers that it has.

        Raises:
            NotListenOnly: It does not read back as listen-only, or with another timing.
        """
        self._ring = ring
        self._cells = ring.cells
        self._state = ring.state
        self._at_it = True
        try:
            self._begin()
        except (OSError, ValueError) as error:
            self._state = None
            if self._can is not None:
                self._can.deinit()
            raise NotListenOnly(str(error)) from None
        finally:
            self._at_it = False
        self.take()

    def _begin(self) -> None:
        raise NotImplementedError

    def _drain(self) -> int:
        raise NotImplementedError

    def restart(self) -> None:
        """Start again with the same ring; raises as `start`."""
        self.start(self._ring)

    def stop(self) -> None:
        """Leave the bus."""
        self._callback = None
        self._state = None
        if self._can is not None:
            self._can.deinit()

    def take(self) -> int:
        """Move what it holds into the ring; takes no memory. Returns how many frames."""
        if self._at_it:
            self._left = True
            return 0
        taken = 0
        while True:
            self._at_it = True
            self._left = False
            try:
                taken += self._drain()
            finally:
                self._at_it = False
            if not self._left:
                return taken
