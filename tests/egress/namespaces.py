"""Network namespaces of a test's own: a vehicle behind a cable, whose other end answers for the world."""

import ctypes
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

_NEW_NETWORK = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_Found = TypeVar("_Found")

VEHICLE4, WORLD4 = "10.77.0.1", "10.77.0.2"
VEHICLE6, WORLD6 = "fd77::1", "fd77::2"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


class Namespace:
    """One network namespace; sockets that are made in it stay in it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ip(self, *words: str) -> None:
        """Run ip(8) in it."""
        _ip("-n", self.name, *words)

    def call(self, make: Callable[[], _Found]) -> _Found:
        """Call something on a thread of its own that is in the namespace."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._inside, make).result(timeout=30)

    def _inside(self, make: Callable[[], _Found]) -> _Found:
        number = os.open(Path("/run/netns", self.name), os.O_RDONLY)
        try:
            if _LIBC.setns(number, _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(number)
        return make()

    def send(self, address: str, port: int, payload: bytes = b"x", *, times: int = 1) -> None:
        """Send datagrams."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def sending() -> None:
            with socket.socket(family, socket.SOCK_DGRAM) as one:
                for _ in range(times):
                    one.sendto(payload, (address, port))

        self.call(sending)


@contextmanager
def cable() -> Iterator[tuple[Namespace, Namespace]]:
    """A vehicle and the world, each a namespace, with one cable between them."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("making network namespaces needs root and ip(8) of iproute2")
    mark = secrets.token_hex(3)
    vehicle, world = Namespace(f"nev{mark}"), Namespace(f"wld{mark}")
    made = []
    try:
        for one in (vehicle, world):
            try:
                _ip("netns", "add", one.name)
            except subprocess.CalledProcessError as fault:
                pytest.skip(f"no network namespace can be made here: {fault.stderr.decode().strip()}")
            made.append(one)
        vehicle.ip("link", "add", "wan0", "type", "veth", "peer", "name", "world0", "netns", world.name)
        for one, device, four, six in (
            (vehicle, "wan0", VEHICLE4, VEHICLE6),
            (world, "world0", WORLD4, WORLD6),
        ):
            one.ip("addr", "add", f"{four}/24", "dev", device)
            one.ip("addr", "add", f"{six}/64", "dev", device, "nodad")
            one.ip("link", "set", device, "up")
            one.ip("link", "set", "lo", "up")
        vehicle.ip("route", "add", "default", "via", WORLD4)
        vehicle.ip("-6", "route", "add", "default", "via", WORLD6)
        yield vehicle, world
    finally:
        for one in made:
            _ip("netns", "del", one.name)
