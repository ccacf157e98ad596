"""python-can's own SocketCAN bus on a packet socket, for a kernel without CAN: one bus of a virtual cable.

Nothing but the making of the socket is the bench's: `recv` with its `select`, `recvmsg`, taking apart of the
frame, stamp and `Message` are python-can's (`SocketcanBus._recv_internal`, `capture_message`), unchanged. As
with CAN sockets each frame brings one control message, the stamp, and an address of which Python asks the
kernel for the interface's name.
"""

from __future__ import annotations

import socket

import can
from can import CanProtocol
from can.interfaces.socketcan import SocketcanBus

_ALL_PROTOCOLS = 0x0003
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_STAMP_NS = 35
"""``SO_TIMESTAMPNS`` (asm-generic/socket.h)."""


class PacketBus(SocketcanBus):
    """Receives what comes in on a link.

    Args:
        channel: the link.
        opened: a packet socket on it; one is opened without.
    """

    def __init__(self, channel: str, opened: socket.socket | None = None) -> None:
        self.socket = opened or socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.channel = channel
        self.channel_info = f"packets of '{channel}'"
        self._bcm_sockets: dict[str, socket.socket] = {}
        self._is_filtered = True
        self._task_id = 0
        self._can_protocol = CanProtocol.CAN_20
        self.socket.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, _STAMP_NS, 1)
        if opened is None:
            self.socket.bind((channel, _ALL_PROTOCOLS))
        can.BusABC.__init__(self, channel=channel)
        self._is_filtered = True
