"""Framing of vlink, the line to a microcontroller (docs/vlink.md); MicroPython runs it unchanged."""

import binascii
import struct

VERSION = 1

LIMIT = 1024
"""Bytes of the longest packet: header, payload and CRC, before COBS."""
HEADER = 3
"""Bytes of the header: type u8, sequence u16."""
CRC = 4
"""Bytes of the CRC-32 behind the payload."""
LINE_LIMIT = LIMIT + LIMIT // 254 + 2
"""Bytes of the longest packet on the line, with its delimiter."""

HELLO = 0x01
FRAMES = 0x02
STATUS = 0x03
EVENT = 0x04
TIME = 0x05
ACK = 0x06
HOST_HELLO = 0x41
HOST_TIME = 0x45
COMMAND = 0x46

_RUN = 254
_FULL = 255


def cobs_encode(src: bytes | bytearray, n: int, dst: bytearray) -> int:
    """Write the first `n` bytes of `src` into `dst` without any 0 byte, by COBS (Cheshire and Baker 1999).

    Args:
        src: what to encode.
        n: how much of it.
        dst: at least n + n // 254 + 1 bytes.

    Returns:
        How many bytes were written. The delimiter is not among them.
    """
    at = out = 0
    while True:
        end = min(n, at + _RUN)
        zero = src.find(b"\x00", at, end)
        if zero >= 0:
            end = zero
        run = end - at
        dst[out] = run + 1
        dst[out + 1 : out + 1 + run] = src[at:end]
        out += run + 1
        at = end
        if zero >= 0:
            at += 1
        elif at == n:
            return out


def cobs_decode(src: bytes | bytearray, n: int, dst: bytearray) -> int:
    """Undo `cobs_encode`.

    Args:
        src: what stood between two delimiters.
        n: how many of its bytes.
        dst: at least n - 1 bytes; those behind what is decoded may change too.

    Returns:
        How many bytes were decoded, or -1 where `src` is not COBS.
    """
    if not n or src.find(b"\x00", 0, n) >= 0:
        return -1
    length = n - 1
    dst[:length] = src[1:n]
    code = at = src[0]
    while at < n:
        # What follows a full block is no zero, so its code leaves a hole, which the rest closes.
        if code == _FULL:
            # A second form of the same bytes would let a turned bit pass.
            if at + 1 == n:
                return -1
            out = at - n + length
            length -= 1
            dst[out:length] = src[at + 1 : n]
        else:
            dst[at - n + length] = 0
        code = src[at]
        at += code
    return length if at == n else -1


def missing_between(sequence: int, following: int) -> int:
    """Tell how many packets are missing between two that came one after the other.

    Args:
        sequence: of the packet before.
        following: of the packet after it.

    Returns:
        0 to 65,535; the true number is that or more by a multiple of 65,536.
    """
    return (following - sequence - 1) & 0xFFFF


class Encoder:
    """Makes packets of one direction, in buffers that it makes once.

    Attributes:
        buffer: whoever makes a payload writes it here, from `HEADER` on.
        line: the last packet as it goes on the line.
        sequence: of the next packet; a new session sets it to 0.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.buffer = bytearray(limit)
        self.line = bytearray(limit + limit // _RUN + 2)
        self.sequence = 0
        self._packet = memoryview(self.buffer)

    def seal(self, kind: int, end: int) -> int:
        """Make a packet of the payload that ends before `end` in `buffer`.

        Args:
            kind: the packet's type.
            end: where the payload ends, counted from the start of `buffer`.

        Returns:
            How many bytes of `line` go on the line, delimiter included.

        Raises:
            ValueError: The payload leaves no room for the CRC.
        """
        if end + CRC > len(self.buffer):
            raise ValueError("the payload is longer than a packet")
        struct.pack_into("<BH", self.buffer, 0, kind, self.sequence)
        struct.pack_into("<I", self.buffer, end, binascii.crc32(self._packet[:end]))
        self.sequence = (self.sequence + 1) & 0xFFFF
        n = cobs_encode(self.buffer, end + CRC, self.line)
        self.line[n] = 0
        return n + 1

    def encode(self, kind: int, payload: bytes | bytearray | memoryview) -> bytes:
        """Make a packet of a payload that stands elsewhere.

        Args:
            kind: the packet's type.
            payload: its payload.

        Returns:
            What goes on the line, delimiter included.

        Raises:
            ValueError: The payload leaves no room for the CRC.
        """
        end = HEADER + len(payload)
        if end + CRC > len(self.buffer):
            raise ValueError("the payload is longer than a packet")
        self.buffer[HEADER:end] = payload
        return bytes(self.line[: self.seal(kind, end)])


class Decoder:
    """Finds the good packets in what comes from the line, in a fixed amount of memory.

    Hand in what was read by `feed`, then ask `packet` until it says None. Whatever comes, no exception; after
    anything that is no packet the next delimiter is where it starts anew.

    Attributes:
        packets: good packets so far.
        bad_cobs: packets set aside because they are not COBS.
        bad_crc: packets set aside because their CRC does not fit, or because they are too short to have one.
        too_long: packets set aside because they are longer than the limit.
        skipped_bytes: bytes of all that was set aside, without delimiters. What waits for its delimiter is
            not yet among them, unless it is too long already.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.packets = 0
        self.bad_cobs = 0
        self.bad_crc = 0
        self.too_long = 0
        self.skipped_bytes = 0
        self._line = bytearray(limit + limit // _RUN + 1)
        self._limit = limit
        self._filled = 0
        self._overlong = False
        self._decoded = bytearray(limit + limit // _RUN + 1)
        self._view = memoryview(self._decoded)
        self._fresh: bytes | bytearray = b""
        self._at = 0
        self._end = 0

    def feed(self, buffer: bytes | bytearray, n: int) -> None:
        """Take what was read from the line.

        Args:
            buffer: what was read; it is not copied, and must stay as it is until `packet` has said None.
            n: how much of it counts.

        Raises:
            ValueError: What was fed before has not been taken to its end; it would be lost.
        """
        if self._at < self._end:
            raise ValueError("packet() has not yet said None")
        self._fresh = buffer
        self._at = 0
        self._end = n

    def packet(self) -> tuple[int, int, memoryview] | None:
        """Hand out the next good packet.

        Returns:
            Type, sequence number and payload, or None where all that was fed has been taken. The payload is
            good until the next call.
        """
        while self._at < self._end:
            start = self._at
            zero = self._fresh.find(b"\x00", start, self._end)
            if zero < 0:
                self._collect(start, self._end)
                self._at = self._end
                break
            self._collect(start, zero)
            self._at = zero + 1
            n = self._checked()
            if n:
                kind, sequence = struct.unpack_from("<BH", self._decoded, 0)
                return kind, sequence, self._view[HEADER : n - CRC]
        return None

    def _collect(self, start: int, end: int) -> None:
        filled = self._filled + end - start
        if self._overlong:
            self.skipped_bytes += end - start
        elif filled > len(self._line):
            self._overlong = True
            self.skipped_bytes += filled
        else:
            self._line[self._filled : filled] = self._fresh[start:end]
            self._filled = filled

    def _checked(self) -> int:
        """Judge what came up to a delimiter: the length of the packet, or 0 where it is none."""
        came = self._filled
        self._filled = 0
        if self._overlong:
            self._overlong = False
            self.too_long += 1
            return 0
        if not came:
            return 0
        n = cobs_decode(self._line, came, self._decoded)
        if n < 0:
            self.bad_cobs += 1
        elif n > self._limit:
            self.too_long += 1
        elif n < HEADER + CRC or not self._crc_fits(n):
            self.bad_crc += 1
        else:
            self.packets += 1
            return n
        self.skipped_bytes += came
        return 0

    def _crc_fits(self, n: int) -> bool:
        (told,) = struct.unpack_from("<I", self._decoded, n - CRC)
        return bool(told == binascii.crc32(self._view[: n - CRC]))
