"""Every way passes the conformance suite on a virtual CAN interface, where the kernel has them: in the VM.

Not collected by itself: `tests/vm` has these classes run in the virtual machine. On a machine with ``vcan``:

    pytest tests/socketcan/on_vcan.py
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import pytest

from edge.bus.condition import Conditions
from edge.bus.socketcan.choose import open_socketcan
from edge.bus.socketcan.raw import BUFFER_BYTES
from edge.bus.socketcan.ring import BLOCK_TIMEOUT_MS, RING_BYTES
from edge.bus.socketcan.sharing import BusOfRing, open_together
from edge.bus.source import FrameSource
from edge.clock import SystemClock
from tests.socketcan.conformance import Ends, Packet, SocketCanConformance
from tests.vm.interfaces import ip_link, raw_socket, virtual_bus

BUS = "vcan5"
BUS_THAT_GOES = "vcan6"
SILENT_BUS = "vcan7"


class OnVcan(SocketCanConformance):
    """Opens `way` on a new interface; the sender is a program of this machine like any other.

    Attributes:
        way: see `open_socketcan`.
    """

    way: ClassVar[str]
    burst: ClassVar[int] = 5000

    @classmethod
    @contextmanager
    def ends(cls) -> Iterator[Ends]:
        if os.geteuid() or not kernel_has_can():
            pytest.skip("a virtual CAN interface needs root and a kernel with CAN")
        with virtual_bus(BUS), raw_socket(BUS) as sender:

            def send(packets: Sequence[Packet]) -> None:
                send_all(sender, packets)

            def set_up(up: bool) -> None:
                ip_link("set", BUS, "up" if up else "down")

            yield Ends(
                open_source=cls.opened,
                send=send,
                sender_is_local=True,
                dropped=lambda: dropped(BUS),
                set_up=set_up,
            )

    def test_frames_come_again_after_the_interface_was_gone_and_is_back(self, both: Ends) -> None:
        """As everywhere, on a bus of its own: the sender's socket goes with the interface."""
        del both
        with ExitStack() as buses:
            buses.enter_context(virtual_bus(BUS_THAT_GOES))

            def plug(there: bool) -> None:
                if there:
                    buses.enter_context(virtual_bus(BUS_THAT_GOES))
                else:
                    ip_link("delete", BUS_THAT_GOES)

            def send(packets: Sequence[Packet]) -> None:
                with raw_socket(BUS_THAT_GOES) as sender:
                    send_all(sender, packets)

            going = Ends(
                open_source=lambda small: self.opened(small, BUS_THAT_GOES),
                send=send,
                sender_is_local=True,
                dropped=lambda: 0,
                plug=plug,
            )
            self.comes_again_after(going, plug)

    @classmethod
    def opened(cls, small: bool, bus: str = BUS) -> FrameSource:
        return open_socketcan(
            "pt",
            bus,
            fd=True,
            clock=SystemClock(),
            way=cls.way,
            ring_bytes=1 << 15 if small else RING_BYTES,
            buffer_bytes=1 if small else BUFFER_BYTES,
        )


class TestRingOnVcan(OnVcan):
    column = ("ring", "vcan")
    way = "ring"


class TestSharedRingOnVcan(OnVcan):
    """The bus has its ring together with a second one, which says nothing."""

    column = ("shared ring", "vcan")
    buses = ("pt", "body")
    way = "ring"

    @classmethod
    @contextmanager
    def ends(cls) -> Iterator[Ends]:
        with ExitStack() as stack:
            if kernel_has_can() and not os.geteuid():
                stack.enter_context(virtual_bus(SILENT_BUS))
            yield stack.enter_context(super().ends())

    @classmethod
    def opened(cls, small: bool, bus: str = BUS) -> FrameSource:
        return open_shared(bus, SILENT_BUS, small=small)


class TestRawOnVcan(OnVcan):
    column = ("raw", "vcan")
    way = "raw"
    tells_local = True


class TestPythonCanOnVcan(OnVcan):
    """What the kernel drops is not told to it, and its buffer is the kernel's usual one."""

    column = ("python-can", "vcan")
    way = "python-can"
    tells_local = True
    counts_losses = False
    burst = 200


class TestRightsOnVcan:
    """What a user without any right gets, and with the one for a ring."""

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ((), "is read by a raw socket"),
            (("--inh-caps", "-all,+net_raw", "--ambient-caps", "-all,+net_raw"), "is read by a ring"),
        ],
    )
    def test_the_best_way_that_its_rights_allow_is_taken(self, options: tuple[str, ...], said: str) -> None:
        if os.geteuid() or not kernel_has_can() or not shutil.which("setpriv"):
            pytest.skip("becoming a user on CAN needs root, a kernel with CAN, and setpriv(1)")
        with virtual_bus(BUS):
            words = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *options]
            done = subprocess.run(
                [*words, sys.executable, "-c", OPEN], check=False, capture_output=True, text=True
            )
        assert said in done.stdout, done.stdout + done.stderr
        assert ("no ring: CAP_NET_RAW is missing" in done.stdout) == (not options)


OPEN = f"""
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
from edge.bus.condition import Conditions
from edge.bus.socketcan.choose import open_socketcan
from edge.clock import SystemClock
open_socketcan("pt", "{BUS}", clock=SystemClock()).close()
"""


def open_shared(*channels: str, small: bool) -> FrameSource:
    """Open the buses pt and body with one ring."""
    source = open_together(
        [BusOfRing(name, channel, fd=True) for name, channel in zip(("pt", "body"), channels, strict=True)],
        clock=SystemClock(),
        any_link=False,
        ring_bytes=1 << 14 if small else RING_BYTES,
        block_timeout_ms=BLOCK_TIMEOUT_MS,
        conditions=Conditions(),
    )
    assert source is not None
    return source


def kernel_has_can() -> bool:
    with suppress(OSError):
        socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW).close()
        return True
    return False


def send_all(sender: socket.socket, packets: Sequence[Packet]) -> None:
    """Send each; where the interface's queue is full, when it is not."""
    for _, data in packets:
        while True:
            try:
                sender.send(data)
            except OSError as error:
                if error.errno not in {errno.ENOBUFS, errno.EAGAIN}:
                    raise
                time.sleep(0.001)
            else:
                break


def dropped(interface: str) -> int:
    return int(Path("/sys/class/net", interface, "statistics", "rx_dropped").read_text(encoding="ascii"))
