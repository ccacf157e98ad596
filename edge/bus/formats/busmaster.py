"""BUSMASTER's text log of CAN frames.

Its stamps are times of day (SYSTEM MODE), times since the log's start (ABSOLUTE MODE) or times since the
frame before (RELATIVE MODE). Their last field counts tenths of a millisecond in four digits, as BUSMASTER
writes it, or milliseconds in up to three, as SavvyCAN does. All become times since the first session's start,
whose date and time the log states without a time zone.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from edge.bus.formats.lines import LineRecording
from edge.bus.formats.rows import MalformedError, Row, checked
from edge.clock import NS_PER_DAY, NS_PER_S
from edge.frames import FrameFlag

HALF_DAY_NS = NS_PER_DAY // 2
TENTH_NS, MILLI_NS = 100_000, 1_000_000

START = re.compile(rb"\*{3}START DATE AND TIME (\d+):(\d+):(\d+) (\d+):(\d+):(\d+):(\d+)\*{3}")
MODE = re.compile(rb"\*{3}(SYSTEM|ABSOLUTE|RELATIVE) MODE\*{3}")
BASE = re.compile(rb"\*{3}(HEX|DEC)\*{3}")
LINE = re.compile(
    rb"(\d+):(\d\d?):(\d\d?):(\d{1,4})\s+([RT]x)\s+(\d{1,3})\s+(?:0x)?([0-9A-Fa-f]+)\s+([sx]r?)\s+(\d+)((?:\s+[0-9A-Fa-f]+)*)",
    re.ASCII,
)


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is a BUSMASTER log."""
    return head.lstrip().startswith(b"***BUSMASTER")


class BusmasterRecording(LineRecording):
    """A BUSMASTER log; t_ns 0 is the start of its first session, where the log says when that was."""

    _base = 16
    _mode = b"SYSTEM"
    _first_start: datetime | None = None
    _session_ns = 0
    _midnight_ns = 0
    _last_stamp_ns: int | None = None

    def _row(self, line: bytes) -> Row | None:
        if line.startswith(b"***"):
            self._heading(line)
            return None
        found = LINE.fullmatch(line)
        if not found:
            raise MalformedError("malformed line")
        *clock, direction, channel, number, kind, count, texts = found.groups()
        flags = FrameFlag.TRANSMITTED if direction == b"Tx" else FrameFlag(0)
        flags |= FrameFlag.EXTENDED if kind.startswith(b"x") else FrameFlag(0)
        try:
            arbitration_id, length = int(number, self._base), int(count)
            data = bytes(int(text, self._base) for text in texts.split())
        except ValueError as error:
            raise MalformedError("malformed line") from error
        if kind.endswith(b"r"):
            flags, data = flags | FrameFlag.REMOTE, b""
        elif len(data) != length:
            raise MalformedError("data of another length than the line says")
        row = checked((0, str(int(channel)), arbitration_id, int(flags), data, length))
        return (self._time(_clock_ns(*clock)), *row[1:])

    def _time(self, stamp_ns: int) -> int:
        """Time since the first session's start; a clock that falls by half a day has passed midnight."""
        last_ns, self._last_stamp_ns = self._last_stamp_ns, stamp_ns
        if self._mode == b"RELATIVE":
            self._session_ns += stamp_ns
            return self._session_ns
        if self._mode == b"SYSTEM" and last_ns is not None:
            if stamp_ns < last_ns - HALF_DAY_NS:
                self._midnight_ns += NS_PER_DAY
            elif stamp_ns > last_ns + HALF_DAY_NS:
                self._midnight_ns -= NS_PER_DAY
        return self._session_ns + self._midnight_ns + stamp_ns

    def _heading(self, line: bytes) -> None:
        if found := BASE.fullmatch(line):
            self._base = 10 if found[1] == b"DEC" else 16
        elif found := MODE.fullmatch(line):
            self._mode = found[1]
            self._count_from_day_start()
        elif found := START.fullmatch(line):
            self._start(found)

    def _start(self, found: re.Match[bytes]) -> None:
        day, month, year, hour, minute, second = (int(text) for text in found.groups()[:6])
        try:
            start = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the log states no zone
        except ValueError:
            self._tally.facts["start times that are none"] += 1
            return
        start += timedelta(microseconds=int(found[7]) * 1000)
        if self._first_start is None:
            self._first_start = start
            self._started_at(start)
        self._session_start = start
        self._session_ns = (start - self._first_start) // timedelta(microseconds=1) * 1000
        self._midnight_ns, self._last_stamp_ns = 0, None
        self._count_from_day_start()

    _session_start: datetime | None = None

    def _count_from_day_start(self) -> None:
        """In SYSTEM MODE stamps count from the midnight before the session."""
        if self._mode == b"SYSTEM" and self._session_start is not None:
            start = self._session_start
            midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
            self._midnight_ns = -((start - midnight) // timedelta(microseconds=1)) * 1000
            self._last_stamp_ns = None
        else:
            self._midnight_ns = 0


def _clock_ns(hours: bytes, minutes: bytes, seconds: bytes, fraction: bytes) -> int:
    if len(hours) > len("0000"):
        raise MalformedError("malformed line")
    unit_ns = TENTH_NS if len(fraction) == len("0000") else MILLI_NS
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * NS_PER_S + int(fraction) * unit_ns
