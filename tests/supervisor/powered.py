"""A board that speaks vlink and has the real state machine of power, under the clock of a gateway's rig."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.clock import NS_PER_S
from edge.wire import vlink
from edge.wire.vlink_messages import ACK_DONE, ACK_REFUSED, Ack, Command, Status, read_command
from firmware.supervisor import machine as m
from firmware.supervisor.parameters import Parameters
from tests.gateway.rig import SteppedClock
from tests.supervisor.boxed import MS, TICK_MS, PowerCutError, World
from tests.vlink.board import Board, Line

SLOW_NS = NS_PER_S // 2
SOON_S = 0.05


@dataclass
class PoweredBoard(Board):
    """What `firmware/bridge/bridge.py` does with commands and the machine, on this side of the line.

    Attributes:
        told: what happened, as (seconds, code, cause, argument).
        asked: commands of power, as (seconds, code, seconds asked for).
        deaf: how many commands of power do not arrive.
    """

    world: World = field(default_factory=lambda: World(lambda _: True))
    parameters: Parameters = field(default_factory=Parameters)
    told: list[tuple[float, int, int, int]] = field(default_factory=list)
    asked: list[tuple[float, int, int]] = field(default_factory=list)
    deaf: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.start_ns = self.clock.boot_ns()
        self.machine = m.PowerSupervisor(self.parameters, self._now_ms(), True)
        self._stepped_ns = self.start_ns

    @property
    def seconds(self) -> float:
        return (self.clock.boot_ns() - self.start_ns) / NS_PER_S

    def times(self, code: int) -> list[float]:
        """When it told something."""
        return [at for at, each, _, _ in self.told if each == code]

    def receive(self, data: bytes) -> None:
        before = self._decoder
        self._decoder = _Diverted(before, self._command)  # type: ignore[assignment]
        try:
            super().receive(data)
        finally:
            self._decoder = before

    def status(self) -> None:
        self._say(
            vlink.STATUS,
            Status(
                self.t_us,
                (),
                0,
                0,
                0,
                0,
                312,
                self.world.supply_mv(self.seconds),
                int(self.machine.ignition),
                self.machine.state,
                81_000,
                2100,
                1,
            ),
        )
        self._status_us = self.t_us

    def _command(self, command: Command) -> bool:
        """Do a command of power; tell whether it was one."""
        if not 3 <= command.code <= 5:
            return False
        if self.deaf:
            self.deaf -= 1
            return True
        seconds = int.from_bytes(command.argument, "little")
        self.asked.append((self.seconds, command.code, seconds))
        if command.code == 3:
            done = self.machine.shutdown_done()
        elif command.code == 4:
            done = self.machine.keep_power(seconds) > 0 or not seconds
        else:
            done = self.machine.set_wake(seconds) > 0 or not seconds
        self._say(vlink.ACK, Ack(command.number, ACK_DONE if done else ACK_REFUSED, ""))
        return True

    def _now_ms(self) -> int:
        return self.clock.boot_ns() // MS & 0x3FFFFFFF

    def live(self) -> None:
        """Have the machine take the steps that were due until now."""
        while self._stepped_ns + TICK_MS * MS <= self.clock.boot_ns():
            self._stepped_ns += TICK_MS * MS
            self._step((self._stepped_ns - self.start_ns) / NS_PER_S, self._stepped_ns // MS & 0x3FFFFFFF)

    def _step(self, now_s: float, now_ms: int) -> None:
        world = self.world
        for code, cause, argument in self.machine.step(
            now_ms, world.ignition(now_s), world.supply_mv(now_s), world.can(now_s)
        ):
            self.told.append((now_s, code, cause, argument))
            if code == m.POWER_OFF:
                raise PowerCutError(m.CAUSES[cause])
            if self.session:
                self.event(code, argument, m.CAUSES[cause])


class _Diverted:
    """A decoder of packets that keeps commands of power for itself."""

    def __init__(self, decoder: vlink.Decoder, take: Callable[[Command], bool]) -> None:
        self._decoder = decoder
        self._take = take
        self.feed = decoder.feed

    def packet(self) -> tuple[int, int, memoryview] | None:
        while (packet := self._decoder.packet()) is not None:
            if packet[0] == vlink.COMMAND and self._take(read_command(bytes(packet[2]))):
                continue
            return packet
        return None


class SlowLine(Line):
    """A line on which half a second passes at each waiting, so that hours go by soon."""

    def wait(self, timeout_s: float) -> bool:
        self._check()
        clock = self._clock
        assert isinstance(clock, SteppedClock)
        clock.pass_until(clock.boot_ns() + (self.delay_ns if timeout_s <= SOON_S else SLOW_NS))
        return True
