"""A virtual cable that carries the kernel's structures under CAN's ethertypes, where there is no CAN."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edge.bus.socketcan.ring import ARPHRD_CAN, RingReception
from tests.egress.namespaces import Namespace

CLASSIC, FD, XL = 0x000C, 0x000D, 0x000E
NEAR, FAR = "can0", "far0"
SECOND = "can1", "far1"
"""Both ends of a second cable, where there is one."""
UP_S = 10.0
_TUNSETIFF, _TUNSETLINK, _IFF_TUN = 0x400454CA, 0x400454CD, 1
_EVERYBODY = b"\xff" * 6


class Cable:
    """Two interfaces in a namespace of their own: what is sent at `FAR` is received at `NEAR`."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._senders: dict[str, socket.socket] = {}

    def plug(self) -> None:
        """Make the interfaces."""
        self.namespace.ip("link", "add", NEAR, "type", "veth", "peer", "name", FAR)
        self.namespace.ip("link", "set", FAR, "up")
        self.up()

    def unplug(self) -> None:
        self.namespace.ip("link", "del", NEAR)

    def add(self, near: str, far: str) -> None:
        """Make a further cable in the same namespace, unless it is there."""
        if near in self.namespace.call(lambda: [name for _, name in socket.if_nameindex()]):
            return
        self.namespace.ip("link", "add", near, "type", "veth", "peer", "name", far)
        self.namespace.ip("link", "set", far, "up")
        self.up(near)

    def up(self, link: str = NEAR) -> None:
        """Set an interface up, and wait until the kernel lets frames through."""
        self.namespace.ip("link", "set", link, "up")
        end_s = time.monotonic() + UP_S
        while not all(self._ready(each) for each in (FAR, link)):
            assert time.monotonic() < end_s, "the cable does not come up"
            time.sleep(0.005)

    def _ready(self, link: str) -> bool:
        told = self._told(link)
        return bool(told["operstate"] == "UP") and told["qdisc"] != "noop"

    def down(self, link: str = NEAR) -> None:
        self.namespace.ip("link", "set", link, "down")

    def ring(
        self,
        *,
        ring_bytes: int = 1 << 20,
        block_timeout_ms: int = 4,
        any_link: bool = True,
    ) -> RingReception:
        return self.namespace.call(
            lambda: RingReception(
                NEAR, ring_bytes=ring_bytes, block_timeout_ms=block_timeout_ms, any_link=any_link
            )
        )

    def send(self, packets: Sequence[tuple[int, bytes]], *, link: str = FAR) -> None:
        """Send (ethertype, data) pairs one after the other."""
        with self.namespace.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)) as sender:
            for protocol, data in packets:
                sender.sendto(data, (link, protocol, 0, 0, _EVERYBODY))

    def flood(self, rate: int, duration_s: float, *, mixed: bool = False) -> subprocess.Popen[str]:
        """Start to send numbered frames so fast; the program prints how many it sent."""
        words = [sys.executable, str(Path(__file__).with_name("flood.py")), FAR, str(rate), str(duration_s)]
        return subprocess.Popen(
            ["ip", "netns", "exec", self.namespace.name, *words, *(["mixed"] if mixed else [])],
            stdout=subprocess.PIPE,
            text=True,
        )

    def dropped(self) -> int:
        """Frames that the cable itself dropped, on the way to `NEAR`."""
        return int(self._told(FAR)["stats64"]["tx"]["dropped"])

    def _told(self, link: str) -> dict[str, Any]:
        told = subprocess.run(
            ["ip", "-n", self.namespace.name, "-j", "-s", "link", "show", link],
            check=True,
            capture_output=True,
        )
        found: dict[str, Any] = json.loads(told.stdout)[0]
        return found


@contextmanager
def cable() -> Iterator[Cable]:
    """A cable that is plugged in; skips where none can be made."""
    if sys.platform != "linux" or os.geteuid() or not shutil.which("ip"):
        pytest.skip("making a virtual cable needs root and ip(8) of iproute2")
    name = f"can{secrets.token_hex(3)}"
    try:
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
    except subprocess.CalledProcessError as fault:
        pytest.skip(f"no network namespace can be made here: {fault.stderr.decode().strip()}")
    made = Cable(Namespace(name))
    try:
        made.plug()
        yield made
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True, capture_output=True)


class Tunnel:
    """An interface that calls itself one of CAN, and receives what is written to it, under its ethertype."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self.namespace = namespace
        self.name = name
        self._device = namespace.call(self._made)
        namespace.ip("link", "set", name, "up")

    def receive(self, packets: Sequence[tuple[int, bytes]]) -> None:
        """Have the interface receive (ethertype, data) pairs one after the other."""
        for protocol, data in packets:
            os.write(self._device, struct.pack(">HH", 0, protocol) + data)

    def close(self) -> None:
        os.close(self._device)

    def _made(self) -> int:
        device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("=16sH22x", self.name.encode(), _IFF_TUN))
        fcntl.ioctl(device, _TUNSETLINK, ARPHRD_CAN)
        return device


@contextmanager
def tunnel(beside: Cable) -> Iterator[Tunnel]:
    """A tunnel in the namespace of a cable; skips where there is none, or where CAN itself would see it."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("this kernel has no tun devices")
    with suppress(OSError):
        socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW).close()
        pytest.skip("this kernel has CAN, whose own interfaces are tested with")
    made = Tunnel(beside.namespace, "tun0")
    try:
        yield made
    finally:
        made.close()


def classic(can_id: int, data: bytes = b"", *, length: int | None = None) -> tuple[int, bytes]:
    """A frame as ``struct can_frame``, to be sent."""
    length = len(data) if length is None else length
    return CLASSIC, struct.pack("=IB3x8s", can_id, length, data)


def flexible(can_id: int, data: bytes = b"", *, flags: int = 0) -> tuple[int, bytes]:
    """A frame as ``struct canfd_frame``, to be sent."""
    return FD, struct.pack("=IBB2x64s", can_id, len(data), flags, data)
