"""A scripted platform of GB/T 32960.3, and a bench that carries a session to it under a virtual clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.records import Record, Value
from edge.wire.gbt.frame import Command, Frame, Response
from edge.wire.gbt.message import Message, answer, message_of
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.stream import StreamDecoder
from simulator.conversion.converter import Converter
from simulator.conversion.forward_rules import (
    Action,
    Connect,
    ForwardRules,
    HangUp,
    PlatformAccount,
    Transmit,
)
from simulator.conversion.forwarding import ForwardSession
from simulator.conversion.vin_book import VinBook
from simulator.conversion.waiting import Given, Waiting, WaitingRecords

ACCOUNT = PlatformAccount("GOVPLATFORM000001", "enterprise", "secret")
WALL = Timebase(1_772_323_200 * NS_PER_S, TimeQuality.NTP)
"""2026-03-01 08:00:00 in Beijing, at boot."""

VEHICLE = "LNVGATE00XDEM0001"
Script = Callable[[Message], "list[Message] | None"]


def success(message: Message) -> list[Message]:
    """Answer with success, as most platforms do between each other."""
    return [answer(message, Response.SUCCESS)]


@dataclass(slots=True)
class ScriptedPlatform:
    """Answers as a script says; None from the script closes the connection.

    Attributes:
        script: of each message.
        heard: every message of every connection, in order.
        connections: how many were taken.
        reachable: whether connections are taken.
    """

    script: Script = success
    heard: list[Message] = field(default_factory=list)
    connections: int = 0
    reachable: bool = True
    _decoder: StreamDecoder = field(default_factory=StreamDecoder)

    def connect(self) -> bool:
        self._decoder = StreamDecoder()
        self.connections += self.reachable
        return self.reachable

    def take(self, data: bytes) -> bytes | None:
        out = b""
        for frame in self._decoder.feed(data):
            assert isinstance(frame, Frame)
            message = message_of(frame)
            self.heard.append(message)
            answers = self.script(message)
            if answers is None:
                return None
            out += b"".join(one.write() for one in answers)
        return out

    def commands(self) -> list[int]:
        return [message.command for message in self.heard]

    def reports(self) -> list[Message]:
        return [one for one in self.heard if one.command in {Command.REAL_TIME, Command.REISSUE}]


class Bench:
    """A session, a platform, and a clock that goes from one thing due to the next."""

    def __init__(
        self,
        rules: ForwardRules,
        waiting: Waiting,
        platform: ScriptedPlatform | None = None,
        *,
        clock: VirtualClock | None = None,
        numbers: Callable[[int], int] | None = None,
    ) -> None:
        self.clock = clock or VirtualClock(timebase=WALL)
        self.platform = platform or ScriptedPlatform()
        self.told: list[str] = []
        self.waiting = waiting
        logins = iter(range(1, 1000))
        self.session = ForwardSession(
            ACCOUNT, rules, waiting, numbers or (lambda _: next(logins)), self.clock, tell=self.told.append
        )
        self.do(self.session.start())

    def do(self, actions: list[Action]) -> None:
        """Do what the session asks for, and hand it what comes of that, in order."""
        waiting = deque(actions)
        while waiting:
            match waiting.popleft():
                case Connect():
                    opened = self.platform.connect()
                    waiting += self.session.opened() if opened else self.session.closed("refused")
                case Transmit(data):
                    heard = self.platform.take(data)
                    if heard is None:
                        # What was sent behind it on this connection is lost.
                        waiting = deque(self.session.closed("cut"))
                    elif heard:
                        waiting += self.session.received(heard)
                case HangUp():
                    pass

    def run(self, seconds: float) -> None:
        """Let so much time pass, or less where the session ends."""
        until_ns = self.clock.boot_ns() + round(seconds * NS_PER_S)
        while (
            not self.session.ended and (wake_ns := self.session.wake_ns) is not None and wake_ns <= until_ns
        ):
            self.clock.advance_to(wake_ns)
            self.do(self.session.tick())
        if not self.session.ended:
            self.clock.advance_to(until_ns)

    def cut(self) -> None:
        self.do(self.session.closed("cut"))

    def stop(self) -> None:
        self.do(self.session.stop())

    def now_s(self) -> float:
        return self.clock.boot_ns() / NS_PER_S


def record(number: int, values: dict[str, Value] | None = None) -> Record:
    """A record a second from the clock's start on."""
    told: dict[str, Value] = values or {"vehicle.speed": 10 * number % 2000, "hv.soc": 71}
    return Record(number, number * NS_PER_S, WALL, told)


def records(count: int, vehicle: str = VEHICLE) -> list[Given]:
    return [Given(vehicle, record(number), late=False) for number in range(1, count + 1)]


def converter(edition: Edition = Edition.Y2016, vins: VinBook | None = None) -> Converter:
    return Converter(RecordCodec(edition), vins or VinBook())


def in_memory(count: int, edition: Edition = Edition.Y2016) -> WaitingRecords:
    return WaitingRecords(records(count), converter(edition))
