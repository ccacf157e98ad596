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

TURNS = 300
ROUNDS = 9
PEER_TURNS = 40
PEER = """
import sys, time
from rtm_con import msg
data = bytes.fromhex(sys.argv[1])
parsed = msg.parse(data)
assert msg.build(parsed) == data
works = {"read": lambda: msg.parse(data), "write": lambda: msg.build(parsed)}
for line in sys.stdin:
    name, turns = line.split()
    start = time.process_time()
    for _ in range(int(turns)):
        works[name]()
    print((time.process_time() - start) / int(turns), flush=True)
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
    """The time of one turn, of this process alone, in seconds."""
    start = time.process_time()
    for _ in range(TURNS):
        work()
    return (time.process_time() - start) / TURNS


class Peer:
    """The peer in its own process, which takes turns with ours, so that a noisy machine treats both alike."""

    def __init__(self, data: bytes) -> None:
        self._ran: subprocess.Popen[str] | None = None
        python = os.environ.get("NEVGATE_RTM_CON")
        if python:
            self._ran = subprocess.Popen(
                [python, "-c", PEER, data.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

    def per_turn_s(self, name: str) -> float | None:
        """How long it takes to "read" or "write"; None where there is no peer, or where it failed."""
        if self._ran is None or self._ran.stdin is None or self._ran.stdout is None:
            return None
        try:
            print(name, PEER_TURNS, file=self._ran.stdin, flush=True)
        except BrokenPipeError:
            return None
        said = self._ran.stdout.readline()
        return float(said) if said else None

    def close(self) -> None:
        """End its process."""
        if self._ran is not None:
            self._ran.communicate()


def _heard(codec: RecordCodec, data: bytes) -> object:
    return codec.hear(reports_of([read_message(data)]))


def _said(codec: RecordCodec, record: Record) -> bytes:
    return codec.messages(record, VIN)[0][0].write()


def _in_turn(work: Callable[[], object], peer: Peer, name: str) -> tuple[float, float | None]:
    """Both in turn: the medians, as turns a second."""
    pairs = [(per_turn_s(work), peer.per_turn_s(name)) for _ in range(ROUNDS)]
    theirs = [their for _, their in pairs if their is not None]
    median = 1 / statistics.median(theirs) if len(theirs) == ROUNDS else None
    return 1 / statistics.median(our for our, _ in pairs), median


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
        works: tuple[tuple[str, Callable[[], object]], ...] = (
            ("read", partial(read_message, data)),
            ("read to a record", partial(_heard, codec, data)),
            ("write", message.write),
            ("write from a record", partial(_said, codec, record)),
        )
        assert _heard(codec, data)
        peer = Peer(data)
        for name, work in works:
            ours, theirs = _in_turn(work, peer, name.split()[0])
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
        peer.close()
    return lines
