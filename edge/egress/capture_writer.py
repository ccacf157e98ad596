"""`CaptureWriter`: writes what was captured live as pcapng, for Wireshark and for this test again."""

from __future__ import annotations

import struct
from typing import BinaryIO

from edge.egress.frame import Direction, Frame
from edge.egress.link_layer import LINUX_SLL2
from edge.egress.packet_socket import SNAP_BYTES, LinkAddress

_HARDWARE_ADDRESS = 8
_COOKED_HEADER = 20
_FLAGS = {Direction.UNKNOWN: 0, Direction.IN: 1, Direction.OUT: 2}


class CaptureWriter:
    """Writes packets of one phase (draft-ietf-opsawg-pcapng, LINKTYPE_LINUX_SLL2).

    Args:
        stream: takes the bytes.
        application: names whoever wrote it.
    """

    def __init__(self, stream: BinaryIO, application: str) -> None:
        self._stream = stream
        self._interfaces: dict[str, int] = {}
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(0x0A0D0D0A, section + _option(4, application.encode()) + _END)

    def write(self, frame: Frame, link: LinkAddress) -> None:
        """Write one packet."""
        number = self._number(link.interface)
        address = link.address[:_HARDWARE_ADDRESS].ljust(_HARDWARE_ADDRESS, b"\0")
        cooked = struct.pack(
            "!HHIHBB8s",
            link.protocol & 0xFFFF,
            0,
            number + 1,
            link.hardware,
            link.packet_type & 0xFF,
            min(len(link.address), _HARDWARE_ADDRESS),
            address,
        )
        data = cooked + bytes(frame.data)
        head = struct.pack(
            "<IIIII",
            number,
            frame.t_ns >> 32,
            frame.t_ns & 0xFFFFFFFF,
            len(data),
            frame.length + _COOKED_HEADER,
        )
        flags = _option(2, struct.pack("<I", _FLAGS[frame.direction]))
        self._block(6, head + _padded(data) + flags + _END)

    def close(self, *, begun_ns: int, ended_ns: int, lost: int) -> None:
        """Write how long was captured and what was lost; the stream stays open.

        Args:
            begun_ns: Unix time at which the phase began.
            ended_ns: at which it ended.
            lost: packets that there was no room for, on all interfaces together.
        """
        if not self._interfaces:
            self._number("any")
        for number in self._interfaces.values():
            # The loss is known of all interfaces together: it stands at the first, the others have none more.
            options = (
                _option(2, _time(begun_ns))
                + _option(3, _time(ended_ns))
                + _option(5, struct.pack("<Q", 0 if number else lost))
            )
            self._block(5, struct.pack("<I", number) + _time(ended_ns) + options + _END)
        self._stream.flush()

    def _number(self, interface: str) -> int:
        number = self._interfaces.get(interface)
        if number is None:
            number = self._interfaces[interface] = len(self._interfaces)
            options = _option(2, interface.encode()) + _option(9, b"\x09") + _END
            self._block(1, struct.pack("<HHI", LINUX_SLL2, 0, SNAP_BYTES + _COOKED_HEADER) + options)
        return number

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", len(body) + 12)
        self._stream.write(struct.pack("<I", kind) + length + body + length)


_END = struct.pack("<HH", 0, 0)


def _option(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _time(t_ns: int) -> bytes:
    return struct.pack("<II", t_ns >> 32, t_ns & 0xFFFFFFFF)
