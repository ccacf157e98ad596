"""A node with a stand-in for the decoder, whose values tell their sample; ends when it reads anything."""

import json
import select
import sys
import time

import micropython
from telemetry.link import Link
from telemetry.mac import key_from_file
from telemetry.node import Node
from telemetry.record import ABNORMAL, GNSS, INVALID
from telemetry.uplink import UplinkSettings


class StandIn:
    """Speed, a charge that is invalid now and then, an abnormal current, and cells."""

    keys = ((4, 0), (8, 0), (7, 0), (50, 1))
    elements = 4
    alarm = False

    def __init__(self) -> None:
        self.count = 0

    def read(self, now: int) -> list:
        del now
        self.count += 1
        charge = INVALID if self.count % 5 == 0 else self.count % 100
        current = ABNORMAL if self.count % 7 == 0 else -self.count
        cells = (3700, 3702, 3690 + self.count % 20, INVALID)
        return [self.count % 2000, charge, current, cells]

    def told(self) -> None:
        pass


def read_file(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - a board has no pathlib
        return file.read()


micropython.kbd_intr(-1)
options = json.loads(read_file(sys.argv[1]))
authority = options.get("authority")
node = Node(
    StandIn(),
    options["vehicle"],
    key_from_file(read_file(options["key"])),
    options["folder"],
    Link(options["host"], options["port"], authority and read_file(authority)),
    UplinkSettings("node", first_delay_s=options["delay_s"], receipt_timeout_s=5),
    period_ms=options["period_ms"],
    segment_bytes=2048,
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
