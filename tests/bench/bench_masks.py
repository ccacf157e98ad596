"""What masks cost capture at 32,000 frames/s: with them, with a door that lets all pass, and without a door.

All ways in one process, a second each in turn, in real time, read every 20 ms as the process of capture does.
A source that hands on what is in memory takes the place of the interfaces, whose cost is the same each way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise

import numpy as np

from edge.bus.memory import MemorySource
from edge.capture import Capture, Guard
from edge.capturing.border import encode
from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S
from edge.frames import FrameBatch
from edge.places.guard import PlaceGuard
from edge.policy.classes import DataClass
from edge.policy.door import Door
from tests.bench.bench_door import COLLECT, DATABASES, vehicle
from tests.bench.bench_places import POSITIONS, RATE, areas, second
from tests.bench.comparison import Comparison

READS = 50
ROUNDS = 9
AREAS = 10
AGREED = COLLECT | {DataClass.POSITION}


class OpenDoor(Door):
    """Hands on every frame as it is, and counts nothing."""

    def admit(self, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
        """See `Door.admit`."""
        del withhold
        return batch


class Paced:
    """Capture of a second of traffic after the other.

    Args:
        name: of this way.
        door: what passes.
        guard: knows where less does.
        each_second: done before each second, with its number.
        hand_over: whether what passes is made ready for the core.
    """

    def __init__(
        self,
        name: str,
        batch: FrameBatch,
        door: Door,
        *,
        guard: Guard | None = None,
        each_second: Callable[[int], object] | None = None,
        hand_over: bool = False,
    ) -> None:
        self.name = name
        self.shares: list[float] = []
        edges = np.linspace(0, len(batch), READS + 1).astype(int).tolist()
        self._parts = [batch.take(slice(start, stop)) for start, stop in pairwise(edges)]
        self._capture = Capture(MemorySource(self._seconds(), buses=batch.buses), door, guard=guard)
        self._each_second = each_second
        self._hand_over = hand_over
        self._done = 0

    def drive(self) -> None:
        """Drive one second of real time, and note the share of a core that it took."""
        begin_s, cpu_s = time.monotonic(), time.process_time()
        if self._each_second is not None:
            self._each_second(self._done)
        for place in range(READS):
            waited_s = time.process_time()
            time.sleep(max(0.0, begin_s + place / READS - time.monotonic()))
            cpu_s += time.process_time() - waited_s
            captured = self._capture.read(0)
            if captured is not None and self._hand_over:
                for batch in captured.batches:
                    encode(batch)
        self._done += 1
        self.shares.append(100 * (time.process_time() - cpu_s))

    def _seconds(self) -> Iterator[FrameBatch]:
        for number in count():
            for part in self._parts:
                yield replace(part, t_ns=part.t_ns + number * NS_PER_S)


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to capture, and the one beside which it is shown."""

    way: Paced
    peer: Paced
    peer_name: str
    asked: str


def measure() -> list[Comparison]:
    """Shares of a core, medians over seconds in turn."""
    ways = _ways()
    every = list(dict.fromkeys(each for pair in ways for each in (pair.way, pair.peer)))
    for each in every:
        each.drive()
        each.shares.clear()
    for _ in range(ROUNDS):
        for each in every:
            each.drive()
    return [_row(pair) for pair in ways] + [_new_masks()]


def _ways() -> Sequence[_Way]:
    buses, batch = vehicle(), second()
    path = DATABASES / "nev-chassis.binding.toml"
    bindings = {"nev-chassis": (load_binding(path, buses["nev-chassis"][0].database, builtin()),)}
    guard = PlaceGuard.of(areas()[:AREAS], buses, bindings)
    changing = Door(buses, COLLECT, "0")

    def change(number: int) -> None:
        changing.adopt(AGREED if number % 2 else COLLECT, str(number))

    none = Paced("no door", batch, OpenDoor(buses, COLLECT))
    on = Paced("masks on", batch, Door(buses, COLLECT))
    everything = Paced("a door that lets every class pass", batch, Door(buses, frozenset(DataClass)))
    consents = Paced("masks on, consents changing every second", batch, changing, each_second=change)
    places = Paced(
        f"masks on, {AREAS} areas, {POSITIONS} positions/s", batch, Door(buses, COLLECT), guard=guard
    )
    none_over = Paced("no door, hand-over to the core", batch, OpenDoor(buses, COLLECT), hand_over=True)
    on_over = Paced("masks on, hand-over to the core", batch, Door(buses, COLLECT), hand_over=True)
    return (
        _Way(on, none, none.name, "the cost of masks"),
        _Way(everything, none, none.name, "the cost of a door"),
        _Way(on, everything, everything.name, "what masks add to a door"),
        _Way(consents, on, on.name, "what changes add"),
        _Way(places, on, on.name, "what areas add"),
        _Way(on_over, none_over, none_over.name, "with what masks save later"),
    )


def _row(pair: _Way) -> Comparison:
    ours, peer = (statistics.median(one.shares) for one in (pair.way, pair.peer))
    return Comparison(
        name=f"capture at {RATE:,} frames/s, {pair.way.name}",
        ours=ours,
        peer=peer,
        unit="% of a core",
        peer_name=pair.peer_name,
        ratio=peer / ours,
        asked=pair.asked,
    )


def _new_masks() -> Comparison:
    """How long a set of classes that was never collected before holds capture up, once."""
    buses = vehicle()
    took_s = []
    for _ in range(ROUNDS):
        door = Door(buses, COLLECT)
        begin_s = time.perf_counter()
        door.adopt(AGREED)
        took_s.append(time.perf_counter() - begin_s)
    return Comparison(
        name=f"first change to other classes, {len(buses)} buses",
        ours=1000 * statistics.median(took_s),
        peer=None,
        unit="ms",
        peer_name="",
        ratio=None,
        asked="once for each set of classes",
    )
