from collections import deque
from collections.abc import Callable

import pytest

from edge.clock import VirtualClock
from edge.egress.flows import FlowTable
from edge.egress.frame import Frame
from edge.egress.packet import UDP
from edge.egress.packet_socket import LinkAddress, Take
from edge.egress.result import Basis, Phase
from edge.egress.trial import Trial
from tests.egress.packets import ABROAD, VEHICLE, frame, ip, udp

LINK = LinkAddress("eth0", 0x800, 4, 1, b"")
PACKET = frame(ip(VEHICLE, ABROAD, UDP, udp(1, 2)))
NS = 10**9


class Bench:
    """Hands out packets at their time, and lets the clock move on while it waits."""

    def __init__(self, clock: VirtualClock, at_s: list[float], lost: int = 0) -> None:
        self._clock = clock
        self._at_ns = deque(round(one * NS) for one in at_s)
        self._lost = lost
        self.names = {"eth0"}
        self.on_read: Callable[[], None] = lambda: None

    def read(self, timeout_s: float, take: Take, *, most: int = 1) -> int:
        self.on_read()
        until_ns = self._clock.boot_ns() + round(timeout_s * NS)
        if not self._at_ns or self._at_ns[0] > until_ns:
            self._clock.advance_to(until_ns)
            return 0
        self._clock.advance_to(self._at_ns.popleft())
        take(PACKET, LINK)
        return most

    def lost(self) -> int:
        lost, self._lost = self._lost, 0
        return lost

    def interfaces(self) -> set[str]:
        return set(self.names)


def trial(clock: VirtualClock, at_s: list[float], lost: int = 0) -> tuple[Trial, Bench, FlowTable]:
    table = FlowTable()
    bench = Bench(clock, at_s, lost)
    return Trial(bench, table, clock), bench, table


def test_a_phase_lasts_as_long_as_was_asked_and_counts_what_came() -> None:
    clock = VirtualClock()
    one, _, table = trial(clock, [0.0, 10.0, 3599.9, 3700.0], lost=2)
    found = one.run(Phase.POWER_ON, 3600.0)
    assert (found.lasted_s, found.asked_s, found.basis) == (3600.0, 3600.0, Basis.MEASURED)
    assert (found.packets, found.lost, found.still_s) == (3, 2, 0)
    assert found.interfaces == ("eth0",)
    assert [flow.packets_out for flow in table.flows.values()] == [3]


def test_what_is_sent_while_the_vehicle_is_switched_counts_for_the_phase_to_come_and_its_time_does_not() -> (
    None
):
    clock = VirtualClock()
    one, _, table = trial(clock, [5.0, 30.0])
    one.wait(Phase.ALL_FUNCTIONS, lambda: clock.boot_ns() >= 20 * NS)
    found = one.run(Phase.ALL_FUNCTIONS, 60.0)
    assert found.packets == 2
    assert found.lasted_s == 60.0
    assert {key.phase for key in table.flows} == {"all-functions"}


def test_a_machine_that_slept_does_not_prove_that_time() -> None:
    clock = VirtualClock()
    one, bench, _ = trial(clock, [])
    slept = iter([False] * 50 + [True])
    bench.on_read = lambda: clock.advance_to(clock.boot_ns() + (600 * NS if next(slept, False) else 0))
    found = one.run(Phase.POWER_OFF, 3600.0)
    assert found.lasted_s == pytest.approx(3600.0)
    assert found.still_s == pytest.approx(600.0, abs=1)


def test_a_phase_that_is_stopped_gives_what_there_is() -> None:
    clock = VirtualClock()
    table = FlowTable()
    one = Trial(Bench(clock, [1.0], 0), table, clock, lambda: clock.boot_ns() >= 7 * NS)
    found = one.run(Phase.POWER_ON, 3600.0)
    assert found.packets == 1
    assert found.lasted_s == pytest.approx(7.0, abs=0.2)
    assert found.doubts()


def test_a_test_that_is_stopped_before_a_phase_begins_does_not_wait_for_it() -> None:
    clock = VirtualClock()
    one = Trial(Bench(clock, [], 0), FlowTable(), clock, lambda: clock.boot_ns() >= 7 * NS)
    assert not one.wait(Phase.POWER_ON, lambda: False)


def test_an_interface_that_appears_during_a_phase_is_named() -> None:
    clock = VirtualClock()
    one, bench, _ = trial(clock, [])
    bench.on_read = lambda: bench.names.add("ppp0")
    assert one.run(Phase.POWER_ON, 10.0).interfaces == ("eth0", "ppp0")


def test_packets_are_recorded_as_they_are_counted() -> None:
    clock = VirtualClock()
    one, _, _ = trial(clock, [1.0, 2.0])
    kept: list[Frame] = []
    one.run(Phase.POWER_ON, 10.0, record=lambda frame, _: kept.append(frame))
    assert kept == [PACKET, PACKET]
