"""`MessageVector`: many datagrams of a socket in one call, recvmmsg(2), into memory that is kept."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LIBC = ctypes.CDLL(None, use_errno=True)
_NOTHING = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})


class _IoVector(ctypes.Structure):
    """``struct iovec`` (recvmsg(2))."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _MessageHeader(ctypes.Structure):
    """``struct msghdr`` (recvmsg(2))."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.c_void_p),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _ManyMessageHeader(ctypes.Structure):
    """``struct mmsghdr`` (recvmmsg(2))."""

    _fields_ = (("header", _MessageHeader), ("length", ctypes.c_uint))


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """N datagrams, as views of memory that the next receiving overwrites.

    Attributes:
        payload: uint8 of shape (N, W); past `length` stands what earlier datagrams left.
        length: uint32, bytes received of each.
        flags: int32, ``msg_flags``.
        control: uint8 of shape (N, C), control messages.
        control_length: uint of a pointer's size, bytes of them in use.
    """

    payload: npt.NDArray[np.uint8]
    length: npt.NDArray[np.uint32]
    flags: npt.NDArray[np.int32]
    control: npt.NDArray[np.uint8]
    control_length: npt.NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.length)


class MessageVector:
    """Memory for datagrams, laid out once as the kernel wants it.

    Args:
        count: datagrams that one receiving takes at most.
        payload_bytes: room for each; of a longer one the rest is lost, and ``MSG_TRUNC`` says so.
        control_bytes: room for the control messages of each; a multiple of 8.
    """

    def __init__(self, count: int, payload_bytes: int, control_bytes: int) -> None:
        self._payload = np.zeros((count, payload_bytes), np.uint8)
        self._control = np.zeros((count, control_bytes), np.uint8)
        self._vectors = (_IoVector * count)()
        self._headers = (_ManyMessageHeader * count)()
        vectors = np.frombuffer(memoryview(self._vectors), np.dtype(_IoVector))
        vectors["base"] = _addresses(self._payload)
        vectors["length"] = payload_bytes
        headers = np.frombuffer(memoryview(self._headers), np.dtype(_ManyMessageHeader))
        inner = headers["header"]
        inner["vector"] = ctypes.addressof(self._vectors) + np.arange(
            0, count * ctypes.sizeof(_IoVector), ctypes.sizeof(_IoVector), dtype=np.uintp
        )
        inner["vector_length"] = 1
        inner["control"] = _addresses(self._control)
        self._inner, self._lengths = inner, headers["length"]
        self._used = count

    @property
    def count(self) -> int:
        """Datagrams that one receiving takes at most."""
        return len(self._payload)

    def receive(self, descriptor: int, start: int = 0) -> int:
        """Receive what is there, without waiting.

        Args:
            descriptor: of the socket.
            start: where in the memory to begin: what earlier calls have put before it stays.

        Returns:
            How many datagrams came; 0 if none was there.

        Raises:
            OSError: the socket says that something went wrong.
        """
        # The kernel reads here how much room there is, and writes how much of it is in use.
        self._inner["control_length"][start : self._used] = self._control.shape[1]
        while True:
            received: int = _LIBC.recvmmsg(
                descriptor,
                ctypes.byref(self._headers, start * ctypes.sizeof(_ManyMessageHeader)),
                self.count - start,
                socket.MSG_DONTWAIT,
                None,
            )
            if received >= 0:
                self._used = start + received
                return received
            number = ctypes.get_errno()
            if number in _NOTHING:
                self._used = start
                return 0
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))

    def received(self, count: int) -> Received:
        """The first `count` datagrams."""
        return Received(
            payload=self._payload[:count],
            length=self._lengths[:count],
            flags=self._inner["flags"][:count],
            control=self._control[:count],
            control_length=self._inner["control_length"][:count],
        )


def _addresses(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uintp]:
    """Where in memory each row begins."""
    count, width = rows.shape
    return rows.ctypes.data + np.arange(0, count * width, width, dtype=np.uintp)
