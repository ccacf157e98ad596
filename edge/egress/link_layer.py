"""Takes the link layer off packets of capture files: what follows, and which way they went; without I/O."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from edge.egress.frame import Direction
from edge.egress.packet import ETHERTYPE_PPPOE_SESSION, PPP, UNKNOWN_IP, Unreadable

LINUX_SLL2 = 276
"""The link type of our own captures (LINKTYPE_LINUX_SLL2)."""

ARPHRD_CAN = 280
ARPHRD_LOOPBACK = 772
NOT_EXTERNAL = frozenset({ARPHRD_CAN, ARPHRD_LOOPBACK})
"""Kinds of interface, as Linux numbers them, by which nothing leaves the vehicle."""

_DIRECTIONS: Mapping[int, Direction] = MappingProxyType(
    {0: Direction.IN, 1: Direction.IN, 2: Direction.IN, 3: Direction.UNKNOWN, 4: Direction.OUT}
)
"""By Linux's packet type (packet(7)): to this host, broadcast, multicast, to another host, outgoing."""

_HDLC_ADDRESS = b"\xff\x03"


def direction_of(packet_type: int) -> Direction:
    """Which way a packet went, by Linux's packet type."""
    return _DIRECTIONS.get(packet_type, Direction.UNKNOWN)


class Inner(NamedTuple):
    """What was inside a link layer's frame.

    Attributes:
        direction: as the link layer says it.
        ethertype: see `edge.egress.frame.Frame`.
        header: bytes of the link layer before it.
        interface: number of the interface; 0 where the link layer does not say.
        external: whether the interface is one by which something could leave the vehicle.
    """

    direction: Direction
    ethertype: int
    header: int
    interface: int = 0
    external: bool = True


def _ethernet(data: bytes) -> Inner:
    return Inner(Direction.UNKNOWN, struct.unpack_from("!H", data, 12)[0], 14)


def _sll(data: bytes) -> Inner:
    packet_type, hardware, _, _, protocol = struct.unpack_from("!HHH8sH", data)
    return Inner(direction_of(packet_type), protocol, 16, external=hardware not in NOT_EXTERNAL)


def _sll2(data: bytes) -> Inner:
    protocol, _, interface, hardware, packet_type, _, _ = struct.unpack_from("!HHIHBB8s", data)
    return Inner(direction_of(packet_type), protocol, 20, interface, hardware not in NOT_EXTERNAL)


def _ip(data: bytes) -> Inner:
    del data
    return Inner(Direction.UNKNOWN, UNKNOWN_IP, 0)


def _after_family(data: bytes) -> Inner:
    del data
    return Inner(Direction.UNKNOWN, UNKNOWN_IP, 4)


def _ppp(data: bytes) -> Inner:
    return Inner(Direction.UNKNOWN, PPP, 2 if data[:2] == _HDLC_ADDRESS else 0)


def _pppoe(data: bytes) -> Inner:
    del data
    return Inner(Direction.UNKNOWN, ETHERTYPE_PPPOE_SESSION, 0)


_KINDS: Mapping[int, Callable[[bytes], Inner]] = MappingProxyType(
    {
        0: _after_family,
        1: _ethernet,
        9: _ppp,
        12: _ip,
        14: _ip,
        50: _ppp,
        51: _pppoe,
        101: _ip,
        108: _after_family,
        113: _sll,
        228: _ip,
        229: _ip,
        LINUX_SLL2: _sll2,
    }
)
"""By link type, as https://www.tcpdump.org/linktypes.html numbers them."""


def unwrap(link_type: int, data: bytes) -> Inner | Unreadable:
    """Take the link layer off one packet; never raises.

    Args:
        link_type: of the capture, such as 1 for Ethernet.
        data: the packet as the file has it.
    """
    kind = _KINDS.get(link_type)
    if kind is None:
        return Unreadable.LINK
    try:
        return kind(data)
    except (struct.error, IndexError):
        return Unreadable.SHORT
