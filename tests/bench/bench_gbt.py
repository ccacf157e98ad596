"""Measures GB/T 32960.3: reading and writing a full BEV message, and the way from and to a record.

The public Python peer is GPL: it is never imported here, but runs in a Python of its own, which the
environment variable NEVGATE_RTM_CON names, on the same bytes. Without that there is no peer in the table.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from edge.catalogue.item import Edition
from edge.records import Record, Value
from edge.wire.gbt.message import read_message
from edge.wire.gbt.recording import RecordCodec, reports_of
from tests.bench.comparison import Comparison
from tests.gbt.grammar import VIN, record_of
from tests.gbt.test_golden import RECORD_2016

TURNS = 2_000
ROUNDS = 7
PEER_TURNS = 40
PEER = """
import sys, time
from rtm_con import msg
data = bytes.fromhex(sys.argv[1])
parsed = msg.parse(data)
assert msg.build(parsed) == data
for work in (lambda: msg.parse(data), lambda: msg.build(parsed)):
    times = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(int(sys.argv[2])):
            work()
        times.append((time.process_time() - start) / int(sys.argv[2]))
    print(sorted(times)[2])
"""


def full_vehicle(edition: Edition) -> dict[str, Value]:
    """Every item of an electric vehicle with two motors, 160 cells and 40 probes: about 600 bytes."""
    chance = random.Random(1)  # noqa: S311 - a workload
    values = {key: value for key, value in RECORD_2016.items() if not key.startswith("pack")}
    for name in ("state", "ctrl_temp", "speed", "torque", "temp", "ctrl_voltage", "bus_current"):
        values[f"motor[2].{name}"] = values[f"motor[1].{name}"]
    values["motor[2].index"] = 2
    values |= {"alarm.max_level": 0, "alarm.flags": 0}
    values |= {f"alarm.{name}_codes": () for name in ("battery", "motor", "engine", "other")}
    for end in ("max", "min"):
        values |= {f"bat.{end}_cell_v": 3700, f"bat.{end}_cell_v_pack": 1, f"bat.{end}_cell_v_cell": 9}
        values |= {f"bat.{end}_temp": 25, f"bat.{end}_temp_pack": 1, f"bat.{end}_temp_probe": 4}
    values |= {"pack[1].voltage": 3856, "pack[1].current": -153}
    values["pack[1].cells"] = tuple(chance.randint(3600, 3700) for _ in range(160))
    values["pack[1].probes"] = tuple(chance.randint(20, 30) for _ in range(40))
    if edition is Edition.Y2025:
        values |= {"vehicle.gear_invalid": 0, "gnss.datum": 1, "alarm.levels": ()}
    return values


def per_turn_s(work: Callable[[], object]) -> float:
    """The median time of one turn, of this process alone, in seconds."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(TURNS // ROUNDS):
            work()
        times.append((time.process_time() - start) / (TURNS // ROUNDS))
    return statistics.median(times)


def peer_s(data: bytes) -> tuple[float, float] | None:
    """How long the peer takes to read and to write `data`; None where there is none, or where it fails."""
    python = os.environ.get("NEVGATE_RTM_CON")
    if not python:
        return None
    ran = subprocess.run(
        [python, "-c", PEER, data.hex(), str(PEER_TURNS)], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        return None
    reading, writing = map(float, ran.stdout.split())
    return reading, writing


def _heard(codec: RecordCodec, data: bytes) -> object:
    return codec.hear(reports_of([read_message(data)]))


def _said(codec: RecordCodec, record: Record) -> bytes:
    return codec.messages(record, VIN)[0][0].write()


def measure() -> list[Comparison]:
    """Both editions: bytes to message and back, and the whole way from and to a record."""
    lines = []
    for edition in Edition:
        codec = RecordCodec(edition)
        record = record_of(full_vehicle(edition))
        (message,), _ = codec.messages(record, VIN)
        data = message.write()
        if edition is Edition.Y2025:
            report = replace(reports_of([message])[0], signature=(2, 256, bytes(256), 0, b""))
            message = replace(message, content=report)
            data = message.write()
        peer = peer_s(data)
        works: tuple[tuple[str, Callable[[], object], int], ...] = (
            ("read", partial(read_message, data), 0),
            ("read to a record", partial(_heard, codec, data), 0),
            ("write", message.write, 1),
            ("write from a record", partial(_said, codec, record), 1),
        )
        assert _heard(codec, data)
        for name, work, side in works:
            ours = 1 / per_turn_s(work)
            theirs = 1 / peer[side] if peer else None
            lines.append(
                Comparison(
                    f"GB/T 32960.3-{edition.value}, {len(data)} bytes: {name}",
                    ours,
                    theirs,
                    "messages/s of CPU",
                    "rtm-con, its own process" if theirs else "",
                    ours / theirs if theirs else None,
                    "at least 10",
                )
            )
    return lines
