"""The board's program: a bridge with played buses on standard input and output, and faults on command.

Runs on MicroPython. Arguments: a file of JSON with the schedule, and a named pipe that brings commands, a
line each:

    gc N          collect garbage among N objects, N times
    corrupt N     turn a bit in each of the next N pieces that go to the port
    lose B N      the controller of bus B loses N frames
    rate B N      bus B has N frames per second from now on; 0 for none
    mode B M      the controller of bus B reads back mode M
    dead B 0|1    the controller of bus B answers nothing
    supply N      the supply is N mV;  ignition 0|1
    lock N        move frames N times with the heap locked
    report        tell all counters
    reset         as after a reset: all but the buses begins anew

What it tells goes to standard error, a line of JSON each.
"""

import gc
import json
import select
import sys
import time

import micropython
from bridge.board import Board
from bridge.bridge import Bridge
from bridge.ports import StandardPort
from bridge.power import Power
from bridge.ring import CELL_BYTES, CELLS, HEAD, TAIL, TICKS
from controller import PlayedController
from supervisor.machine import PowerSupervisor
from supervisor.parameters import Parameters


class CorruptingPort:
    """Turns bits of what goes through it, when told to."""

    def __init__(self, port: object) -> None:
        self.forgets = False
        self.left = 0
        self.turned = 0
        self._port = port
        self._copy = bytearray(1200)
        self.read_into = port.read_into
        self.drained = port.drained

    def write(self, buffer: bytearray, start: int, n: int) -> int:
        """Write, or write what differs in a bit."""
        if not self.left:
            return self._port.write(buffer, start, n)
        self._copy[:n] = buffer[start : start + n]
        self._copy[n // 2] ^= 1 << (self.left & 7)
        took = self._port.write(self._copy, 0, n)
        if took > n // 2:
            self.left -= 1
            self.turned += 1
        return took


class Feeding:
    """A watchdog's timer that only counts."""

    def __init__(self) -> None:
        self.fed = 0

    def feed(self) -> None:
        """Be fed."""
        self.fed += 1


class Pins:
    """Ignition, supply and the gateway's power, without any."""

    def __init__(self) -> None:
        self.level = True
        self.mv = 12_600
        self.on = False

    def ignition(self) -> bool:
        """Tell the level."""
        return self.level

    def supply_mv(self) -> int:
        """Tell the supply."""
        return self.mv

    def power(self, on: bool) -> None:
        """Switch."""
        self.on = on


def listed(path: str) -> bytes | None:
    """Read a list of frames; None where there is none."""
    if not path:
        return None
    with open(path, "rb") as file:  # noqa: PTH123 - no pathlib here
        return file.read()


def frames_in(ring: object) -> int:
    """Count the frames that wait in a ring."""
    state = ring.state
    at = state[TAIL]
    count = 0
    while at != state[HEAD]:
        if not ring.cells[at * state[CELL_BYTES] + 3]:
            count += 1
        at = (at + 1) % state[CELLS]
    return count


class Bench:
    """The board on the bench."""

    def __init__(self, plan: dict, pipe: str) -> None:
        self.plan = plan
        self.port = CorruptingPort(StandardPort(4096))
        self.buses = tuple(
            [
                PlayedController(
                    time, n, bus["rate"], bus["depth"], bus["style"], bus["frames"], listed(bus["list"])
                )
                for n, bus in enumerate(plan["buses"])
            ]
        )
        self.pins = Pins()
        self.timer = Feeding()
        self.boot = plan["boot"]
        self.commands = open(pipe)  # noqa: SIM115, PTH123 - it stays open; no pathlib here
        self.ready = select.poll()
        self.ready.register(self.commands, select.POLLIN)

    def tell(self, **what: object) -> None:
        """Tell a line."""
        sys.stderr.write(json.dumps(what) + "\n")

    def make(self) -> Bridge:
        """Start the bridge as a reset does."""
        board = Board(
            "bench",
            "1.2",
            b"\x01\x02\x03\x04\x05\x06\x07\x08",
            self.boot,
            self.plan["cells"],
            serial="BE01",
            reset_cause=2,
        )
        fitted = self.plan["power"]
        power = None
        if fitted is not False:
            parameters = Parameters(**({} if fitted is True else fitted))
            power = Power(PowerSupervisor(parameters, now_ms=time.ticks_ms()), self.pins)
        return Bridge(self.buses, self.port, time, self.timer, board, power)

    def report(self, bridge: Bridge, name: str) -> None:
        """Tell all counters of this boot; those of the buses since the program began."""
        buses = []
        for n, bus in enumerate(self.buses):
            ring = bridge.buses[n].ring
            buses.append(
                {
                    "offered": bus.offered,
                    "overrun": bus.overrun,
                    "missed": bus.missed,
                    "frame": bus.frame,
                    "starts": bus.starts,
                    "accepted": ring.accepted(),
                    "dropped": ring.dropped(),
                    "sent": bridge.outgoing.sent(n),
                    "in_hand": bridge.outgoing.in_hand(n),
                    "in_ring": frames_in(ring),
                    "skipped": bridge.session.skipped if n == 0 else 0,
                }
            )
        self.tell(
            told=name,
            boot=self.boot,
            buses=buses,
            packets=bridge.outgoing.packets(),
            stalls=bridge.outgoing.stalls,
            stalled_ms=bridge.outgoing.stalled_ms,
            turned=self.port.turned,
            fed=self.timer.fed,
            ill=bridge.watchdog.ill,
            bad=bridge.session.bad_packets(),
            powered=self.pins.on,
        )

    def obey(self, bridge: Bridge, line: str) -> bool:
        """Obey a command; tell whether the board is to be reset."""
        words = line.split()
        numbers = [int(word) for word in words[1:]]
        name = words[0]
        if name == "reset":
            return True
        if name == "report":
            self.report(bridge, "report")
        elif name == "gc":
            for _ in range(numbers[0]):
                _junk = [[n] for n in range(numbers[0])]
                gc.collect()
        elif name == "corrupt":
            self.port.left = numbers[0]
        elif name == "lose":
            self.buses[numbers[0]].lose(numbers[1])
        elif name == "rate":
            self.buses[numbers[0]].play(numbers[1])
        elif name == "mode":
            self.buses[numbers[0]].fault = numbers[1]
        elif name == "dead":
            self.buses[numbers[0]].dead = bool(numbers[1])
        elif name == "supply":
            self.pins.mv = numbers[0]
        elif name == "ignition":
            self.pins.level = bool(numbers[0])
        elif name == "lock":
            self.lock(bridge, numbers[0])
        return False

    def lock(self, bridge: Bridge, frames: int) -> None:
        """Move frames with the heap locked: an allocation raises MemoryError."""
        gc.collect()
        before = bridge.outgoing.packets()
        bus = self.buses[0]
        taken = bus.offered - bus.overrun
        turns = 0
        micropython.heap_lock()
        try:
            while bus.offered - bus.overrun - taken < frames:
                bridge.move(time.ticks_us() & TICKS)
                turns += 1
        finally:
            micropython.heap_unlock()
        self.tell(told="locked", turns=turns, packets=bridge.outgoing.packets() - before)

    def run(self) -> None:
        """Turn, until the program is killed."""
        while True:
            bridge = self.make()
            self.tell(told="ready", boot=self.boot)
            turns = 0
            while True:
                if not bridge.turn():
                    time.sleep_us(300)
                turns += 1
                if turns & 15 == 0 and self.ready.poll(0) and self.obey(bridge, self.commands.readline()):
                    break
            self.report(bridge, "reset")
            self.boot += 1


with open(sys.argv[1]) as _plan:  # noqa: PTH123 - no pathlib here
    Bench(json.load(_plan), sys.argv[2]).run()
