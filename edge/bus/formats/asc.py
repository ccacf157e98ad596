"""Vector's ASC text log, read through python-can's reader; stamps come from the text and stay exact."""

from __future__ import annotations

import re
from typing import TextIO, cast

from can.io.asc import ASCReader

from edge.bus.formats.dates import read_date
from edge.bus.formats.feed import messages
from edge.bus.formats.lines import BlockRecording
from edge.bus.formats.rows import MalformedError, Piece, Row, piece_of, row_of
from edge.clock import NS_PER_S

STAMP = re.compile(r"\s*(\d{1,9})\.(\d{1,9})\d*\s")
FRAME_LIKE = re.compile(r"\s*\d+\.\d+\s+(?:CANFD\b|\d+\s+(?:[0-9A-Fa-f]+x?\s|[0-9A-Fa-f]+x?$|Err))")
CHANNEL_FIRST = re.compile(r"\s*\S+\s+(?:CANFD\s+)?(\d+)")
DATE = re.compile(r"\s*(?:date|begin triggerblock)\s+(.*\S)\s*", re.IGNORECASE)
BASE = re.compile(r"\s*base\s+(hex|dec)(?:\s+timestamps\s+(absolute|relative))?", re.IGNORECASE)
RECOGNISED = re.compile(
    rb"\s*(?://[^\n]*\n\s*)*(?:date\s+\w|base\s+(?:hex|dec)|begin\s+triggerblock)", re.IGNORECASE
)


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is an ASC log."""
    return bool(RECOGNISED.match(head))


class AscRecording(BlockRecording):
    """An ASC log; t_ns 0 is the measurement's start, whose date it states without a time zone."""

    _base = "hex"
    _relative = False
    _t_ns = 0

    def _block(self, block: bytes, first_line: int) -> Piece:
        lines = block[:-1].decode("utf-8", "replace").split("\n")
        rows = []
        begin = 0
        for place, line in enumerate(lines):
            if (found := BASE.match(line)) and found[1].lower() != self._base:
                rows += self._rows(lines[begin:place], first_line + begin)
                begin, self._base = place, found[1].lower()
        rows += self._rows(lines[begin:], first_line + begin)
        return piece_of(rows)

    def _rows(self, lines: list[str], first_line: int) -> list[Row]:
        rows = []
        heading = [f"base {self._base}  timestamps absolute", "internal events logged"]
        for place, outcome in messages(lambda feed: iter(ASCReader(cast("TextIO", feed))), heading, lines):
            line = lines[place]
            stamp = STAMP.match(line)
            if stamp:
                t_ns = int(stamp[1]) * NS_PER_S + int(stamp[2].ljust(9, "0"))
                self._t_ns = self._t_ns + t_ns if self._relative else t_ns
            elif outcome is None:
                self._heading(line)
            if outcome is None and not FRAME_LIKE.match(line):
                continue
            channel = CHANNEL_FIRST.match(line)
            if stamp is None or channel is None or outcome is None or isinstance(outcome, str):
                self._refuse_line("malformed line", first_line + place)
                continue
            try:
                rows.append(row_of(outcome, str(int(channel[1])), self._t_ns))
            except MalformedError as error:
                self._refuse_line(str(error), first_line + place)
        return rows

    def _heading(self, line: str) -> None:
        if found := BASE.match(line):
            self._relative = (found[2] or "").lower() == "relative"
        elif found := DATE.match(line):
            start = read_date(found[1])
            if start:
                self._started_at(start)
