"""What the guard of forbidden areas costs: a second of four buses, cut as live reads cut it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S
from edge.frames import FD_BYTES, FrameBatch, FrameFlag
from edge.places.guard import PlaceGuard
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.policy.rules import Area, Datum
from tests.bench.bench_door import COLLECT, DATABASES, traffic, vehicle
from tests.bench.comparison import Comparison, alternate

RATE = 32_000
POSITIONS = 10
READS = (10, 100, 200)
AREAS = 20
POSITION_ID = 1056


def areas() -> tuple[Area, ...]:
    """Places of twelve corners around a city, in both datums."""
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return tuple(
        Area(
            f"place {number}",
            tuple(zip(121.0 + number / 10 + np.cos(turns) / 50, 31.0 + np.sin(turns) / 50, strict=True)),
            Datum.GCJ02 if number % 2 else Datum.WGS84,
            frozenset({DataClass.POSITION, DataClass.EXTERIOR}),
        )
        for number in range(AREAS)
    )


def second() -> FrameBatch:
    """A second of traffic with ten positions that drive through some of the areas."""
    buses = vehicle()
    batch = traffic(buses, FD_BYTES)
    batch = batch.take(np.flatnonzero(batch.arbitration_id != POSITION_ID)[:RATE])
    count = len(batch)
    t_ns = np.arange(count, dtype=np.int64) * (NS_PER_S // count)
    columns = {
        name: getattr(batch, name).copy() for name in ("bus", "arbitration_id", "flags", "length", "data")
    }
    places = np.arange(POSITIONS) * (count // POSITIONS) + 7
    columns["bus"][places] = list(buses).index("nev-chassis")
    columns["arbitration_id"][places] = POSITION_ID
    columns["flags"][places] = FrameFlag.FD
    columns["length"][places] = 32
    columns["data"][places] = 0
    for number, place in enumerate(places):
        columns["data"][place, 1:3] = [0x10, 1]
        lon, lat = 121.0 + number / 40, 31.0
        columns["data"][place, 3:11] = np.frombuffer(
            b"".join(round(angle * 1e7).to_bytes(4, "little", signed=True) for angle in (lat, lon)), np.uint8
        )
    return replace(batch, t_ns=t_ns, **columns)


class Drive:
    """Second after second of the same traffic, so that no frame is late.

    Args:
        batch: one second.
        reads: batches that it is cut into.
        take: what is done with each batch.
    """

    def __init__(self, batch: FrameBatch, reads: int, take: Callable[[FrameBatch], object]) -> None:
        edges = np.linspace(0, len(batch), reads + 1).astype(int).tolist()
        self._parts = [batch.take(slice(start, stop)) for start, stop in pairwise(edges)]
        self._take = take

    def __call__(self) -> None:
        """Drive one second."""
        for part in self._parts:
            self._take(part)
        self._parts = [replace(part, t_ns=part.t_ns + NS_PER_S) for part in self._parts]


def measure() -> list[Comparison]:
    """Share of a core at 32,000 frames/s, beside what the door takes of it."""
    buses = vehicle()
    batch = second()
    path = DATABASES / "nev-chassis.binding.toml"
    bindings = {"nev-chassis": (load_binding(path, buses["nev-chassis"][0].database, builtin()),)}
    found = []
    for reads in READS:
        for chosen, asked in ((areas(), "well under 1 %"), ((), "nothing")):
            guard = PlaceGuard.of(chosen, buses, bindings)
            guard_s, door_s = alternate(
                Drive(batch, reads, guard.judge), Drive(batch, reads, Door(buses, COLLECT).admit), rounds=15
            )
            found.append(
                Comparison(
                    name=f"guard of {len(chosen)} areas: {RATE} frames, {POSITIONS} fixes, {reads} reads",
                    ours=100 * guard_s,
                    peer=100 * door_s,
                    unit="% of a core",
                    peer_name="the door",
                    ratio=door_s / guard_s,
                    asked=asked,
                )
            )
    return found
