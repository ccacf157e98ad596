"""Sends numbered CAN frames on an interface at a rate, many in one call of the system, and says how many.

    python flood.py LINK RATE SECONDS [mixed]

Frame n carries n in its first 8 bytes; with ``mixed`` each third one is of CAN FD with 64 bytes.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import time

import numpy as np

BURST = 768
"""A multiple of 3, so that every place of a burst has one kind of frame."""
PERIOD_S = 0.001


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.POINTER(_Vector)),
        ("vectors", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


def flood(
    link: str, rate: int, duration_s: float, *, mixed: bool, flexible: bool = False, ids: range = range(0x800)
) -> int:
    """Send; tell how many frames the kernel took.

    Args:
        link: where.
        rate: frames a second.
        duration_s: for how long.
        mixed: whether each third frame is of CAN FD.
        flexible: whether all are, with random bytes behind their number.
        ids: what they are called, one after the other.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = np.arange(BURST)
    fd = (numbers % 3 == 0) & mixed | flexible
    frames = np.zeros(
        BURST, np.dtype([("id", "u4"), ("length", "u1"), ("n", "u8"), ("rest", "V56")], align=True)
    )
    assert frames.itemsize == 72
    frames["length"] = np.where(fd, 64, 8)
    if flexible:
        frames["rest"] = np.frombuffer(os.urandom(56 * BURST), "V56")
    index = socket.if_nametoindex(link)
    names = [
        ctypes.create_string_buffer(
            struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(kind), index, 0, 0, 6, b"\xff" * 6)
        )
        for kind in (0x000C, 0x000D)
    ]
    vectors = (_Vector * BURST)()
    messages = (_Message * BURST)()
    for place in range(BURST):
        vectors[place] = _Vector(frames.ctypes.data + 72 * place, 72 if fd[place] else 16)
        messages[place].header.name = ctypes.addressof(names[int(fd[place])])
        messages[place].header.name_length = 20
        messages[place].header.vector = ctypes.pointer(vectors[place])
        messages[place].header.vectors = 1
    wanted, sent = int(rate * duration_s), 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sender:
        start_s = time.monotonic()
        while sent < wanted:
            due = min(int((time.monotonic() - start_s) * rate), wanted)
            first = sent % BURST
            count = min(due - sent, BURST - first)
            if count <= 0:
                time.sleep(PERIOD_S)
                continue
            part = frames[first : first + count]
            part["n"] = sent + numbers[:count]
            part["id"] = ids.start + part["n"] % len(ids)
            begin = ctypes.byref(messages, first * ctypes.sizeof(_Message))
            taken = libc.sendmmsg(sender.fileno(), begin, count, 0)
            if taken < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sent += taken
    return sent


if __name__ == "__main__":
    _, where, frames_per_s, seconds, *rest = sys.argv
    sys.stdout.write(f"{flood(where, int(frames_per_s), float(seconds), mixed='mixed' in rest)}\n")
