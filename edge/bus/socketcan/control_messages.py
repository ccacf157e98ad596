"""Reads what the kernel says beside received datagrams (cmsg(3)): their stamps, and how many were dropped."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.clock import NS_PER_S

SO_RXQ_OVFL = 40
SO_TIMESTAMPNS_OLD, SO_TIMESTAMPING_OLD = 35, 37
SO_TIMESTAMPNS_NEW, SO_TIMESTAMPING_NEW = 64, 65
"""asm-generic/socket.h. The old forms carry times in two longs, the new ones always in two 64-bit words."""

LONG_BYTES = ctypes.sizeof(ctypes.c_size_t)
"""Bytes of a long on this machine: 8, or 4 on 32-bit ARM."""

_HEADERS = {4: struct.Struct("=Iii"), 8: struct.Struct("=Qii")}
_COUNT_BYTES = 4
_NEW = frozenset({SO_TIMESTAMPNS_NEW, SO_TIMESTAMPING_NEW})
_TIMES = {SO_TIMESTAMPNS_OLD: 1, SO_TIMESTAMPNS_NEW: 1, SO_TIMESTAMPING_OLD: 3, SO_TIMESTAMPING_NEW: 3}
"""Times in each: the software's alone, or the software's, an unused one, and the hardware's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What was said beside N datagrams.

    Attributes:
        software_ns: int64, when the kernel had it, Unix time in nanoseconds; 0 where that is not said.
        hardware_ns: int64, the controller's own stamp; 0 where there is none.
        dropped: uint32, datagrams that the socket had no room for until this one came, counted round 2**32.
    """

    software_ns: npt.NDArray[np.int64]
    hardware_ns: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One control message in a row: its place, that of its data, and its type; 0 for none to be read."""

    start: int
    data: int
    data_bytes: int
    type: int


def read_said(
    control: npt.NDArray[np.uint8], length: npt.NDArray[np.integer], *, long_bytes: int = LONG_BYTES
) -> Said:
    """Read the control messages of N datagrams.

    Once the options of a socket are set, the kernel lays all of them out alike. One row is walked, and all
    that have the same headers at the same places are read with it; rows that differ are walked in their
    turn, so that no layout is guessed.

    Args:
        control: shape (N, W), each row the control messages of one datagram; W is a multiple of `long_bytes`.
        length: bytes in use of each row.
        long_bytes: size of a long where these messages were made.
    """
    count = len(length)
    said = Said(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.uint32))
    control = np.ascontiguousarray(control)
    words = control.view(np.dtype(f"u{long_bytes}"))
    header_words = _HEADERS[long_bytes].size // long_bytes
    unread = np.ones(count, np.bool_)
    while unread.any():
        sample = int(unread.argmax())
        alike = unread & (length == length[sample])
        entries = tuple(_walk(control[sample].tobytes(), int(length[sample]), long_bytes))
        for entry in entries:
            first = entry.start // long_bytes
            for word in range(first, first + header_words):
                alike &= words[:, word] == words[sample, word]
        for entry in entries:
            _read(entry, control, alike, said, long_bytes)
        unread &= ~alike
    return said


def _walk(row: bytes, length: int, long_bytes: int) -> Iterator[_Entry]:
    """The control messages in one row, as ``CMSG_NXTHDR`` finds them, up to a header that cannot be one."""
    header = _HEADERS[long_bytes]
    length = min(length, len(row))
    start = 0
    while start + header.size <= length:
        size, level, kind = header.unpack_from(row, start)
        whole = header.size <= size <= length - start
        ours = whole and level == socket.SOL_SOCKET
        yield _Entry(start, start + header.size, size - header.size, kind if ours else 0)
        if not whole:
            return
        start += -(-size // long_bytes) * long_bytes


def _read(
    entry: _Entry, control: npt.NDArray[np.uint8], rows: npt.NDArray[np.bool_], said: Said, long_bytes: int
) -> None:
    if entry.type == SO_RXQ_OVFL and entry.data_bytes >= _COUNT_BYTES:
        found = control[rows, entry.data : entry.data + _COUNT_BYTES]
        said.dropped[rows] = np.ascontiguousarray(found).view(np.uint32)[:, 0]
    times = _TIMES.get(entry.type, 0)
    word_bytes = 8 if entry.type in _NEW else long_bytes
    time_bytes = times * 2 * word_bytes
    if not times or entry.data_bytes < time_bytes:
        return
    found = np.ascontiguousarray(control[rows, entry.data : entry.data + time_bytes])
    parts = found.view(np.dtype(f"i{word_bytes}")).astype(np.int64)
    said.software_ns[rows] = parts[:, 0] * NS_PER_S + parts[:, 1]
    if times > 1:
        said.hardware_ns[rows] = parts[:, 4] * NS_PER_S + parts[:, 5]
