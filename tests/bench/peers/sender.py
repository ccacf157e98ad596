"""Sends frames on several links in turn at a rate, many in one call of the system.

    python sender.py FRAMES.npy ALARMED.npy RATE SECONDS ALARM_AT_S LINK...

FRAMES.npy holds ``struct can_frame``s; number n goes out on link n modulo their number, again and again.
From ALARM_AT_S on, those of ALARMED.npy stand in their place; if it is negative, in every second one of such
stretches of time. Prints JSON: frames taken by the kernel, the
processor's time that this took (on a virtual cable that is the way to the receiving socket too), and the
boot time at which the first frame with another content went out.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import struct
import sys
import time
from pathlib import Path

import numpy as np

PERIOD_S = 0.001
MOST = 1024
_FRAME_BYTES = 16
_PROTOCOL = 0x000C
_HEADER_BYTES = 64
"""``struct mmsghdr`` on 64 bits: msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, ... (socket(7))."""


def send(
    frames: np.ndarray,
    alarmed: np.ndarray,
    rate: int,
    seconds: float,
    alarm_s: float,
    every: bool,
    links: list[str],
) -> None:
    """Send, and print what came of it."""
    libc = ctypes.CDLL(None, use_errno=True)
    count = len(frames)
    memory = np.frombuffer(frames.tobytes(), np.uint8).copy()
    names = [
        ctypes.create_string_buffer(
            struct.pack(
                "=HHiHBB8s",
                socket.AF_PACKET,
                socket.htons(_PROTOCOL),
                socket.if_nametoindex(link),
                0,
                0,
                6,
                b"\xff" * 6,
            )
        )
        for link in links
    ]
    vectors = np.zeros((count, 2), np.uint64)
    vectors[:, 0] = memory.ctypes.data + _FRAME_BYTES * np.arange(count)
    vectors[:, 1] = _FRAME_BYTES
    headers = np.zeros((count, _HEADER_BYTES // 8), np.uint64)
    headers[:, 0] = np.array([ctypes.addressof(name) for name in names], np.uint64)[
        np.arange(count) % len(links)
    ]
    headers[:, 1] = 20
    headers[:, 2] = vectors.ctypes.data + 16 * np.arange(count)
    headers[:, 3] = 1
    usual, unusual = (each.view(np.uint8).reshape(count, _FRAME_BYTES) for each in (frames, alarmed))
    changed = np.flatnonzero((frames.view("V16") != alarmed.view("V16")).reshape(-1))
    wanted, sent, alarm_ns, armed = int(rate * seconds), 0, 0, False
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sender:
        before = resource.getrusage(resource.RUSAGE_SELF)
        start_s = time.monotonic()
        while sent < wanted:
            now_s = time.monotonic() - start_s
            raised = now_s >= alarm_s and (not every or int(now_s / alarm_s) % 2 == 1)
            if raised != armed:
                memory.reshape(count, _FRAME_BYTES)[changed] = (usual, unusual)[raised][changed]
                armed = raised
            first = sent % count
            due = min(int(now_s * rate) - sent, wanted - sent, count - first, MOST)
            if due <= 0:
                time.sleep(PERIOD_S)
                continue
            if armed and not alarm_ns and np.any((changed >= first) & (changed < first + due)):
                alarm_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            taken = libc.sendmmsg(
                sender.fileno(), ctypes.c_void_p(headers.ctypes.data + _HEADER_BYTES * first), due, 0
            )
            if taken < 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))
            sent += taken
        used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(
        json.dumps(
            {"sent": sent, "cpu_s": cpu_s, "seconds": time.monotonic() - start_s, "alarm_ns": alarm_ns}
        )
    )


if __name__ == "__main__":
    _, first, second, frames_per_s, duration, alarm, *where = sys.argv
    send(
        np.load(Path(first)),
        np.load(Path(second)),
        int(frames_per_s),
        float(duration),
        abs(float(alarm)),
        float(alarm) < 0,
        where,
    )
