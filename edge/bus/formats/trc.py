"""PEAK's TRC trace, versions 1.0 to 2.1, read through python-can's reader; stamps come from the text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TextIO, cast

import can
from can.io.trc import TRCReader

from edge.bus.formats.feed import messages
from edge.bus.formats.lines import BlockRecording
from edge.bus.formats.rows import MalformedError, Piece, Row, checked, piece_of, row_of
from edge.errors import SourceError
from edge.frames import CLASSIC_BYTES, FrameFlag

NS_PER_MS = 1_000_000
MICROSECONDS_A_DAY = 86_400_000_000
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - the trace states no zone
ONLY_BUS = "1"

TIME = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?")
START = re.compile(r";\s*\$STARTTIME\s*=\s*(\d{1,7}(?:\.\d{1,30})?)\s*", re.IGNORECASE)
VERSION = re.compile(r";\s*\$FILEVERSION\s*=\s*(\d+\.\d+)", re.IGNORECASE)
COLUMNS = re.compile(r";\s*\$COLUMNS\s*=\s*(\S+)", re.IGNORECASE)
RECOGNISED = re.compile(rb"\s*;\s*(?:\$FILEVERSION|#{10,}|\$STARTTIME)", re.IGNORECASE)

LAYOUTS = {
    "1.0": "N,O,I,L,D",
    "1.1": "N,O,T,I,L,D",
    "1.3": "N,O,B,T,I,R,L,D",
    "2.0": None,
    "2.1": None,
}
"""Columns by version, named as version 2 names them; version 2 states its own."""

STATUS_TYPES = frozenset({"ST", "EC", "EV", "Warng", "Event"})
ERROR_TYPES = frozenset({"ER", "Error"})
STATUS_ID = "FFFFFFFF"


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is a TRC trace."""
    return bool(RECOGNISED.match(head))


class TrcRecording(BlockRecording):
    """A TRC trace; t_ns 0 is its start, whose date it states without a time zone."""

    _version = "1.0"
    _columns: dict[str, int] | None = None

    def _block(self, block: bytes, first_line: int) -> Piece:
        lines = block[:-1].decode("utf-8", "replace").split("\n")
        if self._columns is None:
            self._columns = self._read_heading(lines)
        columns = self._columns
        stated = ",".join(columns)
        heading = [f";$FILEVERSION={self._version}", ";$STARTTIME=0"]
        if LAYOUTS[self._version] is None:
            heading.append(f";$COLUMNS={stated}")
        rows = []
        for place, outcome in messages(lambda feed: iter(TRCReader(cast("TextIO", feed))), heading, lines):
            line = lines[place].strip()
            if not line or line.startswith(";"):
                continue
            try:
                row = _row_of(line.split(maxsplit=len(columns) - 1), columns, outcome)
            except MalformedError as error:
                self._refuse_line(str(error), first_line + place)
            else:
                if row is not None:
                    rows.append(row)
        return piece_of(rows)

    def _read_heading(self, lines: list[str]) -> dict[str, int]:
        """Find version, start and columns in the comments before the first frame."""
        stated = None
        for line in lines:
            text = line.strip()
            if text and not text.startswith(";"):
                break
            if found := VERSION.match(text):
                self._version = found[1]
            elif found := COLUMNS.match(text):
                stated = found[1]
            elif found := START.match(text):
                days = Decimal(found[1])
                try:
                    self._started_at(EPOCH + timedelta(microseconds=round(days * MICROSECONDS_A_DAY)))
                except (OverflowError, ValueError):
                    self._tally.facts["start times that are none"] += 1
        if self._version not in LAYOUTS:
            raise SourceError(
                f"is a TRC trace of version {self._version}",
                where=str(self._path),
                todo="Read are the versions " + ", ".join(LAYOUTS),
            )
        layout = LAYOUTS[self._version] or stated
        columns = {name: place for place, name in enumerate(layout.split(","))} if layout else {}
        if not {"O", "I", "D"} <= columns.keys() or not {"L", "l"} & columns.keys():
            raise SourceError("has no usable $COLUMNS line", where=str(self._path))
        return columns


def _row_of(fields: list[str], columns: dict[str, int], outcome: object) -> Row | None:
    """The frame of one line; None if the line says something else than a frame.

    Raises:
        MalformedError: if it should be a frame and is none.
    """
    kind = _field(fields, columns, "T")
    if kind in STATUS_TYPES or _field(fields, columns, "I") == STATUS_ID:
        return None
    time = TIME.fullmatch(_field(fields, columns, "O"))
    if time is None:
        raise MalformedError("malformed line")
    t_ns = int(time[1]) * NS_PER_MS + int((time[2] or "").ljust(6, "0"))
    label = _field(fields, columns, "B") or ONLY_BUS
    if kind in ERROR_TYPES:
        return checked((t_ns, label, 0, int(FrameFlag.ERROR), *_error_data(fields[-1])))
    if not isinstance(outcome, can.Message):
        raise MalformedError("malformed line")
    return row_of(outcome, label, t_ns)


def _field(fields: list[str], columns: dict[str, int], name: str) -> str:
    place = columns.get(name, len(fields))
    return fields[place] if place < len(fields) else ""


def _error_data(text: str) -> tuple[bytes, int]:
    """What the controller said of the error, where the line says it in whole bytes."""
    try:
        data = bytes.fromhex(text)[:CLASSIC_BYTES]
    except ValueError:
        data = b""
    return data, len(data)
