"""An MCP2515 with its driver on a desk, and what came out of its ring."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from edge.wire import vlink_frames
from firmware.bridge import pack_plain
from firmware.bridge.controllers.mcp2515 import Mcp2515 as Driver
from firmware.bridge.health import BusHealth
from firmware.bridge.ring import Ring
from simulator.mcp2515 import Mcp2515
from simulator.mcp2515_wiring import Wiring

Frame = tuple[int, int, bytes]
"""kind, id, data."""


@dataclass
class Listening:
    """A driver, its controller, the lines between them and its ring.

    Attributes:
        now_us: the clock; each reading of it takes a microsecond.
    """

    oscillator_hz: int = 16_000_000
    bitrate: int = 500_000
    sample_point: int | None = None
    cells: int = 300
    chip: Mcp2515 = field(default_factory=Mcp2515)
    health: BusHealth = field(default_factory=BusHealth)
    now_us: int = 0

    def __post_init__(self) -> None:
        self.wiring = Wiring(self.chip)
        self.ring = Ring(0, self.cells, False, 0)
        self.driver: Any = Driver(
            self.wiring.spi,
            self.wiring.select,
            self.wiring.interrupt,
            self.oscillator_hz,
            self.bitrate,
            self.sample_point,
            self._ticks_us,
            self._sleep_us,
        )

    def _ticks_us(self) -> int:
        self.now_us += 1
        return self.now_us

    def _sleep_us(self, us: int) -> None:
        self.now_us += us

    def come(self, frame: Frame) -> bool:
        """Let a frame come from the bus; returns whether the controller had room."""
        kind, can_id, data = frame
        return self.chip.deliver(can_id, bool(kind & 0x10), bool(kind & 0x20), kind & 0x0F, data)

    def packed(self) -> list[Frame]:
        """Tell what the main loop would send, and make room in the ring."""
        packet = bytearray(1024)
        frames: list[Frame] = []
        while end := pack_plain.fill(self.ring.state, self.ring.cells, packet, 1000):
            told = vlink_frames.read_frames(bytes(packet[3:end]))
            frames += [(kind, can_id, data) for _, kind, can_id, data in told.frames]
        return frames

    def look(self) -> BusHealth:
        """Look at the bus as the main loop does each second."""
        self.driver.look(self.health)
        return self.health


def random_frame(dice: random.Random) -> Frame:
    """Draw a frame of any kind that classic CAN has."""
    kind = dice.randrange(16) | dice.choice((0, 0, 0x10)) | dice.choice((0, 0, 0, 0x20))
    length = 0 if kind & 0x20 else min(kind & 0x0F, 8)
    return kind, dice.getrandbits(29 if kind & 0x10 else 11), dice.randbytes(length)
