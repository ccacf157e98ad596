"""Makes packets as they are on the wire, for the tests of the egress test."""

import contextlib
import ipaddress
import ssl
import struct
from collections.abc import Sequence

from edge.egress.frame import Direction, Frame
from edge.egress.packet import UNKNOWN_IP

VEHICLE = "10.77.0.1"
PLATFORM = "93.184.216.34"
ABROAD = "8.8.4.4"
VEHICLE6 = "2409:8900::1"
ABROAD6 = "2001:4860:4860::8888"


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def udp(source: int, destination: int, payload: bytes = b"") -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def tcp(source: int, destination: int, payload: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", source, destination, 1, 1, 5 << 4, 0x18, 64, 0, 0) + payload


def ipv4(
    source: str,
    destination: str,
    protocol: int,
    payload: bytes,
    *,
    hops: int = 64,
    options: bytes = b"",
    fragment: int = 0,
) -> bytes:
    words = 5 + len(options) // 4
    return (
        struct.pack("!BBHHHBBH", 0x40 | words, 0, words * 4 + len(payload), 1, fragment, hops, protocol, 0)
        + packed(source)
        + packed(destination)
        + options
        + payload
    )


def ipv6(source: str, destination: str, protocol: int, payload: bytes, *, hops: int = 64) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops)
    return head + packed(source) + packed(destination) + payload


def ip(source: str, destination: str, protocol: int, payload: bytes, *, hops: int = 64) -> bytes:
    make = ipv6 if ":" in source else ipv4
    return make(source, destination, protocol, payload, hops=hops)


def ethernet(packet: bytes) -> bytes:
    ethertype = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + struct.pack("!H", ethertype) + packet


def dns_name(name: str) -> bytes:
    return b"".join(bytes([len(one)]) + one.encode() for one in name.split(".")) + b"\0"


def dns_query(name: str) -> bytes:
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + dns_name(name) + struct.pack("!HH", 1, 1)


def dns_answer(name: str, addresses: Sequence[str], alias: str = "") -> bytes:
    """An answer that points back to the question's name; by way of an alias where one is given."""
    count = len(addresses) + bool(alias)
    message = struct.pack("!HHHHHH", 7, 0x8180, 1, count, 0, 0) + dns_name(name) + struct.pack("!HH", 1, 1)
    owner = b"\xc0\x0c"
    if alias:
        target = dns_name(alias)
        message += owner + struct.pack("!HHIH", 5, 1, 60, len(target))
        owner = struct.pack("!H", 0xC000 | len(message))
        message += target
    for address in addresses:
        value = packed(address)
        message += owner + struct.pack("!HHIH", 1 if len(value) == 4 else 28, 1, 60, len(value)) + value
    return message


def client_hello(name: str) -> bytes:
    """The first bytes of a real TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def frame(
    packet: bytes,
    direction: Direction = Direction.OUT,
    *,
    interface: str = "eth0",
    ethertype: int = UNKNOWN_IP,
    t_ns: int = 1_000_000_000,
) -> Frame:
    return Frame(interface, direction, ethertype, memoryview(packet), len(packet), t_ns)


def pcap(packets: Sequence[tuple[float, bytes]], *, link_type: int = 1, order: str = "<") -> bytes:
    """A file as tcpdump writes it."""
    head = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link_type)
    return head + b"".join(
        struct.pack(f"{order}IIII", int(t_s), round(t_s % 1 * 1e6), len(data), len(data)) + data
        for t_s, data in packets
    )
