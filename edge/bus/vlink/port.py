"""`SerialPort`: the line to a board, opened for this program alone, read and written without waiting."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import termios
from pathlib import Path
from typing import Protocol

import serial

WRITE_BYTES = 12
"""Written at once at most: shorter than any frame, which is all that is left to a confined capture."""

READ_BYTES = 1 << 16
_RATE_MEANS_NOTHING = ("ttyACM", "pts")
_KNOWS_ITS_HOST = "ttyACM"
"""Boards on USB take DTR for a program that reads, and its end for one that has gone."""


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

    No other program may open it meanwhile: not one that asks for that by a lock, and none but root's.
    DTR and RTS are on while it is open. Linux sets both when a port is opened, which resets boards that have
    one wired to their reset; so on any but a board's own USB they stay on after `close`, and only the first
    opening does. A driver that can is asked not to collect bytes: adapters for USB keep them for up to 16 ms.

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
        try:
            self._serial = serial.Serial(device, speed, timeout=0, write_timeout=0, exclusive=True)
        except termios.error as error:
            # What is unplugged while it is opened says so in a way that is no OSError.
            raise OSError(*error.args) from error
        self._descriptor: int = self._serial.fileno()
        try:
            self._keep_to_itself(modem_lines=not path.name.startswith(_KNOWS_ITS_HOST))
        except (OSError, termios.error) as error:
            self._serial.close()
            raise OSError(*error.args) from error
        os.set_blocking(self._descriptor, False)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def _keep_to_itself(self, *, modem_lines: bool) -> None:
        fcntl.ioctl(self._descriptor, termios.TIOCEXCL)
        if modem_lines:
            attributes = termios.tcgetattr(self._descriptor)
            attributes[2] &= ~termios.HUPCL
            termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)
        with contextlib.suppress(OSError, ValueError):
            # Most drivers know nothing of it.
            self._serial.set_low_latency_mode(True)

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
        if self._serial.is_open:
            with contextlib.suppress(OSError):
                # A pseudo terminal outlives its last program, and would remember.
                fcntl.ioctl(self._descriptor, termios.TIOCNXCL)
        self._serial.close()
