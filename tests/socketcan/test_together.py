"""Several buses of one ring: each frame on its bus and in order, each link and controller by itself."""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from edge.bus.condition import Conditions
from edge.bus.socketcan.bus_state import ControllerState
from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import LOOK_PERIOD_S, LinkReport
from edge.bus.socketcan.reception import Cells, SharedReception
from edge.bus.socketcan.ring import INTERFACES_MAX, RingReception
from edge.bus.socketcan.sharing import BusOfRing, open_together
from edge.bus.socketcan.state_log import StateLog
from edge.bus.socketcan.together import STRANGER, Member, TogetherSource
from edge.bus.source import FrameSource
from edge.clock import NS_PER_S, SystemClock, VirtualClock
from edge.errors import SourceError
from edge.frames import Frame
from tests.socketcan.kernel_link import Kernel, deleted_link, new_link
from tests.socketcan.test_source import BASE, Played, frames_of
from tests.socketcan.veth import NEAR, SECOND, Cable, cable, classic

PASSIVE = classic(0x20000004, bytes((0, 0x20, 0, 0, 0, 0, 130, 2)))
THIRD = "can2", "far2"
WAIT_S = 10.0
DESCRIPTORS = Path("/proc/self/fd")


class PlayedRing(Played, SharedReception):
    """Gives what a test lays into it, each time with the interfaces that the frames came from."""

    def __init__(self, *script: tuple[Sequence[tuple[int, bytes]], Sequence[int]] | int) -> None:
        super().__init__(*(one if isinstance(one, int) else one[0] for one in script))
        self.interfaces = [one[1] for one in script if not isinstance(one, int)]
        self.admitted: list[tuple[int, ...]] = []

    def admit(self, interfaces: Iterable[int]) -> None:
        self.admitted.append(tuple(interfaces))

    def _cells(self, packets: Sequence[tuple[int, bytes]]) -> Cells:
        cells = super()._cells(packets)
        if len(cells):
            cells.interface[:] = self.interfaces.pop(0)
        return cells


class Bench:
    """Two buses, pt on interface 3 and body on interface 5, and the kernel that tells of their links."""

    def __init__(self, reception: PlayedRing) -> None:
        self.clock = VirtualClock(0, BASE)
        self.reception = reception
        self.kernels = [
            Kernel(new_link(index=index, name=name)) for index, name in ((3, "can0"), (5, "can1"))
        ]
        members = [self.member(name, channel) for name, channel in (("pt", 0), ("body", 1))]
        self.source = TogetherSource(members, reception, self.clock)

    def member(self, name: str, channel: int) -> Member:
        watch = LinkWatch(f"can{channel}", self.clock, open_socket=lambda: self.kernels[channel])
        return Member(name, LinkReport(watch, bus=name, clock=self.clock), StateLog(name, self.clock))

    def read(self) -> list[tuple[str, int]]:
        """Let the links be looked at, and read: buses and ids."""
        self.clock.advance_to(self.clock.boot_ns() + round(LOOK_PERIOD_S * NS_PER_S))
        return [(frame.bus, frame.arbitration_id) for frame in frames_of(self.source.read(0))]

    def happens(self, channel: int, *datagrams: bytes) -> None:
        """Have the kernel tell of a link."""
        self.kernels[channel].waiting += datagrams
        self.kernels[channel].answer = datagrams[-1]


def test_each_frame_is_of_the_bus_whose_interface_it_came_from() -> None:
    bench = Bench(PlayedRing(([classic(1), classic(2), classic(3)], [3, 5, 3])))
    assert bench.read() == [("pt", 1), ("body", 2), ("pt", 3)]
    hop = bench.source.hop()
    assert (hop.name, hop.entered, hop.left, hop.balanced) == ("merged buses", 3, 3, True)


@pytest.mark.parametrize("stranger", [4, 6, 900])
def test_a_frame_of_an_interface_that_is_no_bus_is_counted_and_kept_out(stranger: int) -> None:
    bench = Bench(PlayedRing(([classic(1), classic(2)], [stranger, 5])))
    assert bench.read() == [("body", 2)]
    hop = bench.source.hop()
    assert (hop.entered, hop.left, hop.set_aside[STRANGER], hop.balanced) == (2, 1, 1, True)


def test_error_frames_tell_of_the_controller_of_their_own_bus() -> None:
    bench = Bench(PlayedRing(([PASSIVE, classic(1)], [5, 3])))
    bench.read()
    pt, body = bench.source.members
    assert (pt.state.state, body.state.state) == (ControllerState.UNKNOWN, ControllerState.PASSIVE)
    assert bench.source.hop().facts["transmit error passive"] == 1


def test_an_interface_that_comes_back_under_another_number_is_let_in() -> None:
    bench = Bench(PlayedRing(([classic(1)], [5]), ([classic(2)], [5]), ([classic(3), classic(4)], [9, 3])))
    assert bench.read() == [("body", 1)]
    bench.happens(0, deleted_link(index=3))
    assert bench.read() == [("body", 2)]
    assert bench.source.outage == "can0 is gone"
    assert bench.reception.admitted == [(5,)]
    bench.happens(0, new_link(index=9))
    # What was of the interface under its former number may still have been in the ring.
    assert bench.read() == [("pt", 3), ("pt", 4)]
    assert bench.reception.admitted == [(5,), (9, 5)]
    facts = bench.source.hop().facts
    assert (facts["outages"], facts["reopened"], facts["link gone"], facts["link back"]) == (1, 1, 1, 1)
    assert not bench.source.outage


def test_an_interface_that_only_passes_through_the_name_is_not_let_in() -> None:
    bench = Bench(PlayedRing())
    bench.happens(0, deleted_link(index=3))
    bench.read()
    bench.happens(0, new_link(index=8, flags=0))
    bench.read()
    bench.happens(0, new_link(index=8, name="can7", flags=0))
    bench.read()
    bench.happens(0, new_link(index=8, name="can7"))
    bench.read()
    assert bench.reception.admitted == [(5,)]


def test_what_the_kernel_lost_is_in_the_account() -> None:
    bench = Bench(PlayedRing(([classic(1)], [3])))
    bench.reception.dropped = 17
    bench.read()
    hop = bench.source.hop()
    assert (hop.entered, hop.left, hop.set_aside["lost: kernel ring full"]) == (18, 1, 17)


def test_what_came_before_the_close_is_still_read() -> None:
    reception = PlayedRing(([classic(1)], [3]))
    bench = Bench(reception)
    reception.lately, reception.interfaces = [[classic(7), classic(8)]], [[5, 3]]
    bench.source.close()
    assert [(frame.bus, frame.arbitration_id) for frame in _rest(bench.source)] == [("body", 7), ("pt", 8)]
    assert reception.closed


def test_a_ring_that_gives_no_more_is_an_error_that_says_so() -> None:
    bench = Bench(PlayedRing(errno.EIO))
    with pytest.raises(SourceError, match="ring of pt, body"):
        bench.read()


@pytest.fixture(name="wire")
def make_wire() -> Iterator[Cable]:
    with cable() as wire:
        wire.add(*SECOND)
        yield wire


def shared(wire: Cable, *names: str, conditions: Conditions | None = None) -> TogetherSource | None:
    buses = [BusOfRing(name, channel) for name, channel in zip(names, (NEAR, SECOND[0]), strict=True)]
    source = wire.namespace.call(
        lambda: open_together(
            buses,
            clock=SystemClock(),
            any_link=True,
            ring_bytes=1 << 20,
            block_timeout_ms=1,
            conditions=conditions or Conditions(),
        )
    )
    assert source is None or isinstance(source, TogetherSource)
    return source


def test_frames_of_two_real_links_are_in_the_order_in_which_they_were_sent(wire: Cable) -> None:
    source = shared(wire, "pt", "body")
    assert source is not None
    with source:
        for number in range(200):
            wire.send([classic(number)], link=SECOND[1] if number % 3 else "far0")
        found = _awaited(source, 200)
    assert [frame.arbitration_id for frame in found] == list(range(200))
    assert [frame.bus for frame in found] == ["body" if number % 3 else "pt" for number in range(200)]
    times = [frame.t_ns for frame in found]
    assert times == sorted(times)


def test_what_other_interfaces_receive_does_not_get_in(wire: Cable) -> None:
    wire.add(*THIRD)
    source = shared(wire, "pt", "body")
    assert source is not None
    with source:
        wire.send([classic(1)], link=THIRD[1])
        wire.send([(0x0800, struct.pack("=IB3x8s", 2, 0, b""))])
        wire.send([classic(3)])
        found = _awaited(source, 1)
        assert [(frame.bus, frame.arbitration_id) for frame in found] == [("pt", 3)]
        assert source.hop().entered == 1


def test_one_bus_goes_on_while_the_other_is_plugged_out_and_in(wire: Cable) -> None:
    source = shared(wire, "pt", "body")
    assert source is not None
    with source:
        wire.unplug()
        for number in range(100):
            wire.send([classic(number)], link=SECOND[1])
        found = wire.namespace.call(lambda: _read_until(source, "can0 is gone"))
        wire.plug()
        found += wire.namespace.call(lambda: _read_until(source, ""))
        wire.send([classic(0x700)])
        found += _awaited(source, 101 - len(found))
    assert [frame.arbitration_id for frame in found] == [*range(100), 0x700]
    assert found[-1].bus == "pt"


def test_interfaces_of_which_one_is_not_there_have_no_ring_together(wire: Cable) -> None:
    wire.namespace.ip("link", "del", SECOND[0])
    assert shared(wire, "pt", "body") is None


def test_where_no_ring_can_be_had_nothing_is_told_of_links_that_are_opened_one_by_one(
    wire: Cable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "not permitted")

    caplog.set_level("INFO", "edge.bus.socketcan")
    conditions = Conditions()
    before = set(DESCRIPTORS.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr("edge.bus.socketcan.choose.RingReception", refuse)
        assert shared(wire, "pt", "body", conditions=conditions) is None
    assert [record.getMessage() for record in caplog.records] == [
        "buses pt, body: have no ring together: not permitted"
    ]
    assert conditions.all() == ()
    assert set(DESCRIPTORS.iterdir()) == before
    source = shared(wire, "pt", "body", conditions=conditions)
    assert source is not None
    with source:
        said = [record.getMessage() for record in caplog.records[1:]]
    assert said[:2] == ["bus pt: can0 is veth", "bus body: can1 is veth"]
    assert said[2].startswith("buses pt, body: can0, can1 are read by a ring")
    assert [(one.bus, one.interface, one.way) for one in conditions.all()] == [
        ("pt", "socketcan can0", "ring"),
        ("body", "socketcan can1", "ring"),
    ]


def test_the_filter_takes_as_many_interfaces_as_are_promised(wire: Cable) -> None:
    def admitted() -> list[int]:
        with RingReception(NEAR, SECOND[0], ring_bytes=1 << 18, any_link=True) as ring:
            own = [number for number, name in socket.if_nameindex() if name in {NEAR, SECOND[0]}]
            ring.admit([*own, *range(1000, 1000 + INTERFACES_MAX - 2)])
            wire.send([classic(1)])
            wire.send([classic(2)], link=SECOND[1])
            found: list[int] = []
            end_s = time.monotonic() + WAIT_S
            while len(found) < 2 and time.monotonic() < end_s:
                found += ring.take(0.1).can_id.tolist()
            with pytest.raises(OSError, match="too many"):
                ring.admit(range(INTERFACES_MAX + 1))
            ring.admit([])
            wire.send([classic(3)])
            assert not len(ring.take(0.05))
            return found

    assert wire.namespace.call(admitted) == [1, 2]


def _awaited(source: FrameSource, count: int) -> list[Frame]:
    """Read until so many frames have come, and then what came too much."""
    found: list[Frame] = []
    end_s = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < end_s:
        found += frames_of(source.read(0.05))
    return found + frames_of(source.read(0.02))


def _read_until(source: TogetherSource, outage: str) -> list[Frame]:
    """Read until this is said to be why nothing comes."""
    found: list[Frame] = []
    end_s = time.monotonic() + WAIT_S
    while source.outage != outage:
        assert time.monotonic() < end_s
        found += frames_of(source.read(0.02))
    return found


def _rest(source: FrameSource) -> list[Frame]:
    found: list[Frame] = []
    while (batch := source.read(0)) is not None:
        found += frames_of(batch)
    return found
