"""Which classes of the conformance suite run in every test run, and which only when all is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

import pytest

from edge.bus.socketcan.choose import open_socketcan
from edge.bus.socketcan.raw import BUFFER_BYTES
from edge.bus.socketcan.ring import RING_BYTES
from edge.bus.source import FrameSource
from edge.clock import SystemClock
from tests.socketcan import on_vcan
from tests.socketcan.conformance import Ends, Packet, SocketCanConformance
from tests.vm.cases_links import HERE, LISTENING, SENDING, THERE, plug_in, unplug
from tests.vm.guest import Monitor
from tests.vm.interfaces import ip_link, raw_socket, set_controller, virtual_bus


class TestRingOnVcan(on_vcan.TestRingOnVcan):
    pass


class TestSharedRingOnVcan(on_vcan.TestSharedRingOnVcan):
    pass


@pytest.mark.long
class TestRawOnVcan(on_vcan.TestRawOnVcan):
    pass


@pytest.mark.long
class TestPythonCanOnVcan(on_vcan.TestPythonCanOnVcan):
    pass


class OnController(SocketCanConformance):
    """A listen-only controller hears what another one sends on the same bus.

    Attributes:
        way: see `open_socketcan`.
    """

    way: ClassVar[str]
    no_fd = "kvaser_pci knows no CAN FD"
    no_remote = "qemu's controllers stop at a remote frame"
    no_errors = "the virtual machine's bus knows no faults, and what is sent as an error frame is none there"
    burst = 500

    @classmethod
    def ends(cls) -> AbstractContextManager[Ends]:
        raise NotImplementedError

    @pytest.fixture(name="both", scope="class")
    @classmethod
    def make_ends(cls, monitor: Monitor) -> Iterator[Ends]:
        set_controller(THERE, *SENDING)
        set_controller(HERE, *LISTENING)

        def set_up(up: bool) -> None:
            ip_link("set", HERE, "up" if up else "down")

        def plug(there: bool) -> None:
            if there:
                plug_in(monitor)
                set_controller(HERE, *LISTENING)
            else:
                unplug(monitor)

        with raw_socket(THERE) as sender:

            def send(packets: Sequence[Packet]) -> None:
                on_vcan.send_all(sender, packets)

            yield Ends(
                open_source=cls.opened,
                send=send,
                sender_is_local=False,
                dropped=lambda: on_vcan.dropped(HERE),
                set_up=set_up,
                plug=plug,
            )
        ip_link("set", THERE, "down")
        ip_link("set", HERE, "down")

    @classmethod
    def opened(cls, small: bool) -> FrameSource:
        return open_socketcan(
            "pt",
            HERE,
            clock=SystemClock(),
            way=cls.way,
            ring_bytes=1 << 15 if small else RING_BYTES,
            buffer_bytes=1 if small else BUFFER_BYTES,
        )


@pytest.mark.long
class TestRingOnController(OnController):
    column = ("ring", "kvaser_pci")
    way = "ring"


@pytest.mark.long
class TestSharedRingOnController(OnController):
    """The controller's bus has its ring together with one that no controller is on."""

    column = ("shared ring", "kvaser_pci")
    buses = ("pt", "body")
    way = "ring"

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def silent_bus(cls) -> Iterator[None]:
        with virtual_bus(on_vcan.SILENT_BUS):
            yield

    @classmethod
    def opened(cls, small: bool) -> FrameSource:
        return on_vcan.open_shared(HERE, on_vcan.SILENT_BUS, small=small)


@pytest.mark.long
class TestRawOnController(OnController):
    column = ("raw", "kvaser_pci")
    way = "raw"
    tells_local = True


@pytest.mark.long
class TestPythonCanOnController(OnController):
    column = ("python-can", "kvaser_pci")
    way = "python-can"
    tells_local = True
    counts_losses = False
    burst = 200
