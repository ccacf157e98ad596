"""A source on a line to a board, in virtual time, read as capture reads it."""

from __future__ import annotations

import itertools

from edge.bus.condition import Conditions
from edge.bus.vlink.board_report import Member
from edge.bus.vlink.source import VlinkSource
from edge.clock import NS_PER_S, VirtualClock
from edge.errors import SourceError
from edge.frames import FrameBatch, concatenate
from tests.vlink.board import Board, Line

BOOT_NS = 100 * NS_PER_S


class Desk:
    """A source, the line, and the board behind it."""

    def __init__(self, *members: Member, **board: object) -> None:
        self.clock = VirtualClock(BOOT_NS)
        members = members or (Member("pt"),)
        self.board = Board(self.clock, count=max(member.place for member in members) + 1, **board)  # type: ignore[arg-type]
        self.lines: list[Line] = []
        self.plugged = True
        self.conditions = Conditions()
        self.taken: list[FrameBatch] = []
        nonces = itertools.count(1)
        self.source = VlinkSource(
            members, self._open, clock=self.clock, random_u32=lambda: next(nonces), conditions=self.conditions
        )

    @property
    def line(self) -> Line:
        return self.lines[-1]

    def _open(self) -> Line:
        if not self.plugged:
            raise SourceError("there is no such port")
        self.lines.append(Line(self.board, self.clock))
        return self.line

    def unplug(self) -> None:
        self.plugged = False
        self.line.gone = True

    def pass_time(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.boot_ns() + round(seconds * NS_PER_S))

    def read(self, seconds: float = 0.0) -> None:
        """Read as capture does, each 70 ms, for so long."""
        end_ns = self.clock.boot_ns() + round(seconds * NS_PER_S)
        while True:
            while (batch := self.source.read(0)) is not None and len(batch):
                self.taken.append(batch)
            if self.clock.boot_ns() >= end_ns:
                return
            self.pass_time(min(0.07, (end_ns - self.clock.boot_ns()) / NS_PER_S))

    def frames(self) -> FrameBatch:
        return concatenate(self.taken)

    def numbers(self, bus: int = 0, boot: int | None = None) -> list[int]:
        """The numbers that came of a bus in one boot of the board, out of the frames' data."""
        batch = self.frames()
        rows = batch.take(batch.bus == bus)
        boots = rows.data[:, :4].copy().view("<u4")[:, 0]
        numbers = rows.data[:, 4:].copy().view("<u4")[:, 0]
        own: list[int] = numbers[boots == (self.board.boot if boot is None else boot)].tolist()
        return own
