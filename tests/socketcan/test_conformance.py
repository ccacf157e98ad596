"""Ring and raw socket pass the conformance suite on a virtual cable; on real CAN they do on vcan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge.bus.socketcan.choose import open_socketcan
from edge.bus.socketcan.raw import BUFFER_BYTES, RawReception
from edge.bus.socketcan.source import SocketCanSource
from edge.bus.source import FrameSource
from edge.clock import SystemClock
from tests.socketcan.cable_socket import cable_socket
from tests.socketcan.conformance import Ends, SocketCanConformance
from tests.socketcan.veth import NEAR, Cable, cable


class TestRingOnVirtualCable(SocketCanConformance):
    @classmethod
    @contextmanager
    def ends(cls) -> Iterator[Ends]:
        with cable() as wire:
            yield Ends(
                open_source=lambda small: open_ring(wire, small=small),
                send=wire.send,
                sender_is_local=False,
                dropped=wire.dropped,
            )


class TestRawOnVirtualCable(SocketCanConformance):
    """All of a raw socket but its family: a packet socket without a ring, read by the same calls."""

    tells_local = True

    @classmethod
    @contextmanager
    def ends(cls) -> Iterator[Ends]:
        with cable() as wire:
            yield Ends(
                open_source=lambda small: open_raw(wire, small=small),
                send=wire.send,
                sender_is_local=False,
                dropped=wire.dropped,
            )


def open_ring(wire: Cable, *, small: bool) -> FrameSource:
    ring_bytes = 1 << 15 if small else 8 << 20
    return wire.namespace.call(
        lambda: open_socketcan(
            "pt", NEAR, clock=SystemClock(), way="ring", any_link=True, ring_bytes=ring_bytes
        )
    )


def open_raw(wire: Cable, *, small: bool) -> FrameSource:
    def open_reception() -> RawReception:
        return RawReception(cable_socket(NEAR), buffer_bytes=1 if small else BUFFER_BYTES)

    return wire.namespace.call(
        lambda: SocketCanSource(
            name="pt", where=f"raw {NEAR}", open_reception=open_reception, clock=SystemClock()
        )
    )
