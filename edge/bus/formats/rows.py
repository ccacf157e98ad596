"""`Piece`: what a format hands to its recording, and how single frames are gathered into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import can
import numpy as np
import numpy.typing as npt
from can.util import len2dlc

from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameFlag, Indices, Int64s, UInt8s, UInt16s, UInt32s

STANDARD_ID_MAX = 0x7FF
EXTENDED_ID_MAX = 0x1FFFFFFF
FD_LENGTHS = frozenset({*range(9), 12, 16, 20, 24, 32, 48, 64})

T_NS_LIMIT = 1 << 62
"""Times further than 146 years from 0 are no times; what is nearer survives being moved."""

CUT_SHORT = "cut short at the end of the file"
TIME_OUT_OF_RANGE = "time out of range"
ID_OUT_OF_RANGE = "id out of range"
DATA_TOO_LONG = "data longer than a frame"
DATA_TOO_SHORT = "data shorter than its length"

Row = tuple[int, str, int, int, bytes, int]
"""t_ns, channel label, arbitration id, flags, data, length (of a remote frame: the length asked for)."""


class MalformedError(ValueError):
    """One line or object that should be a frame is none; `str()` of it is the cause it is counted under."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """N frames of a recording as columns, buses still as the recording labels its channels.

    Attributes:
        t_ns: int64, the recording's own time.
        channel: intp, index into `labels`.
        labels: the recording's labels of its channels, each once.
        arbitration_id: uint32.
        flags: uint16, bits of `FrameFlag`.
        length: uint16.
        data: uint8 of shape (N, 8) or (N, 64).
    """

    t_ns: Int64s
    channel: Indices
    labels: tuple[str, ...]
    arbitration_id: UInt32s
    flags: UInt16s
    length: UInt16s
    data: UInt8s

    def __len__(self) -> int:
        return len(self.t_ns)

    def take(self, rows: Indices | npt.NDArray[np.bool_] | slice) -> Piece:
        """The frames at `rows`, in that order."""
        return replace(
            self,
            t_ns=self.t_ns[rows],
            channel=self.channel[rows],
            arbitration_id=self.arbitration_id[rows],
            flags=self.flags[rows],
            length=self.length[rows],
            data=self.data[rows],
        )


def refusal(arbitration_id: int, flags: int, length: int) -> str:
    """Why no controller can have seen such a frame; empty if it can (ISO 11898-1:2015, clause 10)."""
    if (
        not 0
        <= arbitration_id
        <= (EXTENDED_ID_MAX if flags & (FrameFlag.EXTENDED | FrameFlag.ERROR) else STANDARD_ID_MAX)
    ):
        return ID_OUT_OF_RANGE
    if flags & FrameFlag.FD:
        return "" if length in FD_LENGTHS else "length that no FD frame has"
    return "" if length <= CLASSIC_BYTES else DATA_TOO_LONG


def checked(row: Row) -> Row:
    """Hand `row` back if a controller can have seen it.

    Raises:
        MalformedError: if not.
    """
    cause = refusal(row[2], row[3], row[5]) if -T_NS_LIMIT < row[0] < T_NS_LIMIT else TIME_OUT_OF_RANGE
    if cause:
        raise MalformedError(cause)
    return row


def row_of(message: can.Message, label: str, t_ns: int) -> Row:
    """A python-can message as a row.

    An error frame carries no extended flag, and a CAN FD frame cannot be remote (python-can's ASC reader
    says so of one without data).

    Raises:
        MalformedError: if no controller can have seen it, or its data is shorter than its length.
    """
    data = bytes(message.data or b"")
    length = len(data)
    flags = FrameFlag(0)
    if message.is_fd:
        flags |= FrameFlag.FD
        if message.bitrate_switch:
            flags |= FrameFlag.BITRATE_SWITCH
        if message.error_state_indicator:
            flags |= FrameFlag.ERROR_STATE
    if message.is_error_frame:
        flags |= FrameFlag.ERROR
    else:
        if message.is_extended_id:
            flags |= FrameFlag.EXTENDED
        if message.is_remote_frame and not message.is_fd:
            flags |= FrameFlag.REMOTE
            data, length = b"", message.dlc
        elif message.dlc != length and not (
            message.is_fd
            and ((length <= FD_BYTES and message.dlc == len2dlc(length)) or message.is_remote_frame)
        ):
            raise MalformedError(DATA_TOO_SHORT)
    if not message.is_rx:
        flags |= FrameFlag.TRANSMITTED
    return checked((t_ns, label, message.arbitration_id, int(flags), data, length))


def piece_of(rows: Sequence[Row]) -> Piece:
    """Gather `rows` into one piece; none at all give one without frames."""
    count = len(rows)
    if not count:
        return Piece(
            t_ns=np.empty(0, np.int64),
            channel=np.empty(0, np.intp),
            labels=(),
            arbitration_id=np.empty(0, np.uint32),
            flags=np.empty(0, np.uint16),
            length=np.empty(0, np.uint16),
            data=np.empty((0, CLASSIC_BYTES), np.uint8),
        )
    t_ns, labels, ids, flags, payloads, lengths = zip(*rows, strict=True)
    index = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    width = CLASSIC_BYTES if max(map(len, payloads)) <= CLASSIC_BYTES else FD_BYTES
    packed = b"".join([payload.ljust(width, b"\0") for payload in payloads])
    return Piece(
        t_ns=np.array(t_ns, np.int64),
        channel=np.array([index[label] for label in labels], np.intp),
        labels=tuple(index),
        arbitration_id=np.array(ids, np.uint32),
        flags=np.array(flags, np.uint16),
        length=np.array(lengths, np.uint16),
        data=np.frombuffer(packed, np.uint8).reshape(count, width),
    )
