"""Virtual time moves only when told to, and an account tells what is missing."""

import threading

from edge.account import Account, Hop
from edge.clock import NS_PER_S, SystemClock, TimeQuality, VirtualClock, kernel_quality


def test_waiting_on_the_virtual_clock_moves_it_on_at_once() -> None:
    clock = VirtualClock()
    assert not clock.wait(threading.Event(), 3600)
    assert clock.boot_ns() == 3600 * NS_PER_S


def test_the_virtual_clock_never_runs_backwards() -> None:
    clock = VirtualClock(boot_ns=5)
    clock.advance_to(3)
    assert clock.boot_ns() == 5


def test_the_system_clock_relates_boot_time_to_wall_time() -> None:
    clock = SystemClock()
    assert abs(clock.timebase().wall_ns(clock.boot_ns()) - clock.wall_ns()) < NS_PER_S


def test_the_kernel_is_asked_how_good_its_time_is_unless_the_caller_knows() -> None:
    assert SystemClock().timebase().quality is kernel_quality()
    assert kernel_quality() in (TimeQuality.RTC, TimeQuality.NTP)
    assert SystemClock(TimeQuality.GNSS).timebase().quality is TimeQuality.GNSS


def test_a_hop_balances_only_when_every_frame_has_a_name() -> None:
    hop = Hop("door", "frames", entered=10, left=7, set_aside={"unknown id": 2})
    assert hop.difference == 1
    account = Account.of([hop])
    assert not account.balanced
    assert account.as_json()["balanced"] is False
