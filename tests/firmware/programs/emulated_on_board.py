"""Run the bridge on an emulated board: ring for frames by a pin while memory is taken and collected.

FRAMES, OUT_BYTES, HELLO and STATUS stand before it, and HOME, where the bundle is.
"""

import gc
import sys
import time

import machine
import micropython

micropython.alloc_emergency_exception_buf(100)
sys.path.insert(0, HOME + "a")  # noqa: F821 - as above

from bridge.board import Board  # noqa: E402 - found there
from bridge.bridge import Bridge  # noqa: E402 - the same
from bridge.controllers.mcp2515 import Mcp2515  # noqa: E402 - the same


class Port:
    """A line that keeps what is written."""

    forgets = False

    def __init__(self, inbox: bytes) -> None:
        """Keep what the host says."""
        self.inbox = inbox
        self.out = bytearray(OUT_BYTES)  # noqa: F821 - as above
        self.n = 0

    def read_into(self, buffer: bytearray) -> int:
        """Hand out what the host has said."""
        n = min(len(buffer), len(self.inbox))
        buffer[:n] = self.inbox[:n]
        self.inbox = self.inbox[n:]
        return n

    def write(self, buffer: bytearray, start: int, n: int) -> int:
        """Keep it."""
        for place in range(n):
            self.out[self.n + place] = buffer[start + place]
        self.n += n
        return n

    def drained(self) -> bool:
        """Tell that all has gone."""
        return True


class Bone:
    """A watchdog that is fed in vain."""

    def feed(self) -> None:
        """Take it."""


spi = machine.SPI(
    0, baudrate=10000000, polarity=0, phase=0, sck=machine.Pin(18), mosi=machine.Pin(19), miso=machine.Pin(16)
)
can = Mcp2515(
    spi,
    machine.Pin(17, machine.Pin.OUT, value=1),
    machine.Pin(20, machine.Pin.IN, machine.Pin.PULL_UP),
    16000000,
    500000,
    None,
    time.ticks_us,
    time.sleep_us,
    hard=True,
)
bell = machine.Pin(15, machine.Pin.OUT, value=0)
port = Port(HELLO)  # noqa: F821 - as above
bridge = Bridge((can,), port, time, Bone(), Board("emulated", "1.0", bytes(8), 1, cells=64), None)
for _ in range(4):
    bridge.turn()
kept = []
for number in range(FRAMES):  # noqa: F821 - as above
    bell.toggle()
    kept.append("frame " + str(number))
    if number % 16 == 15:
        kept.clear()
        gc.collect()
    if number % 5 == 4:
        bridge.turn()
for _ in range(6):
    bridge.turn()
port.inbox = STATUS  # noqa: F821 - as above
for _ in range(6):
    bridge.turn()
print(bytes(port.out[: port.n]).hex())  # noqa: T201 - the answer
