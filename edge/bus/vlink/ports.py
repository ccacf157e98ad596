"""Finds the board that a channel means, by what USB says of its ports, and says precisely why it cannot."""

from __future__ import annotations

import errno
import grp
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bus.vlink.port import Port, SerialPort
from edge.config.vlink import AUTO, wanted_serial_number
from edge.errors import SourceError

BOARDS: tuple[tuple[int, frozenset[int] | None, str], ...] = (
    (0x2E8A, frozenset({0x0005}), "Raspberry Pi Pico"),
    (0xF055, frozenset({0x9800, 0x9801, 0x9802, 0x9803, 0x9804}), "pyboard"),
    (0x303A, None, "ESP32"),
)
"""USB vendors and products under which MicroPython's ports of these boards come; None for all of a vendor."""


@dataclass(frozen=True, slots=True)
class UsbPort:
    """A serial port of USB.

    Attributes:
        device: such as ``/dev/ttyACM0``.
        vendor: USB's number of the vendor.
        product: the vendor's of the product.
        serial_number: of the device; empty where it has none.
    """

    device: str
    vendor: int
    product: int
    serial_number: str

    @property
    def board(self) -> str:
        """What kind of board it is; empty for none that is known."""
        return next(
            (
                name
                for vendor, products, name in BOARDS
                if vendor == self.vendor and (products is None or self.product in products)
            ),
            "",
        )


def usb_ports() -> Sequence[UsbPort]:
    """The serial ports of USB that are there now."""
    from serial.tools.list_ports import comports  # noqa: PLC0415 - wanted only where a board is looked for

    return tuple(
        UsbPort(port.device, port.vid, port.pid or 0, port.serial_number or "")
        for port in comports()
        if port.vid is not None
    )


def find(channel: str, *, listed: Callable[[], Iterable[UsbPort]] = usb_ports) -> str:
    """The device that a channel means now.

    Args:
        channel: a device, ``auto`` for the one board that is there, or ``auto:`` with its serial number.
        listed: gives the ports of USB.

    Raises:
        SourceError: no board is there, or several.
    """
    if channel.startswith("/"):
        return channel
    where = f"vlink {channel}"
    found = sorted((port for port in listed() if port.board), key=lambda port: port.device)
    wanted = wanted_serial_number(channel)
    others = ", ".join(_words(port) for port in found)
    if wanted:
        found = [port for port in found if port.serial_number == wanted]
        if not found:
            raise SourceError(
                f"no board with the serial number {wanted} is plugged in",
                where=where,
                todo=f"There are {others}" if others else "There is none at all on USB",
            )
    if not found:
        raise SourceError(
            "no board is found on USB",
            where=where,
            todo='Plug it in; one on a UART, or of another kind, needs its port: channel = "/dev/ttyAMA0"',
        )
    if len({port.serial_number or port.device for port in found}) > 1:
        raise SourceError(
            f"several boards are there: {others}",
            where=where,
            todo=f'Say which by its serial number: channel = "{AUTO}:{found[0].serial_number}"',
        )
    # A board with several ports has its console on the first.
    return found[0].device


def open_board(channel: str, speed: int, *, listed: Callable[[], Iterable[UsbPort]] = usb_ports) -> Port:
    """Open the port of the board that a channel means.

    Args:
        channel: see `find`.
        speed: bit/s of a UART.
        listed: gives the ports of USB.

    Raises:
        SourceError: it cannot be found or opened; says what is missing and what to do.
    """
    device = find(channel, listed=listed)
    try:
        return SerialPort(device, speed)
    except (OSError, ValueError) as error:
        raise _refused(error, device, channel) from error


def _refused(error: OSError | ValueError, device: str, channel: str) -> SourceError:
    where = f"vlink {device}" if device == channel else f"vlink {device} ({channel})"
    number = getattr(error, "errno", None)
    if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
        return SourceError("there is no such port", where=where, todo="Is the board plugged in?")
    if number in {errno.EACCES, errno.EPERM}:
        return SourceError(
            "may not be opened by this user",
            where=where,
            todo=f"Add it to the group {_group(device)}: usermod -aG {_group(device)} USER, then log in anew",
        )
    if number in {errno.EBUSY, errno.EAGAIN}:
        return SourceError(
            "another program has it open",
            where=where,
            todo=f"End that: mpremote, slcand, a terminal, another gateway; 'fuser {device}' shows which",
        )
    words = os.strerror(number) if number else str(error)
    return SourceError(f"cannot be opened: {words}", where=where)


def _group(device: str) -> str:
    """The group that may open a port, as far as that can be told."""
    try:
        name = grp.getgrgid(Path(device).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"
    return name if name != "root" else "dialout"


def _words(port: UsbPort) -> str:
    number = f" {port.serial_number}" if port.serial_number else ""
    return f"{port.board}{number} at {port.device}"
