"""Frames in vlink's packets, one by one: for tests and desks; MicroPython runs it unchanged.

The roads have faster ways: `firmware/bridge/pack_viper.py` makes these packets,
`edge/bus/vlink/frames_columns.py` reads many at once.
"""

import struct

KIND_LENGTH = 0x0F
KIND_EXTENDED = 0x10
KIND_REMOTE = 0x20
KIND_ERROR_STATE = 0x20
KIND_FD = 0x40
KIND_BITRATE_SWITCH = 0x80
KIND_ERROR = 0x80

STANDARD_IDS = 0x7FF
EXTENDED_IDS = 0x1FFFFFFF

FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
"""Bytes of data by DLC code, ISO 11898-1; of a classic frame the codes above 8 mean 8."""

_HEAD = "<BIQB"
_HEAD_BYTES = 14


def data_length(kind: int) -> int:
    """Tell how many bytes of data follow a frame's id in FRAMES, by its kind."""
    if kind & KIND_FD:
        return FD_LENGTHS[kind & KIND_LENGTH]
    return 0 if kind & KIND_REMOTE else min(kind & KIND_LENGTH, 8)


class Frames:
    """Frames of one bus (FRAMES).

    Attributes:
        bus: its number in HELLO.
        first: the number of the first frame among those that the firmware took from this bus since boot.
        t_us: when the first frame came, by the device's clock.
        frames: (microseconds since the frame before, kind, id, data) each.
    """

    def __init__(
        self, bus: int, first: int, t_us: int, frames: tuple[tuple[int, int, int, bytes], ...]
    ) -> None:
        self.bus = bus
        self.first = first
        self.t_us = t_us
        self.frames = frames

    def write(self, buffer: bytearray, at: int) -> int:
        """Write the payload into `buffer` from `at` on; returns its end."""
        struct.pack_into(_HEAD, buffer, at, self.bus, self.first, self.t_us, len(self.frames))
        at += _HEAD_BYTES
        for delta_us, kind, can_id, data in self.frames:
            if len(data) != data_length(kind):
                raise ValueError("a frame's data do not have the length of its kind")
            head = struct.pack("<HBI" if kind & KIND_EXTENDED else "<HBH", delta_us, kind, can_id)
            end = at + len(head) + len(data)
            if end > len(buffer):
                raise ValueError("the payload is longer than a packet")
            buffer[at:end] = head + data
            at = end
        return at


def read_frames(payload: bytes | bytearray | memoryview) -> Frames:
    """Read FRAMES; raises ValueError where the payload is none, to its last byte."""
    if len(payload) < _HEAD_BYTES:
        raise ValueError("shorter than its fields")
    bus, first, t_us, count = struct.unpack_from(_HEAD, payload, 0)
    at = _HEAD_BYTES
    frames = []
    for _ in range(count):
        if at + 3 > len(payload):
            raise ValueError("shorter than its frames")
        delta_us, kind = struct.unpack_from("<HB", payload, at)
        extended = kind & KIND_EXTENDED
        data = at + (7 if extended else 5)
        at = data + data_length(kind)
        if at > len(payload):
            raise ValueError("shorter than its frames")
        (can_id,) = struct.unpack_from("<I" if extended else "<H", payload, data - (4 if extended else 2))
        if can_id > (EXTENDED_IDS if extended else STANDARD_IDS):
            raise ValueError("an id has too many bits")
        frames.append((delta_us, kind, can_id, bytes(payload[data:at])))
    if at != len(payload):
        raise ValueError("bytes behind the last frame")
    return Frames(bus, first, t_us, tuple(frames))
