"""What waits for the line: packets in buffers that are made once, sent in the order of their sealing.

There are two buffers for frames, so that one is filled while the port takes the other, and two for all else.
A packet keeps its payload until its last byte has gone; so a new session seals again what the old one did not
get rid of, and no frame is lost to a host that says HELLO twice.
"""

from . import pack
from .ring import TICKS
from .wire import vlink

FREE = 0
# Beside the types of vlink: lines of slcan, with frames or without.
LINES = 0x100
REPLIES = 0x101

CONTROL_LIMIT = 512
STALL_US = 100_000
_BACK_STALL = TICKS + 1 - STALL_US
_STALL_MS = 100
_FRAMES = vlink.FRAMES
_DELIMITER = b"\x00"
# Where only the delimiter of a packet is missing, the delimiter of the next session would complete it.
_SPOIL = b"\x01\x00"


class Slot:
    """One packet with its line.

    Attributes:
        packet: takes the payload from byte 3 on.
        line: what goes on the line.
        kind: `FREE`, a type of vlink, `LINES` or `REPLIES`.
        end: where the payload ends.
        n: bytes of the line.
    """

    def __init__(self, limit: int) -> None:
        self.packet = bytearray(limit)
        self.line = bytearray(limit + limit // 254 + 2)
        self.kind = FREE
        self.end = 0
        self.n = 0


class Outgoing:
    """The queue toward the port.

    Attributes:
        sequence: of the next packet.
        stalls: how often the port took nothing for 100 ms while something waited.
        stalled_ms: for how long in all.
    """

    def __init__(self, buses: int) -> None:
        self.sequence = 0
        self.stalls = 0
        self.stalled_ms = 0
        self._frames = (Slot(vlink.LIMIT), Slot(vlink.LIMIT))
        self._control = (Slot(CONTROL_LIMIT), Slot(CONTROL_LIMIT))
        self._queue = [None, None, None, None]
        self._first = 0
        self._count = 0
        self._at = 0
        self._anew = _DELIMITER
        self._anew_due = 0
        self._stuck = 0
        self._sticking = False
        self._stalling = False
        self._kept = []
        # In halves: a number above 30 bits takes memory on small boards.
        self._packets_low = 0
        self._packets_high = 0
        self._sent_low = [0] * buses
        self._sent_high = [0] * buses

    def packets(self) -> int:
        """Tell how many packets of vlink have gone, modulo 2^32."""
        return self._packets_high * 65536 + self._packets_low

    def sent(self, bus: int) -> int:
        """Tell how many frames of a bus have gone, modulo 2^32."""
        return self._sent_high[bus] * 65536 + self._sent_low[bus]

    def in_hand(self, bus: int) -> int:
        """Tell how many frames of a bus are in buffers: out of the ring, and not gone yet."""
        count = 0
        for slot in self._frames:
            if slot.kind != FREE and slot.packet[3] == bus:
                count += slot.packet[16]
        return count

    def empty(self) -> bool:
        """Tell whether nothing waits."""
        return self._count == 0

    def control(self) -> Slot | None:
        """Hand out a free buffer for what is no frames."""
        for slot in self._control:
            if slot.kind == FREE:
                return slot
        return None

    def frames(self) -> Slot | None:
        """Hand out a free buffer for frames."""
        for slot in self._frames:
            if slot.kind == FREE:
                return slot
        return None

    def seal(self, slot: Slot, kind: int, end: int) -> None:
        """Make a packet of a buffer's payload and queue it."""
        slot.end = end
        slot.n = pack.seal(slot.packet, end, slot.line, kind, self.sequence)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self._append(slot, kind)

    def plain(self, slot: Slot, kind: int, end: int, n: int) -> None:
        """Queue a buffer whose line is already written.

        Args:
            slot: the buffer.
            kind: `LINES` or `REPLIES`.
            end: where the payload ends that it was made of.
            n: bytes of the line.
        """
        slot.end = end
        slot.n = n
        self._append(slot, kind)

    def begin(self) -> None:
        """Begin a session: what was for the old one is dropped, but frames are kept.

        `again` seals them behind what is sealed until then.
        """
        self.sequence = 0
        if not self._anew_due:
            broken = self._count and self._at == self._queue[self._first].n - 1
            self._anew = _SPOIL if broken else _DELIMITER
            self._anew_due = len(self._anew)
        self._at = 0
        kept = []
        while self._count:
            slot = self._queue[self._first]
            self._first = (self._first + 1) & 3
            self._count -= 1
            if slot.kind in (_FRAMES, LINES):
                kept.append(slot)
            else:
                slot.kind = FREE
        self._kept = kept

    def again(self) -> None:
        """Seal what `begin` has kept."""
        for slot in self._kept:
            self.seal(slot, vlink.FRAMES, slot.end)
        self._kept = []

    def pump(self, port: object, now: int) -> int:
        """Give the port what waits; return how many bytes it took."""
        while self._anew_due:
            took = port.write(self._anew, len(self._anew) - self._anew_due, self._anew_due)
            if not took:
                return 0
            self._anew_due -= took
        if not self._count:
            self._sticking = False
            self._stalling = False
            return 0
        total = 0
        while self._count:
            slot = self._queue[self._first]
            took = port.write(slot.line, self._at, slot.n - self._at)
            if not took:
                break
            total += took
            self._at += took
            if self._at == slot.n:
                self._gone(slot)
        if total:
            self._sticking = False
            self._stalling = False
        elif not self._sticking:
            self._sticking = True
            self._stuck = now
        elif (now - self._stuck) & TICKS >= STALL_US:
            # Forward by a stall: 2^30 and more takes memory on small boards.
            self._stuck = (self._stuck - _BACK_STALL) & TICKS
            self.stalled_ms += _STALL_MS
            if not self._stalling:
                self._stalling = True
                self.stalls += 1
        return total

    def _gone(self, slot: Slot) -> None:
        kind = slot.kind
        slot.kind = FREE
        self._at = 0
        self._first = (self._first + 1) & 3
        self._count -= 1
        if kind < LINES:
            self._packets_low = (self._packets_low + 1) & 0xFFFF
            if not self._packets_low:
                self._packets_high = (self._packets_high + 1) & 0xFFFF
        if kind == _FRAMES or kind == LINES:  # noqa: PLR1714, SIM109 - it takes memory
            self.count_out(slot.packet[3], slot.packet[16])

    def count_out(self, bus: int, frames: int) -> None:
        """Count frames of a bus that have left the ring for good."""
        low = self._sent_low[bus] + frames
        self._sent_low[bus] = low & 0xFFFF
        if low > 0xFFFF:
            self._sent_high[bus] = (self._sent_high[bus] + 1) & 0xFFFF

    def _append(self, slot: Slot, kind: int) -> None:
        slot.kind = kind
        self._queue[(self._first + self._count) & 3] = slot
        self._count += 1
