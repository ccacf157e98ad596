"""`RawReception`: frames of one interface by a raw CAN socket, many in one call of the system."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from edge.bus.receive_buffer import dropped, enlarge
from edge.bus.socketcan import kernel_frames
from edge.bus.socketcan.control_messages import (
    LONG_BYTES,
    SO_RXQ_OVFL,
    SO_TIMESTAMPING_NEW,
    SO_TIMESTAMPING_OLD,
    SO_TIMESTAMPNS_NEW,
    SO_TIMESTAMPNS_OLD,
    Said,
    read_said,
)
from edge.bus.socketcan.message_vectors import MessageVector, Received
from edge.bus.socketcan.reception import Bools, Cells, Reception

FRAMES_AT_ONCE = 4096
BUFFER_BYTES = 32 << 20
"""Asked of the kernel, which doubles it for what it keeps beside the frames."""

SOFTWARE, HARDWARE, NO_STAMPS = "software", "hardware", "none"

HARDWARE_APART_MAX_NS = 100_000_000
"""A controller's stamp further from the kernel's is of a clock that nobody has set, and is not taken."""

CAN_RAW_ERR_FILTER, CAN_RAW_XL_FRAMES = 2, 7
ALL_ERRORS = 0x1FFFFFFF
XL_MARK_AT, XL_MARK = 4, 0x80
"""``CANXL_XLF``: where other frames have their length, which never has that bit (linux/can.h)."""

SO_ATTACH_FILTER = 26
_CONTROL_BYTES = 128
_ADMIT_NOTHING = struct.pack("=HBBI", 0x06, 0, 0, 0)
"""``return 0``: a socket filter that nothing passes, nor is counted as dropped (linux/filter.h)."""
_TIMESTAMPING_SOFTWARE = 0x08 | 0x10
_TIMESTAMPING_HARDWARE = 0x04 | 0x40
"""``SOF_TIMESTAMPING_…``: made on receiving, and told (linux/net_tstamp.h)."""

_LOCAL_OR_OWN = socket.MSG_DONTROUTE | socket.MSG_CONFIRM
_WRAP = 0xFFFFFFFF
_ATTEMPTS = 2


class RawReception(Reception):
    """A raw CAN socket, emptied with recvmmsg(2) into memory that is kept.

    No right is needed for it, but ``CAP_NET_ADMIN`` for a buffer beyond ``net.core.rmem_max``. All frames
    come: classic, CAN FD, error frames of every class, those that other programs of this machine send
    (marked `local`). Frames of CAN XL are asked for so that they can be counted.

    Args:
        opened: the socket; it is closed with this. Any of datagrams that are frames of the kernel will do.
        hardware_stamps: whether the controller's stamps are wanted where it has them.
        buffer_bytes: how large a receive buffer is asked for.
        frames_at_once: how many frames one taking may bring.
        ask_for_drops: whether the kernel may be asked what it has dropped. Linux before 4.12 cannot be; it
            says so beside the next frame only, so that a loss at the end is not known until one comes.

    Attributes:
        stamps: whose stamps were asked for: ``software``, ``hardware`` (where a frame has one, else the
            kernel's) or ``none``: the kernel gives none.
        buffer_bytes: how large the receive buffer became, by the kernel's own reckoning, which counts what it
            keeps beside each frame too.
    """

    way = "raw"
    tells_local = True

    def __init__(
        self,
        opened: socket.socket,
        *,
        hardware_stamps: bool = False,
        buffer_bytes: int = BUFFER_BYTES,
        frames_at_once: int = FRAMES_AT_ONCE,
        ask_for_drops: bool = True,
    ) -> None:
        self._socket = opened
        opened.setblocking(False)
        self.buffer_bytes = enlarge(opened, buffer_bytes)
        self.stamps = _ask_for_stamps(opened, hardware=hardware_stamps)
        self._hardware = self.stamps == HARDWARE
        self._asks = ask_for_drops and dropped(opened) is not None
        if not self._asks:
            with suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        self._vector = MessageVector(frames_at_once, kernel_frames.FD_BYTES, _CONTROL_BYTES)
        self._poll = select.poll()
        self._poll.register(opened, select.POLLIN)
        self._failure: OSError | None = None
        self._full = False
        self._dropped = (dropped(opened) or 0) if self._asks else 0
        self._told = self._dropped
        self._malformed: Counter[str] = Counter()

    @classmethod
    def open(
        cls, channel: str, *, hardware_stamps: bool = False, buffer_bytes: int = BUFFER_BYTES
    ) -> RawReception:
        """Open an interface such as ``can0``.

        Raises:
            OSError: ``EAFNOSUPPORT`` the kernel has no CAN, ``ENODEV`` there is no such interface, or it is
                none of CAN.
        """
        opened = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
        try:
            opened.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_RECV_OWN_MSGS, 0)
            opened.setsockopt(socket.SOL_CAN_RAW, CAN_RAW_ERR_FILTER, struct.pack("=I", ALL_ERRORS))
            opened.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_FD_FRAMES, 1)
            with suppress(OSError):
                opened.setsockopt(socket.SOL_CAN_RAW, CAN_RAW_XL_FRAMES, 1)
            reception = cls(opened, hardware_stamps=hardware_stamps, buffer_bytes=buffer_bytes)
            # Last: no frame comes before, so that each has been stamped and counted from the first one on.
            opened.bind((channel,))
        except BaseException:
            opened.close()
            raise
        return reception

    def fileno(self) -> int:
        """See `Reception.fileno`."""
        return self._socket.fileno()

    def take(self, timeout_s: float) -> Cells:
        """See `Reception.take`."""
        if self._failure is None and timeout_s > 0:
            self._poll.poll(timeout_s * 1000)
        count = self._receive() if self._failure is None or self._full else 0
        self._full = count == self._vector.count
        self.drained = not self._full
        if not count:
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            return Cells.none()
        cells, said, malformed = decode(self._vector.received(count), hardware=self._hardware)
        self._malformed.update(malformed)
        if not self._asks:
            self._dropped = int(said.dropped[-1])
        return cells

    def lost(self) -> int:
        """See `Reception.lost`; exact, and known at once where the kernel can be asked."""
        self._ask()
        lost = (self._dropped - self._told) & _WRAP
        self._told = self._dropped
        return lost

    def malformed(self) -> Mapping[str, int]:
        """See `Reception.malformed`."""
        malformed, self._malformed = self._malformed, Counter()
        return malformed

    def finish(self) -> None:
        """See `Reception.finish`."""
        program = ctypes.create_string_buffer(_ADMIT_NOTHING)
        where = struct.pack("HP", 1, ctypes.addressof(program))
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, where)

    def close(self) -> None:
        """See `Reception.close`; what was lost until now can still be asked for."""
        self._ask()
        self._socket.close()

    def _ask(self) -> None:
        if self._asks and self._socket.fileno() >= 0:
            count = dropped(self._socket)
            self._dropped = self._dropped if count is None else count

    def _receive(self) -> int:
        """Fill the vector; a failure is kept until what the socket still holds was taken.

        A socket tells that its interface has gone before it hands out what had come until then.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._vector.receive(self._socket.fileno())
            except OSError as error:
                self._failure = error
        return 0


def decode(
    received: Received, *, hardware: bool, long_bytes: int = LONG_BYTES
) -> tuple[Cells, Said, Mapping[str, int]]:
    """Read datagrams as frames.

    Args:
        received: what a raw CAN socket gave.
        hardware: whether a controller's stamp is taken where it is near the kernel's.
        long_bytes: size of a long where the control messages were made.

    Returns:
        The frames, what was said beside each datagram, and datagrams that are no frames, by cause.
    """
    said = read_said(received.control, received.control_length, long_bytes=long_bytes)
    wall_ns, by_hardware = said.software_ns, np.zeros(len(received), np.bool_)
    if hardware:
        near = np.abs(said.hardware_ns - said.software_ns) <= HARDWARE_APART_MAX_NS
        by_hardware = (said.hardware_ns != 0) & (near | (said.software_ns == 0))
        wall_ns = np.where(by_hardware, said.hardware_ns, said.software_ns)
    size = np.where((received.flags & socket.MSG_TRUNC) != 0, np.uint32(0), received.length)
    cells, malformed = kernel_frames.cells_of(
        received.payload,
        size,
        wall_ns=wall_ns,
        hardware=by_hardware,
        local=(received.flags & _LOCAL_OR_OWN) != 0,
        protocol=_protocols(received, size),
    )
    return cells, said, malformed


def _protocols(received: Received, size: npt.NDArray[np.integer]) -> npt.NDArray[np.uint16] | None:
    """Which frames are of CAN XL: by their size they could be others; None if none is."""
    xl: Bools = ((received.payload[:, XL_MARK_AT] & XL_MARK) != 0) & (received.length > XL_MARK_AT)
    if not xl.any():
        return None
    other = np.where(
        size == kernel_frames.FD_BYTES, kernel_frames.FD_PROTOCOL, kernel_frames.CLASSIC_PROTOCOL
    )
    return np.where(xl, kernel_frames.XL_PROTOCOL, other).astype(np.uint16)


def _ask_for_stamps(opened: socket.socket, *, hardware: bool) -> str:
    """Have the kernel stamp frames, with its finest way that it knows; tell which."""
    wanted = _TIMESTAMPING_SOFTWARE | (_TIMESTAMPING_HARDWARE if hardware else 0)
    choices = (
        (SO_TIMESTAMPING_NEW, wanted),
        (SO_TIMESTAMPING_OLD, wanted),
        (SO_TIMESTAMPNS_NEW, 1),
        (SO_TIMESTAMPNS_OLD, 1),
    )
    for option, value in choices:
        with suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, option, value)
            return HARDWARE if hardware and value == wanted else SOFTWARE
    return NO_STAMPS
