"""A socket that stands in for a raw CAN socket at an end of a virtual cable: all of it but its family."""

from __future__ import annotations

import ctypes
import socket
import struct

_SOL_PACKET, _IGNORE_OUTGOING, _SO_ATTACH_FILTER = 263, 23, 26
_ALL_PROTOCOLS = 0x0003
_LOAD_HALF, _JUMP_IF_EQUAL, _RETURN = 0x28, 0x15, 0x06
_PROTOCOL = 0xFFFFF000
_ADMIT_LENGTHS = (
    (_LOAD_HALF, 0, 0, _PROTOCOL),
    (_JUMP_IF_EQUAL, 1, 0, 0x0001),
    (_JUMP_IF_EQUAL, 0, 1, 0x0004),
    (_RETURN, 0, 0, 0xFFFF),
    (_RETURN, 0, 0, 0),
)
"""Ethernet takes CAN's ethertypes for lengths, and the frames for 802.2, or 802.3 if they begin ff ff."""


def cable_socket(interface: str) -> socket.socket:
    """Open it; what comes are ``struct can_frame`` and ``canfd_frame``."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _ADMIT_LENGTHS))
    program = struct.pack("HP", len(_ADMIT_LENGTHS), ctypes.addressof(code))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    opened.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    opened.bind((interface, _ALL_PROTOCOLS))
    return opened
