"""A node that decodes the reference vehicle's frames, some for each record; ends when it reads anything."""

import json
import select
import struct
import sys
import time

import decoder
import micropython
from bridge.pack import put
from bridge.ring import Ring
from telemetry import node as node_module
from telemetry.dispatch import Dispatcher, RingReader
from telemetry.link import Link
from telemetry.mac import key_from_file
from telemetry.node import Node
from telemetry.record import GNSS
from telemetry.sampler import Sampler
from telemetry.uplink import UplinkSettings


class Vehicle:
    """Plays a recording: for each record one step of it, in the vehicle's own time.

    So what a record holds follows from how many the boot made before it, however busy the machine is.

    Args:
        path: the recording: how many steps, milliseconds of each, where each begins and ends, frames.
    """

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115, PTH123 - for as long as the process
        self._steps, self._step_ms = struct.unpack("<II", self._file.read(8))
        self._places = struct.unpack("<%dI" % (self._steps + 1), self._file.read(4 * self._steps + 4))  # noqa: UP031 - as on a board
        dispatcher = Dispatcher(decoder)
        self._rings = [Ring(bus, 64, True, 0) for bus in range(len(decoder.BUSES))]
        self._readers = [RingReader(ring, bus, dispatcher) for bus, ring in enumerate(self._rings)]
        self._played = 0
        self.now_ms = 0

    def feed(self, now: int) -> None:
        """Play what belongs to the next record, once."""
        del now
        made = node.counts["records"]
        if made < self._played:
            return
        self._played += 1
        step = made % self._steps
        began_ms = made * self._step_ms
        self._file.seek(self._places[step])
        frames = self._file.read(self._places[step + 1] - self._places[step])
        at = 0
        while at < len(frames):
            ms, can_id, bus, kind, length = struct.unpack_from("<HIBBB", frames, at)
            ring = self._rings[bus]
            if not put(
                ring.state, ring.cells, (began_ms + ms) * 1000 & 0x3FFFFFFF, kind, can_id, frames, at + 9
            ):
                raise ValueError("the ring is full")
            self._readers[bus].drain(began_ms + ms, 8)
            at += 9 + length
        self.now_ms = began_ms + self._step_ms


def read_file(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - a board has no pathlib
        return file.read()


micropython.kbd_intr(-1)
options = json.loads(read_file(sys.argv[1]))
authority = options.get("authority")
vehicle = Vehicle(options["recording"])
node_module.ticks_ms = lambda: vehicle.now_ms
node = Node(
    Sampler(decoder),
    options["vehicle"],
    key_from_file(read_file(options["key"])),
    options["folder"],
    Link(options["host"], options["port"], authority and read_file(authority)),
    UplinkSettings("node", first_delay_s=options["delay_s"], receipt_timeout_s=5),
    period_ms=options["period_ms"],
    mask=decoder.MASK,
    feed=vehicle.feed,
    segments=options["segments"],
)
if options["clock"]:
    node.knows_time(time.time_ns(), GNSS)
poller = select.poll()
poller.register(sys.stdin, select.POLLIN)
said = ""
while True:
    rest_ms = node.turn()
    if poller.poll(min(rest_ms, 5)):
        break
    now = (node.ring.last, node.ring.waiting, node.uplink.up)
    if now != said:
        sys.stdout.write(json.dumps({"last": now[0], "waiting": now[1], "up": now[2]}) + "\n")
        said = now
counts = dict(node.counts)
counts.update(node.uplink.counts)
counts.update({"last": node.ring.last, "given up": node.ring.given_up, "waiting": node.ring.waiting})
sys.stdout.write(json.dumps(counts) + "\n")
