"""A board that speaks vlink, without hardware: what `VlinkSource` is tried against, and a line to it."""

from __future__ import annotations

import errno
import random
from collections import deque
from dataclasses import dataclass, field

from edge.clock import Clock, VirtualClock
from edge.wire import vlink
from edge.wire.vlink_frames import Frames
from edge.wire.vlink_messages import (
    ACK_DONE,
    ACK_UNKNOWN,
    COMMAND_STATUS,
    OVERRUN_COUNTED,
    OVERRUN_FLAGGED,
    Ack,
    Bus,
    BusStatus,
    Event,
    Hello,
    Status,
    TimeAnswer,
    read_command,
    read_host_hello,
    read_time_question,
)

FRAMES_A_PACKET = 60


@dataclass
class BoardBus:
    """One bus of the board, with what is true of it since its boot."""

    mode: int = 1
    state: int = 0
    bitrate: int = 500_000
    accepted: int = 0
    dropped: int = 0
    overruns: int = 0
    errors: int = 0


@dataclass
class Board:
    """The device's end, sans-I/O; the truth of what it took and lost stays readable.

    Attributes:
        buses: as they are since the last reset.
        session: whether one stands.
        commands: number, code and argument of those that came.
    """

    clock: Clock
    count: int = 1
    ring_frames: int = 500
    overruns_counted: bool = True
    drift: float = 30e-6
    first_number: int = 0
    firmware_version: int = vlink.VERSION
    buses: list[BoardBus] = field(default_factory=list)
    session: bool = False
    boot: int = 0
    commands: list[tuple[int, int, bytes]] = field(default_factory=list)
    answers_time: bool = True
    answers: bool = True

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all, begin a new boot."""
        self.boot += 1
        self.session = False
        self.buses = [BoardBus(accepted=self.first_number) for _ in range(self.count)]
        self._ring: deque[tuple[int, int, int, bytes]] = deque()
        self._encoder = vlink.Encoder()
        self._decoder = vlink.Decoder()
        self._zero_ns = self.clock.boot_ns() - 5_000_000
        self._status_us = 0
        self._out = b""

    @property
    def t_us(self) -> int:
        """The board's clock."""
        return int((self.clock.boot_ns() - self._zero_ns) * (1 + self.drift)) // 1000

    def boot_ns(self, t_us: int) -> float:
        """The truth that a relation of the clocks has to find."""
        return self._zero_ns + t_us * 1000 / (1 + self.drift)

    def offer(self, bus: int, count: int, data: bytes = b"") -> None:
        """Frames come on a bus; each carries its number in this boot, and the boot."""
        one = self.buses[bus]
        for _ in range(count):
            number = one.accepted & 0xFFFF_FFFF
            one.accepted += 1
            if len(self._ring) >= self.ring_frames:
                one.dropped += 1
            else:
                content = data or self.boot.to_bytes(4, "little") + number.to_bytes(4, "little")
                self._ring.append((bus, number, self.t_us, content))

    def overrun(self, bus: int, count: int) -> None:
        """The controller loses frames."""
        self.buses[bus].overruns += count

    @property
    def waiting(self) -> int:
        """Frames in the ring."""
        return len(self._ring)

    def receive(self, data: bytes) -> None:
        """Take what the host has written."""
        self._decoder.feed(data, len(data))
        while (packet := self._decoder.packet()) is not None:
            kind, _, payload = packet
            if not self.answers:
                continue
            if kind == vlink.HOST_HELLO:
                self._greeted(bytes(payload))
            elif self.session and kind == vlink.HOST_TIME and self.answers_time:
                question = read_time_question(payload)
                now = self.t_us
                self._say(vlink.TIME, TimeAnswer(question.number, question.host_ns, now, now))
            elif self.session and kind == vlink.COMMAND:
                command = read_command(payload)
                self.commands.append((command.number, command.code, command.argument))
                known = 1 <= command.code <= 5
                self._say(
                    vlink.ACK, Ack(command.number, ACK_DONE if known else ACK_UNKNOWN, "" if known else "?")
                )
                if command.code == COMMAND_STATUS:
                    self.status()

    def _greeted(self, payload: bytes) -> None:
        hello = read_host_hello(payload)
        if hello.version < self.firmware_version:
            self._say(vlink.ACK, Ack(hello.nonce, 2, "speaks version 2 only"))
            return
        self.session = True
        self._encoder.sequence = 0
        self._out += b"\0"
        self._say(vlink.ACK, Ack(hello.nonce, ACK_DONE, ""))
        self.hello()

    def hello(self) -> None:
        """Say what it is."""
        buses = tuple(Bus(bus.bitrate, 0, 875, bus.mode, "MCP2515") for bus in self.buses)
        capabilities = OVERRUN_COUNTED if self.overruns_counted else OVERRUN_FLAGGED
        self._say(
            vlink.HELLO,
            Hello(
                vlink.VERSION,
                self.boot,
                capabilities,
                buses,
                "Desk board",
                "0.1",
                bytes(8),
                self.ring_frames,
                self.t_us,
            ),
        )

    def status(self) -> None:
        """Tell counters and health."""
        counted = self.overruns_counted
        buses = tuple(
            BusStatus(
                bus.accepted & 0xFFFF_FFFF,
                bus.dropped & 0xFFFF_FFFF,
                bus.overruns if counted else 0,
                0 if counted else bus.overruns,
                bus.errors,
                bus.state,
                0,
                0,
                bus.mode,
            )
            for bus in self.buses
        )
        self._say(vlink.STATUS, Status(self.t_us, buses, 0, 0, 0, 0, 312, 12400, 1, 4, 81_000, 2100, 1))
        self._status_us = self.t_us

    def event(self, code: int, argument: int, text: str) -> None:
        """Tell that something happened."""
        self._say(vlink.EVENT, Event(self.t_us, code, argument, text))

    def send(self, packets: int = 1 << 30) -> bytes:
        """What goes on the line now: answers, the ring's frames in so many packets, STATUS each second."""
        if self.session:
            while self._ring and packets:
                packets -= 1
                self._frames()
            if self.t_us - self._status_us >= 1_000_000:
                self.status()
        out, self._out = self._out, b""
        return out

    def _frames(self) -> None:
        bus, first, begin_us, _ = self._ring[0]
        frames: list[tuple[int, int, int, bytes]] = []
        last_us, expected = begin_us, first
        while self._ring and len(frames) < FRAMES_A_PACKET:
            one, number, t_us, data = self._ring[0]
            if one != bus or number != expected or t_us - last_us > 0xFFFF:
                break
            self._ring.popleft()
            frames.append((t_us - last_us, len(data), 0x100 + bus, data))
            last_us, expected = t_us, (number + 1) & 0xFFFF_FFFF
        self._say(vlink.FRAMES, Frames(bus, first, begin_us, tuple(frames)))

    def _say(self, kind: int, message: object) -> None:
        end = message.write(self._encoder.buffer, vlink.HEADER)  # type: ignore[attr-defined]
        n = self._encoder.seal(kind, end)
        self._out += bytes(self._encoder.line[:n])


class Line:
    """A `Port` to a board in virtual time; to be broken in the ways that lines break.

    Attributes:
        gone: whether it is unplugged.
        flips: so many bits of what is read next are turned.
        drops: at so many readings a stretch is missing.
        delay_ns: how long an answer takes.
    """

    def __init__(self, board: Board, clock: VirtualClock, bit_rate: int | None = None) -> None:
        self.name = "/dev/ttyTEST0"
        self.bit_rate = bit_rate
        self.gone = False
        self.closed = False
        self.flips = 0
        self.drops = 0
        self.delay_ns = 200_000
        self._board = board
        self._clock = clock
        self._random = random.Random(7)  # noqa: S311 - where a line breaks need not be secret

    def wait(self, timeout_s: float) -> bool:
        """See `Port.wait`: time passes."""
        self._check()
        self._clock.advance_to(self._clock.boot_ns() + min(round(timeout_s * 1e9), self.delay_ns))
        return True

    def read(self) -> bytes:
        """See `Port.read`."""
        self._check()
        data = bytearray(self._board.send())
        if data and self.drops:
            self.drops -= 1
            begin = self._random.randrange(len(data))
            del data[begin : begin + self._random.randrange(1, 400)]
        for _ in range(self.flips if data else 0):
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        if data:
            self.flips = 0
        return bytes(data)

    def write(self, data: bytes) -> int:
        """See `Port.write`."""
        self._check()
        self._board.receive(data)
        return len(data)

    def fileno(self) -> int:
        """See `Port.fileno`."""
        return -1

    def close(self) -> None:
        """See `Port.close`."""
        self.closed = True

    def _check(self) -> None:
        if self.gone or self.closed:
            raise OSError(errno.EIO, "the port is gone")
