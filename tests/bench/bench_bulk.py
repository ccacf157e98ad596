"""Bulk decoding of a made-up candump log: against python-can and cantools frame by frame, and asammdf.

``NEVGATE_BULK_BYTES`` sets the log's size (64 MiB without it); `tests.bench.bulk_run` is for long runs. The
peers decode a sample, and everything is compared in frames a second. Memory is the most that any of the
processes had resident; it must not grow with the log.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.offline.processes import cores
from tests.bench.bulk_recording import DATABASE, peers, write_database, write_log, write_sample
from tests.bench.comparison import Comparison

DEFAULT_BYTES = 64 << 20
ROUNDS = 3
ROUNDS_OF_LONG = 1
LONG_BYTES = 1 << 30


def measure() -> list[Comparison]:
    """Frames a second of one and of all processes, with and without a table, and memory."""
    size = int(os.environ.get("NEVGATE_BULK_BYTES", DEFAULT_BYTES))
    with tempfile.TemporaryDirectory(prefix="nevgate-bench-") as name:
        folder = Path(name)
        write_database(folder)
        frames = write_log(folder / "long.log", size)
        return _rows(folder, frames, size, write_sample(folder))


def _rows(folder: Path, frames: int, size: int, sample: int) -> list[Comparison]:
    others = peers(folder)
    ways = {(jobs, table): 0.0 for jobs in sorted({1, min(2, cores())}) for table in ("", "out.parquet")}
    rates: dict[Any, list[float]] = {one: [] for one in (*ways, *others)}
    for _ in range(ROUNDS_OF_LONG if size >= LONG_BYTES else ROUNDS):
        for way in ways:
            rates[way].append(frames / _seconds(lambda way=way: _nevgate(folder, *way)))  # type: ignore[misc]
        for name, work in others.items():
            rates[name].append(sample / _seconds(work))
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
        for peer in others
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
        str(folder / DATABASE),
    ]
    words += ["--jobs", str(jobs), *(["--out", str(folder / table)] if table else [])]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
