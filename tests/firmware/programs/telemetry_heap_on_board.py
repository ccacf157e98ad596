"""A node through many periods, with a broker that takes all and a silent platform: what its heap holds."""

import gc
import sys

import decoder
from telemetry import node as node_module
from telemetry.link import CLOSED, CONNECTING, OPEN
from telemetry.node import Node
from telemetry.sampler import Sampler
from telemetry.uplink import UplinkSettings

PERIOD_MS = 10_000
CONNECTIONS = 50


class Instants:
    """A clock that is told what time it is."""

    ms = offset_ns = quality = 0

    def now_ms(self) -> int:
        return self.ms


class Broker:
    """The link to a broker, which answers at once, and ends the connection now and then."""

    state = CLOSED
    ends = False

    def open(self, now_ms: int) -> None:
        del now_ms
        self.state, self.answers, self.ends = CONNECTING, b"", False

    def step(self, now_ms: int) -> bool:
        del now_ms
        self.state = OPEN
        return True

    def read_into(self, buffer: memoryview) -> int:
        if self.ends:
            raise OSError(104)
        count = min(len(buffer), len(self.answers))
        buffer[:count] = self.answers[:count]
        self.answers = self.answers[count:]
        return count

    def write(self, octets: memoryview) -> int:
        kind = octets[0] >> 4
        if kind == 1:
            self.answers += b"\x20\x02\x00\x00"
        elif kind == 8:
            self.answers += b"\x90\x03\x00\x01\x01"
        elif kind == 3:
            place = 1
            while octets[place] & 0x80:
                place += 1
            place += 3 + (octets[place + 1] << 8 | octets[place + 2])
            self.answers += b"\x40\x02" + bytes(octets[place : place + 2])
        elif kind == 12:
            self.answers += b"\xd0\x00"
        return len(octets)

    def close(self) -> None:
        self.state = CLOSED


clock = Instants()
broker = Broker()
node_module.ticks_ms = lambda: clock.ms
node = Node(
    Sampler(decoder),
    "LNVGATE00XDEM0001",
    bytes(32),
    sys.argv[1],
    broker,
    UplinkSettings("node", tells_status=False),
    period_ms=PERIOD_MS,
    mask=decoder.MASK,
    clock=clock,
    segment_bytes=2048,
    segments=4,
)
periods = int(sys.argv[2])
held = []
for number in range(1, periods + 1):
    clock.ms += PERIOD_MS
    for functions in decoder.IDS:
        for function in functions.values():
            function(bytearray([number * 7 + place & 0xFF for place in range(64)]), 64, clock.ms & 0x3FFFFFFF)
    for _ in range(12):
        node.turn()
    broker.ends = number % (periods // CONNECTIONS) == 0
    if number % (periods // 4) == 0:
        gc.collect()
        held.append(gc.mem_alloc())
held += (node.counts["records"], node.uplink.counts["connections"])
sys.stdout.write(" ".join([str(one) for one in held]))
