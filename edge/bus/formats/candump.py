"""The log form of can-utils' `candump -L`, classic and CAN FD, with or without the direction at the end.

``(seconds.fraction) channel id#data``, ``id##fdata`` for CAN FD with its flags nibble, ``id#R4`` for a
remote frame; an id of three digits is standard, of eight extended, and with bit 29 set an error frame
(`lib.c` of can-utils).
"""

from __future__ import annotations

import re

import numpy as np

from edge import accelerated
from edge.bus.formats import compiled
from edge.bus.formats.fields import NIBBLES, Bools, Columns, Lines, decimals, hexadecimals, payloads
from edge.bus.formats.lines import LineRecording
from edge.bus.formats.rows import (
    EXTENDED_ID_MAX,
    FD_LENGTHS,
    ID_OUT_OF_RANGE,
    STANDARD_ID_MAX,
    MalformedError,
    Piece,
    Row,
    checked,
)
from edge.clock import NS_PER_S
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameFlag, Indices, Int64s, UInt8s

ERROR_BIT = 0x2000_0000
BIT_RATE_SWITCH, ERROR_STATE = 0x01, 0x02
SECONDS_MAX = 4_600_000_000
"""Later seconds are beyond what `rows.checked` lets pass."""

SECONDS_DIGITS = 10
SPACE, OPEN, CLOSE, DOT, HASH = b" ().#"
STANDARD_DIGITS, EXTENDED_DIGITS = 3, 8
LABEL_MAX = 16

LINE = re.compile(
    rb"\((\d{1,10})\.(\d{1,9})\)\s+(\S+)\s+([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})#(\S*)(?:\s+([RT]))?", re.ASCII
)
REMOTE = re.compile(rb"[Rr]([0-8]?)(?:_[9A-Fa-f])?")
DATA = re.compile(rb"(?:[0-9A-Fa-f]{2}\.?)*")
RAW_LENGTH = re.compile(rb"_[9A-Fa-f]$")


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is a candump log."""
    return bool(LINE.match(head.lstrip()))


class CandumpRecording(LineRecording):
    """A candump log; its stamps are Unix time unless they are too small for that."""

    _unix_stamped = True

    def _block(self, block: bytes, first_line: int) -> Piece:
        if accelerated.native is not None:
            return self._with_slow_rows(compiled.candump(accelerated.native, block), block, first_line)
        return self._with_slow_rows(read_lines(Lines.of(block, SPACE)), block, first_line)

    def _row(self, line: bytes) -> Row:
        return read_line(line)


def read_line(line: bytes) -> Row:
    """Read one line.

    Raises:
        MalformedError: if it holds no frame.
    """
    found = LINE.fullmatch(line)
    if not found:
        raise MalformedError("malformed line")
    seconds, fraction, label, number, payload, direction = found.groups()
    if int(seconds) > SECONDS_MAX:
        raise MalformedError("malformed line")
    t_ns = int(seconds) * NS_PER_S + int(fraction.ljust(9, b"0"))
    arbitration_id = int(number, 16)
    flags = FrameFlag(0)
    if len(number) == EXTENDED_DIGITS:
        flags = FrameFlag.ERROR if arbitration_id & ERROR_BIT else FrameFlag.EXTENDED
        arbitration_id &= ~ERROR_BIT
        if arbitration_id > EXTENDED_ID_MAX:
            raise MalformedError(ID_OUT_OF_RANGE)
    if direction == b"T":
        flags |= FrameFlag.TRANSMITTED
    remote = REMOTE.fullmatch(payload)
    if remote:
        data, length, flags = b"", int(remote[1] or b"0"), flags | FrameFlag.REMOTE
    else:
        more, data = _data(payload)
        flags, length = flags | more, len(data)
    return checked((t_ns, label.decode("utf-8", "replace"), arbitration_id, int(flags), data, length))


def _data(payload: bytes) -> tuple[FrameFlag, bytes]:
    """The data after the first ``#``, and the flags that it says."""
    flags = FrameFlag(0)
    if payload[:1] == b"#":
        flag = NIBBLES[payload[1]] if len(payload) > 1 else NIBBLES[0]
        if flag > NIBBLES[ord("F")]:
            raise MalformedError("malformed line")
        flags = FrameFlag.FD
        flags |= FrameFlag.BITRATE_SWITCH if flag & BIT_RATE_SWITCH else FrameFlag(0)
        flags |= FrameFlag.ERROR_STATE if flag & ERROR_STATE else FrameFlag(0)
        payload = payload[2:]
    else:
        payload = RAW_LENGTH.sub(b"", payload)
    if not DATA.fullmatch(payload):
        raise MalformedError("malformed line")
    return flags, bytes.fromhex(payload.replace(b".", b"").decode())


def read_lines(lines: Lines) -> Columns:
    """Read all well-formed data and error frames of a block at once; `good` says which lines those are.

    `read_line` agrees on each; remote frames and all that is unusual are left to it.
    """
    text, starts, ends = lines.text, lines.starts, lines.ends
    size = len(lines.raw)
    good = lines.count >= 2  # noqa: PLR2004 - after the stamp and after the channel
    gap, after_label = (np.where(good, lines.separator(place), starts + 1) for place in range(2))
    stop = np.where(good, np.minimum(lines.separator(2), ends), ends)

    t_ns, fine = _stamps(text, starts, gap)
    good &= fine
    channel, labels, fine = _labels(lines, np.where(good, gap + 1, 0), np.where(good, after_label, 0))
    good &= fine

    number = after_label + 1
    standard = text[np.minimum(number + STANDARD_DIGITS, size)] == HASH
    hashed = np.minimum(number + np.where(standard, STANDARD_DIGITS, EXTENDED_DIGITS), size)
    good &= (text[hashed] == HASH) & (hashed < stop)
    value, fine = hexadecimals(text, number, np.where(good, hashed, number), EXTENDED_DIGITS)
    good &= fine
    error = ~standard & ((value & ERROR_BIT) != 0)
    value &= ~ERROR_BIT
    good &= value <= np.where(standard, STANDARD_ID_MAX, EXTENDED_ID_MAX)

    fd = (text[np.minimum(hashed + 1, size)] == HASH) & (hashed + 2 < stop)
    flag = np.where(fd, NIBBLES[text[np.minimum(hashed + 2, size)]], 0)
    good &= flag <= NIBBLES[ord("F")]
    begin = hashed + 1 + 2 * fd
    digits = np.where(good, stop - begin, 0)
    length = digits // 2
    longest = np.where(fd, FD_BYTES, CLASSIC_BYTES)
    good &= (digits >= 0) & (digits % 2 == 0) & (length <= longest)
    good &= ~fd | np.isin(length, tuple(FD_LENGTHS))
    length = np.where(good, length, 0)
    data, fine = payloads(text, np.where(good, begin, 0), length, 2)
    good &= fine

    transmitted, fine = _directions(text, stop, ends)
    good &= fine
    flags = (
        np.where(standard, 0, np.where(error, FrameFlag.ERROR, FrameFlag.EXTENDED))
        | np.where(fd, FrameFlag.FD, 0)
        | np.where(flag & BIT_RATE_SWITCH, FrameFlag.BITRATE_SWITCH, 0)
        | np.where(flag & ERROR_STATE, FrameFlag.ERROR_STATE, 0)
        | np.where(transmitted, FrameFlag.TRANSMITTED, 0)
    )
    return Columns(
        good=good,
        t_ns=t_ns,
        channel=channel,
        labels=labels,
        arbitration_id=np.where(good, value, 0).astype(np.uint32),
        flags=flags.astype(np.uint16),
        length=length.astype(np.uint16),
        data=data,
    )


def _stamps(text: UInt8s, starts: Int64s, gap: Int64s) -> tuple[Int64s, Bools]:
    """Nanoseconds of ``(seconds.fraction)`` with 6 or 9 digits of fraction, up to the first space."""
    close = np.maximum(gap - 1, starts)
    good = (text[starts] == OPEN) & (text[close] == CLOSE)
    micro = text[np.maximum(close - 7, 0)] == DOT
    dot = np.maximum(close - np.where(micro, 7, 10), 0)
    good &= (text[dot] == DOT) & (dot > starts)
    seconds, fine = decimals(text, starts + 1, np.where(good, dot, starts), SECONDS_DIGITS)
    good &= fine & (seconds <= SECONDS_MAX)
    fraction, fine = decimals(text, dot + 1, np.where(good, close, dot), 9)
    good &= fine
    seconds, fraction = np.where(good, seconds, 0), np.where(good, fraction, 0)
    return seconds * NS_PER_S + fraction * np.where(micro, 1000, 1), good


def _labels(lines: Lines, starts: Int64s, stops: Int64s) -> tuple[Indices, dict[str, int], Bools]:
    """Channel names of printable ASCII, numbered in order of appearance; one pass a name."""
    text = lines.text
    channel = np.zeros(len(starts), np.intp)
    labels: dict[str, int] = {}
    width = stops - starts
    good = (width > 0) & (width <= LABEL_MAX)
    left = np.flatnonzero(good)
    while len(left):
        name = lines.raw[int(starts[left[0]]) : int(stops[left[0]])]
        same = width[left] == len(name)
        for place, letter in enumerate(name):
            same &= text[starts[left] + place] == letter
        if name.isascii() and name.decode().isprintable() and len(labels) < LABEL_MAX:
            channel[left[same]] = labels.setdefault(name.decode(), len(labels))
        else:
            good[left[same]] = False
        left = left[~same]
    return channel, labels, good


def _directions(text: UInt8s, stop: Int64s, ends: Int64s) -> tuple[Bools, Bools]:
    """Which lines end with `` T``, and which with that, with `` R``, or with nothing after the frame."""
    letter = text[np.minimum(stop + 1, len(text) - 1)]
    said = ends - stop == 2  # noqa: PLR2004 - a space and one letter
    transmitted = said & (letter == ord("T"))
    return transmitted, (stop == ends) | transmitted | (said & (letter == ord("R")))
