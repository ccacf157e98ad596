"""The whole way under one virtual clock: gateway, follower, vlink, and the real state machine behind it."""

from __future__ import annotations

import itertools
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.bus.vlink.board_report import Member
from edge.bus.vlink.source import VlinkSource
from edge.errors import SourceError
from edge.power.board_line import BoardLine
from edge.power.following import HOP, PowerFollower
from edge.power.keeper import KeeperRules
from firmware.supervisor import machine as m
from firmware.supervisor.parameters import Parameters
from tests.gateway.rig import CLASSES, Rig, S
from tests.gateway.test_journal_road import journal
from tests.supervisor.boxed import PowerCutError, World
from tests.supervisor.powered import PoweredBoard, SlowLine
from tests.supervisor.test_power_and_gateway import STATE_BINDING, frame
from tests.vlink.board import Line

OFF_S, IGNITION_OFF_S = 10, 12
KEEP, DONE, WAKE = 4, 3, 5


@dataclass
class Driven:
    """A gateway that reads its bus and its supervisor through one board."""

    folder: Path
    world: World = field(default_factory=lambda: World(lambda s: s < IGNITION_OFF_S))
    parameters: Parameters = field(default_factory=Parameters)
    rules: KeeperRules = field(default_factory=KeeperRules)
    after_off_s: int = 60
    linked: bool = False
    closing_s: float = 0.0
    follows: bool = True
    stops_at_s: float = math.inf
    unplugged: tuple[float, float] = (math.inf, math.inf)

    def __post_init__(self) -> None:
        self.rig = Rig(
            self.folder,
            uplink=journal(self.folder),
            sampling=f"collect_period_s = 1\nreport_after_off_s = 30\nafter_off_s = {self.after_off_s}",
            classes=CLASSES,
            binding=STATE_BINDING,
        )
        clock = self.clock = self.rig.clock
        if not self.linked:
            clock.uplinks.clear()
        self.board = PoweredBoard(clock, world=self.world, parameters=self.parameters)
        self.lines: list[Line] = []
        nonces = itertools.count(1)
        self.source = VlinkSource(
            [Member("pt")], self._open, clock=clock, random_u32=lambda: next(nonces), attended=True
        )
        self.line = BoardLine()
        self.line.reach(self.source)
        self.follower = PowerFollower(self.line, self.rules, clock)
        self.rig.gateway.beside, self.rig.gateway.cabin.power = self.follower.hops, self.follower.state
        self.saved_at: list[float] = []
        self.closed_at = math.nan
        self.finished = False
        self.states: list[object] = []
        clock.at.append((clock.boot_ns(), self._drive))

    def _open(self) -> Line:
        if self.unplugged[0] <= self.board.seconds < self.unplugged[1]:
            raise SourceError("there is no such port")
        self.lines.append(SlowLine(self.board, self.clock))
        return self.lines[-1]

    def _drive(self) -> None:
        """Twice a second a frame; now and then the plug."""
        now_ns, now_s = self.clock.boot_ns(), self.board.seconds
        self.clock.at.append((now_ns + S // 2, self._drive))
        self.board.live()
        if now_s < OFF_S + 5:
            state = 1 if now_s < OFF_S else 2
            self.board.offer(0, 1, frame(now_ns, state=state, speed=int(now_s) % 200).data)
        if self.unplugged[0] <= now_s < self.unplugged[1]:
            self.lines[-1].gone = True
        if now_s >= self.stops_at_s:
            self.rig.stop.set()

    def run(self) -> str:
        """Run as `nevgate run` does, until power is cut; tell why it was."""
        gateway, clock, follower = self.rig.gateway, self.clock, self.follower
        close, save = gateway.road.close, gateway.road.supply_lost

        def attend() -> None:
            # As the thread does that follows while the gateway closes.
            clock.at.append((clock.boot_ns() + S // 2, attend))
            follower.attend(0)

        def slowly() -> None:
            clock.pass_until(clock.boot_ns() + round(self.closing_s * S))
            close()

        def saving() -> None:
            self.saved_at.append(self.board.seconds)
            save()

        def watch(_: object) -> None:
            if self.follows:
                follower.step(gateway, self.rig.stop)
            self.states.append(gateway.cabin.power and gateway.cabin.power())
            if self.board.seconds > 2_000:
                self.rig.stop.set()

        gateway.road.close = slowly  # type: ignore[method-assign]
        gateway.road.supply_lost = saving  # type: ignore[method-assign]
        try:
            gateway.run(self.source, stop=self.rig.stop, watch=watch)
            clock.at.append((clock.boot_ns(), attend))
            self.finished = gateway.finish(follower.drain_s(10 if self.linked else 0))
            self.closed_at = self.board.seconds
            follower.closed()
            clock.pass_until(clock.boot_ns() + 60 * S)
        except PowerCutError as cut:
            return str(cut)
        return "never"

    def asked(self, code: int) -> list[tuple[float, int]]:
        return [(at, seconds) for at, each, seconds in self.board.asked if each == code]


def test_the_hour_of_watching_is_asked_for_again_and_again_then_the_end_is_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nevgate")
    driven = Driven(tmp_path, rules=KeeperRules(wake_after_s=7_200), linked=True)
    assert driven.run() == "answered"
    (first, seconds), *later = driven.asked(KEEP)
    assert OFF_S <= first <= OFF_S + 2
    assert 115 <= seconds <= 120
    assert all(b - a <= 21.5 for (a, _), (b, _) in itertools.pairwise(driven.asked(KEEP)[:-1]))
    assert len(later) >= 5
    asked_at = driven.board.times(m.SHUTDOWN_PLEASE)[0]
    assert OFF_S + 120 <= asked_at <= OFF_S + 126
    assert [seconds for _, seconds in driven.asked(WAKE)] == [7_200, 7_200]
    assert len(driven.asked(DONE)) == 1
    assert asked_at <= driven.closed_at <= driven.asked(DONE)[0][0] + 1
    cut_at = driven.board.times(m.POWER_OFF)[0]
    assert 9 <= cut_at - driven.asked(DONE)[0][0] <= 11
    assert driven.finished
    assert driven.follower.answered
    account = driven.rig.gateway.account()
    assert account.balanced
    (hop,) = [hop for hop in account.hops if hop.name == HOP]
    assert hop.facts["asked to end: nothing left to watch"] == 1
    assert hop.facts["events: ignition"] == 2
    assert "ended: the supervisor of power asked for it: nothing left to watch, ignition off" in caplog.text
    assert {"supervisor": "on", "supply_v": 12.6, "ignition": True, "ending": ""} in driven.states
    assert driven.rig.platform.sequence.watermark == len(driven.rig.platform.speeds)


def test_the_battery_limits_the_watch_whatever_is_asked_for(tmp_path: Path) -> None:
    small = Parameters(minimum_on_ms=10_000, hold_up_limit_ms=40_000, watch_budget_ms=130_000)
    driven = Driven(tmp_path, parameters=small, after_off_s=3_600)
    assert driven.run() == "answered"
    assert driven.asked(KEEP)[0][1] > 3_600
    assert driven.board.machine.spent_ms <= 130_000
    assert driven.board.times(m.POWER_OFF)[0] < OFF_S + 130


def test_a_falling_supply_commits_before_it_is_gone(tmp_path: Path) -> None:
    driven = Driven(tmp_path, World(lambda _: True, lambda s: 13_800 if s < 20 else 5_000))
    assert driven.run() == "supply critical"
    falling_at = driven.board.times(m.SUPPLY_FALLING)[0]
    assert falling_at <= driven.saved_at[0] <= falling_at + 0.7
    assert driven.saved_at[0] < driven.board.times(m.POWER_OFF)[0] - 0.5


def test_a_gateway_that_takes_no_notice_is_cut_off(tmp_path: Path) -> None:
    driven = Driven(tmp_path, follows=False)
    assert driven.run() == "no answer"
    asked_at = driven.board.times(m.SHUTDOWN_PLEASE)[0]
    assert 30 <= driven.board.times(m.POWER_OFF)[0] - asked_at <= 31
    assert not driven.board.asked


def test_time_is_asked_for_while_the_journal_closes(tmp_path: Path) -> None:
    driven = Driven(tmp_path, closing_s=80)
    assert driven.run() == "answered"
    assert driven.closed_at - driven.board.times(m.SHUTDOWN_PLEASE)[0] >= 80


def test_an_answer_that_does_not_arrive_is_given_again(tmp_path: Path) -> None:
    driven = Driven(tmp_path)
    driven.board.deaf = 1 << 30
    driven.clock.at.append((driven.board.start_ns + 80 * S, lambda: setattr(driven.board, "deaf", 0)))
    assert driven.run() == "answered"
    asked_at = driven.board.times(m.SHUTDOWN_PLEASE)[0]
    assert asked_at < 75
    assert driven.asked(DONE)[0][0] >= 80


def test_a_board_that_was_away_is_heard_again(tmp_path: Path) -> None:
    driven = Driven(tmp_path, unplugged=(2, 9))
    assert driven.run() == "answered"
    assert {"supervisor": "out of reach", "supply_v": None, "ignition": None, "ending": ""} in driven.states
    assert driven.asked(KEEP)[0][0] >= OFF_S


def test_power_asked_for_is_given_back_when_the_gateway_ends_by_itself(tmp_path: Path) -> None:
    driven = Driven(tmp_path, stops_at_s=50)
    driven.run()
    assert driven.asked(KEEP)[-1][1] == 0
    assert not driven.follower.why or driven.board.times(m.SHUTDOWN_PLEASE)[0] >= 50


def test_frames_that_come_after_the_end_are_no_part_of_the_account(tmp_path: Path) -> None:
    driven = Driven(tmp_path, stops_at_s=3)
    driven.run()
    before = driven.source.hop()
    driven.clock.at.clear()
    driven.board.offer(0, 1_000, bytes(8))
    driven.source.attend(1)
    assert driven.board.waiting == 0
    after = driven.source.hop()
    assert (before.entered, before.left, before.set_aside) == (after.entered, after.left, after.set_aside)
    driven.line.hang_up()
    assert all(line.closed for line in driven.lines)
