"""Numbers out of many lines of text at once: fields at given places of a byte buffer become NumPy columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from edge.bus.formats.rows import Piece, Row
from edge.frames import CLASSIC_BYTES, FD_BYTES, Indices, Int64s, UInt8s, UInt16s, UInt32s

Bools = npt.NDArray[np.bool_]

PADDING = 256
"""Zero bytes behind the text, so that a window over a line's last field stays inside the buffer."""

NO_DIGIT = 0xFF
NIBBLES = np.full(256, NO_DIGIT, np.uint8)
NIBBLES[np.frombuffer(b"0123456789", np.uint8)] = np.arange(10, dtype=np.uint8)
NIBBLES[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16, dtype=np.uint8)
NIBBLES[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16, dtype=np.uint8)

CR, LF = 0x0D, 0x0A


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of a block.

    Attributes:
        raw: the block itself, ending with a line feed.
        text: its bytes as uint8, followed by `PADDING` zeros.
        starts: int64, where each line begins.
        ends: int64, where it ends, without CR and LF.
        cuts: int64, where separators and line feeds stand, in order.
        first: int64, index into `cuts` of the first one of each line.
        count: int64, how many separators each line has.
    """

    raw: bytes
    text: UInt8s
    starts: Int64s
    ends: Int64s
    cuts: Int64s
    first: Int64s
    count: Int64s

    @classmethod
    def of(cls, block: bytes, separator: int) -> Lines:
        """Find the lines of `block`, which ends with a line feed, and the separators in them."""
        text = np.zeros(len(block) + PADDING, np.uint8)
        text[: len(block)] = np.frombuffer(block, np.uint8)
        cuts = np.flatnonzero((text == separator) | (text == LF))
        last = np.flatnonzero(text[cuts] == LF)
        feeds = cuts[last]
        starts = np.concatenate([np.zeros(1, np.int64), feeds[:-1] + 1])
        first = np.concatenate([np.zeros(1, np.int64), last[:-1] + 1])
        ends = feeds - ((feeds > starts) & (text[feeds - 1] == CR))
        return cls(block, text, starts, ends, cuts, first, last - first)

    def separator(self, number: int) -> Int64s:
        """Where separator `number` (from 0) of each line stands.

        Means something only for lines with as many; for one with just `number` it is its line feed.
        """
        return self.cuts[np.minimum(self.first + number, len(self.cuts) - 1)]

    def line(self, place: int) -> bytes:
        """One line, without its end."""
        return self.raw[int(self.starts[place]) : int(self.ends[place])]


def line_count(block: bytes) -> int:
    """How many line feeds there are; `bytes.count` takes several times as long."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == LF))


def decimals(text: UInt8s, starts: Int64s, stops: Int64s, most: int) -> tuple[Int64s, Bools]:
    """Read decimal numbers of 1 to `most` (at most 15) digits.

    Args:
        text: the buffer.
        starts: int64 of shape (N,), where each number begins.
        stops: int64 of shape (N,), where it has ended.
        most: the most digits it may have.

    Returns:
        Values, int64 of shape (N,), and which of them are numbers (bool); the others' values mean nothing.
    """
    return _numbers(text, starts, stops, most, 10)


def hexadecimals(text: UInt8s, starts: Int64s, stops: Int64s, most: int) -> tuple[Int64s, Bools]:
    """Read hexadecimal numbers of 1 to `most` (at most 13) digits; as `decimals`."""
    return _numbers(text, starts, stops, most, 16)


def _numbers(text: UInt8s, starts: Int64s, stops: Int64s, most: int, base: int) -> tuple[Int64s, Bools]:
    widths = stops - starts
    good = (widths > 0) & (widths <= most)
    longest = int(widths.max(where=good, initial=1))
    digits = NIBBLES[windows(text, starts, longest)]
    if not (widths == longest).all():
        digits[np.arange(longest) >= widths[:, np.newaxis]] = 0
    good &= (digits < base).all(axis=1)
    # Below 2 to the 53 every step of this product is exact in float64.
    values = (digits.astype(np.float64) @ np.power(float(base), np.arange(longest)[::-1])).astype(np.int64)
    spare = np.clip(longest - widths, 0, longest)
    return (values // np.power(base, spare) if spare.any() else values), good


def windows(text: UInt8s, starts: Int64s, width: int) -> UInt8s:
    """The `width` bytes from each of `starts` on, uint8 of shape (N, width)."""
    return sliding_window_view(text, width)[starts]


def payloads(text: UInt8s, starts: Int64s, lengths: Int64s, stride: int) -> tuple[UInt8s, Bools]:
    """Read data bytes of two hexadecimal digits each, one every `stride` characters.

    Args:
        text: the buffer.
        starts: int64 of shape (N,), where the first digit stands.
        lengths: int64 of shape (N,), how many bytes there are, 0 to 64; others are not good.
        stride: 2 for digits without, 3 for digits with one character between bytes.

    Returns:
        Data, uint8 of shape (N, 8) or (N, 64), zero past each length, and which rows are good (bool).
    """
    good = (lengths >= 0) & (lengths <= FD_BYTES)
    longest = int(lengths.max(where=good, initial=0))
    width = CLASSIC_BYTES if longest <= CLASSIC_BYTES else FD_BYTES
    data = np.zeros((len(starts), width), np.uint8)
    if not longest:
        return data, good
    digits = NIBBLES[windows(text, starts, stride * longest)]
    high, low = digits[:, 0::stride], digits[:, 1::stride]
    used = np.arange(longest) < lengths[:, np.newaxis]
    good &= ~(((high | low) == NO_DIGIT) & used).any(axis=1)
    np.multiply((high << 4) | (low & 0x0F), used, out=data[:, :longest])
    return data, good


@dataclass(slots=True, eq=False)
class Columns:
    """Columns over all lines of a block: first what was read at once, then what was read line by line.

    Attributes:
        good: bool, which lines hold a frame.
        t_ns: int64; like all that follow it means something only where `good`.
        channel: intp, index into `labels`.
        labels: index of each channel label met so far.
        arbitration_id: uint32.
        flags: uint16.
        length: uint16.
        data: uint8 of shape (N, 8) or (N, 64).
    """

    good: Bools
    t_ns: Int64s
    channel: Indices
    labels: dict[str, int]
    arbitration_id: UInt32s
    flags: UInt16s
    length: UInt16s
    data: UInt8s

    def put(self, place: int, row: Row) -> None:
        """Fill in the frame of one line."""
        t_ns, label, arbitration_id, flags, data, length = row
        if len(data) > self.data.shape[1]:
            self.data = np.pad(self.data, ((0, 0), (0, FD_BYTES - self.data.shape[1])))
        self.good[place] = True
        self.t_ns[place] = t_ns
        self.channel[place] = self.labels.setdefault(label, len(self.labels))
        self.arbitration_id[place] = arbitration_id
        self.flags[place] = flags
        self.length[place] = length
        self.data[place] = 0
        self.data[place, : len(data)] = np.frombuffer(data, np.uint8)

    def piece(self) -> Piece:
        """The lines that hold a frame."""
        piece = Piece(
            t_ns=self.t_ns,
            channel=self.channel,
            labels=tuple(self.labels),
            arbitration_id=self.arbitration_id,
            flags=self.flags,
            length=self.length,
            data=self.data,
        )
        return piece if self.good.all() else piece.take(self.good)
