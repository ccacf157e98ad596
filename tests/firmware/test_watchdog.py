"""The watchdog is not fed when a reset may help, and is when all that is wrong lies outside the board."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from edge.wire.vlink_messages import RESET_POWER_ON, RESET_WATCHDOG
from firmware.bridge import bridge as bridge_module
from firmware.bridge.board import Board
from firmware.bridge.bridge import Bridge
from firmware.bridge.watchdog import HOST, HOST_S, RECEIVE, RECEIVE_S, TRANSMIT, TRANSMIT_S, Watchdog
from simulator.board.controller import PlayedController


@dataclass
class Timer:
    fed: int = 0

    def feed(self) -> None:
        self.fed += 1


def judge(
    watchdog: Watchdog,
    seconds: int = 1,
    *,
    listening: tuple[bool, ...] = (True,),
    waits: bool = False,
    took: bool = False,
    heard: bool = False,
    packets: bool = False,
) -> list[int]:
    return [watchdog.judge(list(listening), waits, took, heard, packets) for _ in range(seconds)]


LONG = 10_000


def test_a_silent_bus_and_a_host_that_is_off_are_well() -> None:
    timer = Timer()
    watchdog = Watchdog(timer, 1)
    assert not any(judge(watchdog, LONG))
    assert not any(judge(watchdog, 5, packets=True, heard=True, took=True))
    # The host goes off in the middle: frames wait, nobody takes them.
    assert not any(judge(watchdog, LONG, waits=True))
    watchdog.feed()
    assert timer.fed == 1


def test_a_controller_that_was_well_and_does_not_come_back_is_ill_and_no_other() -> None:
    timer = Timer()
    watchdog = Watchdog(timer, 2)
    # The second was never there: a reset has just been tried.
    judge(watchdog, 100, listening=(True, False))
    assert not watchdog.ill
    told = judge(watchdog, RECEIVE_S, listening=(False, False))
    assert told == [0] * (RECEIVE_S - 1) + [RECEIVE]
    watchdog.feed()
    fed = [timer.fed]
    judge(watchdog, listening=(True, False))
    watchdog.feed()
    assert [*fed, timer.fed] == [0, 1]


def test_a_port_that_takes_nothing_from_a_board_to_which_a_host_speaks_is_ill() -> None:
    watchdog = Watchdog(Timer(), 1)
    told = judge(watchdog, TRANSMIT_S, waits=True, heard=True, packets=True)
    assert told == [0] * (TRANSMIT_S - 1) + [TRANSMIT]
    judge(watchdog, waits=True, took=True, heard=True, packets=True)
    assert not watchdog.ill
    # It speaks every other second.
    for _ in range(TRANSMIT_S):
        judge(watchdog, waits=True, packets=True)
        judge(watchdog, waits=True)
    assert watchdog.ill == TRANSMIT


def test_bytes_that_are_no_packets_are_ill_only_where_packets_came_before() -> None:
    watchdog = Watchdog(Timer(), 1)
    assert not any(judge(watchdog, LONG, heard=True))
    judge(watchdog, packets=True, heard=True)
    judge(watchdog, HOST_S - 1, heard=True)
    judge(watchdog, LONG)
    assert not watchdog.ill
    judge(watchdog, heard=True)
    assert watchdog.ill == HOST
    judge(watchdog, packets=True, heard=True)
    assert not watchdog.ill


def test_what_comes_and_goes_costs_a_reset_each_five_minutes_at_most() -> None:
    for again, seconds in ((False, RECEIVE_S), (True, 300)):
        watchdog = Watchdog(Timer(), 1, again)
        judge(watchdog, 3)
        assert not any(judge(watchdog, seconds - 1, listening=(False,)))
        assert judge(watchdog, listening=(False,)) == [RECEIVE]
    watchdog = Watchdog(Timer(), 1, again=True)
    judge(watchdog, packets=True)
    for _ in range(299):
        assert judge(watchdog, waits=True, packets=True) == [0]
    assert judge(watchdog, waits=True, packets=True) == [TRANSMIT]


def test_a_board_that_its_watchdog_reset_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bool] = []

    def made(timer: object, buses: int, again: bool) -> Watchdog:
        given.append(again)
        return Watchdog(timer, buses, again)

    monkeypatch.setattr(bridge_module, "Watchdog", made)
    for cause in (RESET_WATCHDOG, RESET_POWER_ON):
        clock = SimpleNamespace(ticks_us=lambda: 0, ticks_ms=lambda: 0)
        board = Board("desk", "0.1", bytes(8), 7, 300, reset_cause=cause)
        Bridge((PlayedController(clock, 0, 0, 0, 0, 0),), SimpleNamespace(forgets=False), clock, None, board)
    assert given == [True, False]
