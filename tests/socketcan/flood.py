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

BURST = 256
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


def flood(link: str, rate: int, duration_s: float, *, mixed: bool) -> int:
    """Send; tell how many frames the kernel took."""
    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sender:
        index = socket.if_nametoindex(link)
        frames = (ctypes.c_char * 72 * BURST)()
        vectors = (_Vector * BURST)()
        messages = (_Message * BURST)()
        names = [
            ctypes.create_string_buffer(
                struct.pack("=HHiHBB8s", socket.AF_PACKET, socket.htons(kind), index, 0, 0, 6, b"\xff" * 6)
            )
            for kind in (0x000C, 0x000D)
        ]
        base = ctypes.addressof(frames)
        sent = 0
        start_s = time.monotonic()
        while (elapsed_s := time.monotonic() - start_s) < duration_s:
            due = min(int(elapsed_s * rate) - sent, BURST)
            if due <= 0:
                time.sleep(PERIOD_S)
                continue
            for place in range(due):
                number = sent + place
                fd = mixed and number % 3 == 0
                struct.pack_into("=IB3xQ", frames, 72 * place, number % 0x800, 64 if fd else 8, number)
                vectors[place] = _Vector(base + 72 * place, 72 if fd else 16)
                header = messages[place].header
                header.name = ctypes.addressof(names[fd])
                header.name_length = 20
                header.vector = ctypes.pointer(vectors[place])
                header.vectors = 1
            taken = libc.sendmmsg(sender.fileno(), messages, due, 0)
            if taken < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sent += taken
    return sent


if __name__ == "__main__":
    _, where, frames_per_s, seconds, *rest = sys.argv
    sys.stdout.write(f"{flood(where, int(frames_per_s), float(seconds), mixed='mixed' in rest)}\n")
