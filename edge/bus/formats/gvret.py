"""GVRET CSV, as SavvyCAN and GVRET devices write it, with and without a column for the direction.

Time stamps are whole microseconds of the device's own clock; ids and data are hexadecimal; columns past LEN
are filling. Form and meaning are those of SavvyCAN's `framefileio.cpp`; a LEN above 8 is taken as CAN FD,
which the form has no column for.
"""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np

from edge import accelerated
from edge.bus.formats import compiled
from edge.bus.formats.fields import Bools, Columns, Lines, decimals, hexadecimals, payloads, windows
from edge.bus.formats.lines import LineRecording
from edge.bus.formats.rows import (
    DATA_TOO_LONG,
    DATA_TOO_SHORT,
    EXTENDED_ID_MAX,
    STANDARD_ID_MAX,
    MalformedError,
    Piece,
    Row,
    checked,
)
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameFlag, Int64s, UInt8s

NS_PER_US = 1000
STAMP_DIGITS = 15
ID_DIGITS = 8
BUS_DIGITS = 3
LENGTH_DIGITS = 2
COMMA = ord(",")
HEAD_BYTES = 4096
_FORMS = ("undirected", "directed")
LOWER = 0x20
"""The bit that tells a small letter from a capital one."""

HEADER = re.compile(rb"\s*time stamp\s*,\s*id\s*,\s*extended\s*,\s*(dir\s*,)?", re.IGNORECASE)
HEADERLESS = re.compile(rb"\d+,[0-9A-Fa-f]{1,8},(?:true|false),(?:([RrTt][Xx]),)?\d{1,3},\d{1,2}(?:,|\s|$)")
STAMP = re.compile(rb"\d{1,15}")
ID = re.compile(rb"[0-9A-Fa-f]{1,8}")
BUS = re.compile(rb"\d{1,3}")
LENGTH = re.compile(rb"\d{1,2}")
BYTE = re.compile(rb"[0-9A-Fa-f]{1,2}")
EXTENDED = {b"true": FrameFlag.EXTENDED, b"1": FrameFlag.EXTENDED, b"false": FrameFlag(0), b"0": FrameFlag(0)}
DIRECTION = {b"rx": FrameFlag(0), b"tx": FrameFlag.TRANSMITTED}


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is GVRET CSV."""
    return bool(HEADER.match(head) or HEADERLESS.match(head))


class GvretRecording(LineRecording):
    """A GVRET CSV file; its time has no relation to wall time."""

    _directed: bool | None = None

    @property
    def carried_out(self) -> str:
        """Whether lines have a column for the direction; empty if no line has told yet."""
        return "" if self._directed is None else _FORMS[self._directed]

    def _take_up(self, file: BinaryIO) -> None:
        """Without knowledge of all lines before, the first one's form is guessed to have stayed."""
        carried = self._span.carried
        if carried is None:
            head = file.read(HEAD_BYTES)
            first = HEADER.match(head) or HEADERLESS.match(head)
            carried = _FORMS[bool(first and first[1])]
        self.carried_in = carried
        self._directed = _FORMS.index(carried) == 1 if carried else None

    def _block(self, block: bytes, first_line: int) -> Piece:
        if self._directed is None:
            first = HEADER.match(block) or HEADERLESS.match(block)
            self._directed = bool(first and first[1])
        if accelerated.native is not None:
            columns = compiled.gvret(accelerated.native, block, directed=self._directed)
        else:
            columns = read_lines(Lines.of(block, COMMA), directed=self._directed)
        return self._with_slow_rows(columns, block, first_line)

    def _row(self, line: bytes) -> Row | None:
        header = HEADER.match(line)
        if header:
            self._directed = bool(header[1])
        return None if header else read_line(line, directed=bool(self._directed))


def read_line(line: bytes, *, directed: bool) -> Row:
    """Read one line.

    Raises:
        MalformedError: if it holds no frame.
    """
    fields = line.split(b",")
    skip = 1 if directed else 0
    if len(fields) < 5 + skip:
        raise MalformedError("line with too few columns")
    stamp, arbitration_id, extended = fields[:3]
    bus, length = fields[3 + skip : 5 + skip]
    if not (
        STAMP.fullmatch(stamp)
        and ID.fullmatch(arbitration_id)
        and BUS.fullmatch(bus)
        and LENGTH.fullmatch(length)
    ):
        raise MalformedError("malformed line")
    flags = EXTENDED.get(extended.lower())
    direction = DIRECTION.get(fields[3].lower()) if directed else FrameFlag(0)
    if flags is None or direction is None:
        raise MalformedError("malformed line")
    count = int(length)
    texts = fields[5 + skip : 5 + skip + count]
    if count > FD_BYTES:
        raise MalformedError(DATA_TOO_LONG)
    if len(texts) < count or b"" in texts:
        raise MalformedError(DATA_TOO_SHORT)
    if not all(map(BYTE.fullmatch, texts)):
        raise MalformedError("malformed line")
    flags |= direction | (FrameFlag.FD if count > CLASSIC_BYTES else FrameFlag(0))
    data = bytes(int(text, 16) for text in texts)
    return checked((int(stamp) * NS_PER_US, str(int(bus)), int(arbitration_id, 16), int(flags), data, count))


def read_lines(lines: Lines, *, directed: bool) -> Columns:
    """Read all well-formed lines of a block at once; `good` says which ones; `read_line` agrees on each."""
    text, starts, ends = lines.text, lines.starts, lines.ends
    skip = 1 if directed else 0
    good = lines.count >= 4 + skip
    stops = [np.where(good, lines.separator(place), starts) for place in range(4 + skip)]
    after_length = np.where(good, np.minimum(lines.separator(4 + skip), ends), starts)

    t_us, fine = decimals(text, starts, stops[0], STAMP_DIGITS)
    good &= fine
    arbitration_id, fine = hexadecimals(text, stops[0] + 1, stops[1], ID_DIGITS)
    good &= fine
    extended, fine = _truths(text, stops[1] + 1, stops[2])
    good &= fine
    flags = np.where(extended, np.uint16(FrameFlag.EXTENDED), np.uint16(0))
    if directed:
        transmitted, fine = _directions(text, stops[2] + 1, stops[3])
        good &= fine
        flags |= np.where(transmitted, np.uint16(FrameFlag.TRANSMITTED), np.uint16(0))
    bus, fine = decimals(text, stops[2 + skip] + 1, stops[3 + skip], BUS_DIGITS)
    good &= fine
    length, fine = decimals(text, stops[3 + skip] + 1, after_length, LENGTH_DIGITS)
    good &= fine & (length <= CLASSIC_BYTES)
    good &= arbitration_id <= np.where(extended, EXTENDED_ID_MAX, STANDARD_ID_MAX)

    length = np.where(good, length, 0)
    last = after_length + 3 * length
    good &= (last == ends) | ((last < ends) & (text[np.minimum(last, len(lines.raw))] == COMMA))
    length = np.where(good, length, 0)
    data, fine = payloads(text, np.where(good, after_length + 1, 0), length, 3)
    good &= fine & _separated(text, after_length, length)
    numbers = np.flatnonzero(np.bincount(bus[good]))
    channel = np.searchsorted(numbers, np.where(good, bus, 0))
    return Columns(
        good=good,
        t_ns=t_us * NS_PER_US,
        channel=channel,
        labels={str(number): place for place, number in enumerate(numbers.tolist())},
        arbitration_id=np.where(good, arbitration_id, 0).astype(np.uint32),
        flags=flags,
        length=length.astype(np.uint16),
        data=data,
    )


def _truths(text: UInt8s, starts: Int64s, stops: Int64s) -> tuple[Bools, Bools]:
    """Which fields say ``true``, and which say either that or ``false``, in any case."""
    width = stops - starts
    letters = windows(text, starts, len(b"false")) | LOWER
    true = (width == len(b"true")) & (letters[:, :4] == np.frombuffer(b"true", np.uint8)).all(axis=1)
    false = (width == len(b"false")) & (letters == np.frombuffer(b"false", np.uint8)).all(axis=1)
    return true, true | false


def _directions(text: UInt8s, starts: Int64s, stops: Int64s) -> tuple[Bools, Bools]:
    """Which fields say ``Tx``, and which say either that or ``Rx``, in any case."""
    letter = text[starts] | LOWER
    worded = (stops - starts == len(b"rx")) & ((text[starts + 1] | LOWER) == ord("x"))
    return worded & (letter == ord("t")), worded & ((letter == ord("t")) | (letter == ord("r")))


def _separated(text: UInt8s, before: Int64s, length: Int64s) -> Bools:
    """Whether a comma stands before each of the data bytes, three characters apart."""
    longest = int(length.max(initial=0))
    if not longest:
        return np.ones(len(before), np.bool_)
    commas = windows(text, before, 3 * longest)[:, ::3] == COMMA
    separated: Bools = (commas | (np.arange(longest) >= length[:, np.newaxis])).all(axis=1)
    return separated
