"""A platform on a virtual clock, and what terminals and platforms say to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.frame import Command, Encryption, Frame, Response
from edge.wire.gbt.message import Body, Content, Message, Opaque, Report, Values, write_unit
from edge.wire.gbt.stream import StreamDecoder
from simulator.gbt.events import Event, Refused, Turn
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.register import OPEN_REGISTER, Register
from simulator.gbt.session import PlatformConnection
from simulator.gbt.settings import PlatformSettings
from tests.gbt.grammar import T_S, VIN

OTHER = b"LNVGATE00XDEM0002"
CENTRE = b"CITYPLATFORM00001"
USER, PASSWORD = b"city", b"secret"

VEHICLE_2016 = Body(0x01, (1, 3, 1, 500, 12_345, 3500, 10_000, 80, 1, 0x0E, 5000, 20, 0))
VEHICLE_2025 = Body(0x01, (1, 3, 1, 500, 12_345, 3500, 30_000, 80, 1, 0x0E, 5000))
POSITION_2016 = Body(0x05, (0, 121_473_701, 31_230_416))
CELLS_2016 = Body(0x08, (1, ((1, 3500, 10_000, 3, 1, 3, (3700, 3701, 0xFFFF)),)))
ALARM_2016 = Body(0x07, (3, 1, 0, (), 0, (), 0, (), 0, ()))
VEHICLE = {Edition.Y2016: VEHICLE_2016, Edition.Y2025: VEHICLE_2025}


def command(
    edition: Edition,
    mark: int,
    content: Content | None = None,
    *,
    vin: bytes = VIN,
    response: int = Response.COMMAND,
) -> bytes:
    """A message as bytes; without content its data unit is empty."""
    return Message(edition, mark, response, vin, content or Opaque(b"", "empty")).write()


def login(edition: Edition, number: int = 1, *, vin: bytes = VIN, at_s: int = T_S) -> bytes:
    """A vehicle's login."""
    tail = (0, 0, ()) if edition is Edition.Y2016 else (0, (), ())
    raws = (time_bytes(at_s), number, b"8986" + bytes(16), *tail)
    return command(edition, Command.VEHICLE_LOGIN, Values("command 01", raws), vin=vin)


def logout(edition: Edition, number: int = 1, *, vin: bytes = VIN, at_s: int = T_S) -> bytes:
    """A vehicle's logout."""
    return command(edition, Command.VEHICLE_LOGOUT, Values("command 04", (time_bytes(at_s), number)), vin=vin)


def platform_login(
    edition: Edition, number: int = 1, *, user: bytes = USER, password: bytes = PASSWORD
) -> bytes:
    """A platform's login."""
    raws = (time_bytes(T_S), number, user.ljust(12, b"\0"), password.ljust(20, b"\0"), 1)
    return command(edition, Command.PLATFORM_LOGIN, Values("command 05", raws), vin=CENTRE)


def platform_logout(edition: Edition, number: int = 1) -> bytes:
    """A platform's logout."""
    raws = (time_bytes(T_S), number)
    return command(edition, Command.PLATFORM_LOGOUT, Values("command 06", raws), vin=CENTRE)


def report_message(
    edition: Edition,
    at_s: int = T_S,
    *,
    bodies: Iterable[Body] | None = None,
    vin: bytes = VIN,
    mark: Command = Command.REAL_TIME,
) -> Message:
    """A report."""
    content = Report(time_bytes(at_s), tuple(bodies if bodies is not None else (VEHICLE[edition],)))
    return Message(edition, mark, Response.COMMAND, vin, content)


def report(
    edition: Edition,
    at_s: int = T_S,
    *,
    bodies: Iterable[Body] | None = None,
    vin: bytes = VIN,
    mark: Command = Command.REAL_TIME,
) -> bytes:
    """A report as bytes."""
    return report_message(edition, at_s, bodies=bodies, vin=vin, mark=mark).write()


def damaged(data: bytes, unit: bytes, *, encryption: int = Encryption.NONE) -> bytes:
    """The same message with another data unit and a right check code."""
    (frame,) = StreamDecoder().feed(data)
    assert isinstance(frame, Frame)
    return replace(frame, unit=unit, encryption=encryption).write()


def unit_of(message: Message) -> bytes:
    """Its data unit."""
    return write_unit(message.content, message.edition)


@dataclass
class Peer:
    """One connection of a platform under a clock that the rig moves."""

    rig: Rig
    connection: PlatformConnection
    events: list[Event] = field(default_factory=list)

    def say(self, *messages: bytes) -> list[Frame]:
        """Send, and take the answers."""
        return self._frames(self.connection.take(b"".join(messages), self.rig.now_ns))

    def wait(self, seconds: float) -> list[Frame]:
        """Let time pass."""
        self.rig.now_ns += round(seconds * NS_PER_S)
        return self._frames(self.connection.tick(self.rig.now_ns))

    def flags(self, *messages: bytes) -> list[int]:
        """Send, and take the answers' flags."""
        return [frame.response for frame in self.say(*messages)]

    @property
    def last(self) -> Event:
        """What happened last."""
        return self.events[-1]

    @property
    def refused(self) -> Refused:
        """The last refusal."""
        return next(one for one in reversed(self.events) if isinstance(one, Refused))

    def _frames(self, turn: Turn) -> list[Frame]:
        self.events += turn.events
        found = StreamDecoder().feed(turn.send)
        frames = [one for one in found if isinstance(one, Frame)]
        assert frames == found
        return frames


class Rig:
    """A platform with peers."""

    def __init__(self, register: Register = OPEN_REGISTER, settings: PlatformSettings | None = None) -> None:
        self.now_ns = T_S * NS_PER_S
        self.platform = GbtPlatform(register=register, settings=settings)
        self.peers: list[Peer] = []

    def connect(self) -> Peer:
        """A new connection."""
        peer = Peer(self, self.platform.connect(self.now_ns, f"peer {len(self.peers) + 1}"))
        self.peers.append(peer)
        return peer

    def terminal(self, edition: Edition, *, vin: bytes = VIN, number: int = 1) -> Peer:
        """A connection on which a vehicle has logged in."""
        peer = self.connect()
        assert peer.flags(login(edition, number, vin=vin, at_s=self.now_ns // NS_PER_S)) == [Response.SUCCESS]
        return peer

    def times(self, vin: bytes = VIN) -> list[int]:
        """Times of collection of what is kept of a vehicle, from the rig's start."""
        return [one.time_s - T_S for one in self.platform.store.read(vin)]
