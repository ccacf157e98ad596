"""Bulk decoding of a made-up candump log: against python-can and cantools frame by frame, and asammdf.

``NEVGATE_BULK_BYTES`` sets the log's size (64 MiB without it), such as 10000000000 for a long run. The peers
decode a sample, and everything is compared in frames a second. Memory is the most that any of the processes
had resident; it must not grow with the log.
"""

from __future__ import annotations

import importlib.util
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import can
import cantools.database

from edge.offline.engines import cores
from tests.bench.comparison import Comparison

BUSES = ("powertrain", "chassis", "body", "battery")
MESSAGES = 25
SAMPLE_LINES = 40_000
DEFAULT_BYTES = 64 << 20
ROUNDS = 3
ROUNDS_OF_LONG = 1
LONG_BYTES = 1 << 30
PEER = "python-can reader, cantools decode_message a frame"


def measure() -> list[Comparison]:
    """Frames a second of one and of all processes, with and without a table, and memory."""
    size = int(os.environ.get("NEVGATE_BULK_BYTES", DEFAULT_BYTES))
    with tempfile.TemporaryDirectory(prefix="nevgate-bench-") as name:
        folder = Path(name)
        (folder / "car.dbc").write_text(_database())
        frames = _write_log(folder / "long.log", size)
        _write_log(folder / "sample.log", 0)
        peers: dict[str, Callable[[], int]] = {PEER: lambda: _cantools(folder)}
        if importlib.util.find_spec("asammdf") is not None:
            _write_mf4(folder)
            peers["asammdf extract_bus_logging of the sample as MF4"] = lambda: _asammdf(folder)
        return _rows(folder, frames, size, peers)


def _rows(folder: Path, frames: int, size: int, peers: dict[str, Callable[[], int]]) -> list[Comparison]:
    ways = {(jobs, table): 0.0 for jobs in sorted({1, min(2, cores())}) for table in ("", "out.parquet")}
    rates: dict[Any, list[float]] = {one: [] for one in (*ways, *peers)}
    for _ in range(ROUNDS_OF_LONG if size >= LONG_BYTES else ROUNDS):
        for way in ways:
            rates[way].append(frames / _seconds(lambda way=way: _nevgate(folder, *way)))  # type: ignore[misc]
        for name, work in peers.items():
            begin = time.perf_counter()
            rates[name].append(work() / (time.perf_counter() - begin))
    medians = {one: statistics.median(several) for one, several in rates.items()}
    rows = [
        Comparison(
            name=f"bulk, {size / 1e6:,.0f} MB of candump, {jobs} jobs, {'Parquet' if table else 'summed up'}",
            ours=medians[jobs, table],
            peer=medians[peer],
            unit="frames/s",
            peer_name=peer,
            ratio=medians[jobs, table] / medians[peer],
            asked="",
        )
        for jobs, table in ways
        for peer in peers
    ]
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows.append(Comparison("bulk, memory of the largest process", most, None, "MB", "", None, "bounded"))
    return rows


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _nevgate(folder: Path, jobs: int, table: str) -> None:
    """The whole program, its beginning too."""
    words = [
        sys.executable,
        "-m",
        "edge",
        "decode",
        str(folder / "long.log"),
        "--dbc",
        str(folder / "car.dbc"),
    ]
    words += ["--jobs", str(jobs), *(["--out", str(folder / table)] if table else [])]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def _cantools(folder: Path) -> int:
    """What a script does that reads a recording by python-can and decodes by cantools."""
    database = cantools.database.load_file(folder / "car.dbc")
    frames = 0
    for message in can.LogReader(folder / "sample.log"):
        database.decode_message(message.arbitration_id, bytes(message.data), decode_choices=False)  # type: ignore[union-attr]
        frames += 1
    return frames


def _asammdf(folder: Path) -> int:
    """What asammdf does with bus logging: all signals of all messages of all buses."""
    mdf_module: Any = importlib.import_module("asammdf")
    with mdf_module.MDF(folder / "sample.mf4") as mdf:
        buses = [(str(folder / "car.dbc"), 0)]
        with mdf.extract_bus_logging({"CAN": buses}) as extracted:
            for group in range(len(extracted.groups)):
                extracted.select(
                    [(None, group, at) for at in range(1, len(extracted.groups[group].channels))]
                )
    return SAMPLE_LINES


def _write_mf4(folder: Path) -> None:
    with can.MF4Writer(folder / "sample.mf4", str(folder / "car.dbc")) as writer:
        for message in can.LogReader(folder / "sample.log"):
            message.channel = BUSES.index(str(message.channel)) + 1
            writer.on_message_received(message)


def _database() -> str:
    lines = ['VERSION ""', "BS_:", "BU_:"]
    for number in range(MESSAGES):
        lines.append(f"BO_ {256 + number} M{number}: 8 XXX")
        order, sign = ("1", "+") if number % 2 else ("0", "-")
        for place in range(8):
            start = 8 * place + (0 if order == "1" else 7)
            scale = ("1,0", "0.1,-40", "0.5,0", "2,10")[place % 4]
            lines.append(f' SG_ S{place} : {start}|8@{order}{sign} ({scale}) [0|0] "" XXX')
    return "\n".join(lines)


def _write_log(path: Path, size: int) -> int:
    """Write `size` bytes and somewhat more, at least the sample; tell how many frames that is."""
    source = random.Random(1)  # noqa: S311 - to be repeated, not secret
    bodies = [
        f"{source.choice(BUSES)} {256 + source.randrange(MESSAGES):03X}#{source.randbytes(8).hex().upper()}"
        for _ in range(SAMPLE_LINES)
    ]
    t_us = 1_700_000_000_000_000
    frames = 0
    with path.open("w", encoding="ascii") as file:
        while not frames or file.tell() < size:
            lines = []
            for body in bodies:
                t_us += 31
                lines.append(f"({t_us // 1_000_000}.{t_us % 1_000_000:06d}) {body}\n")
            file.writelines(lines)
            frames += len(lines)
    return frames
