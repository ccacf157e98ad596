"""A terminal's command side as the tests of this folder set it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.uplink.gbt.answered import Answered, Given, Order
from edge.uplink.gbt.commands import CommandRules, PlatformCommands
from edge.uplink.gbt.done_commands import DoneCommands
from edge.uplink.gbt.durable_file import DurableFile
from edge.uplink.gbt.orders import OrderDesk, OrderRules
from edge.uplink.gbt.parameter_values import ConfiguredParameters
from edge.uplink.gbt.parameters import ParameterRules, TerminalParameters
from edge.uplink.gbt.server_change import Server
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.field import Field
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message, Values
from edge.wire.gbt.steps import Raws
from tests.gbt_terminal.torn_files import TornFiles

VIN = b"LNVGATE00XDEM0001"
NOW_S = 1_772_323_200
"""2026-03-01 08:00:00 in Beijing."""

OLD = Server("old.example", 9000)
NEW = Server("new.example", 9001)
PARTS = {Command.QUERY: "query", Command.SET: "parameters", Command.CONTROL: "control"}


def clock_at(wall_s: int = NOW_S, quality: TimeQuality = TimeQuality.NTP) -> VirtualClock:
    return VirtualClock(0, Timebase(wall_s * NS_PER_S, quality))


@dataclass
class Terminal:
    """The objects of one terminal over one file system, made anew by `restarted`."""

    edition: Edition = Edition.Y2025
    files: TornFiles = field(default_factory=TornFiles)
    clock: VirtualClock = field(default_factory=clock_at)
    configured: ConfiguredParameters = field(default_factory=lambda: ConfiguredParameters(OLD, "H1", "F1"))
    parameter_rules: ParameterRules = field(default_factory=ParameterRules)
    order_rules: OrderRules = field(default_factory=OrderRules)
    actions: Mapping[Order, Callable[[Given], None]] = field(default_factory=dict)
    rules: CommandRules = field(default_factory=CommandRules)
    user: Mapping[int, Field] | None = None

    def __post_init__(self) -> None:
        self.parameters = TerminalParameters(
            self.edition,
            self.configured,
            DurableFile(Path("/terminal/parameters"), self.files),
            self.parameter_rules,
            self.user,
        )
        self.done = DoneCommands(DurableFile(Path("/terminal/done"), self.files))
        self.commands = PlatformCommands(
            self.edition,
            VIN,
            self.parameters,
            OrderDesk(self.order_rules, self.actions),
            self.done,
            self.clock,
            self.rules,
        )

    def command(self, command: Command, *raws: object, ago_s: int = 0) -> Message:
        time = time_bytes(self.clock.wall_ns() // NS_PER_S - ago_s)
        values: Raws = (time, *raws)
        return Message(self.edition, command, Response.COMMAND, VIN, Values(PARTS[command], values))

    def take(self, message: Message) -> Answered:
        answered = self.commands.take(message, self.clock.boot_ns())
        assert answered is not None
        return answered

    def query(self, *ids: int) -> Answered:
        return self.take(self.command(Command.QUERY, len(ids), ids))

    def set(self, *entries: tuple[int, int | bytes]) -> Answered:
        return self.take(self.command(Command.SET, len(entries), entries))

    def order(self, order: int, argument: bytes = b"") -> Answered:
        return self.take(self.command(Command.CONTROL, order, argument))

    def later(self, seconds: float = 1.0) -> None:
        self.clock.advance_to(self.clock.boot_ns() + round(seconds * NS_PER_S))


def flag_of(answered: Answered) -> int | None:
    return None if answered.message is None else answered.message.response


def server_entries(server: Server) -> tuple[tuple[int, int | bytes], ...]:
    host = server.host.encode()
    return ((4, len(host)), (5, host), (6, server.port))
