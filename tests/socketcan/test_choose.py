"""The best way that there is is taken, and said; one that was asked for is taken, or refused with why."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge.bus.socketcan import choose
from edge.bus.socketcan.choose import open_socketcan
from edge.bus.socketcan.raw import RawReception
from edge.bus.socketcan.ring import RingReception
from edge.bus.socketcan.source import SocketCanSource
from edge.bus.source import FrameSource
from edge.clock import SystemClock
from edge.errors import ConfigError, SourceError
from tests.socketcan.cable_socket import cable_socket
from tests.socketcan.veth import NEAR, Cable, cable, classic


@pytest.fixture(scope="module")
def wire() -> Iterator[Cable]:
    with cable() as made:
        yield made


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edge")


def kernel_has_can() -> bool:
    with suppress(OSError):
        socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW).close()
        return True
    return False


def opened(wire: Cable, **settings: object) -> FrameSource:
    return wire.namespace.call(
        lambda: open_socketcan("pt", NEAR, clock=SystemClock(), any_link=True, **settings)  # type: ignore[arg-type]
    )


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of how the bus is read."""
    return [record.getMessage() for record in caplog.records if " is read by " in record.getMessage()]


def refuse_rings(monkeypatch: pytest.MonkeyPatch, number: int, *, larger_than: int = 0) -> None:
    def ring(interface: str, *, ring_bytes: int, **settings: object) -> RingReception:
        if ring_bytes > larger_than:
            raise OSError(number, os.strerror(number))
        return RingReception(interface, ring_bytes=ring_bytes, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(choose, "RingReception", ring)


def stand_in_for_can(monkeypatch: pytest.MonkeyPatch, *, granted_bytes: int = 0) -> None:
    """Let raw sockets of the virtual cable be those of CAN."""

    def raw(channel: str, *, hardware_stamps: bool, buffer_bytes: int) -> RawReception:
        made = cable_socket(channel)
        reception = RawReception(made, hardware_stamps=hardware_stamps, buffer_bytes=buffer_bytes)
        reception.buffer_bytes = granted_bytes or reception.buffer_bytes
        return reception

    monkeypatch.setattr(RawReception, "open", raw)


def frames(source: FrameSource, count: int) -> int:
    found = 0
    for _ in range(100):
        batch = source.read(0.1)
        found += 0 if batch is None else len(batch)
        if found >= count:
            break
    return found


def test_a_ring_is_the_first_choice_and_said_in_one_line(
    wire: Cable, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(wire) as source:
        wire.send([classic(1), classic(2)])
        assert frames(source, 2) == 2
    assert lines(caplog) == ["bus pt: can0 is read by a ring of 8 MiB"]


def test_without_the_right_for_a_ring_a_raw_socket_is_taken_and_the_reason_said(
    wire: Cable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_rings(monkeypatch, errno.ENOPROTOOPT)
    stand_in_for_can(monkeypatch)
    with opened(wire, buffer_bytes=1 << 20) as source:
        assert isinstance(source, SocketCanSource)
        assert source.way == "raw"
        wire.send([classic(1), classic(2), classic(3)])
        assert frames(source, 3) == 3
        hop = source.hop()
        assert (hop.entered, hop.left, hop.balanced) == (3, 3, True)
    (line,) = lines(caplog)
    assert line.startswith(
        "bus pt: can0 is read by a raw socket with a buffer of 2 MiB; no ring: this kernel"
    )


def test_a_buffer_that_the_kernel_cuts_is_said_with_the_setting_that_allows_more(
    wire: Cable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in_for_can(monkeypatch, granted_bytes=425_984)
    with opened(wire, way="raw"):
        pass
    (line,) = lines(caplog)
    assert line.startswith(
        "bus pt: can0 is read by a raw socket with a buffer of 416 KiB of the 64 MiB asked"
    )
    assert line.endswith(": raise it by sysctl net.core.rmem_max=33554432")


def test_where_memory_is_short_a_smaller_ring_is_made_and_said(
    wire: Cable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_rings(monkeypatch, errno.ENOMEM, larger_than=1 << 20)
    with opened(wire) as source:
        wire.send([classic(1)])
        assert frames(source, 1) == 1
    assert lines(caplog) == ["bus pt: can0 is read by a ring of 1 MiB, no memory for the 8 MiB asked for"]


def test_where_there_is_no_memory_for_any_ring_that_is_the_reason(
    wire: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_rings(monkeypatch, errno.ENOMEM)
    with pytest.raises(SourceError, match="no memory"):
        opened(wire, way="ring")


def test_a_way_that_was_asked_for_is_not_replaced(wire: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_rings(monkeypatch, errno.ENOPROTOOPT)
    stand_in_for_can(monkeypatch)
    with pytest.raises(SourceError, match="makes no ring") as caught:
        opened(wire, way="ring")
    assert caught.value.where == "bus pt (socketcan can0, ring)"


@pytest.mark.skipif(kernel_has_can(), reason="this kernel has CAN")
def test_without_can_in_the_kernel_every_way_says_why_not(
    wire: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match=r"no raw CAN sockets\. Load them: modprobe can_raw"):
        opened(wire, way="raw")
    with pytest.raises(SourceError, match="Address family not supported"):
        opened(wire, way="python-can")
    refuse_rings(monkeypatch, errno.ENOPROTOOPT)
    with pytest.raises(SourceError, match=r"in any way: ring: .*; raw: .*; python-can: ") as caught:
        opened(wire)
    assert "modprobe can_raw" in caught.value.todo


@pytest.mark.parametrize("way", [None, "ring"])
def test_no_other_way_is_tried_on_an_interface_that_is_none_of_can(wire: Cable, way: str | None) -> None:
    with pytest.raises(SourceError, match=r"can0 is no CAN interface\. There is no CAN interface"):
        wire.namespace.call(lambda: open_socketcan("pt", NEAR, clock=SystemClock(), way=way))


def test_an_interface_that_is_not_there_is_named(wire: Cable) -> None:
    with pytest.raises(SourceError, match="there is no interface can9"):
        wire.namespace.call(lambda: open_socketcan("pt", "can9", clock=SystemClock(), any_link=True))


def test_a_way_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(
        ConfigError, match=r"no way 'rnig' to take frames\. Take one of ring, raw, python-can"
    ):
        open_socketcan("pt", "can0", clock=SystemClock(), way="rnig")


def test_nothing_stays_open_after_a_refusal(wire: Cable) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(SourceError):
            wire.namespace.call(lambda: open_socketcan("pt", NEAR, clock=SystemClock()))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
