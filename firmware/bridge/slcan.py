"""slcan, the ASCII commands of LAWICEL's CAN232 and CANUSB, for programs that know nothing of vlink; no I/O.

Commands and replies are those of the CAN232 manual, version 3. `O` and `L` both open a channel that only
listens, and whatever asks to send is answered with BELL. docs/slcan.md says what differs.
"""

from .ring import DATA_BYTES

OK = b"\r"
REFUSED = b"\x07"

BITRATES = (10_000, 20_000, 50_000, 100_000, 125_000, 250_000, 500_000, 800_000, 1_000_000, 83_333)
"""bit/s of `S0` to `S9`; the last is not LAWICEL's, but common."""
_BTR_CLOCK = 8_000_000
_COUNT_US = 1_000
_PERIOD_MS = 60_000
_LONGEST_COMMAND = 40
_REPLY_BYTES = 240

ROOM = 17 + 400
"""Where a payload of frames must end so that their lines fit a packet's line: at most 15 bytes for 7."""

_FULL = 0x01
_WARNING = 0x04
_OVERRUN = 0x08
_PASSIVE = 0x20
_BUS_ERROR = 0x80

_HEXADECIMAL = b"0123456789ABCDEF"
_ALL_PASS = ("M00000000", "mFFFFFFFF", "X1", "Q0")
_STANDARD = b"trdb"
_EXTENDED = b"TRDB"


class Slcan:
    """Answers commands for one bus.

    Attributes:
        opened: whether frames go out as lines.
        fresh: whether it was opened just now, so that older frames are to be set aside; whoever does sets it
            back.
        stamped: whether lines end with a time.
        replies: what is to be sent.
        replied: how many bytes of it.
    """

    def __init__(self, bitrate: int, data_bitrate: int, version: str, serial: str) -> None:
        """Answer for a bus.

        Args:
            bitrate: bit/s, as the board is built for; no other is accepted.
            data_bitrate: bit/s of the data phase of CAN FD, 0 for none.
            version: four digits, of hardware and of software.
            serial: four characters.
        """
        self.opened = False
        self.fresh = False
        self.stamped = False
        self.replies = bytearray(_REPLY_BYTES)
        self.replied = 0
        self._bitrate = bitrate
        self._data_bitrate = data_bitrate
        self._version = version
        self._serial = serial
        self._line = bytearray(_LONGEST_COMMAND)
        self._n = 0
        self._bad = False
        self._rate_refused = False
        self._flags = 0
        self._before = (0, 0, 0)

    def noted(self, state: int, dropped: int, overrun: int, bus_errors: int) -> None:
        """Take note of how the bus stands, for `F`.

        Args:
            state: `BUS_*` of vlink.
            dropped: frames that found the ring full, since boot.
            overrun: frames that the controller lost, or how often it flagged that; since boot.
            bus_errors: since boot.
        """
        was_dropped, was_overrun, was_errors = self._before
        flags = self._flags & ~(_WARNING | _PASSIVE)
        flags |= _FULL if dropped != was_dropped else 0
        flags |= _OVERRUN if overrun != was_overrun else 0
        flags |= _BUS_ERROR if bus_errors != was_errors else 0
        flags |= _WARNING if state >= 1 else 0
        flags |= _PASSIVE if state >= 2 else 0
        self._flags = flags
        self._before = (dropped, overrun, bus_errors)

    def feed(self, buffer: bytes, n: int) -> None:
        """Take what came from the host."""
        for at in range(n):
            octet = buffer[at]
            if octet == 0x0D:
                self._reply(REFUSED if self._bad else self._answer(str(self._line[: self._n], "ascii")))
                self._n = 0
                self._bad = False
            elif octet == 0x0A:
                pass
            elif not 0x20 <= octet <= 0x7E or self._n == _LONGEST_COMMAND:
                self._bad = True
            else:
                self._line[self._n] = octet
                self._n += 1

    def _reply(self, told: bytes) -> None:
        if self.replied + len(told) <= _REPLY_BYTES:
            self.replies[self.replied : self.replied + len(told)] = told
            self.replied += len(told)

    def _answer(self, line: str) -> bytes:
        if not line:
            return OK
        if line == "V":
            return b"V" + self._version.encode() + OK
        if line == "N":
            return b"N" + self._serial.encode() + OK
        if self.opened:
            return self._answer_open(line)
        return OK if self._answer_closed(line) else REFUSED

    def _answer_open(self, line: str) -> bytes:
        if line == "C":
            self.opened = False
            return OK
        if line == "F":
            flags = self._flags
            self._flags = flags & (_WARNING | _PASSIVE)
            return bytes((0x46, _HEXADECIMAL[flags >> 4], _HEXADECIMAL[flags & 15], 0x0D))
        return REFUSED

    def _answer_closed(self, line: str) -> bool:
        kind = line[0]
        if line in ("O", "L"):
            self.opened = self.fresh = not self._rate_refused
            return self.opened
        if kind in "Ss":
            self._rate_refused = abs(_asked_rate(line) - self._bitrate) * 1_000 > self._bitrate
            return not self._rate_refused
        if kind == "Y":
            return line[1:].isdigit() and int(line[1:]) * 1_000_000 == self._data_bitrate
        if line in ("Z0", "Z1"):
            self.stamped = line == "Z1"
            return True
        return line in _ALL_PASS

    def lines(self, packet: bytearray, end: int, line: bytearray) -> int:
        """Write frames as lines.

        Args:
            packet: with a payload of FRAMES from byte 3 on.
            end: where it ends.
            line: takes the lines.

        Returns:
            How many bytes they are.
        """
        t_us = int.from_bytes(packet[8:16], "little")
        left_us = t_us % _COUNT_US
        ms = t_us // _COUNT_US % _PERIOD_MS
        at = 17
        out = 0
        while at < end:
            left_us += packet[at] | packet[at + 1] << 8
            ms = (ms + left_us // _COUNT_US) % _PERIOD_MS
            left_us %= _COUNT_US
            kind = packet[at + 2]
            at += 3
            fd = kind & 0x40
            wide = 4 if kind & 0x10 else 2
            remote = kind & 0x60 == 0x20
            length = 0 if remote else DATA_BYTES[(kind & 0x0F) | ((kind >> 2) & 0x10)]
            if kind & 0xC0 == 0x80:
                # LAWICEL's commands have no line for an error frame.
                at += wide + length
                continue
            letter = (3 if kind & 0x80 else 2) if fd else int(remote)
            line[out] = (_EXTENDED if wide == 4 else _STANDARD)[letter]
            out += 1
            can_id = packet[at] | packet[at + 1] << 8
            if wide == 4:
                high = packet[at + 2] | packet[at + 3] << 8
                out = _digits(line, out, high, 4)
                out = _digits(line, out, can_id, 4)
            else:
                out = _digits(line, out, can_id, 3)
            dlc = kind & 0x0F
            line[out] = _HEXADECIMAL[dlc if fd else min(dlc, 8)]
            out += 1
            at += wide
            for n in range(at, at + length):
                octet = packet[n]
                line[out] = _HEXADECIMAL[octet >> 4]
                line[out + 1] = _HEXADECIMAL[octet & 15]
                out += 2
            at += length
            if self.stamped:
                out = _digits(line, out, ms, 4)
            line[out] = 0x0D
            out += 1
        return out


def _digits(line: bytearray, at: int, value: int, digits: int) -> int:
    end = at + digits
    for n in range(end - 1, at - 1, -1):
        line[n] = _HEXADECIMAL[value & 15]
        value >>= 4
    return end


def _asked_rate(line: str) -> int:
    """Tell which bit rate `S` and `s` ask for; 0 for none."""
    try:
        if line[0] == "S":
            return BITRATES[int(line[1:])] if len(line) == 2 else 0
        # Registers of an SJA1000 with 16 MHz, as the CAN232 has one.
        if len(line) != 5:
            return 0
        btr0 = int(line[1:3], 16)
        btr1 = int(line[3:5], 16)
    except (ValueError, IndexError):
        return 0
    quanta = 3 + (btr1 & 0x0F) + (btr1 >> 4 & 0x07)
    return _BTR_CLOCK // ((1 + (btr0 & 0x3F)) * quanta)
