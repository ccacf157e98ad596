"""CAN interfaces inside the virtual machine: made, set, and sent on as any program would."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CAN_RAW_ERR_FILTER = 2
"""Missing from Python's `socket` (linux/can/raw.h)."""

FD_MTU = 72
_CLASSIC, _FD = struct.Struct("=IBBBB8s"), struct.Struct("=IBBBB64s")


def ip_link(*words: str) -> None:
    """Have ``ip link`` do something."""
    done = subprocess.run(["ip", "link", *words], capture_output=True, text=True, check=False)
    assert not done.returncode, f"ip link {' '.join(words)}: {done.stderr}"


def link_of(interface: str) -> dict[str, Any]:
    """Return what ``ip`` tells of an interface."""
    done = subprocess.run(
        ["ip", "-details", "-json", "link", "show", interface], capture_output=True, check=True
    )
    link: dict[str, Any] = json.loads(done.stdout)[0]
    return link


@contextmanager
def virtual_bus(interface: str, *, mtu: int = FD_MTU) -> Iterator[str]:
    """Make a ``vcan`` interface, up; take it away in the end, unless it has gone already."""
    ip_link("add", interface, "type", "vcan")
    ip_link("set", interface, "mtu", str(mtu))
    ip_link("set", interface, "up")
    try:
        yield interface
    finally:
        if interface in (name for _, name in socket.if_nameindex()):
            ip_link("delete", interface)


def set_controller(interface: str, *settings: str) -> None:
    """Set a controller down, set it, and set it up."""
    ip_link("set", interface, "down")
    ip_link("set", interface, "type", "can", *settings)
    ip_link("set", interface, "up")


def raw_socket(interface: str, *, own: bool = False) -> socket.socket:
    """Open a raw CAN socket that takes all frames of an interface, and does not block."""
    opened = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
    opened.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_FD_FRAMES, 1)
    opened.setsockopt(socket.SOL_CAN_RAW, CAN_RAW_ERR_FILTER, socket.CAN_ERR_MASK)
    opened.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_RECV_OWN_MSGS, int(own))
    opened.bind((interface,))
    opened.setblocking(False)
    return opened


def classic_frame(can_id: int, data: bytes = b"") -> bytes:
    """Return ``struct can_frame``."""
    return _CLASSIC.pack(can_id, len(data), 0, 0, 0, data)


def fd_frame(can_id: int, data: bytes = b"", flags: int = 0) -> bytes:
    """Return ``struct canfd_frame``."""
    return _FD.pack(can_id, len(data), flags, 0, 0, data)
