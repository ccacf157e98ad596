"""Reads capture files, pcap and pcapng, packet by packet in bounded memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from edge.egress.frame import Direction

_NS_PER_S = 1_000_000_000
_EARLIEST_NS = 946_684_800 * _NS_PER_S
_LATEST_NS = 4_102_444_800 * _NS_PER_S
_PCAP_MAGIC = 0xA1B2C3D4
_PCAP_NS_MAGIC = 0xA1B23C4D
_PCAPNG_MAGIC = 0x0A0D0D0A
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_LONGEST_PACKET = 1 << 20
_LONGEST_BLOCK = 1 << 24
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _STATISTICS, _PACKET = 1, 2, 3, 5, 6
_OPTION_NAME, _OPTION_RESOLUTION, _OPTION_FILTER, _OPTION_OFFSET = 2, 9, 11, 14
_OPTION_FLAGS = 2
_OPTION_START, _OPTION_END, _OPTION_DROPPED, _OPTION_DROPPED_BY_SYSTEM = 2, 3, 5, 7
_DIRECTIONS = (Direction.UNKNOWN, Direction.IN, Direction.OUT, Direction.UNKNOWN)


class FilePacket(NamedTuple):
    """One packet of a capture file.

    Attributes:
        interface: as the file names it; empty where it does not.
        link_type: see `edge.egress.link_layer.unwrap`.
        direction: as the file says it.
        t_ns: Unix time in nanoseconds.
        length: bytes on the wire, link layer included.
        data: the packet, perhaps cut short.
    """

    interface: str
    link_type: int
    direction: Direction
    t_ns: int
    length: int
    data: bytes


@dataclass(slots=True)
class _Interface:
    """What a pcapng section says of one of its interfaces."""

    name: str
    link_type: int
    snap: int
    ticks_per_s: int = 1_000_000
    offset_s: int = 0
    start: int | None = None
    end: int | None = None
    dropped: int | None = None

    def ns(self, ticks: int) -> int:
        """Unix time in nanoseconds."""
        return self.offset_s * _NS_PER_S + ticks * _NS_PER_S // self.ticks_per_s

    def span_ns(self) -> tuple[int, int] | None:
        """From when to when it was captured, by its statistics; None where those make no sense.

        dumpcap writes these times in microseconds, whatever resolution the interface has.
        """
        if self.start is None or self.end is None:
            return None
        for start_ns, end_ns in (
            (self.ns(self.start), self.ns(self.end)),
            (self.start * 1000, self.end * 1000),
        ):
            if _EARLIEST_NS <= start_ns <= end_ns < _LATEST_NS:
                return start_ns, end_ns
        return None


class CaptureFile:
    """One capture file; iterate over it once, then ask for the rest.

    Args:
        stream: the file's bytes.

    Attributes:
        packets: how many were read.
        broken: what is wrong with the file and where; empty if it could be read to its end.
        filtered: the filter that it was captured with; empty if it names none.
        unread_packets: packets in blocks of a kind that is not read.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._at = 0
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._closed: list[_Interface] = []
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self.packets = 0
        self.broken = ""
        self.filtered = ""
        self.unread_packets = 0

    def __iter__(self) -> Iterator[FilePacket]:
        try:
            for packet in self._packets():
                self.packets += 1
                if packet.t_ns:
                    first, last = self._first_ns, self._last_ns
                    self._first_ns = packet.t_ns if first is None else min(first, packet.t_ns)
                    self._last_ns = packet.t_ns if last is None else max(last, packet.t_ns)
                yield packet
        except _BrokenError as fault:
            self.broken = f"{fault} at byte {self._at:,}"
        except struct.error:
            self.broken = f"is damaged at byte {self._at:,}"

    @property
    def span_ns(self) -> tuple[int, int] | None:
        """From when to when it was captured: by its statistics, else by its packets; None if neither says."""
        spans = [one.span_ns() for one in (*self._closed, *self._interfaces)]
        if self._first_ns is not None and self._last_ns is not None:
            spans.append((self._first_ns, self._last_ns))
        known = [one for one in spans if one is not None]
        return (min(start for start, _ in known), max(end for _, end in known)) if known else None

    @property
    def lost(self) -> int | None:
        """How many packets the capture lost; None where the file does not say it of every interface."""
        found = [one.dropped for one in (*self._closed, *self._interfaces)]
        known = [one for one in found if one is not None]
        return sum(known) if found and (len(known) == len(found) or any(known)) else None

    def _packets(self) -> Iterator[FilePacket]:
        head = self._stream.read(4)
        if len(head) < 4:  # noqa: PLR2004 - a magic number's bytes
            raise _BrokenError("is empty" if not head else "is no capture file")
        (little,) = struct.unpack("<I", head)
        (big,) = struct.unpack(">I", head)
        if little == _PCAPNG_MAGIC:
            yield from self._pcapng(head)
        elif little in {_PCAP_MAGIC, _PCAP_NS_MAGIC}:
            yield from self._pcap("<", little)
        elif big in {_PCAP_MAGIC, _PCAP_NS_MAGIC}:
            yield from self._pcap(">", big)
        else:
            raise _BrokenError("is neither pcap nor pcapng")

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise _BrokenError("breaks off")
        self._at += size
        return data

    def _pcap(self, order: str, magic: int) -> Iterator[FilePacket]:
        self._at = 4
        tick_ns = 1 if magic == _PCAP_NS_MAGIC else 1000
        (link_type,) = struct.unpack(f"{order}16xI", self._take(20))
        header = struct.Struct(f"{order}IIII")
        while True:
            head = self._stream.read(header.size)
            if not head:
                return
            if len(head) < header.size:
                raise _BrokenError("breaks off")
            seconds, fraction, kept, length = header.unpack(head)
            if kept > _LONGEST_PACKET:
                raise _BrokenError("is damaged")
            self._at += header.size
            t_ns = seconds * _NS_PER_S + fraction * tick_ns
            yield FilePacket("", link_type & 0xFFFF, Direction.UNKNOWN, t_ns, length, self._take(kept))

    def _pcapng(self, head: bytes) -> Iterator[FilePacket]:
        while head:
            if len(head) < 4:  # noqa: PLR2004 - a block's type
                raise _BrokenError("breaks off")
            if struct.unpack("<I", head)[0] == _PCAPNG_MAGIC:
                self._section()
            else:
                (kind,) = struct.unpack(f"{self._order}I", head)
                packet = self._block(kind, self._body(self._take(4)))
                if packet is not None:
                    yield packet
            head = self._stream.read(4)

    def _section(self) -> None:
        """Begin a section, whose byte order its header tells."""
        size, magic = self._take(4), self._take(4)
        orders = [one for one in "<>" if struct.unpack(f"{one}I", magic)[0] == _BYTE_ORDER_MAGIC]
        if not orders:
            raise _BrokenError("is damaged")
        self._order = orders[0]
        self._closed += self._interfaces
        self._interfaces = []
        self._body(size, had=4)

    def _body(self, size: bytes, had: int = 0) -> bytes:
        """What is between the head of a block and its end."""
        (length,) = struct.unpack(f"{self._order}I", size)
        if length < 12 + had or length % 4 or length > _LONGEST_BLOCK:
            raise _BrokenError("is damaged")
        body = self._take(length - 12 - had)
        if self._take(4) != size:
            raise _BrokenError("is damaged")
        self._at += 4
        return body

    def _block(self, kind: int, body: bytes) -> FilePacket | None:
        if kind == _PACKET:
            return self._packet(body)
        if kind == _INTERFACE:
            self._interface(body)
        elif kind == _STATISTICS:
            self._statistics(body)
        elif kind == _SIMPLE_PACKET:
            return self._simple_packet(body)
        elif kind == _OLD_PACKET:
            self.unread_packets += 1
        return None

    def _interface(self, body: bytes) -> None:
        link_type, _, snap = struct.unpack_from(f"{self._order}HHI", body)
        found = _Interface("", link_type, snap)
        for kind, value in self._options(body, 8):
            if kind == _OPTION_NAME:
                found.name = _shown(value)
            elif kind == _OPTION_RESOLUTION and value:
                power = value[0] & 0x7F
                found.ticks_per_s = 2**power if value[0] & 0x80 else 10 ** min(power, 30)
            elif kind == _OPTION_OFFSET and len(value) == 8:  # noqa: PLR2004 - a 64-bit number
                (found.offset_s,) = struct.unpack(f"{self._order}q", value)
            elif kind == _OPTION_FILTER and value[1:]:
                self.filtered = _shown(value[1:])
        self._interfaces.append(found)

    def _of(self, number: int) -> _Interface:
        if number >= len(self._interfaces):
            raise _BrokenError("names an interface that it does not describe")
        return self._interfaces[number]

    def _packet(self, body: bytes) -> FilePacket:
        number, high, low, kept, length = struct.unpack_from(f"{self._order}IIIII", body)
        one = self._of(number)
        data = body[20 : 20 + kept]
        if len(data) < kept:
            raise _BrokenError("is damaged")
        direction = Direction.UNKNOWN
        for kind, value in self._options(body, 20 + (kept + 3) // 4 * 4):
            if kind == _OPTION_FLAGS and len(value) == 4:  # noqa: PLR2004 - a 32-bit number
                direction = _DIRECTIONS[struct.unpack(f"{self._order}I", value)[0] & 3]
        return FilePacket(one.name, one.link_type, direction, one.ns(high << 32 | low), length, data)

    def _simple_packet(self, body: bytes) -> FilePacket:
        (length,) = struct.unpack_from(f"{self._order}I", body)
        one = self._of(0)
        data = body[4 : 4 + min(length, one.snap or length)]
        return FilePacket(one.name, one.link_type, Direction.UNKNOWN, 0, length, data)

    def _statistics(self, body: bytes) -> None:
        number, _, _ = struct.unpack_from(f"{self._order}III", body)
        one = self._of(number)
        dropped: int | None = None
        for kind, value in self._options(body, 12):
            if len(value) != 8:  # noqa: PLR2004 - all that are wanted are 64-bit numbers
                continue
            if kind in {_OPTION_START, _OPTION_END}:
                high, low = struct.unpack(f"{self._order}II", value)
                if kind == _OPTION_START:
                    one.start = high << 32 | low
                else:
                    one.end = high << 32 | low
            elif kind in {_OPTION_DROPPED, _OPTION_DROPPED_BY_SYSTEM}:
                dropped = (dropped or 0) + struct.unpack(f"{self._order}Q", value)[0]
        if dropped is not None:
            one.dropped = dropped

    def _options(self, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= len(body):
            kind, length = struct.unpack_from(f"{self._order}HH", body, at)
            if kind == 0:
                return
            yield kind, body[at + 4 : at + 4 + length]
            at += 4 + (length + 3) // 4 * 4


def _shown(value: bytes) -> str:
    """A text of the file, with nothing in it that a terminal would obey."""
    text = value.decode("utf-8", "backslashreplace").rstrip("\0")
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)


class _BrokenError(Exception):
    """The file cannot be read on."""
