"""A gateway with platforms of GB/T 32960.3 at the other end of links that can be cut, in one thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.bus.memory import MemorySource
from edge.clock import NS_PER_S, TimeQuality
from edge.frames import FrameBatch
from edge.uplink.gbt.events import Closed, LinkEvent, Opened, Received
from edge.uplink.gbt.link import TerminalLink
from edge.uplink.gbt.tcp_settings import TcpSettings
from edge.uplink.reasons import Pace, Reason
from edge.wire.gbt.frame import Command
from simulator.gbt.accepted import Accepted
from simulator.gbt.asks import parse_ask
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.register import OPEN_REGISTER, Register
from simulator.gbt.session import PlatformConnection
from tests.gateway.rig import BINDING, MS, WALL_NS, Rig, S, SteppedClock, alarm, motion

CUT = Reason("cut", "the test has cut it", "", Pace.SOON, fact="cuts")


@dataclass
class Far:
    """A platform, and the link to it.

    Attributes:
        platform: what takes the bytes.
        reports: what it accepted, in the order of arrival.
        reachable: whether connections open.
        link: of the gateway that is at work.
    """

    register: Register = OPEN_REGISTER
    reports: list[Accepted] = field(default_factory=list)
    reachable: bool = True
    link: FarLink | None = None

    def __post_init__(self) -> None:
        self.platform = GbtPlatform(register=self.register, sinks=[self.reports.append])

    def cut(self) -> None:
        self.reachable = False
        if self.link is not None:
            self.link.cut()

    def heal(self) -> None:
        self.reachable = True

    def ask(self, vin: str, command: str, now_ns: int) -> None:
        """Have the platform send a command such as ``set 02=5``."""
        assert self.link is not None
        self.link.push(self.platform.ask(vin.encode(), parse_ask(command), now_ns)[1])

    def times(self, *, late: bool | None = None) -> list[int]:
        """Of the reports, in seconds of the vehicle's boot."""
        return sorted(
            one.time_s - WALL_NS // NS_PER_S
            for one in self.reports
            if late is None or (one.command == Command.REISSUE) is late
        )


CITY = """
[[destination]]
name = "city"
protocol = "gb/t 32960-2016"
host = "127.0.0.1"
port = 32960
tls.enabled = false
"""


def journal(folder: Path) -> str:
    return f'[journal]\nfolder = "{folder / "journal"}"\n'


class FarLink(TerminalLink):
    """Carries bytes to the platform and its answers back, both at once."""

    def __init__(self, far: Far, clock: SteppedClock) -> None:
        self._far = far
        self._clock = clock
        self._wake = threading.Event()
        self._events: list[LinkEvent] = []
        self._connection: PlatformConnection | None = None
        far.link = self

    def attach(self, wake: threading.Event) -> None:
        self._wake = wake

    def open(self, host: str, port: int) -> None:
        del host, port
        if self._far.reachable:
            self._connection = self._far.platform.connect(self._clock.wall_ns(), "test")
            self._events.append(Opened())
        else:
            self._events.append(Closed(CUT))

    def send(self, data: bytes) -> None:
        if self._connection is None:
            return
        turn = self._connection.take(data, self._clock.wall_ns())
        if turn.send:
            self._events.append(Received(turn.send))
        if turn.close:
            self._connection = None
            self._events.append(Closed(CUT, by_peer=True))

    def push(self, data: bytes) -> None:
        self._events.append(Received(data))
        self._wake.set()

    def poll(self) -> Sequence[LinkEvent]:
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        self.cut()

    def cut(self) -> None:
        if self._connection is not None:
            self._connection.lost(self._clock.wall_ns())
            self._connection = None
            self._events.append(Closed(CUT))
            self._wake.set()

    def unsent(self) -> int:
        return 0

    def due_ns(self) -> int | None:
        return 0 if self._events else None


class Stand:
    """A gateway whose destinations are `far`, by name, beside the rig's own platform.

    Args:
        folder: of this run.
        monkeypatch: puts the links in the place of TCP.
        far: the platforms, by name of the destination; ``platform`` is that of the table [uplink].
        tables: of the configuration behind [uplink].
        level: of the alarm.
    """

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        far: dict[str, Far],
        tables: str,
        *,
        level: int = 3,
        **rig: object,
    ) -> None:
        def link(settings: TcpSettings) -> TerminalLink:
            name = settings.section.split("'")[1]
            return FarLink(far[name], clocks[0])

        clocks: list[SteppedClock] = []
        real = SteppedClock.__init__

        def first_of_all(clock: SteppedClock) -> None:
            real(clock)
            clocks.append(clock)

        monkeypatch.setattr(SteppedClock, "__init__", first_of_all)
        monkeypatch.setattr("edge.gbt_destination.destination.TcpLink", link)
        binding = BINDING.replace("battery_high_temperature = 3", f"battery_high_temperature = {level}")
        self.rig = Rig(folder, uplink=tables, binding=binding, quality=TimeQuality.NTP, **rig)  # type: ignore[arg-type]
        monkeypatch.setattr(SteppedClock, "__init__", real)
        self.rig.clock.uplinks = list(self.rig.gateway.road.uplinks)

    def now_s(self) -> int:
        return self.rig.clock.boot_ns() // NS_PER_S

    def source(self, seconds: int, *, up: range = range(0)) -> MemorySource:
        """A live bus with an alarm up in some seconds of the boot's time."""

        clock = self.rig.clock

        def batches() -> Iterator[FrameBatch]:
            for now_ns in range(clock.boot_ns(), clock.boot_ns() + seconds * S, S // 2):
                clock.pass_until(now_ns)
                frames = [motion(now_ns - 2 * MS, 7), alarm(now_ns - MS, up=now_ns // S in up)]
                yield FrameBatch.from_frames(frames, buses=["pt"], timebase=clock.timebase())

        return MemorySource(batches(), name="pt", buses=["pt"], timebase=clock.timebase(), live=True)

    def run(self, source: MemorySource) -> None:
        self.rig.gateway.run(source, stop=self.rig.stop)
        assert self.rig.gateway.finish(120)
        account = self.rig.gateway.account()
        assert account.balanced, account.as_json()
