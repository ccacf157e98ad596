"""`SerialPort`: the line to a board, opened for this program alone, read and written without waiting."""

from __future__ import annotations

import errno
import os
import select
from pathlib import Path
from typing import Protocol

import serial

WRITE_BYTES = 12
"""Written at once at most: shorter than any frame, which is all that is left to a confined capture."""

READ_BYTES = 1 << 16
_RATE_MEANS_NOTHING = ("ttyACM", "pts")


class Port(Protocol):
    """A line to a board.

    Attributes:
        name: for people.
        bit_rate: of a UART; None where it means nothing.
    """

    name: str
    bit_rate: int | None

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is something to read; tell whether there is.

        Raises:
            OSError: the line is gone.
        """

    def read(self) -> bytes:
        """What has come; nothing if nothing has.

        Raises:
            OSError: the line is gone.
        """

    def write(self, data: bytes) -> int:
        """Write what can be written at once; tell how much that was.

        Raises:
            OSError: the line is gone.
        """

    def fileno(self) -> int:
        """A descriptor that becomes readable when there is something to read."""

    def close(self) -> None:
        """Let go of the line."""


class SerialPort:
    """A serial port of this machine; see `Port`.

    Args:
        device: such as ``/dev/ttyACM0``.
        speed: bit/s; a port of USB takes any.

    Raises:
        OSError: it cannot be opened; `serial.SerialException` is one.
    """

    def __init__(self, device: str, speed: int) -> None:
        self.name = device
        path = Path(device).resolve()
        pseudo = path.parent.name in _RATE_MEANS_NOTHING
        self.bit_rate = None if pseudo or path.name.startswith(_RATE_MEANS_NOTHING) else speed
        self._serial = serial.Serial(device, speed, timeout=0, write_timeout=0, exclusive=True)
        self._descriptor: int = self._serial.fileno()
        os.set_blocking(self._descriptor, False)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def wait(self, timeout_s: float) -> bool:
        """See `Port.wait`."""
        happened = self._poll.poll(max(0.0, timeout_s * 1000))
        if not happened:
            return False
        _, events = happened[0]
        if events & select.POLLIN:
            return True
        raise OSError(errno.EIO, "the port is gone")

    def read(self) -> bytes:
        """See `Port.read`."""
        if not self.wait(0):
            return b""
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            # A port of this kind that says there is something and gives nothing has been unplugged.
            raise OSError(errno.EIO, "the port is gone")
        return data

    def write(self, data: bytes) -> int:
        """See `Port.write`."""
        written = 0
        while written < len(data):
            try:
                taken = os.write(self._descriptor, data[written : written + WRITE_BYTES])
            except BlockingIOError:
                break
            if not taken:
                break
            written += taken
        return written

    def fileno(self) -> int:
        """See `Port.fileno`."""
        return self._descriptor

    def close(self) -> None:
        """See `Port.close`; a second call does nothing."""
        self._serial.close()
