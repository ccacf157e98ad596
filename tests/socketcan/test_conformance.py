"""Every way passes the conformance suite on a virtual cable; on real CAN they do in the virtual machine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from edge.bus.condition import Conditions
from edge.bus.live import InterfaceSource
from edge.bus.socketcan.choose import open_socketcan
from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import LinkReport
from edge.bus.socketcan.raw import BUFFER_BYTES, RawReception
from edge.bus.socketcan.sharing import BusOfRing, open_together
from edge.bus.socketcan.source import SocketCanSource
from edge.bus.socketcan.watched import WatchedSource
from edge.bus.source import FrameSource
from edge.clock import SystemClock
from tests.bench.peers.packet_bus import PacketBus
from tests.socketcan.cable_socket import cable_socket
from tests.socketcan.conformance import Ends, SocketCanConformance
from tests.socketcan.veth import NEAR, SECOND, Cable, cable


class OnVirtualCable(SocketCanConformance):
    """Opens a source at one end; the sender is at the other."""

    @classmethod
    @contextmanager
    def ends(cls) -> Iterator[Ends]:
        with cable() as wire:
            yield Ends(
                open_source=lambda small: cls.opened(wire, small=small),
                send=wire.send,
                sender_is_local=False,
                dropped=wire.dropped,
                set_up=lambda up: wire.up() if up else wire.down(),
                plug=lambda there: wire.plug() if there else wire.unplug(),
                within=wire.namespace.call,
            )

    @classmethod
    @abstractmethod
    def opened(cls, wire: Cable, *, small: bool) -> FrameSource:
        """Open the source."""


class TestRingOnVirtualCable(OnVirtualCable):
    column = ("ring", "veth")

    @classmethod
    def opened(cls, wire: Cable, *, small: bool) -> FrameSource:
        return open_ring(wire, small=small)


class TestSharedRingOnVirtualCable(OnVirtualCable):
    """The bus has its ring together with a second one, which says nothing."""

    column = ("shared ring", "veth")
    buses = ("pt", "body")

    @classmethod
    def opened(cls, wire: Cable, *, small: bool) -> FrameSource:
        return open_shared(wire, small=small)


class TestRawOnVirtualCable(OnVirtualCable):
    """All of a raw socket but its family: a packet socket without a ring, read by the same calls."""

    column = ("raw", "veth")
    tells_local = True

    @classmethod
    def opened(cls, wire: Cable, *, small: bool) -> FrameSource:
        return open_raw(wire, small=small)


class TestPythonCanOnVirtualCable(OnVirtualCable):
    """All of python-can's SocketCAN bus but its socket; what the kernel drops is not told to it."""

    column = ("python-can", "veth")
    tells_local = True
    counts_losses = False
    burst = 200

    @classmethod
    def opened(cls, wire: Cable, *, small: bool) -> FrameSource:
        del small
        source = InterfaceSource(
            name="pt",
            interface="socketcan",
            where=f"socketcan {NEAR}",
            open_bus=lambda: wire.namespace.call(lambda: PacketBus(NEAR, cable_socket(NEAR))),
            clock=SystemClock(),
        )
        return WatchedSource(source, link_of(wire), open_anew=source.open_anew)


def open_ring(wire: Cable, *, small: bool) -> FrameSource:
    ring_bytes = 1 << 15 if small else 8 << 20
    return wire.namespace.call(
        lambda: open_socketcan(
            "pt", NEAR, clock=SystemClock(), way="ring", any_link=True, ring_bytes=ring_bytes
        )
    )


def open_shared(wire: Cable, *, small: bool) -> FrameSource:
    wire.add(*SECOND)
    source = wire.namespace.call(
        lambda: open_together(
            [BusOfRing("pt", NEAR), BusOfRing("body", SECOND[0])],
            clock=SystemClock(),
            any_link=True,
            ring_bytes=1 << 14 if small else 8 << 20,
            block_timeout_ms=4,
            conditions=Conditions(),
        )
    )
    assert source is not None
    return source


def open_raw(wire: Cable, *, small: bool) -> FrameSource:
    def open_reception() -> RawReception:
        return RawReception(cable_socket(NEAR), buffer_bytes=1 if small else BUFFER_BYTES)

    link = link_of(wire)
    return wire.namespace.call(
        lambda: SocketCanSource(
            name="pt", where=f"raw {NEAR}", open_reception=open_reception, clock=SystemClock(), link=link
        )
    )


def link_of(wire: Cable) -> LinkReport:
    clock = SystemClock()
    return LinkReport(wire.namespace.call(lambda: LinkWatch(NEAR, clock)), bus="pt", clock=clock)
