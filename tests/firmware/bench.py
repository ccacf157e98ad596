"""A bridge on a bench: the firmware on real MicroPython, played buses, a plain host of vlink."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import serial

from edge.wire import vlink, vlink_frames, vlink_messages
from simulator.board import traffic
from simulator.board.behind_port import PlayedBus, RunningBoard, board_behind_port
from tests.firmware.micropython import interpreter

SATURATED = 4_505
"""Frames per second of 8 bytes, standard ids, on a full bus of 500 kbit/s."""


@dataclass
class Bench:
    """A running board."""

    board: RunningBoard

    def command(self, line: str) -> None:
        self.board.command(line)

    def told(self, name: str) -> list[Mapping[str, Any]]:
        return [value for value in self.board.told() if value["told"] == name]

    def wait_for(self, name: str, count: int = 1, seconds: float = 60) -> Mapping[str, Any]:
        until = time.monotonic() + seconds
        while len(self.told(name)) < count:
            assert time.monotonic() < until, (name, self.board.told())
            time.sleep(0.01)
        return self.told(name)[count - 1]

    def report(self) -> Mapping[str, Any]:
        count = len(self.told("report"))
        self.command("report")
        return self.wait_for("report", count + 1)


@contextlib.contextmanager
def bench(
    folder: Path, *buses: PlayedBus, cells: int = 2_000, power: bool | Mapping[str, int] = False
) -> Iterator[Bench]:
    with board_behind_port(interpreter(), folder, buses, cells=cells, power=power) as board:
        running = Bench(board)
        running.wait_for("ready")
        yield running


@dataclass
class Host:
    """The plainest host: says HELLO, keeps all that comes."""

    port: serial.Serial
    nonce: int = 77
    hello: vlink_messages.Hello | None = None
    frames: list[tuple[int, int, int, int, int, bytes]] = field(default_factory=list)
    """Bus, number, time, kind, id, data."""
    statuses: list[vlink_messages.Status] = field(default_factory=list)
    events: list[vlink_messages.Event] = field(default_factory=list)
    acks: list[vlink_messages.Ack] = field(default_factory=list)
    statuses_at_ack: int = 0
    """How many had come when the last ACK came."""
    times: list[vlink_messages.TimeAnswer] = field(default_factory=list)
    gaps: int = 0
    """Packets that are missing by the sequence."""
    line_bytes: int = 0
    in_session: bool = False
    hellos: int = 0
    decoder: vlink.Decoder = field(default_factory=vlink.Decoder)
    _encoder: vlink.Encoder = field(default_factory=vlink.Encoder)
    _last: int = -1

    def say_hello(self, version: int = 1) -> None:
        self.nonce += 1
        self._encoder.sequence = 0
        self.in_session = False
        self.port.write(b"\0")
        self.say(vlink.HOST_HELLO, vlink_messages.HostHello(version, self.nonce))

    def say(self, kind: int, message: Any) -> None:  # noqa: ANN401 - messages have no common type
        n = self._encoder.seal(kind, message.write(self._encoder.buffer, vlink.HEADER))
        self.port.write(bytes(self._encoder.line[:n]))

    def read(self) -> int:
        came = self.port.read(65_536)
        self.line_bytes += len(came)
        self.decoder.feed(came, len(came))
        while packet := self.decoder.packet():
            self._take(*packet)
        return len(came)

    def until(self, condition: Any, seconds: float = 60) -> None:  # noqa: ANN401 - what it tells is truth
        end = time.monotonic() + seconds
        while not condition():
            self.read()
            assert time.monotonic() < end, "nothing came that was waited for"

    def begin(self) -> vlink_messages.Hello:
        self.hello = None
        self.say_hello()
        self.until(lambda: self.hello)
        assert self.hello
        return self.hello

    def _take(self, kind: int, sequence: int, payload: memoryview) -> None:  # noqa: C901 - a branch a type
        if not self.in_session:
            if kind != vlink.ACK:
                return
            ack = vlink_messages.read_ack(payload)
            if ack.number != self.nonce or ack.result != vlink_messages.ACK_DONE:
                self.acks.append(ack)
                return
            self.in_session = True
            self._last = -1
            assert sequence == 0
        self.gaps += vlink.missing_between(self._last, sequence)
        self._last = sequence
        if kind == vlink.FRAMES:
            told = vlink_frames.read_frames(payload)
            t_us = told.t_us
            for n, (delta_us, frame_kind, can_id, data) in enumerate(told.frames):
                t_us += delta_us
                self.frames.append((told.bus, told.first + n, t_us, frame_kind, can_id, data))
        elif kind == vlink.STATUS:
            self.statuses.append(vlink_messages.read_status(payload))
        elif kind == vlink.HELLO:
            self.hello = vlink_messages.read_hello(payload)
            self.hellos += 1
        elif kind == vlink.EVENT:
            self.events.append(vlink_messages.read_event(payload))
        elif kind == vlink.TIME:
            self.times.append(vlink_messages.read_time_answer(payload))
        elif kind == vlink.ACK:
            self.statuses_at_ack = len(self.statuses)
            self.acks.append(vlink_messages.read_ack(payload))
        else:
            raise AssertionError(kind)


def right(frames: list[tuple[int, int, int, int, int, bytes]], style: int) -> None:
    """Check that each frame is the one that was played, and that none comes twice or out of order."""
    last: dict[int, tuple[int, int, int]] = {}
    data = bytearray(8)
    for bus_number, number, t_us, kind, can_id, payload in frames:
        before = last.get(bus_number)
        played = None
        if not kind & traffic.REMOTE:
            played = int.from_bytes(payload[:4], "little")
            assert traffic.frame(style, bus_number, played, data) == kind
            assert traffic.identifier(kind, bus_number, played) == can_id
            assert bytes(data[: len(payload)]) == payload
        if before:
            assert number > before[0]
            assert t_us >= before[1]
            assert played is None or played > before[2]
        last[bus_number] = (number, t_us, before[2] if played is None and before else played or 0)
