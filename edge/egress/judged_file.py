"""Counts the packets of a capture file as those of a live capture are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from edge.egress.capture_file import CaptureFile, FilePacket
from edge.egress.flows import FlowTable
from edge.egress.frame import Direction, Frame
from edge.egress.link_layer import unwrap
from edge.egress.packet import Unreadable

_ALL_INTERFACES = frozenset({"", "any"})


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a capture file says beside its packets.

    Attributes:
        name: of the file.
        packets: that were read.
        span_ns: Unix times from when to when it was captured; None if it does not say.
        lost: packets that the capture lost; None if the file does not say.
        doubts: why it may not hold all packets of its time.
        interfaces: that it speaks of.
    """

    name: str
    packets: int
    span_ns: tuple[int, int] | None
    lost: int | None
    doubts: tuple[str, ...]
    interfaces: tuple[str, ...]


def count_file(table: FlowTable, phase: str, stream: BinaryIO, name: str) -> FileFacts:
    """Count all packets of a capture file.

    Args:
        table: counts them.
        phase: to which they belong.
        stream: the file's bytes; what is no capture, or breaks off, is among the doubts.
        name: of the file, for the reader.
    """
    capture = CaptureFile(stream)
    interfaces: set[str] = set()
    for packet in capture:
        interfaces.add(_count(table, phase, packet))
    doubts = []
    if capture.broken:
        doubts.append(f"{name} {capture.broken}")
    if capture.filtered:
        doubts.append(f"{name} was captured through a filter: {capture.filtered}")
    if capture.unread_packets:
        doubts.append(f"{name} has {capture.unread_packets:,} packets in blocks of an outdated kind")
    return FileFacts(
        name,
        capture.packets,
        capture.span_ns,
        capture.lost,
        tuple(doubts),
        tuple(sorted(interfaces - {""})),
    )


def _count(table: FlowTable, phase: str, packet: FilePacket) -> str:
    """Count one packet; tells its interface, empty where it is not one that leads out."""
    inner = unwrap(packet.link_type, packet.data)
    if isinstance(inner, Unreadable):
        table.count_unreadable(phase, inner, packet.direction)
        return packet.interface
    if not inner.external:
        return ""
    interface = packet.interface
    if inner.interface and interface in _ALL_INTERFACES:
        interface = f"{interface or 'interface'} #{inner.interface}"
    direction = packet.direction if inner.direction is Direction.UNKNOWN else inner.direction
    table.add(
        phase,
        Frame(
            interface,
            direction,
            inner.ethertype,
            memoryview(packet.data)[inner.header :],
            max(0, packet.length - inner.header),
            packet.t_ns,
        ),
    )
    return interface


def union_s(spans: list[tuple[int, int]]) -> float:
    """How many seconds lie within at least one of some spans in nanoseconds."""
    total_ns, reached_ns = 0, 0
    for start_ns, end_ns in sorted(spans):
        begin_ns = max(start_ns, reached_ns)
        total_ns += max(0, end_ns - begin_ns)
        reached_ns = max(reached_ns, end_ns)
    return total_ns / 1_000_000_000
