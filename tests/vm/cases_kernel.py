"""What Debian's kernel shows sockets of frames and links: what the ways to receive are built on."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.vm.interfaces import classic_frame, fd_frame, ip_link, raw_socket, set_controller, virtual_bus

ALL_PROTOCOLS, CLASSIC, FD = 0x0003, 0x000C, 0x000D
OUTGOING, BROADCAST = 4, 1
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_PATIENCE_S = 10.0
_LATER_S = 0.02


def packet_socket(interface: str, protocol: int, *, outgoing: bool = True) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    if not outgoing:
        opened.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    opened.bind((interface, protocol))
    opened.setblocking(False)
    return opened


Received = tuple[bytes, object, int, tuple[object, int, int]]


def packets(opened: socket.socket, count: int) -> list[tuple[int, int]]:
    """Take so many, and what came beyond: id and kind of packet of each."""
    return [(number_of(frame), address[2]) for frame, _, _, address in received(opened, count)]


def frames(opened: socket.socket, count: int) -> list[tuple[int, int]]:
    """Take so many, and what came beyond: id and message flags of each."""
    return [(number_of(frame), flags) for frame, _, flags, _ in received(opened, count)]


def number_of(frame: bytes) -> int:
    return int.from_bytes(frame[:4], "little")


def received(opened: socket.socket, count: int) -> list[Received]:
    found: list[Received] = []
    while len(found) < count and select.select([opened], [], [], _PATIENCE_S)[0]:
        found.append(opened.recvmsg(128))
    time.sleep(_LATER_S)
    while select.select([opened], [], [], 0)[0]:
        found.append(opened.recvmsg(128))
    return found


def error_of(opened: socket.socket) -> int:
    """Return the error that the socket reports, as ``SO_ERROR`` names it."""
    return opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@pytest.fixture
def bus() -> Iterator[str]:
    with virtual_bus("vcan0") as interface:
        yield interface


@pytest.fixture
def wire() -> Iterator[tuple[str, str]]:
    ends = ("can0", "can1")
    for end in ends:
        set_controller(end, "bitrate", "500000", "listen-only", "off")
    yield ends
    for end in ends:
        ip_link("set", end, "down")


@pytest.mark.long
class TestWhatSocketsSee:
    def test_a_local_frame_comes_twice_to_a_packet_socket_unless_outgoing_ones_are_ignored(
        self, bus: str
    ) -> None:
        with (
            packet_socket(bus, ALL_PROTOCOLS) as every,
            packet_socket(bus, ALL_PROTOCOLS, outgoing=False) as incoming,
            packet_socket(bus, CLASSIC) as classic,
            packet_socket(bus, FD) as fd,
            raw_socket(bus) as sender,
        ):
            sender.send(classic_frame(0x101, b"abc"))
            sender.send(fd_frame(0x102, b"abc"))
            twice = [(number, kind) for number in (0x101, 0x102) for kind in (OUTGOING, BROADCAST)]
            assert sorted(packets(every, 4)) == sorted(twice)
            assert packets(incoming, 2) == [(0x101, BROADCAST), (0x102, BROADCAST)]
            assert packets(classic, 1) == [(0x101, BROADCAST)]
            assert packets(fd, 1) == [(0x102, BROADCAST)]

    def test_a_raw_socket_is_told_which_frames_this_machine_sent(self, bus: str) -> None:
        with raw_socket(bus, own=True) as sender, raw_socket(bus) as other:
            sender.send(classic_frame(0x101))
            assert frames(other, 1) == [(0x101, socket.MSG_DONTROUTE)]
            assert frames(sender, 1) == [(0x101, socket.MSG_DONTROUTE | socket.MSG_CONFIRM)]

    def test_a_frame_from_the_wire_comes_once_and_is_not_marked(self, wire: tuple[str, str]) -> None:
        here, there = wire
        with (
            packet_socket(here, ALL_PROTOCOLS) as every,
            raw_socket(here) as raw,
            raw_socket(there) as sender,
        ):
            sender.send(classic_frame(0x101))
            assert packets(every, 1) == [(0x101, BROADCAST)]
            assert frames(raw, 1) == [(0x101, 0)]

    def test_a_controller_echoes_what_this_machine_sent(self, wire: tuple[str, str]) -> None:
        here, _ = wire
        with packet_socket(here, CLASSIC) as classic, raw_socket(here) as raw, raw_socket(here) as sender:
            sender.send(classic_frame(0x101))
            assert packets(classic, 1) == [(0x101, BROADCAST)]
            assert frames(raw, 1) == [(0x101, socket.MSG_DONTROUTE)]

    def test_a_listen_only_controller_sends_nothing(self, wire: tuple[str, str]) -> None:
        here, there = wire
        set_controller(here, "bitrate", "500000", "listen-only", "on")
        with (
            packet_socket(there, CLASSIC) as classic,
            raw_socket(here) as silent,
            raw_socket(there) as sender,
        ):
            silent.send(classic_frame(0x101))
            sender.send(classic_frame(0x102))
            assert packets(classic, 1) == [(0x102, BROADCAST)]


def open_packet(interface: str) -> socket.socket:
    return packet_socket(interface, CLASSIC)


@pytest.mark.long
class TestWhatLinksDoToSockets:
    @pytest.mark.parametrize("opening", [raw_socket, open_packet])
    def test_a_socket_outlasts_down_and_a_new_name(
        self, bus: str, opening: Callable[[str], socket.socket]
    ) -> None:
        with opening(bus) as opened:
            ip_link("set", bus, "down")
            assert error_of(opened) == errno.ENETDOWN
            assert error_of(opened) == 0
            ip_link("set", bus, "name", "vcan1")
            ip_link("set", "vcan1", "up")
            with raw_socket("vcan1") as sender:
                sender.send(classic_frame(0x101))
            assert [number for number, _ in frames(opened, 1)] == [0x101]
            assert opened.getsockname()[0] == "vcan1"
        ip_link("delete", "vcan1")

    @pytest.mark.parametrize(
        ("opening", "error"), [(raw_socket, errno.ENODEV), (open_packet, errno.ENETDOWN)]
    )
    def test_a_socket_stays_deaf_when_its_interface_goes_and_comes_back(
        self, bus: str, opening: Callable[[str], socket.socket], error: int
    ) -> None:
        with opening(bus) as opened:
            ip_link("delete", bus)
            assert error_of(opened) == error
            assert not opened.getsockname()[0]
            with virtual_bus(bus), raw_socket(bus) as other, raw_socket(bus) as sender:
                sender.send(classic_frame(0x101))
                assert len(frames(other, 1)) == 1
                assert frames(opened, 0) == []
