"""A gateway and the real state machine of its power together, under one virtual clock."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.clock import NS_PER_S
from edge.frames import Frame
from edge.power.keeper import KeeperRules, PowerKeeper
from edge.power.supervisor import (
    SHUTDOWN_CAUSES,
    ShutdownRequest,
    SupervisorEvent,
    SupervisorState,
    SupervisorStatus,
    SupplyFalling,
    Wish,
)
from firmware.supervisor import machine as m
from firmware.supervisor.parameters import Parameters
from tests.gateway.rig import BINDING, CLASSES, MOTION, Rig, S, live, recording
from tests.gateway.test_journal_road import journal
from tests.supervisor.boxed import BoxedSupervisor, PowerCutError, World

OFF_S, IGNITION_OFF_S = 100, 110
STATE_BINDING = BINDING + '[items."vehicle.state"]\nsignal = "Motion.Gear"\nrange = [1, 3]\n'


def frame(t_ns: int, *, state: int, speed: int = 0) -> Frame:
    data = bytearray((speed * 100).to_bytes(2, "little") + bytes(6))
    data[6] |= state
    return Frame(t_ns, MOTION, bytes(data), "pt")


@dataclass
class Vehicle:
    """A rig whose power the supervisor owns: driven for 100 s, high voltage off, ignition off 10 s later."""

    folder: Path
    world: World = field(default_factory=lambda: World(lambda s: s < IGNITION_OFF_S))
    parameters: Parameters = field(default_factory=Parameters)
    after_off_s: int = 300
    closing_s: float = 0.0
    answers_lost: int = 0
    state: int = 2

    def __post_init__(self) -> None:
        sampling = f"collect_period_s = 1\nreport_after_off_s = 30\nafter_off_s = {self.after_off_s}"
        self.rig = Rig(
            self.folder,
            uplink=journal(self.folder),
            sampling=sampling,
            classes=CLASSES,
            binding=STATE_BINDING,
        )
        self.box = BoxedSupervisor(
            self.rig.clock, self.world, parameters=self.parameters, answers_lost=self.answers_lost
        )
        self.keeper = self.box.keeper = PowerKeeper(self.box)
        self.saved_at: list[float] = []
        self.closed_at = math.nan
        self.finished = False

    def run(self, seconds: int) -> str:
        """Run as `nevgate run` does, until power is cut; tell why it was."""
        gateway, clock = self.rig.gateway, self.rig.clock
        close = gateway.road.close

        def slowly() -> None:
            clock.pass_until(clock.boot_ns() + round(self.closing_s * S))
            close()

        gateway.road.close = slowly  # type: ignore[method-assign]

        def watch(_: object) -> None:
            wish = self.keeper.step(clock.boot_ns(), gateway.watched_until_ns)
            if wish is Wish.SAVE:
                self.saved_at.append(self.box.seconds())
                gateway.supply_lost()
            elif wish is Wish.END:
                self.rig.stop.set()

        def frames(now_ns: int) -> list[Frame]:
            on = self.box.seconds() < OFF_S
            return [frame(now_ns, state=1 if on else self.state, speed=int(self.box.seconds()) % 200)]

        try:
            gateway.run(
                live(self.rig, "pt", frames, seconds=seconds, every_ms=500), stop=self.rig.stop, watch=watch
            )
            self.finished = gateway.finish(self.keeper.drain_s(10, clock.boot_ns()))
            self.closed_at = self.box.seconds()
            self.keeper.closed()
            clock.pass_until(clock.boot_ns() + 600 * S)
        except PowerCutError as cut:
            return str(cut)
        return "never"


def test_a_battery_that_sinks_ends_the_watch(tmp_path: Path) -> None:
    world = World(lambda s: s < IGNITION_OFF_S, lambda s: 12_600 if s < 200 else 11_900)
    vehicle = Vehicle(tmp_path, world)
    assert vehicle.run(1_000) == "answered"
    assert vehicle.keeper.request is not None
    assert vehicle.keeper.request.cause == "battery limit"
    assert 259 <= vehicle.box.times(m.SHUTDOWN_PLEASE)[0] <= 262
    assert vehicle.finished


def test_a_journal_that_takes_longer_than_the_limit_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    vehicle = Vehicle(tmp_path, closing_s=500, state=1)
    assert vehicle.run(1_000) == "no answer"
    assert math.isnan(vehicle.closed_at)
    cut = vehicle.box.times(m.POWER_OFF)[0]
    asked = vehicle.box.times(m.SHUTDOWN_PLEASE)[0]
    assert 119 <= cut - asked <= 131
    sent = vehicle.rig.platform.sequence.watermark
    # What the disk holds at this instant is what the next start finds.
    shutil.copytree(tmp_path / "journal", tmp_path / "found" / "journal")
    later = Rig(tmp_path / "later", uplink=journal(tmp_path / "found"), binding=STATE_BINDING, seed=9)
    assert later.gateway.identity.stream == vehicle.rig.gateway.identity.stream
    later.connect()
    later.gateway.run(recording(3), stop=later.stop)
    assert later.gateway.finish(60)
    assert later.platform.received == [(sent + 1, sent + 3)]
    assert sent > 100


def test_the_numbers_are_those_of_the_firmware() -> None:
    assert [each.words for each in SupervisorState] == list(m.STATES)
    assert {each.value: each.words for each in SupervisorEvent} == m.NAMES
    requests = (m.WATCH_OVER, m.LOW_SUPPLY, m.BUDGET_SPENT, m.LONG_CRANKING, m.BATTERY_LIMIT)
    assert {m.CAUSES[each] for each in requests} == SHUTDOWN_CAUSES


class _Deaf:
    """Writes down what it is asked."""

    status: SupervisorStatus | None = None

    def __init__(self) -> None:
        self.asked: list[int | str] = []

    def keep_power(self, seconds: int) -> None:
        self.asked.append(seconds)

    def shutdown_done(self) -> None:
        self.asked.append("done")

    def wake_in(self, seconds: int) -> None:
        self.asked.append(f"wake in {seconds}")


def test_asks_again_and_again_while_it_watches_and_takes_back_once() -> None:
    deaf = _Deaf()
    keeper = PowerKeeper(deaf)
    for second in range(200):
        assert keeper.step(second * S, 120 * S) is Wish.GO_ON
    assert deaf.asked == [180, 160, 140, 120, 100, 80, 60, 40, 20, 0]
    assert keeper.step(200 * S, None) is Wish.GO_ON
    assert deaf.asked[-2:] == [20, 0]


def test_has_itself_woken_later_also_if_power_is_cut_without_an_answer() -> None:
    deaf = _Deaf()
    keeper = PowerKeeper(deaf, KeeperRules(wake_after_s=7200))
    keeper.take(ShutdownRequest(30), 0)
    assert deaf.asked == ["wake in 7200"]
    keeper.closed()
    assert deaf.asked == ["wake in 7200", "wake in 7200", "done"]


def test_does_not_answer_what_was_not_asked() -> None:
    deaf = _Deaf()
    PowerKeeper(deaf).closed()
    assert deaf.asked == []


@pytest.mark.parametrize(("left_s", "wanted_s", "given_s"), [(30, 10, 10), (12, 10, 7), (3, 10, 0)])
def test_waits_for_receipts_no_longer_than_power_lasts(left_s: int, wanted_s: int, given_s: int) -> None:
    keeper = PowerKeeper(_Deaf())
    assert keeper.drain_s(wanted_s, 0) == wanted_s
    keeper.take(ShutdownRequest(left_s), 5 * NS_PER_S)
    assert keeper.drain_s(wanted_s, 5 * NS_PER_S) == given_s


def test_saves_once_for_each_fall_of_the_supply() -> None:
    keeper = PowerKeeper(_Deaf())
    keeper.take(SupplyFalling(5_000), 0)
    assert [keeper.step(0), keeper.step(0)] == [Wish.SAVE, Wish.GO_ON]


def test_does_not_ask_for_time_for_ever() -> None:
    deaf = _Deaf()
    keeper = PowerKeeper(deaf)
    for second in range(600):
        keeper.take(ShutdownRequest(6), second * S)
        assert keeper.step(second * S) is Wish.END
    assert len(deaf.asked) == 121
