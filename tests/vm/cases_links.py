"""Links of real CAN interfaces: what is told of them, and that capture goes on by itself after each event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from edge.bus.socketcan.choose import open_socketcan
from edge.bus.source import FrameSource
from edge.clock import SystemClock
from edge.frames import FrameFlag
from tests.vm.guest import Monitor
from tests.vm.guest_link import link_events, virtual_link
from tests.vm.interfaces import classic_frame, ip_link, raw_socket, set_controller, virtual_bus

PATIENCE_S = 30.0
LISTENING = ("bitrate", "500000", "listen-only", "on")
SENDING = ("bitrate", "500000", "listen-only", "off")
HERE, THERE, DEVICE = "can1", "can0", "controller1"
ERROR = 0x20000000
"""``CAN_ERR_FLAG``; what the bits below and the data of an error frame say: linux/can/error.h."""

Told = Mapping[str, tuple[str, ...]]


class TestWhatIsToldOfALink:
    @pytest.fixture(scope="class")
    def told(self, monitor: Monitor) -> Told:
        return link_events(monitor)

    @pytest.mark.parametrize(
        ("done", "events"),
        [
            ("another bit rate", {"link down", "link up", "bitrate changed"}),
            ("listen-only off", {"not listen-only"}),
            ("listen-only on", {"listen-only again"}),
            ("renamed", {"link renamed"}),
            ("unplugged", {"link gone"}),
            ("plugged in", {"link back"}),
            ("set up", {"link up", "bitrate changed"}),
        ],
    )
    def test_each_event_is_told(self, told: Told, done: str, events: set[str]) -> None:
        assert events <= set(told[done]), told[done]

    @pytest.mark.parametrize(
        ("done", "words"),
        [
            ("start", ("can0: can", "500000 bit/s", "listen-only", "controller active")),
            ("another bit rate", ("can0: can", "250000 bit/s")),
            ("listen-only off", ("can0: can", "500000 bit/s", "not listen-only")),
            ("renamed", ("canpt: can", "listen-only")),
            ("unplugged", ("gone",)),
            ("plugged in", ("can0: down",)),
            ("set up", ("can0: can", "125000 bit/s", "listen-only", "controller active")),
        ],
    )
    def test_what_the_kernel_reads_back_is_said(self, told: Told, done: str, words: tuple[str, ...]) -> None:
        *_, state = told[done]
        assert [word for word in words if word not in state] == [], state

    def test_a_virtual_bus_has_no_controller_to_be_alarmed_about(self) -> None:
        assert virtual_link().endswith("listen-only alarm: False")


@pytest.mark.parametrize("way", ["ring", "raw"])
class TestCaptureGoesOn:
    def test_after_down_and_up(self, way: str) -> None:
        with virtual_bus("vcan0") as bus, opened(bus, way) as source:
            send(bus, 0x101)
            assert taken(source, 1) == [0x101]
            ip_link("set", bus, "down")
            await_fact(source, "link down", 1)
            ip_link("set", bus, "up")
            await_fact(source, "link up", 1)
            send(bus, 0x102)
            assert taken(source, 1) == [0x102]
            assert_balanced(source, 2)

    def test_after_another_name(self, way: str) -> None:
        with virtual_bus("vcan0") as bus, opened(bus, way) as source:
            ip_link("set", bus, "down")
            ip_link("set", bus, "name", "vcan9")
            ip_link("set", "vcan9", "up")
            await_fact(source, "link renamed", 1)
            await_fact(source, "link up", 1)
            send("vcan9", 0x101)
            assert taken(source, 1) == [0x101]
            assert_balanced(source, 1)
            ip_link("delete", "vcan9")

    def test_after_an_adapter_was_unplugged_and_plugged_in(self, way: str, monitor: Monitor) -> None:
        set_controller(THERE, *SENDING)
        set_controller(HERE, *LISTENING)
        with opened(HERE, way, bitrate=500_000) as source:
            send(THERE, 0x101)
            assert taken(source, 1) == [0x101]
            unplug(monitor)
            await_fact(source, "link gone", 1)
            plug_in(monitor)
            set_controller(HERE, *LISTENING)
            await_fact(source, "link back", 1)
            until(source, lambda: source.hop().facts.get("reopened", 0) == 1, "it is not opened again")
            send(THERE, 0x102)
            assert taken(source, 1) == [0x102]
            assert_balanced(source, 2)
            assert source.hop().facts["outages"] == 1
        ip_link("set", THERE, "down")
        ip_link("set", HERE, "down")

    def test_after_bus_off_and_restart_by_error_frames_that_this_test_sends(self, way: str) -> None:
        """No controller of the virtual machine ever goes bus-off: the frames of one that does are made up."""
        with virtual_bus("vcan0") as bus, opened(bus, way) as source:
            send(bus, ERROR | 0x004, bytes([0, 0x08, 0, 0, 0, 0, 96, 0]))
            send(bus, ERROR | 0x004, bytes([0, 0x20, 0, 0, 0, 0, 128, 0]))
            send(bus, ERROR | 0x040)
            send(bus, ERROR | 0x100)
            send(bus, ERROR | 0x004, bytes([0, 0x40, 0, 0, 0, 0, 0, 0]))
            send(bus, ERROR | 0x002, bytes([5]))
            send(bus, ERROR | 0x004, bytes([0, 0x01]))
            send(bus, 0x101)
            assert taken(source, 8, errors=True)[-1] == 0x101
            hop = source.hop()
            said = {
                "transmit error warning": 1,
                "transmit error passive": 1,
                "bus-off": 1,
                "controller restarted": 1,
                "error active again": 1,
                "arbitration lost": 1,
                "error": 7,
                "data": 1,
            }
            assert {fact: hop.facts.get(fact, 0) for fact in said} == said
            assert hop.at_least == {"controller overflow": 1}


@contextmanager
def opened(interface: str, way: str, *, bitrate: int | None = None) -> Iterator[FrameSource]:
    with open_socketcan("pt", interface, fd=True, clock=SystemClock(), way=way, bitrate=bitrate) as source:
        yield source


def send(interface: str, can_id: int, data: bytes = b"") -> None:
    with raw_socket(interface) as sender:
        sender.send(classic_frame(can_id, data))


def taken(source: FrameSource, count: int, *, errors: bool = False) -> list[int]:
    """Read until so many frames came; give the ids of those that are no error frames, unless asked for."""
    found: list[int] = []
    end_s = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < end_s:
        batch = source.read(0.1)
        assert batch is not None
        found += (batch if errors else batch.take(~batch.has(FrameFlag.ERROR))).arbitration_id.tolist()
    return found


def until(source: FrameSource, condition: Callable[[], bool], failing: str) -> None:
    """Read on, as the gateway does, until something is the case; no frame may come meanwhile."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, f"{failing}: {source.hop()}"
        batch = source.read(0.05)
        assert batch is not None
        assert not len(batch)


def await_fact(source: FrameSource, fact: str, count: int) -> None:
    until(source, lambda: source.hop().facts.get(fact, 0) >= count, f"{fact} is not in the account")


def assert_balanced(source: FrameSource, count: int) -> None:
    hop = source.hop()
    assert (hop.entered, hop.left, dict(hop.set_aside)) == (count, count, {})


def unplug(monitor: Monitor) -> None:
    answer = monitor({"execute": "device_del", "arguments": {"id": DEVICE}})
    assert "return" in answer, answer


def plug_in(monitor: Monitor) -> None:
    """Plug it in as soon as qemu has let go of it, which is some time after the guest was told."""
    device = {"driver": "kvaser_pci", "canbus": "bus", "id": DEVICE}
    end_s = time.monotonic() + PATIENCE_S
    while "error" in (answer := monitor({"execute": "device_add", "arguments": device})):
        assert time.monotonic() < end_s, answer
        time.sleep(0.2)
    while True:
        try:
            ip_link("show", HERE)
        except AssertionError:
            assert time.monotonic() < end_s
            time.sleep(0.2)
        else:
            return
