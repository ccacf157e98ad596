"""The real power supervisor in memory, under the clock of a gateway's rig."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.clock import NS_PER_S
from edge.power.keeper import PowerKeeper
from edge.power.supervisor import ShutdownRequest, SupervisorState, SupervisorStatus, SupplyFalling
from firmware.supervisor import machine as m
from firmware.supervisor.parameters import Parameters
from tests.gateway.rig import SteppedClock

TICK_MS = 100
MS = 1_000_000


class PowerCutError(Exception):
    """Power is gone: the gateway is dead at this instant."""


@dataclass(frozen=True)
class World:
    """What the pins see.

    Attributes:
        ignition: by time since the start, in seconds.
        supply_mv: the same.
        can: whether the bus speaks.
    """

    ignition: Callable[[float], bool]
    supply_mv: Callable[[float], int] = lambda _: 12_600
    can: Callable[[float], bool] = lambda _: False


@dataclass
class BoxedSupervisor:
    """A `Supervisor` whose packets take a tick, and may be lost.

    Attributes:
        answers_lost: how many answers do not arrive.
        events: what it told, as (seconds, code, cause, argument).
        kept: seconds asked for, and seconds given.
    """

    clock: SteppedClock
    world: World
    parameters: Parameters = field(default_factory=Parameters)
    answers_lost: int = 0
    events: list[tuple[float, int, int, int]] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)
    keeper: PowerKeeper | None = None

    def __post_init__(self) -> None:
        self.start_ns = self.clock.boot_ns()
        self.machine = m.PowerSupervisor(self.parameters, self._now_ms(), True)
        self.clock.at.append((self.start_ns, self._tick))

    @property
    def status(self) -> SupervisorStatus | None:
        return SupervisorStatus(SupervisorState(self.machine.state), None, self.machine.ignition)

    def keep_power(self, seconds: int) -> None:
        self.kept.append((seconds, self.machine.keep_power(seconds)))

    def shutdown_done(self) -> None:
        if self.answers_lost:
            self.answers_lost -= 1
            return
        self.machine.shutdown_done()

    def wake_in(self, seconds: int) -> None:
        self.machine.set_wake(seconds)

    def seconds(self) -> float:
        return (self.clock.boot_ns() - self.start_ns) / NS_PER_S

    def times(self, code: int) -> list[float]:
        """When it told something."""
        return [at for at, each, _, _ in self.events if each == code]

    def _now_ms(self) -> int:
        return self.clock.boot_ns() // MS & 0x3FFFFFFF

    def _tick(self) -> None:
        now_s = self.seconds()
        self.clock.at.append((self.clock.boot_ns() + TICK_MS * MS, self._tick))
        world = self.world
        told = self.machine.step(
            self._now_ms(), world.ignition(now_s), world.supply_mv(now_s), world.can(now_s)
        )
        for code, cause, argument in told:
            self.events.append((now_s, code, cause, argument))
            if code == m.POWER_OFF:
                raise PowerCutError(m.CAUSES[cause])
            self._deliver(code, cause, argument)
        if self.keeper is not None and self.keeper.ending:
            # As the thread that reads the supervisor's words does while the gateway closes.
            self.keeper.step(self.clock.boot_ns())

    def _deliver(self, code: int, cause: int, argument: int) -> None:
        if self.keeper is None:
            return
        now_ns = self.clock.boot_ns()
        if code == m.SHUTDOWN_PLEASE:
            self.keeper.take(ShutdownRequest(argument / 1_000, m.CAUSES[cause]), now_ns)
        elif code == m.SUPPLY_FALLING:
            self.keeper.take(SupplyFalling(argument), now_ns)
