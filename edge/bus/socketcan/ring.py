"""`RingReception`: frames out of a ring that the kernel shares with this process (packet(7), TPACKET_V3)."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from edge.bus.socketcan.kernel_frames import CLASSIC_PROTOCOL, FD_BYTES, FD_PROTOCOL, XL_PROTOCOL
from edge.bus.socketcan.reception import Cells, SharedReception
from edge.bus.socketcan.ring_block import STATUS_WORD
from edge.bus.socketcan.ring_cells import ring_cells

RING_BYTES = 8 << 20
"""Room for 73,000 classic or 49,000 FD frames."""
BLOCK_TIMEOUT_MS = 4
TAKE_BYTES = 1 << 22
"""What one batch holds at most: 36,000 classic frames."""

UNREAD = "unread when closed"
"""Frames that were in the ring when it was closed, told by `malformed` so that they are in the account."""

ARPHRD_CAN, ARPHRD_ETHER = 280, 1

_SIOCGIFHWADDR = 0x8927
_REQUEST = struct.Struct("=16sH22x")
"""``struct ifreq``: an interface's name, and of what kind its addresses are."""

_SOL_PACKET = 263
_RX_RING, _STATISTICS, _VERSION, _TIMESTAMP, _IGNORE_OUTGOING = 5, 6, 10, 17, 23
_TPACKET_V3 = 2
_ALL_PROTOCOLS = 0x0003
_UNUSED_PROTOCOL = 0x88B5
"""An ethertype for experiments (IEEE 802, 9.2.3), which no CAN interface carries."""
_OUTGOING = 4
_FRAME_BYTES = 128
"""Formally the size of a frame in the ring; only the kernel's check of the request looks at it."""

_SO_ATTACH_FILTER = 26
_SO_TIMESTAMPING = getattr(socket, "SO_TIMESTAMPING", 37)
_STAMP_ON_RECEPTION, _STAMP_BY_KERNEL = 1 << 3, 1 << 4
_STAMP_IN_CONTROLLER, _STAMP_BY_CONTROLLER = 1 << 2, 1 << 6

_LOAD_WORD, _LOAD_BYTE, _LOAD_HALF, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x30, 0x28, 0x15, 0x06
_ANCILLARY = 0xFFFFF000
_PROTOCOL, _PACKET_TYPE, _INTERFACE = _ANCILLARY, _ANCILLARY + 4, _ANCILLARY + 8
_LINK_HEAD_PROTOCOL = 0xFFE00000 + 12
"""Ethernet takes ethertypes below 1536 for lengths (IEEE 802.3, 3.2.6), so they are read from its head."""
_ADMIT_NOTHING = ((_RETURN, 0, 0, 0),)
_ADDRESS = struct.Struct("=HHi12x")
"""``struct sockaddr_ll``: family, protocol and number of the interface, 0 for all."""
INTERFACES_MAX = 200
"""The filter jumps over one step for each, and not over more than 255."""

_Step = tuple[int, int, int, int]

_LIBRARY = ctypes.CDLL(None, use_errno=True)

_TIMER_LATE_S = 0.002
"""How late the kernel's timer may be on a busy machine before a frame counts as late."""
_LAST_S = 1.0
"""At least so long the last, half filled block is waited for at the end: the kernel's timer hands it over."""


class RingReception(SharedReception):
    """A ring of blocks in memory of the kernel's, filled by it and emptied here.

    The kernel hands a block over when it is full or `block_timeout_ms` have passed. Frames of all kinds stand
    in one ring, in their true order. What other programs of this machine send is received as the interface
    echoes it, and is not told from what came from the bus. Only frames of CAN get in, from the first one on.
    An interface that goes down stays open here, and gives frames again as soon as it is up.

    Nothing is ever sent: the sockets are bound to receive, and hold no ring for sending.

    Frames of several interfaces stand in one ring in the order in which they came; `Cells.interface` tells
    them apart. The kernel then tells nothing of an interface that goes down or away, and where one comes back
    under another number, `admit` lets its frames in.

    Args:
        interfaces: their names, such as ``can0``. One that is down can be opened.
        ring_bytes: memory for frames that wait: 112 bytes a classic frame, 168 one of CAN FD.
        block_bytes: memory of a block, rounded up to pages; None: one page. At least 8 blocks are made.
        block_timeout_ms: after that time a block is handed over although it is not full; up to twice as long
            passes, since the kernel looks at times of its own. At most 4 in low latency.
        hardware_stamps: whether stamps are the controller's where its driver has them.
        any_link: whether an interface that is none of CAN will do, such as a virtual Ethernet pair, on which
            the kernel's structures of frames travel under the same ethertypes.

    Raises:
        OSError: ``EPERM`` without ``CAP_NET_RAW``; ``ENODEV`` without such an interface; ``ENOMEM``;
            ``EMEDIUMTYPE`` if an interface is none of CAN, or not of the kind of the others.
    """

    way = "ring"
    tells_local = False

    def __init__(
        self,
        *interfaces: str,
        ring_bytes: int = RING_BYTES,
        block_bytes: int | None = None,
        block_timeout_ms: int = BLOCK_TIMEOUT_MS,
        hardware_stamps: bool = False,
        any_link: bool = False,
    ) -> None:
        page = mmap.PAGESIZE
        block_bytes = -(-(block_bytes or page) // page) * page
        block_count = max(8, ring_bytes // block_bytes)
        self._timeout_s = block_timeout_ms / 1000
        self.lag_s = 2 * self._timeout_s + _TIMER_LATE_S
        self._block_count = block_count
        self._take_blocks = max(1, TAKE_BYTES // block_bytes)
        self._next = 0
        self._taken = self._packets = self._drops = self._told_drops = 0
        self._malformed: Counter[str] = Counter()
        self._down = self._finished = self._closed = False
        self._order = threading.Lock()
        self._order.acquire()
        with ExitStack() as stack:
            self._socket = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
            kinds = [self._kind_of(interface) for interface in interfaces]
            for interface, kind in zip(interfaces, kinds, strict=True):
                if (kind != ARPHRD_CAN and not any_link) or kind != kinds[0]:
                    raise OSError(errno.EMEDIUMTYPE, "is no CAN interface", interface)
            self._ethernet = kinds[0] == ARPHRD_ETHER
            self._several = len(interfaces) > 1
            self.admit(socket.if_nametoindex(interface) for interface in interfaces)
            self._ask_for_stamps(hardware_stamps)
            self._make_ring(block_bytes, block_count, block_timeout_ms)
            self._memory = mmap.mmap(self._socket.fileno(), block_bytes * block_count)
            stack.callback(self._unmap)
            self._memory.madvise(mmap.MADV_DONTDUMP)
            self._memory.madvise(mmap.MADV_DONTFORK)
            self._blocks = np.frombuffer(self._memory, np.uint8).reshape(block_count, block_bytes)
            self._status = self._blocks.view(np.uint32)[:, STATUS_WORD]
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLIN)
            self._listen(_ALL_PROTOCOLS, interfaces[0])
            stack.pop_all()

    def admit(self, interfaces: Iterable[int]) -> None:
        """See `SharedReception.admit`; a ring that is bound to one interface keeps to that."""
        self._attach(_frames_of(sorted(interfaces) if self._several else None, ethernet=self._ethernet))

    def fileno(self) -> int:
        """See `Reception.fileno`."""
        return self._socket.fileno()

    def take(self, timeout_s: float) -> Cells:
        """See `Reception.take`.

        Raises:
            OSError: ``ENETDOWN`` once when the interface goes down; taking may go on, and gives frames when
                it is up again. ``ENODEV`` when it does not exist any more.
        """
        ready = self._ready()
        if not ready:
            if self._finished:
                ready = self._last_ready()
            else:
                self._look_for_link()
                self._wait(timeout_s)
                ready = self._ready()
        self.drained = not ready
        if not ready:
            return Cells.none()
        self._down = False
        taken = 0
        parts = []
        while ready and taken < self._take_blocks:
            parts.append(self._handed_over(ready))
            taken += ready
            # Blocks behind the ring's end lie at its beginning, apart from those before it.
            ready = self._ready() if self._next == 0 else 0
        self.drained = not self._status[self._next] & 1
        return parts[0] if len(parts) == 1 else _joined(parts)

    def lost(self) -> int:
        """See `Reception.lost`."""
        if not self._closed:
            self._read_statistics()
        found = self._drops - self._told_drops
        self._told_drops = self._drops
        return found

    def malformed(self) -> Mapping[str, int]:
        """See `Reception.malformed`."""
        found, self._malformed = self._malformed, Counter()
        return found

    def finish(self) -> None:
        """See `Reception.finish`."""
        if self._finished:
            return
        self._finished = True
        self._attach(_ADMIT_NOTHING)
        with suppress(OSError):
            # To listen to another protocol, the kernel waits until no frame is on its way into the ring.
            self._listen(_UNUSED_PROTOCOL, self._socket.getsockname()[0])

    def close(self) -> None:
        """See `Reception.close`."""
        if not self._closed:
            self._read_statistics()
            if unread := self._packets - self._drops - self._taken:
                self._malformed[UNREAD] += unread
            self._closed = True
            self._unmap()
            self._socket.close()

    def _kind_of(self, interface: str) -> int:
        """Of what kind an interface is (linux/if_arp.h)."""
        request = _REQUEST.pack(interface.encode(), 0)
        return int(_REQUEST.unpack(fcntl.ioctl(self._socket, _SIOCGIFHWADDR, request))[1])

    def _listen(self, protocol: int, interface: str) -> None:
        """Take packets of a protocol from an interface, or from all where there are several."""
        if not self._several:
            self._socket.bind((interface, protocol))
            return
        # Python's own bind() takes no address without an interface.
        address = _ADDRESS.pack(socket.AF_PACKET, socket.htons(protocol), 0)
        if _LIBRARY.bind(self._socket.fileno(), address, len(address)):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def _attach(self, program: Sequence[_Step]) -> None:
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
        where = struct.pack("HP", len(program), ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)

    def _ask_for_stamps(self, hardware: bool) -> None:
        stamps = _STAMP_ON_RECEPTION | _STAMP_BY_KERNEL
        if hardware:
            stamps |= _STAMP_IN_CONTROLLER | _STAMP_BY_CONTROLLER
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, stamps)
        self._socket.setsockopt(_SOL_PACKET, _TIMESTAMP, _STAMP_BY_CONTROLLER if hardware else 0)

    def _make_ring(self, block_bytes: int, block_count: int, block_timeout_ms: int) -> None:
        self._socket.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        with suppress(OSError):
            # From Linux 4.20 on; before, the filter alone keeps them out.
            self._socket.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        frames = block_bytes // _FRAME_BYTES * block_count
        request = struct.pack("=7I", block_bytes, block_count, _FRAME_BYTES, frames, block_timeout_ms, 0, 0)
        self._socket.setsockopt(_SOL_PACKET, _RX_RING, request)

    def _ready(self) -> int:
        """How many blocks lie ready one behind the other, up to the ring's end and what one batch holds."""
        if not self._status[self._next] & 1:
            return 0
        ready = self._status[self._next : self._next + self._take_blocks] & 1
        first_not = int(ready.argmin())
        return first_not if not ready[first_not] else len(ready)

    def _handed_over(self, count: int) -> Cells:
        """Copy the frames of `count` blocks and give these back to the kernel."""
        end = self._next + count
        self._fence()
        cells, malformed = ring_cells(self._blocks[self._next : end], protocols=not self._ethernet)
        self._fence()
        self._status[self._next : end] = 0
        self._next = end % self._block_count
        self._malformed.update(malformed)
        self._taken += len(cells) + sum(malformed.values())
        return cells

    def _fence(self) -> None:
        """Let no reading of the ring move past another that the kernel orders by a block's status.

        Python has no memory barrier; to release a lock and to acquire it is one, on every processor.
        """
        self._order.release()
        self._order.acquire()

    def _wait(self, timeout_s: float) -> None:
        """Wait for a block.

        Raises:
            OSError: what the socket reports of its interface.
        """
        happened = self._poll.poll(max(0.0, timeout_s * 1000))
        if happened and happened[0][1] & select.POLLERR and not self._status[self._next] & 1:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._down = True
                self._look_for_link()
                raise OSError(code, os.strerror(code))

    def _look_for_link(self) -> None:
        """Find out whether an interface that went down has gone altogether.

        Raises:
            OSError: it has; the kernel then tells the socket no name.
        """
        if self._down and not self._socket.getsockname()[0]:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def _last_ready(self) -> int:
        """Wait for the block that the kernel was filling when the end came, if there are frames in it."""
        self._read_statistics()
        end_s = time.monotonic() + max(_LAST_S, 3 * self._timeout_s)
        while self._packets - self._drops > self._taken and time.monotonic() < end_s:
            self._poll.poll(self._timeout_s * 1000)
            if ready := self._ready():
                return ready
        return 0

    def _read_statistics(self) -> None:
        packets, drops, _ = struct.unpack("=3I", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12))
        self._packets += packets
        self._drops += drops

    def _unmap(self) -> None:
        """Give the memory back; nothing that was handed out refers to it."""
        self._blocks = np.empty((0, 0), np.uint8)
        self._status = np.empty(0, np.uint32)
        self._memory.close()


def _frames_of(interfaces: Sequence[int] | None, *, ethernet: bool) -> Sequence[_Step]:
    """The filter that lets received frames of CAN pass, of each as much as a frame of CAN FD has.

    Args:
        interfaces: those from which they come; None for any.
        ethernet: whether the ethertype stands in a head of Ethernet's.

    Raises:
        OSError: there are too many interfaces.
    """
    chosen = () if interfaces is None else interfaces
    if len(chosen) > INTERFACES_MAX:
        raise OSError(errno.E2BIG, "too many interfaces for one ring")
    if interfaces is not None and not chosen:
        return _ADMIT_NOTHING
    # Jumps count the steps between; behind the last comparison stand what admits and what refuses.
    onward = len(chosen) + 1 if chosen else 0
    refuse = onward + 1
    steps: list[_Step] = [
        (_LOAD_BYTE, 0, 0, _PACKET_TYPE),
        (_JUMP_IF_EQUAL, 4 + refuse, 0, _OUTGOING),
        (_LOAD_HALF, 0, 0, _LINK_HEAD_PROTOCOL if ethernet else _PROTOCOL),
        (_JUMP_IF_EQUAL, 2, 0, CLASSIC_PROTOCOL),
        (_JUMP_IF_EQUAL, 1, 0, FD_PROTOCOL),
        (_JUMP_IF_EQUAL, 0, refuse, XL_PROTOCOL),
    ]
    if chosen:
        steps.append((_LOAD_WORD, 0, 0, _INTERFACE))
        left = range(len(chosen) - 1, -1, -1)
        steps += [
            (_JUMP_IF_EQUAL, after, 0 if after else 1, number)
            for after, number in zip(left, chosen, strict=True)
        ]
    return (*steps, (_RETURN, 0, 0, FD_BYTES), (_RETURN, 0, 0, 0))


def _joined(parts: Sequence[Cells]) -> Cells:
    """Several runs of frames as one."""
    width = max(part.data.shape[1] for part in parts)
    columns: dict[str, npt.NDArray[np.generic]] = {
        column.name: np.concatenate([getattr(part, column.name) for part in parts])
        for column in fields(Cells)
        if column.name != "data"
    }
    data = [np.pad(part.data, ((0, 0), (0, width - part.data.shape[1]))) for part in parts]
    return Cells(**columns, data=np.concatenate(data))  # type: ignore[arg-type]
