"""Run the bridge on MicroPython over a modelled MCP2515 while all goes wrong; tell what it did, once each."""

import sys

import mcp2515
from bridge.board import Board
from bridge.bridge import Bridge
from bridge.controllers.mcp2515 import Mcp2515
from mcp2515_wiring import Wiring

SLCAN = (
    b"O\rL\rl\rS6\rt1232AABB\rr1230\rT18FEF10080102030405060708\rd1239000102030405060708090a0b\rZ1\rC\rF\rV\r"
)


class Campaign:
    """The bridge's port and clock, and what is done to its controller."""

    forgets = False

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now_us = 0
        self.said = b""
        self.flips = 0
        self.happened = [0] * 8
        self.chip = mcp2515.Mcp2515()
        self.wiring = Wiring(self.chip)
        self.wiring.disturb_answer = self.answer
        self.driver = Mcp2515(
            self.wiring.spi,
            self.wiring.select,
            self.wiring.interrupt,
            16000000,
            500000,
            None,
            self.ticks_us,
            lambda _: None,
        )
        self.bridge = Bridge(
            (self.driver,), self, self, None, Board("a desk", "1.0", bytes(8), seed, cells=60)
        )

    def draw(self, below: int) -> int:
        """Draw a number, the same in each run."""
        self.seed = (self.seed * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.seed >> 12) % below

    def ticks_us(self) -> int:
        """The clock."""
        self.now_us += 1
        return self.now_us & 0x3FFFFFFF

    def ticks_ms(self) -> int:
        """The other clock."""
        return self.now_us // 1000

    def read_into(self, buffer: bytearray) -> int:
        """Of the port."""
        n = min(len(buffer), len(self.said))
        buffer[:n] = self.said[:n]
        self.said = self.said[n:]
        return n

    def write(self, buffer: bytearray, start: int, n: int) -> int:  # noqa: ARG002 - a port's
        """Of the port."""
        return n - self.draw(2)

    def drained(self) -> bool:
        """Of the port."""
        return True

    def answer(self, octets: bytes) -> bytes:
        """Turn a bit now and then."""
        if not self.flips or self.draw(30):
            return octets
        turned = bytearray(octets)
        turned[self.draw(len(turned))] ^= 1 << self.draw(8)
        return bytes(turned)

    def go_wrong(self) -> None:
        """Do one of the things that go wrong."""
        what = self.draw(8)
        self.happened[what] += 1
        if what < 2:
            for _ in range(5):
                self.chip.deliver(self.draw(2048), False, False, 8, b"12345678")
                if what:
                    self.wiring.settle()
        elif what == 2:
            self.flips = self.draw(2)
        elif what == 3:
            self.chip.reset()
        elif what == 4:
            self.chip.count_errors(self.draw(400), self.draw(256))
        elif what == 5:
            self.said += SLCAN
        elif what == 6:
            self.said += bytes([self.draw(256) for _ in range(60)])
        else:
            self.chip.disturb()


def main() -> None:
    """Run, then say what was done."""
    did = set()
    campaign = Campaign(6)
    for turn in range(600):
        if turn < 450:
            campaign.go_wrong()
        else:
            campaign.flips = 0
        campaign.bridge.turn()
        campaign.now_us += (200, 50000, 1100000)[campaign.draw(3)] if turn < 450 else 1100000
        did.update(campaign.chip.journal)
        did.update(("pin", name, level) for name, level in campaign.wiring.changes)
        campaign.chip.journal.clear()
        campaign.wiring.changes.clear()
    for each in sorted(did, key=str):
        sys.stdout.write(f"{each!r}\n")
    bus = campaign.bridge.buses[0]
    told = (len(campaign.chip.sent), len(campaign.chip.driven), bus.health.mode, bus.ring.accepted() > 100)
    sys.stdout.write(f"{told!r} {min(campaign.happened)}\n")


main()
