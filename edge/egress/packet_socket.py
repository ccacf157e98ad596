"""`PacketSocket`: every packet of this machine's interfaces as it goes in or out (Linux, packet(7))."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import select
import socket
import struct
from collections.abc import Callable, Collection
from types import TracebackType
from typing import NamedTuple, Self

from edge.bus.receive_buffer import enlarge
from edge.clock import Clock
from edge.egress.frame import Frame
from edge.egress.link_layer import ARPHRD_CAN, ARPHRD_LOOPBACK, NOT_EXTERNAL, direction_of
from edge.errors import SourceError

SNAP_BYTES = 2048
"""What is read of a packet: its headers, and of the rest what an answer of DNS or a ClientHello needs."""

BUFFER_BYTES = 64 * 1024 * 1024

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_SO_ATTACH_FILTER = 26
_SIOCGIFHWADDR = 0x8927
_HARDWARE_TYPE = 0xFFFFF000 + 28
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_FILTER = (
    (_LOAD_WORD, 0, 0, _HARDWARE_TYPE),
    (_JUMP_EQUAL, 2, 0, ARPHRD_LOOPBACK),
    (_JUMP_EQUAL, 1, 0, ARPHRD_CAN),
    (_RETURN, 0, 0, 0xFFFFFFFF),
    (_RETURN, 0, 0, 0),
)
"""What is neither a loopback nor a CAN interface's passes: by those nothing leaves the vehicle."""


class LinkAddress(NamedTuple):
    """What the kernel says of the link layer of a packet.

    Attributes:
        interface: its name.
        protocol: EtherType.
        packet_type: see packet(7).
        hardware: kind of interface, ``ARPHRD_``.
        address: of whoever sent it.
    """

    interface: str
    protocol: int
    packet_type: int
    hardware: int
    address: bytes


Take = Callable[[Frame, LinkAddress], None]


class PacketSocket:
    """Reads the packets of all interfaces, or of some, also of those that appear later.

    Args:
        clock: stamps packets.
        interfaces: only these; empty for all.
        buffer_bytes: what the kernel may keep until it is read.

    Raises:
        SourceError: without the right to.
    """

    def __init__(
        self, clock: Clock, interfaces: Collection[str] = (), *, buffer_bytes: int = BUFFER_BYTES
    ) -> None:
        self._clock = clock
        self._interfaces = frozenset(interfaces)
        self._buffer = bytearray(SNAP_BYTES)
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        except PermissionError as fault:
            raise SourceError(
                "no right to capture packets",
                todo="Run it as root or with CAP_NET_RAW, or judge a capture made elsewhere with --pcap",
            ) from fault
        try:
            self._socket.setblocking(False)
            enlarge(self._socket, buffer_bytes)
            self._attach_filter()
            self._forget()
        except OSError as fault:
            self._socket.close()
            raise SourceError(f"packets cannot be captured ({fault.strerror or fault})") from fault
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Of the socket, so that it can be waited for together with others."""
        return self._socket.fileno()

    def interfaces(self) -> frozenset[str]:
        """Those that are there now, can lead out of the vehicle, and are read."""
        names = {name for _, name in socket.if_nameindex() if self._is_external(name)}
        return frozenset(names & self._interfaces if self._interfaces else names)

    def _is_external(self, name: str) -> bool:
        try:
            answer = fcntl.ioctl(self._socket, _SIOCGIFHWADDR, struct.pack("16s24x", name.encode()))
        except OSError:
            return False
        return struct.unpack_from("=H", answer, 16)[0] not in NOT_EXTERNAL

    def lost(self) -> int:
        """How many packets the kernel had no room for, since the last call."""
        return self._statistics()[1]

    def read(self, timeout_s: float, take: Take, *, most: int = 1024) -> int:
        """Hand packets to `take`, waiting for the first.

        Args:
            timeout_s: how long.
            take: gets each packet; its data are valid only until it returns.
            most: hand out no more.

        Returns:
            How many packets were read, those of other interfaces included.

        Raises:
            SourceError: the capture cannot go on.
        """
        if not self._poll.poll(max(0.0, timeout_s) * 1000):
            return 0
        t_ns = self._clock.wall_ns()
        view = memoryview(self._buffer)
        for count in range(most):
            try:
                # MSG_TRUNC: the length on the wire, of which no more than the buffer takes is copied.
                length, address = self._socket.recvfrom_into(view, 0, socket.MSG_TRUNC)
            except BlockingIOError:
                return count
            except OSError as fault:
                if fault.errno == errno.ENETDOWN:
                    continue
                raise SourceError(f"the capture broke off ({fault.strerror or fault})") from fault
            link = LinkAddress(*address)
            if self._interfaces and link.interface not in self._interfaces:
                continue
            take(
                Frame(
                    link.interface,
                    direction_of(link.packet_type),
                    link.protocol,
                    view[: min(length, SNAP_BYTES)],
                    length,
                    t_ns,
                ),
                link,
            )
        return most

    def _statistics(self) -> tuple[int, int]:
        """Packets that came in, those lost included, and those lost, since the last call."""
        came, lost = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return came, lost

    def _forget(self) -> None:
        """Discard what came in before the filter was there, for it may be of the wrong kind."""
        came, lost = self._statistics()
        for _ in range(came - lost):
            self._socket.recv_into(self._buffer)

    def _attach_filter(self) -> None:
        code = b"".join(struct.pack("=HBBI", *one) for one in _FILTER)
        held = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("@HP", len(_FILTER), ctypes.addressof(held))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
