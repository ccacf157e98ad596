"""Each event of an interface is a fact of the account and a line of the log, and says why nothing comes."""

import logging

import pytest

from edge.bus.socketcan.follow import LinkEvent
from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import (
    LINES_MAX,
    LINES_PERIOD_S,
    LOOK_AWAY_S,
    LOOK_PERIOD_S,
    Expected,
    LinkReport,
)
from edge.clock import NS_PER_S, VirtualClock
from tests.socketcan.kernel_link import FD, LISTEN_ONLY, UP, Kernel, deleted_link, new_link


class Bench:
    """A report on an interface of which the test says what the kernel tells."""

    def __init__(self, expected: Expected | None = None, start: bytes | None = None) -> None:
        self.clock = VirtualClock()
        self.kernel = Kernel(new_link() if start is None else start)
        watch = LinkWatch("can0", self.clock, open_socket=lambda: self.kernel)
        self.report = LinkReport(watch, bus="pt", clock=self.clock, expected=expected)

    def happens(self, *datagrams: bytes) -> None:
        self.kernel.waiting += datagrams
        self.kernel.answer = b"" if not datagrams else datagrams[-1]
        self.wait(LOOK_PERIOD_S)
        self.report.look()

    def wait(self, wait_s: float) -> None:
        self.clock.advance_to(self.clock.boot_ns() + round(wait_s * NS_PER_S))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "edge.bus.socketcan")
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    found = [(record.levelname, record.getMessage()) for record in log.records]
    log.clear()
    return found


def test_a_good_start_is_one_line_and_no_fact(log: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    assert lines(log) == [("INFO", "bus pt: can0 is can, 500000 bit/s, listen-only, controller active")]
    assert bench.report.facts == {}
    assert (bench.report.outage, bench.report.interface) == ("", "can0")


def test_every_event_is_counted_and_told(log: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    lines(log)
    bench.happens(new_link(flags=0))
    assert bench.report.outage == "can0 is down"
    bench.happens(new_link(flags=UP, bitrate=250_000))
    assert bench.report.outage == ""
    bench.happens(new_link(flags=UP, bitrate=250_000, counts=(0, 0, 0, 2, 0, 1), state=3, restart_ms=100))
    bench.happens(deleted_link())
    assert (bench.report.outage, bench.report.interface) == ("can0 is gone", "can0")
    bench.happens(new_link(index=9, flags=UP, bitrate=250_000, mode=0))
    bench.happens(new_link(index=9, name="can5", flags=UP, bitrate=250_000, mode=LISTEN_ONLY))
    assert (bench.report.outage, bench.report.interface) == ("", "can5")
    assert bench.report.facts == {
        "link down": 1,
        "link up": 1,
        "bitrate changed": 1,
        "link bus-off": 2,
        "link restarted": 1,
        "link gone": 1,
        "link back": 1,
        "not listen-only": 1,
        "link renamed": 1,
        "listen-only again": 1,
    }
    told = lines(log)
    assert "".join(level[0] for level, _ in told) == "WWIWIWIWWI"
    assert all(words.startswith("bus pt: can") for _, words in told)
    assert told[3][1] == "bus pt: can0 is bus-off; it is restarted after 100 ms (2 times)"


def test_every_kind_of_event_is_listed_for_the_account() -> None:
    bench = Bench()
    assert set(bench.report._facts) == set(LinkEvent)


def test_it_looks_no_oftener_than_it_has_to() -> None:
    bench = Bench()
    bench.kernel.waiting.append(new_link(flags=0))
    bench.wait(LOOK_PERIOD_S * 0.9)
    assert bench.report.look() == ()
    bench.wait(LOOK_PERIOD_S * 0.1)
    assert [change.event for change in bench.report.look()] == [LinkEvent.DOWN]


def test_it_looks_oftener_while_the_interface_is_away() -> None:
    bench = Bench()
    bench.happens(new_link(flags=0))
    bench.kernel.waiting.append(new_link())
    bench.wait(LOOK_AWAY_S)
    assert [change.event for change in bench.report.look()] == [LinkEvent.UP]


def test_after_a_failure_it_looks_at_once() -> None:
    bench = Bench()
    bench.kernel.answer = b""
    assert [change.event for change in bench.report.look(at_once=True)] == [LinkEvent.GONE]
    assert bench.report.outage == "can0 is gone"


def test_what_is_not_as_configured_is_told_once_and_cleared_once(log: pytest.LogCaptureFixture) -> None:
    start = new_link(data_bitrate=1_000_000, mode=LISTEN_ONLY | FD)
    bench = Bench(Expected(bitrate=250_000, data_bitrate=2_000_000, fd=True), start)
    assert [words for level, words in lines(log) if level == "WARNING"] == [
        "bus pt: can0 has 500000 bit/s, the configuration says 250000",
        "bus pt: can0 has 1000000 bit/s of data, the configuration says 2000000",
    ]
    bench.happens(start)
    assert lines(log) == []
    bench.happens(new_link(flags=0))
    bench.happens(new_link(bitrate=250_000, data_bitrate=2_000_000, mode=LISTEN_ONLY | FD))
    assert lines(log)[-1] == ("INFO", "bus pt: can0 is as configured now")
    assert bench.report.facts["not as configured"] == 2


def test_fd_that_is_wanted_and_off_is_told(log: pytest.LogCaptureFixture) -> None:
    Bench(Expected(fd=True))
    assert lines(log)[-1] == (
        "WARNING",
        "bus pt: can0 takes no CAN FD frames, the configuration says fd = true",
    )


def test_nothing_is_compared_that_is_not_known(log: pytest.LogCaptureFixture) -> None:
    expected = Expected(bitrate=250_000, data_bitrate=2_000_000, fd=True)
    bench = Bench(expected, new_link(kind="vcan", mtu=72))
    Bench(expected, new_link(kind="veth", hardware=1, mtu=1500))
    Bench(expected, new_link(flags=0))
    assert all(level == "INFO" for level, _ in lines(log))
    assert bench.report.facts == {}


def test_a_loose_plug_does_not_fill_the_log(log: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    lines(log)
    for _ in range(20):
        bench.happens(new_link(flags=0), new_link())
    told = [words for _, words in lines(log) if "down" in words]
    assert len(told) == LINES_MAX + 1
    assert told[-1] == "bus pt: 'link down' goes on; it is counted, and told again in a minute"
    assert bench.report.facts["link down"] == 20
    bench.wait(LINES_PERIOD_S)
    bench.happens(new_link(flags=0))
    assert [words for _, words in lines(log)] == ["bus pt: can0 is down"]


def test_what_could_not_be_learnt_is_counted() -> None:
    bench = Bench()
    bench.kernel.waiting += [OSError(105, "No buffer space available"), b"nonsense"]
    bench.kernel.refuses = True
    bench.report.look(at_once=True)
    assert bench.report.facts == {
        "link messages missed": 1,
        "link messages unreadable": 1,
        "link questions refused": 1,
    }


def test_closing_it_closes_the_socket() -> None:
    bench = Bench()
    with bench.report:
        assert bench.report.fileno() >= 0
    assert not bench.kernel.open
    assert bench.report.look(at_once=True) == ()


@pytest.mark.parametrize(("mtu", "warned"), [(16, True), (72, False)])
def test_a_virtual_interface_takes_fd_by_its_mtu(
    mtu: int, warned: bool, log: pytest.LogCaptureFixture
) -> None:
    Bench(Expected(fd=True), new_link(kind="vcan", mtu=mtu))
    assert any(level == "WARNING" for level, _ in lines(log)) is warned
