"""What the door costs: batches of the reference vehicle's four buses with the door, and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.database.load import load_database
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from tests.bench.comparison import Comparison, alternate

FRAMES = 65_536
COLLECT = frozenset({DataClass.OPERATION, DataClass.HEALTH})
DATABASES = Path(__file__).parents[2] / "dbc"


def vehicle() -> dict[str, list[ClassedDatabase]]:
    """The reference vehicle's buses by name."""
    return {
        path.stem: [load_classes(path.with_suffix(".classes.toml"), load_database(path))]
        for path in sorted(DATABASES.glob("nev-*.dbc"))
    }


def traffic(buses: dict[str, list[ClassedDatabase]], width: int) -> FrameBatch:
    """Random payloads on random ids of all buses; of messages that fit `width` bytes."""
    chance = np.random.default_rng(1)
    known = [
        (bus, message)
        for bus, classed in enumerate(buses.values())
        for message in classed[0].database.messages
        if message.length <= width
    ]
    picked = [known[place] for place in chance.integers(0, len(known), FRAMES)]
    length = np.array([message.length for _, message in picked], np.uint16)
    data = chance.integers(0, 256, (FRAMES, width), np.uint8)
    data[np.arange(width) >= length[:, None]] = 0
    return FrameBatch(
        t_ns=np.arange(FRAMES, dtype=np.int64) * 20_000,
        bus=np.array([bus for bus, _ in picked], np.uint8),
        arbitration_id=np.array([message.arbitration_id for _, message in picked], np.uint32),
        flags=np.array([FrameFlag.EXTENDED if message.extended else 0 for _, message in picked], np.uint16),
        length=length,
        data=data,
        buses=tuple(buses),
    )


def measure() -> list[Comparison]:
    """Frames a second through the door, beside a plain copy of the batch."""
    buses = vehicle()
    found = []
    for name, width in (("classic", CLASSIC_BYTES), ("FD", FD_BYTES)):
        batch = traffic(buses, width)
        door = Door(buses, COLLECT)
        everything = np.arange(len(batch))
        with_s, without_s = alternate(
            lambda door=door, batch=batch: door.admit(batch),  # type: ignore[misc]
            lambda batch=batch, everything=everything: batch.take(everything),  # type: ignore[misc]
        )
        found.append(
            Comparison(
                name=f"door, {name} batch of {FRAMES} frames on {len(buses)} buses",
                ours=FRAMES / with_s,
                peer=FRAMES / without_s,
                unit="frames/s",
                peer_name="copying the batch",
                ratio=without_s / with_s,
                asked="at least 3.3 M frames/s (0.3 µs a frame)",
            )
        )
        found += [
            _split(f"one class, {name}", buses, batch, frozenset({DataClass.OPERATION})),
            _split(f"{len(COLLECT)} classes, {name}", buses, batch, COLLECT),
        ]
    return found


def _split(
    name: str, buses: dict[str, list[ClassedDatabase]], batch: FrameBatch, collect: frozenset[DataClass]
) -> Comparison:
    """Admitted frames a second divided by class, beside a plain copy of them."""
    door = Door(buses, collect)
    admitted = door.admit(batch)
    everything = np.arange(len(admitted))
    with_s, without_s = alternate(lambda: door.split(admitted), lambda: admitted.take(everything))
    return Comparison(
        name=f"split by class, {name} batch of {len(admitted)} admitted frames",
        ours=len(admitted) / with_s,
        peer=len(admitted) / without_s,
        unit="frames/s",
        peer_name="copying the batch",
        ratio=without_s / with_s,
        asked="next to nothing where all is of one class",
    )
