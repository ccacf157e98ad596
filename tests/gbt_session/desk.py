"""`Desk`: a terminal's session of which a test plays the platform, the network and the clock."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.uplink.events import Notice, WakeAt
from edge.uplink.gbt.activation import Activation
from edge.uplink.gbt.commands import PlatformCommands
from edge.uplink.gbt.durable_file import DurableFile
from edge.uplink.gbt.events import Action, Close, Closed, Event, Open, Opened, Received, Send, Tick
from edge.uplink.gbt.options import AnswerTime, LoginSilence, SessionOptions
from edge.uplink.gbt.phases import TerminalPhase
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.rules import session_rules
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.gbt.server_change import Server
from edge.uplink.gbt.session import TerminalSession
from edge.uplink.gbt.session_numbers import SessionNumbers
from edge.uplink.gbt.terminal import Terminal
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.reasons import CONNECTION_LOST
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.frame import Command, Frame, Response
from edge.wire.gbt.message import Message, Opaque, Values, message_of
from edge.wire.gbt.stream import StreamDecoder
from tests.gbt_platform.rig import report
from tests.gbt_terminal.terminal import NOW_S, VIN
from tests.gbt_terminal.torn_files import TornFiles

HOST = Server("platform.example", 32960)
STREAM = bytes(16)
LOST = Closed(CONNECTION_LOST)
ENDED = Closed(CONNECTION_LOST, by_peer=True)
EDITIONS = list(Edition)


class Desk:
    """A session under a virtual clock."""

    def __init__(
        self,
        edition: Edition = Edition.Y2016,
        *,
        acknowledge: Literal["silence", "response"] = "silence",
        login_silence: LoginSilence = LoginSilence.NO_ANSWER,
        answer_time: AnswerTime = AnswerTime.SAME,
        quality: TimeQuality = TimeQuality.NTP,
        secrecy: Secrecy | None = None,
        activation: Activation | None = None,
        commands: PlatformCommands | None = None,
        clock: VirtualClock | None = None,
        **rules: float,
    ) -> None:
        self.edition = edition
        self.acknowledge = acknowledge
        offset_ns = NOW_S * NS_PER_S if quality else 0
        self.clock = clock or VirtualClock(0, Timebase(offset_ns, quality))
        self.outbox = MemoryOutbox(max_messages=1000, max_bytes=10_000_000)
        self.session = TerminalSession(
            session_rules(edition, **rules),
            SessionOptions("platform.example:32960", acknowledge, login_silence, answer_time),
            Terminal(edition, VIN.decode(), "89860000000000000001"),
            HOST,
            self.outbox,
            SessionNumbers(DurableFile(Path("/terminal/numbers"), TornFiles())),
            PlatformClock(self.clock),
            rng=random.Random(1),  # noqa: S311 - a seed must replay the run
            secrecy=secrecy,
            activation=activation,
            commands=commands,
        )
        self.actions: list[Action] = []
        self.opened: list[tuple[float, str, int]] = []
        self.sent: list[tuple[float, Message]] = []
        self.closed_s: list[float] = []
        self.told: list[str] = []
        self.wake_ns: int | None = None
        self.number = 0
        self._decoder = StreamDecoder()

    @property
    def now_s(self) -> float:
        return self.clock.boot_ns() / NS_PER_S

    @property
    def wall_s(self) -> int:
        return self.clock.wall_ns() // NS_PER_S

    @property
    def phase(self) -> TerminalPhase:
        return self.session.phase

    def at(self, phase: TerminalPhase) -> bool:
        return self.session.phase is phase

    def tell(self, event: Event) -> list[Action]:
        """Hand an event in, and take note of what is done."""
        self.actions = self.session.handle(event, self.clock.boot_ns())
        self.wake_ns = None
        for action in self.actions:
            match action:
                case Send():
                    for found in self._decoder.feed(action.data):
                        assert isinstance(found, Frame)
                        self.sent.append((self.now_s, message_of(found)))
                case Open():
                    self.opened.append((self.now_s, action.host, action.port))
                case Close():
                    self.closed_s.append(self.now_s)
                case Notice():
                    self.told.append(action.text)
                case WakeAt():
                    assert action.t_ns > self.clock.boot_ns()
                    self.wake_ns = action.t_ns
                case _:
                    pass
        return self.actions

    def run(self, seconds: float) -> None:
        """Let time pass as the session asks to be woken; the network is silent, or keeps to `Opened`."""
        end_ns = self.clock.boot_ns() + round(seconds * NS_PER_S)
        self.tell(Tick())
        while self.wake_ns is not None and self.wake_ns <= end_ns:
            self.clock.advance_to(self.wake_ns)
            self.tell(Tick())
        self.clock.advance_to(end_ns)
        self.tell(Tick())

    def run_until(self, count: int) -> Message:
        """Let time pass until so many messages have been sent in all; the last."""
        self.tell(Tick())
        while len(self.sent) < count:
            assert self.wake_ns is not None, self.phase
            self.clock.advance_to(self.wake_ns)
            self.tell(Tick())
        return self.sent[-1][1]

    def open(self) -> Message:
        """Open a connection; what is sent first."""
        before = len(self.sent)
        while self.at(TerminalPhase.WAITING):
            self.tell(Tick())
            if self.at(TerminalPhase.WAITING):
                assert self.wake_ns is not None
                self.clock.advance_to(self.wake_ns)
        self.tell(Opened())
        return self.sent[before][1]

    def online(self) -> None:
        """Bring it to where reports go."""
        self.answer(self.open())
        assert self.at(TerminalPhase.ONLINE)

    def answer(
        self,
        message: Message,
        flag: int = Response.SUCCESS,
        *,
        time: bytes | None = None,
        command: int | None = None,
        vin: bytes = VIN,
    ) -> list[Action]:
        """Answer as the platform."""
        own = self.time_of(message) if time is None else time
        content = Values("response", (own,)) if own else Opaque(b"", "empty")
        mark = message.command if command is None else command
        return self.tell(Received(Message(self.edition, mark, flag, vin, content).write()))

    @staticmethod
    def time_of(message: Message) -> bytes:
        return message.frame().unit[:6]

    def put(self, *ages_s: float, kind: Kind = Kind.LIVE, mark: Command = Command.REAL_TIME) -> None:
        """Have the store hold a message of reports, one a frame, of so many seconds ago."""
        self.number += 1
        payload = b"".join(report(self.edition, self.wall_s - round(age), mark=mark) for age in ages_s)
        self.outbox.put(Outgoing(kind, "", payload, STREAM, self.number, self.number, 1))

    def marks(self) -> list[int]:
        """The commands sent, in order."""
        return [message.command for _, message in self.sent]

    def reports(self) -> list[Message]:
        return [one for _, one in self.sent if one.command in {Command.REAL_TIME, Command.REISSUE}]

    def last(self, command: Command) -> Message:
        return next(one for _, one in reversed(self.sent) if one.command == command)

    def times_s(self, command: Command) -> list[float]:
        """When messages of a command were sent."""
        return [at_s for at_s, message in self.sent if message.command == command]

    def beat(self) -> None:
        """Let time pass up to the next heartbeat, and answer it."""
        count = self.marks().count(Command.HEARTBEAT)
        while self.marks().count(Command.HEARTBEAT) == count:
            assert self.wake_ns is not None
            self.clock.advance_to(self.wake_ns)
            self.tell(Tick())
        self.answer(self.last(Command.HEARTBEAT), time=b"")

    @property
    def held(self) -> int:
        return self.outbox.counts().held.messages

    @property
    def acknowledged(self) -> int:
        return self.outbox.counts().acknowledged.messages

    def lost(self) -> dict[str, int]:
        return {cause: tally.messages for cause, tally in self.outbox.counts().lost.items()}

    def unix(self, after_s: float = 0) -> bytes:
        return time_bytes(self.wall_s + round(after_s))
