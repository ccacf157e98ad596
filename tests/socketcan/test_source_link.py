"""A bus keeps to its interface, whatever becomes of it: the account and the log tell what that was."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterator

import pytest

from edge.bus.socketcan.choose import open_socketcan
from edge.bus.socketcan.link import ASK_PERIOD_S, LinkWatch
from edge.bus.socketcan.link_report import LOOK_PERIOD_S, LinkReport
from edge.bus.socketcan.source import SocketCanSource
from edge.bus.source import FrameSource
from edge.clock import NS_PER_S, SystemClock, VirtualClock
from tests.socketcan.kernel_link import Kernel, deleted_link, new_link
from tests.socketcan.test_source import BASE, Opener, Played, frames_of
from tests.socketcan.veth import NEAR, Cable, cable, classic

WAIT_S = 10.0


class Bench:
    """A source, and a kernel that tells it of its link what the test says."""

    def __init__(self, *receptions: Played | None) -> None:
        self.clock = VirtualClock(0, BASE)
        self.kernel = Kernel(new_link(index=3))
        watch = LinkWatch("can0", self.clock, open_socket=lambda: self.kernel)
        self.opener = Opener(*receptions)
        self.source = SocketCanSource(
            name="pt",
            where="socketcan can0",
            open_reception=self.opener,
            clock=self.clock,
            link=LinkReport(watch, bus="pt", clock=self.clock),
        )

    def happens(self, *datagrams: bytes) -> list[int]:
        """Have the kernel tell something, and read: the ids that came."""
        self.kernel.waiting += datagrams
        self.kernel.answer = datagrams[-1]
        self.clock.advance_to(self.clock.boot_ns() + round(LOOK_PERIOD_S * NS_PER_S))
        return [frame.arbitration_id for _ in range(3) for frame in frames_of(self.source.read(0))]


def test_another_interface_under_the_name_is_opened_at_once() -> None:
    bench = Bench(Played([classic(1)]), Played([classic(2)]))
    assert bench.happens(new_link(index=3)) == [1]
    assert bench.happens(deleted_link(index=3), new_link(index=4)) == [2]
    facts = bench.source.hop().facts
    assert (facts["outages"], facts["reopened"], facts["link gone"], facts["link back"]) == (1, 1, 1, 1)


def test_an_interface_that_only_passes_through_the_name_is_not_opened() -> None:
    """Its socket would give the frames of another bus for those of this one."""
    bench = Bench(Played(errno.ENODEV), Played([classic(2)]))
    bench.happens(deleted_link(index=3))
    bench.happens(new_link(index=8, flags=0))
    bench.happens(new_link(index=8, name="can1", flags=0))
    bench.happens(new_link(index=8, name="can1"))
    assert bench.opener.tried == 1
    assert bench.source.outage == "can0 is gone"
    assert bench.happens(new_link(index=9)) == [2]


def test_what_is_back_is_opened_without_waiting_for_the_next_try() -> None:
    bench = Bench(Played(errno.ENODEV), *[None] * 6, Played([classic(2)]))
    bench.happens(new_link(index=3))
    while bench.opener.tried < 7:
        bench.clock.advance_to(bench.clock.boot_ns() + NS_PER_S)
        bench.happens(new_link(index=3))
    bench.happens(deleted_link(index=3))
    assert bench.source.outage == "can0 is gone"
    assert bench.happens(new_link(index=4)) == [2]


def test_without_knowledge_of_the_link_it_is_tried_all_the_same() -> None:
    bench = Bench(Played(errno.ENODEV), Played([classic(2)]))
    bench.happens(deleted_link(index=3))
    bench.kernel.refuses = True
    bench.clock.advance_to(bench.clock.boot_ns() + round(ASK_PERIOD_S * NS_PER_S))
    assert [frame.arbitration_id for frame in frames_of(bench.source.read(0))] == [2]


def test_what_the_kernel_has_let_go_is_let_go() -> None:
    """A socket that is deaf may never say so."""
    first = Played()
    bench = Bench(first, Played([classic(2)]))
    first.lately = [[classic(1)]]
    assert bench.happens(deleted_link(index=3)) == [1]
    assert first.closed
    assert bench.source.outage == "can0 is gone"


def test_a_renamed_interface_keeps_its_socket() -> None:
    bench = Bench(Played([classic(1)], [classic(2)]))
    assert bench.happens(new_link(index=3)) == [1, 2]
    bench.happens(new_link(index=3, name="canpt"))
    assert bench.opener.tried == 1
    facts = bench.source.hop().facts
    assert facts["link renamed"] == 1
    assert "outages" not in facts


def test_closing_the_source_closes_the_watch() -> None:
    bench = Bench(Played())
    bench.source.close()
    assert not bench.kernel.open


@pytest.fixture
def wire() -> Iterator[Cable]:
    with cable() as made:
        yield made


@pytest.fixture
def live(wire: Cable) -> Iterator[FrameSource]:
    with wire.namespace.call(
        lambda: open_socketcan("pt", NEAR, clock=SystemClock(), way="ring", any_link=True)
    ) as source:
        yield source


def read_until(source: FrameSource, *wanted: int) -> list[int]:
    found: list[int] = []
    end_s = time.monotonic() + WAIT_S
    while set(wanted) - set(found) and time.monotonic() < end_s:
        found += [frame.arbitration_id for frame in frames_of(source.read(0.05))]
    return found


def test_on_a_cable_all_that_can_happen_is_in_the_account_and_in_the_log(
    wire: Cable, live: FrameSource, caplog: pytest.LogCaptureFixture
) -> None:
    """The last step opens an interface anew in a thread that is in the cable's namespace."""
    caplog.set_level(logging.INFO)
    wire.send([classic(1)])
    assert read_until(live, 1) == [1]
    wire.down()
    wire.namespace.ip("link", "set", NEAR, "name", "can5")
    wire.up("can5")
    read_events(live, "link up")
    wire.send([classic(2)])
    assert read_until(live, 2) == [2]
    wire.namespace.ip("link", "del", "can5")
    read_events(live, "link gone")
    wire.plug()
    wire.namespace.call(lambda: read_events(live, "link back"))
    wire.send([classic(3)])
    assert wire.namespace.call(lambda: read_until(live, 3)) == [3]
    hop = live.hop()
    events = {fact: count for fact, count in hop.facts.items() if fact.startswith("link")}
    assert events == {"link down": 2, "link up": 2, "link renamed": 1, "link gone": 1, "link back": 1}
    assert (hop.entered, hop.left, hop.set_aside) == (3, 3, {})
    told = [record.getMessage() for record in caplog.records]
    assert "bus pt: can0 is called can5 now" in told
    assert "bus pt: can5 is gone" in told
    assert "bus pt: can0 is back" in told


def read_events(source: FrameSource, fact: str) -> None:
    """Read until something has happened to the link."""
    end_s = time.monotonic() + WAIT_S
    while not source.hop().facts.get(fact):
        assert time.monotonic() < end_s, f"no '{fact}'"
        assert not frames_of(source.read(0.05))
