"""Bulk decoding step by step, with and without the compiled accelerator, against what scripts do: CPU time.

The decode step alone is columns of frames to columns of values; cantools gets the same frames as it wants
them, a call each. Beside it are the other steps of `nevgate decode`, and all of them together. Processor time
is measured, of one process, the steps in turn.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cantools.database

from edge import accelerated
from edge.accelerated import Accelerator
from edge.bus.recording import open_recording
from edge.database.load import load_database
from edge.database.model import Database
from edge.decode.plan import DecodePlan
from edge.frames import FrameBatch, concatenate
from edge.offline.decoding import ANY_BUS, OfflineDecoder, decode_recording
from edge.offline.summary import Summary
from edge.offline.tables import open_table
from tests.bench.bulk_recording import DATABASE, peers, write_database, write_log, write_sample
from tests.bench.comparison import Comparison

LOG_BYTES = 8 << 20
ROUNDS = 5
PEER_FRAMES = 20_000
ALONE = "cantools decode, a call a frame"
READ, DECODE, SUMMED = "lines to frames", "frames to values (the decode step)", "values summed up"
DECODE_MANY = "frames to values, one bus, many at once"


def measure() -> list[Comparison]:
    """Frames a second of processor time, each step with and without, and each against its peers."""
    with tempfile.TemporaryDirectory(prefix="nevgate-bench-") as name:
        folder = Path(name)
        write_database(folder)
        frames = write_log(folder / "long.log", LOG_BYTES)
        sample = write_sample(folder)
        steps = _steps(folder)
        whole = {name: (work, sample) for name, work in peers(folder).items()}
        others = {ALONE: (_cantools_alone(folder), PEER_FRAMES), **whole}
        ways: dict[str, Accelerator | None] = {"NumPy": None}
        if accelerated.native is not None:
            ways["accelerator"] = accelerated.native
        rates: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for way, native in ways.items():
                with _using(native):
                    for step, work in steps.items():
                        rates.setdefault((step, way), []).append(frames / _seconds(work))
            for peer, (work, count) in others.items():
                rates.setdefault((peer, ""), []).append(count / _seconds(work))
        return _rows(
            {one: statistics.median(several) for one, several in rates.items()},
            list(steps),
            list(ways),
            whole,
        )


def _rows(
    medians: Mapping[tuple[str, str], float], steps: list[str], ways: list[str], whole: Mapping[str, object]
) -> list[Comparison]:
    rows = []
    for step in steps:
        beside = (
            [ALONE] if step in {DECODE, DECODE_MANY} else list(whole) if step.startswith("all of it") else []
        )
        for way in ways:
            ours = medians[step, way]
            rows += [
                Comparison(
                    f"{step}, {way}", ours, medians[peer, ""], "frames/s", peer, ours / medians[peer, ""], ""
                )
                for peer in beside
            ]
            if way != "NumPy" or not beside:
                plain = medians[step, "NumPy"]
                rows.append(Comparison(f"{step}, {way}", ours, plain, "frames/s", "NumPy", ours / plain, ""))
    return rows


def _steps(folder: Path) -> dict[str, Callable[[], object]]:
    database = load_database(folder / DATABASE)
    log = folder / "long.log"
    batches = list(_batches(log))
    plan = DecodePlan({bus: [database] for bus in batches[-1].buses})
    united = concatenate(batches)
    one_bus = united.take(united.bus == 0)
    columns = [(batch.t_ns, plan.decode(batch).columns) for batch in batches]

    def decode() -> None:
        for batch in batches:
            plan.decode(batch)

    def sum_up() -> None:
        summary = Summary()
        for _, some in columns:
            summary.add(some)

    def write(ending: str) -> None:
        writer = open_table(folder / f"step{ending}")
        for t_ns, some in columns:
            writer.write(t_ns, some)
        writer.end()

    return {
        READ: lambda: [None for _ in _batches(log)],
        DECODE: decode,
        DECODE_MANY: lambda: [plan.decode(one_bus) for _ in range(len(batches[0].buses))],
        SUMMED: sum_up,
        "values to CSV": lambda: write(".csv"),
        "values to Parquet": lambda: write(".parquet"),
        "all of it, summed up": lambda: _all(log, database, None),
        "all of it, to CSV": lambda: _all(log, database, folder / "all.csv"),
        "all of it, to Parquet": lambda: _all(log, database, folder / "all.parquet"),
    }


def _batches(log: Path) -> Iterator[FrameBatch]:
    with open_recording(log) as source:
        while (batch := source.read(0.0)) is not None:
            yield batch


def _all(log: Path, database: Database, table: Path | None) -> None:
    writer = None if table is None else open_table(table)
    with open_recording(log) as source:
        decode_recording(source, OfflineDecoder({ANY_BUS: [database]}, writer=writer))


def _cantools_alone(folder: Path) -> Callable[[], None]:
    codecs = {
        message.frame_id: message
        for message in cantools.database.load_file(folder / DATABASE).messages  # type: ignore[union-attr]
    }
    batch = next(_batches(folder / "long.log")).take(slice(PEER_FRAMES))
    pairs = [batch.frame(place) for place in range(len(batch))] * 2

    def decode() -> None:
        for frame in pairs[:PEER_FRAMES]:
            codecs[frame.arbitration_id].decode(frame.data, decode_choices=False, allow_truncated=True)

    return decode


@contextmanager
def _using(native: Accelerator | None) -> Iterator[None]:
    before, accelerated.native = accelerated.native, native
    try:
        yield
    finally:
        accelerated.native = before


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
