"""A bus that python-can reads is watched like any other."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from edge.bus import live
from edge.bus.memory import MemorySource
from edge.bus.socketcan import choose
from edge.bus.socketcan.choose import open_socketcan
from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import LOOK_PERIOD_S, LinkReport
from edge.bus.socketcan.raw import RawReception
from edge.bus.socketcan.watched import WatchedSource
from edge.clock import NS_PER_S, SystemClock, VirtualClock
from edge.frames import Frame, FrameBatch
from tests.socketcan.kernel_link import Kernel, deleted_link, new_link
from tests.socketcan.veth import NEAR, Cable, cable

WAIT_S = 10
FRAMES = FrameBatch.from_frames([Frame(1, 0x101, b"abc", "pt")])


class Interface(MemorySource):
    """Frames out of memory, as python-can would have them."""

    opened_anew = 0

    def open_anew(self) -> None:
        self.opened_anew += 1


@pytest.fixture
def wire() -> Iterator[Cable]:
    with cable() as made:
        yield made


def test_what_happens_to_the_link_stands_in_the_account_of_the_bus() -> None:
    clock, kernel = VirtualClock(), Kernel(new_link(mode=0))
    inner = MemorySource([FRAMES], name="bus pt", live=True)
    link = LinkReport(
        LinkWatch("can0", clock, open_socket=lambda: kernel), bus="pt", clock=clock, expected=None
    )
    with WatchedSource(inner, link) as source:
        assert (source.live, source.buses, source.timebase) == (True, ("pt",), inner.timebase)
        batch = source.read(0)
        assert batch is not None
        assert batch.equals(FRAMES)
        assert source.outage == ""
        kernel.waiting.append(new_link(flags=0))
        clock.advance_to(round(LOOK_PERIOD_S * NS_PER_S))
        source.read(0)
        assert source.outage == "can0 is down"
        hop = source.hop()
        assert (hop.name, hop.entered, hop.left, hop.balanced) == ("bus pt", 1, 1, True)
        assert {"not listen-only": 1, "link down": 1, "data": 1}.items() <= hop.facts.items()
    assert not kernel.open
    assert source.read(0) is None


@pytest.mark.parametrize("way", ["python-can", None])
def test_python_can_reads_under_a_watch(
    wire: Cable, way: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(choose, "RingReception", refuse)
    monkeypatch.setattr(RawReception, "open", refuse)
    monkeypatch.setattr(live, "open_interface", lambda **_: Interface([FRAMES], live=True))
    with wire.namespace.call(lambda: open_socketcan("pt", NEAR, clock=SystemClock(), way=way)) as source:
        wire.down()
        end_ns = SystemClock().boot_ns() + WAIT_S * NS_PER_S
        while not source.hop().facts.get("link down"):
            assert SystemClock().boot_ns() < end_ns
            source.read(0)


def test_an_interface_that_is_another_one_now_is_opened_anew_once_it_is_up() -> None:
    clock, kernel = VirtualClock(), Kernel(new_link())
    inner = Interface([], name="bus pt", live=True)
    link = LinkReport(LinkWatch("can0", clock, open_socket=lambda: kernel), bus="pt", clock=clock)
    with WatchedSource(inner, link, open_anew=inner.open_anew) as source:
        for told, opened in (
            (new_link(flags=0), 0),
            (new_link(), 0),
            (deleted_link(), 0),
            (new_link(index=9, flags=0), 0),
            (new_link(index=9), 1),
            (new_link(index=9), 1),
        ):
            kernel.waiting.append(told)
            kernel.answer = told
            clock.advance_to(clock.boot_ns() + round(LOOK_PERIOD_S * NS_PER_S))
            source.read(0)
            assert inner.opened_anew == opened
