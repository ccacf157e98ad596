"""Listen to a modelled MCP2515 on MicroPython, then take frames with the heap locked."""

import gc
import sys
import time

import mcp2515
import micropython
import vlink_frames
from bridge import pack_plain
from bridge.controllers.mcp2515 import Mcp2515
from bridge.ring import Ring
from mcp2515_wiring import Wiring

FRAMES = (
    (0x123, False, False, 8, b"12345678"),
    (0x18FEF100, True, False, 3, b"abc"),
    (0x7FF, False, True, 2, b""),
    (0x1FFFFFFF, True, True, 4, b""),
    (0x001, False, False, 15, b"87654321"),
)


class Canned:
    """An SPI that answers from buffers made before, so that it takes no memory itself."""

    def __init__(self) -> None:
        self.full = 0
        self.frame = bytearray(14)
        self.level = 1

    def select(self, level: int) -> None:
        """Chip select."""
        self.level = level

    def write_readinto(self, octets: bytes, answer: bytearray) -> None:
        """Answer READ STATUS, READ RX BUFFER, and READ of EFLG with an overrun."""
        instruction = octets[0]
        if instruction == 0xA0:
            answer[1] = self.full
            answer[2] = self.full
        elif instruction == 0x90 or instruction == 0x94:  # noqa: PLR1714 - a set would take memory
            for n in range(14):
                answer[n] = self.frame[n]
            self.full &= 2 if instruction == 0x90 else 1
        elif instruction == 0x03:
            answer[2] = 0xC0


def main() -> None:
    """Run both parts."""
    chip = mcp2515.Mcp2515()
    wiring = Wiring(chip)
    driver = made(wiring.spi, wiring.select, wiring.interrupt)
    ring = Ring(0, 300, False, 0)
    driver.start(ring)
    driver.on_frames(driver.take)
    for can_id, extended, remote, dlc, data in FRAMES:
        chip.deliver(can_id, extended, remote, dlc, data)
        wiring.settle()
    packet = bytearray(1024)
    end = pack_plain.fill(ring.state, ring.cells, packet, 1000)
    told = vlink_frames.read_frames(bytes(packet[3:end])).frames
    say(*(f"{kind}:{can_id}:{data.hex()}" for _, kind, can_id, data in told))
    say(len(chip.journal), driver.mode(), driver.odd, len(chip.sent), len(chip.driven))

    canned = Canned()
    driver = made(canned, canned.select, None)
    ring = Ring(0, 300, False, 0)
    driver._ring = ring
    driver._cells = ring.cells
    driver._state = ring.state
    canned.frame[1:6] = bytes((0xFF, 0xEB, 0xFF, 0xFF, 8))
    taken = 0
    gc.collect()
    micropython.heap_lock()
    for _ in range(100):
        canned.full = 3
        taken += driver.take()
    micropython.heap_unlock()
    say("without memory", taken)


def say(*words: object) -> None:
    """Say a line to the test."""
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")


def made(spi: object, select: object, interrupt: object) -> Mcp2515:
    """Make a driver at 500 kbit/s with an oscillator of 16 MHz."""
    return Mcp2515(spi, select, interrupt, 16000000, 500000, 875, time.ticks_us, time.sleep_us)


main()
