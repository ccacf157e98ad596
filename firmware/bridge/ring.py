"""The ring of frames between a controller's interrupt and the main loop: its layout, and what watches it.

One producer (the interrupt, `put`), one consumer (the main loop, `fill`); each writes words of its own, so
neither needs a lock. `put` and `fill` stand in `pack_viper.py`, and for ports without viper in
`pack_plain.py`.

A cell is 16 bytes, or 72 where the bus is CAN FD:

    frame   delta u16 | kind u8 | 0 u8 | id u32 | data, 8 or 64 bytes
    mark    0 u16     | 0 u8    | 1 u8 | ticks u32 | era u32 | number u32 | unused

as on the line (docs/vlink.md), little-endian. `delta` is microseconds since the frame before. Where it does
not fit, or frames were dropped between, a mark stands before the frame and tells its time and its number;
its delta is 0. A mark and its frame come into the ring together. A frame longer than its cells counts as
dropped.

Small integers of 32-bit ports have 31 bits, and a larger one takes memory, which an interrupt cannot have.
So time is ticks, 30 bits of microseconds, and era, the count of their periods; numbers are two halves of 16
bits.
"""

from array import array

HEAD_BYTES = 8
CLASSIC_CELL = 16
FD_CELL = 72

# Words of the state. Written by the interrupt:
HEAD = 0
NUMBER_LOW = 1
NUMBER_HIGH = 2
DROPPED_LOW = 3
DROPPED_HIGH = 4
LAST_TICKS = 5
LAST_ERA = 6
MARK_DUE = 7
# By the main loop:
TAIL = 8
QUARTER = 9
READ_TICKS = 10
READ_ERA = 11
READ_LOW = 12
READ_HIGH = 13
# At the start:
CELLS = 14
CELL_BYTES = 15
BUS = 16
WORDS = 17

TICKS = 0x3FFFFFFF
QUARTER_BITS = 28
EARLIER = 3

DATA_BYTES = bytes(range(9)) + b"\x08" * 7 + bytes(range(9)) + bytes((12, 16, 20, 24, 32, 48, 64))
"""Bytes of data by DLC code; from 16 on those of CAN FD."""


class Ring:
    """A ring of one bus, made once.

    Attributes:
        state: the words above.
        cells: the cells.
    """

    def __init__(self, bus: int, cells: int, fd: bool, ticks: int) -> None:
        """Make a ring.

        Args:
            bus: the bus's number in HELLO.
            cells: how many cells; one of them is always free.
            fd: whether frames of CAN FD come.
            ticks: the clock, so that eras count from now.
        """
        self.state = array("I", [0] * WORDS)
        cell_bytes = FD_CELL if fd else CLASSIC_CELL
        self.cells = bytearray(cells * cell_bytes)
        self.state[CELLS] = cells
        self.state[CELL_BYTES] = cell_bytes
        self.state[BUS] = bus
        self.state[MARK_DUE] = 1
        self.state[QUARTER] = (ticks & TICKS) >> QUARTER_BITS

    def follow(self, ticks: int) -> None:
        """Keep count of eras; to be called every eight minutes at least, by the main loop only.

        Args:
            ticks: the clock now.
        """
        quarter = self.state[QUARTER]
        ahead = (((ticks & TICKS) >> QUARTER_BITS) - quarter) & 3
        if ahead != EARLIER:
            self.state[QUARTER] = quarter + ahead

    def t_us(self, ticks: int) -> int:
        """Tell the device's clock in full; takes memory where small integers are short.

        Args:
            ticks: not older than four minutes.
        """
        quarter = self.state[QUARTER]
        ahead = (((ticks & TICKS) >> QUARTER_BITS) - quarter) & 3
        quarter += -1 if ahead == EARLIER else ahead
        return (quarter >> 2) * (TICKS + 1) + (ticks & TICKS)

    def waiting(self) -> int:
        """Tell how many cells wait to be packed."""
        waiting = self.state[HEAD] - self.state[TAIL]
        return waiting + self.state[CELLS] if waiting < 0 else waiting

    def capacity(self) -> int:
        """Tell how many cells may wait."""
        return self.state[CELLS] - 1

    def accepted(self) -> int:
        """Tell how many frames were offered to the ring, modulo 2^32."""
        return self._count(NUMBER_LOW)

    def dropped(self) -> int:
        """Tell how many of them found it full, modulo 2^32."""
        return self._count(DROPPED_LOW)

    def _count(self, low: int) -> int:
        # An interrupt may come between the halves.
        while True:
            high = self.state[low + 1]
            count = high * 65536 + self.state[low]
            if high == self.state[low + 1]:
                return count
