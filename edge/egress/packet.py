"""Reads the headers of a packet, whatever the bytes are: from whom to whom, by which protocol; no I/O."""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import NamedTuple

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_PPPOE_DISCOVERY = 0x8863
ETHERTYPE_PPPOE_SESSION = 0x8864
LLC = 0x10000
"""Stands for frames of IEEE 802.2, which have a length where others have an EtherType."""

PPP_CONTROL = 0x10001
"""Stands for the control protocols of PPP, such as LCP and IPCP, once their frames are read."""

UNKNOWN_IP = 0x10002
"""In place of an EtherType: IP, the version being what its first four bits say."""

PPP = 0x10003
"""In place of an EtherType: PPP, from its protocol field on (RFC 1661)."""

TCP = 6
UDP = 17
ICMP = 1
ICMPV6 = 58

_FIRST_ETHERTYPE = 0x0600
_SHORTEST_IPV4 = 20
_IPV6_HEADER = 40
_VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
_MPLS = frozenset({0x8847, 0x8848})
_ENDLESS = 0x10004
_OPAQUE = frozenset({_ENDLESS, 0x880B, 0x6558, 0x6559, 0x88E5, 0x88E7, 0x894F})
_MOST_TAGS = 8
_MOST_EXTENSIONS = 16
_WITH_PORTS = frozenset({TCP, UDP, 33, 132, 136})
_ROUTING = 43
_FRAGMENT = 44
_AUTHENTICATION = 51
_EXTENSIONS = frozenset({0, _ROUTING, _FRAGMENT, _AUTHENTICATION, 60, 135, 139, 140})
_PPP_IPV4 = 0x0021
_PPP_IPV6 = 0x0057
_FIRST_PPP_CONTROL = 0x8000
_SOURCE_ROUTES = frozenset({131, 137})
_SNAP = b"\xaa\xaa\x03\x00\x00\x00"

_two = struct.Struct("!H").unpack_from
_ports = struct.Struct("!HH").unpack_from


class Unreadable(StrEnum):
    """Why the destination of a packet cannot be told."""

    SHORT = "cut short within its headers"
    MALFORMED = "malformed headers"
    FRAME = "frame that may hide another"
    LINK = "link layer of an unknown kind"


class Packet(NamedTuple):
    """What the headers of a packet say.

    Attributes:
        source: address, 4 or 16 bytes; empty in a frame that carries no IP.
        destination: likewise.
        protocol: of IP; above 255 the EtherType of a frame that carries no IP, or one of this module's names.
        source_port: None where the protocol has none, and in a fragment after the first.
        destination_port: likewise.
        hops: TTL or hop limit; 0 without IP.
        source_routed: the packet names further destinations, so that `destination` is not the last.
        payload: what follows the headers of TCP and UDP; empty for others.
    """

    source: bytes
    destination: bytes
    protocol: int
    source_port: int | None
    destination_port: int | None
    hops: int
    source_routed: bool
    payload: memoryview


_NOTHING = memoryview(b"")


def dissect(ethertype: int, data: memoryview) -> Packet | Unreadable:
    """Read the headers of one packet.

    Args:
        ethertype: what `data` is, as the frame says, or `UNKNOWN_IP` or `PPP`.
        data: from the network layer on; may be cut short behind the headers.

    Returns:
        Never raises: bytes that are no packet give the reason.
    """
    try:
        return _dissect(ethertype, data)
    except (struct.error, IndexError):
        return Unreadable.SHORT


def _dissect(ethertype: int, data: memoryview) -> Packet | Unreadable:
    ethertype, data = _untagged(ethertype, data)
    if ethertype in _OPAQUE:
        return Unreadable.FRAME
    if ethertype == UNKNOWN_IP:
        ethertype = ETHERTYPE_IPV4 if data[0] >> 4 == 4 else ETHERTYPE_IPV6  # noqa: PLR2004 - the version
    if ethertype == ETHERTYPE_IPV4:
        return _ipv4(data)
    if ethertype == ETHERTYPE_IPV6:
        return _ipv6(data)
    if ethertype == PPP:
        return _ppp(data)
    return _no_ip(LLC if ethertype < _FIRST_ETHERTYPE else ethertype)


def _untagged(ethertype: int, data: memoryview) -> tuple[int, memoryview]:
    """Take off what only carries the packet over its link; what never ends is opaque."""
    for _ in range(_MOST_TAGS):
        if ethertype in _VLAN_TAGS:
            (ethertype,) = _two(data, 2)
            data = data[4:]
        elif ethertype in _MPLS:
            # The last label has its lowest bit set (RFC 3032); what follows is taken for IP.
            ethertype, data = UNKNOWN_IP if data[2] & 1 else ethertype, data[4:]
        elif ethertype == ETHERTYPE_PPPOE_SESSION:
            ethertype, data = PPP, data[6:]
        elif ethertype < _FIRST_ETHERTYPE and data[:6] == _SNAP:
            (ethertype,) = _two(data, 6)
            data = data[8:]
        else:
            return ethertype, data
    return _ENDLESS, data


def _ppp(data: memoryview) -> Packet | Unreadable:
    if data[0] & 1:
        protocol, data = data[0], data[1:]
    else:
        (protocol,) = _two(data)
        data = data[2:]
    if protocol == _PPP_IPV4:
        return _ipv4(data)
    if protocol == _PPP_IPV6:
        return _ipv6(data)
    return _no_ip(PPP_CONTROL) if protocol >= _FIRST_PPP_CONTROL else Unreadable.FRAME


def _no_ip(protocol: int) -> Packet:
    return Packet(b"", b"", protocol, None, None, 0, source_routed=False, payload=_NOTHING)


def _ipv4(data: memoryview) -> Packet | Unreadable:
    header = (data[0] & 0x0F) * 4
    if data[0] >> 4 != 4 or header < _SHORTEST_IPV4:  # noqa: PLR2004 - the version's own number
        return Unreadable.MALFORMED
    if len(data) < _SHORTEST_IPV4:
        return Unreadable.SHORT
    protocol = data[9]
    source_port = destination_port = None
    payload = _NOTHING
    if not _two(data, 6)[0] & 0x1FFF and protocol in _WITH_PORTS:
        source_port, destination_port, payload = _transport(protocol, data[header:])
    return Packet(
        bytes(data[12:16]),
        bytes(data[16:20]),
        protocol,
        source_port,
        destination_port,
        data[8],
        header > _SHORTEST_IPV4 and _source_route(data[_SHORTEST_IPV4:header]),
        payload,
    )


def _source_route(options: memoryview) -> bool:
    """Whether the options of IPv4 hold a loose or a strict source route (RFC 791)."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind in _SOURCE_ROUTES:
            return True
        if kind == 0:
            return False
        if kind == 1:
            at += 1
        elif at + 1 < len(options) and options[at + 1] >= 2:  # noqa: PLR2004 - kind and length itself
            at += options[at + 1]
        else:
            return False
    return False


def _ipv6(data: memoryview) -> Packet | Unreadable:
    if data[0] >> 4 != 6:  # noqa: PLR2004 - the version's own number
        return Unreadable.MALFORMED
    if len(data) < _IPV6_HEADER:
        return Unreadable.SHORT
    protocol, at, source_routed = _extensions(data)
    source_port = destination_port = None
    payload = _NOTHING
    if protocol in _WITH_PORTS and at:
        source_port, destination_port, payload = _transport(protocol, data[at:])
    return Packet(
        bytes(data[8:24]),
        bytes(data[24:40]),
        protocol,
        source_port,
        destination_port,
        data[7],
        source_routed,
        payload,
    )


def _extensions(data: memoryview) -> tuple[int, int, bool]:
    """Walk the extension headers of IPv6, as far as they were captured.

    Returns:
        The protocol that follows them, where it begins (0 where that is in no part of this packet), and
        whether the packet has further to go than to its destination.
    """
    protocol, at, source_routed = data[6], _IPV6_HEADER, False
    for _ in range(_MOST_EXTENSIONS):
        header = data[at : at + 8]
        if protocol not in _EXTENSIONS:
            return protocol, at, source_routed
        if len(header) < 8:  # noqa: PLR2004 - the shortest header
            break
        if protocol == _FRAGMENT:
            if _two(header, 2)[0] & 0xFFF8:
                return header[0], 0, source_routed
            at += 8
        elif protocol == _AUTHENTICATION:
            at += (header[1] + 2) * 4
        else:
            source_routed = source_routed or (protocol == _ROUTING and header[3] > 0)
            at += (header[1] + 1) * 8
        protocol = header[0]
    return protocol, 0, source_routed


def _transport(protocol: int, data: memoryview) -> tuple[int | None, int | None, memoryview]:
    """Ports and payload; a packet cut short behind its addresses still has its destination."""
    if len(data) < 4:  # noqa: PLR2004 - two ports of two bytes
        return None, None, _NOTHING
    source, destination = _ports(data)
    if protocol == UDP:
        return source, destination, data[8:]
    if protocol == TCP and len(data) > 12:  # noqa: PLR2004 - where the length of the header stands
        return source, destination, data[(data[12] >> 4) * 4 :]
    return source, destination, _NOTHING
