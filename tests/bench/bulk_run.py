"""`make bench-bulk`: a long recording decoded in bulk, whatever happens meanwhile, and what that costs.

A made-up candump log is written, decoded by `nevgate decode` into Parquet on one and on two processes and by
a Dask cluster on loopback, with a worker killed in the middle, and with everything killed in the middle and
resumed. All tables and sums of a recording must be equal to the byte. Peers decode a sample of the same.

What only shows that the outcome is the same is done with the beginning of the recording (``--part``).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.bulk_decoding import BulkRun, Outcome, Recording, Variant, dask_cluster
from tests.bench.bulk_recording import peers, write_database, write_log, write_sample

DISK_FACTOR = 2.0
"""Disk for a recording and its table, which for a while is there in pieces and put together."""

SAMPLE_BYTES = 10_000_000
PART_GIGABYTES = 0.5

ONE = Variant("1 process", ("--jobs", "1"))
TWO = Variant("2 processes", ("--jobs", "2"))
SUMS = Variant("2 processes, sums alone", ("--jobs", "2"), table=False)
KILLED = Variant("2 processes, one killed", ("--jobs", "2"), worker_killed=True)
RESUMED = Variant("2 processes, all killed, --resume", ("--jobs", "2"), resumed=True)
DASK = Variant("Dask, 2 workers", cluster=True)
DASK_KILLED = Variant("Dask, 2 workers, one killed", worker_killed=True, cluster=True)
OF_ALL = (TWO, DASK_KILLED)
OF_PART = (ONE, TWO, SUMS, KILLED, RESUMED, DASK)


def disagreements(outcomes: Sequence[Outcome]) -> list[str]:
    """Variants whose table or sums are not those of the first one of the same recording."""
    found = []
    for name in dict.fromkeys(one.recording for one in outcomes):
        several = [one for one in outcomes if one.recording == name]
        table = next((one.sha256 for one in several if one.sha256), "")
        found += [
            f"{one.variant} of {name}"
            for one in several
            if one.summary != several[0].summary or one.sha256 not in {"", table}
        ]
    return found


def peer_rates(folder: Path, size: int) -> dict[str, float]:
    """Frames a second of each peer on a sample of `size` bytes."""
    frames = write_sample(folder, size)
    rates = {}
    for name, work in peers(folder).items():
        begin = time.perf_counter()
        work()
        rates[name] = frames / (time.perf_counter() - begin)
    return rates


def show(outcomes: Sequence[Outcome], rates: dict[str, float]) -> Table:
    """Lay it out for a person."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    made = Table(title=machine)
    made.add_column("how")
    short = [name.partition(" ")[0] if "asammdf" in name else "cantools" for name in rates]
    columns = (
        "MB",
        "wall s",
        "CPU s",
        "frames/s",
        "CPU us/frame",
        "memory MB",
        "worst MB",
        "table MB",
        "same",
    )
    for heading in (*columns, *(f"x {name}" for name in short)):
        made.add_column(heading, justify="right")
    wrong = disagreements(outcomes)
    for one in outcomes:
        speed = one.frames / one.wall_s
        made.add_row(
            one.variant,
            f"{one.megabytes:,.0f}",
            f"{one.wall_s:,.1f}",
            f"{one.cpu_s:,.1f}",
            f"{speed:,.0f}",
            f"{one.cpu_s / one.frames * 1e6:.2f}",
            f"{one.sum_megabytes:,.0f}",
            f"{one.worst_megabytes:,.0f}",
            f"{one.table_megabytes:,.0f}",
            "no" if f"{one.variant} of {one.recording}" in wrong else "yes",
            *(f"{speed / rate:.0f}" for rate in rates.values()),
        )
    for name, rate in rates.items():
        made.add_row(name, "", "", "", f"{rate:,.0f}", f"{1e6 / rate:.2f}")
    return made


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=10.0, help="size of the recording (10)")
    parser.add_argument(
        "--part", type=float, default=PART_GIGABYTES, help="gigabytes of it that most variants decode (0.5)"
    )
    parser.add_argument(
        "--dask-part", action="store_true", help="let Dask too decode that part alone, which halves the time"
    )
    parser.add_argument("--folder", type=Path, help="a folder on a disk with room; scratch without it")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("was ended"))
    size = int(arguments.gigabytes * 1e9)
    part = min(size, int(arguments.part * 1e9))
    with tempfile.TemporaryDirectory(prefix="nevgate-bulk-", dir=arguments.folder) as name:
        folder = Path(name)
        _check_disk(folder, size)
        outcomes, rates = _measure(folder, size, part, dask_part=arguments.dask_part)
    wrong = disagreements(outcomes)
    if arguments.json:
        print(json.dumps({"runs": [asdict(one) for one in outcomes], "peers_frames_s": rates}, indent=2))  # noqa: T201 - a program speaks
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(show(outcomes, rates))
    if wrong:
        sys.exit(f"not the same to the byte: {', '.join(wrong)}")


def _check_disk(folder: Path, size: int) -> None:
    free, wanted = shutil.disk_usage(folder).free, size * DISK_FACTOR
    if free < wanted:
        sys.exit(
            f"{folder}: {wanted / 1e9:,.0f} GB are needed and {free / 1e9:,.0f} GB are free;"
            " --folder names another place"
        )


def _measure(
    folder: Path, size: int, part: int, *, dask_part: bool
) -> tuple[list[Outcome], dict[str, float]]:
    write_database(folder)
    _tell(f"writing {size / 1e9:g} GB")
    whole = _recording(folder / "whole.log", size)
    beginning = whole if part == size else _recording(folder / "part.log", part)
    run = BulkRun(folder)
    todo = [(one, beginning if dask_part and one.cluster else whole) for one in OF_ALL]
    todo += [(one, beginning) for one in OF_PART]
    if whole is beginning:
        todo = [(one, whole) for one in dict.fromkeys((*OF_PART, *OF_ALL))]
    if importlib.util.find_spec("distributed") is None:
        todo = [(variant, recording) for variant, recording in todo if not variant.cluster]
        _tell("Dask is not installed: nothing of it is measured")
    outcomes = []
    for variant, recording in todo:
        _tell(f"{variant.name}, {recording.size / 1e9:g} GB")
        if variant.cluster:
            with dask_cluster(folder) as cluster:
                outcomes.append(run.outcome(variant, recording, cluster))
        else:
            outcomes.append(run.outcome(variant, recording))
        _tell(f"  took {outcomes[-1].wall_s:,.1f} s, {outcomes[-1].cpu_s:,.1f} s of processors")
    _tell("peers on a sample")
    return outcomes, peer_rates(folder, min(size, SAMPLE_BYTES))


def _recording(path: Path, size: int) -> Recording:
    frames = write_log(path, size)
    return Recording(path, path.stat().st_size, frames)


def _tell(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words} ...", file=sys.stderr, flush=True)  # noqa: T201 - a program speaks


if __name__ == "__main__":
    main()
