"""`make bench-bulk`: a long recording decoded in bulk, whatever happens meanwhile, and what that costs.

A made-up candump log is written, decoded by `nevgate decode` into Parquet on one and on two processes and by
a Dask cluster on loopback, with a worker killed in the middle, and with everything killed in the middle and
resumed. All tables and sums of a recording must be equal to the byte. Peers decode a sample of the same.

What only shows that the outcome is the same is done with the beginning of the recording (``--part``).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge.offline.bulk import PIECE_BYTES
from tests.bench.bulk_recording import DATABASE, peers, write_database, write_log, write_sample
from tests.bench.bulk_watch import Watch, at_work, cpu_s, ended, engine_processes, kill_all

PROGRAM = (sys.executable, "-m", "edge")
DISK_FACTOR = 2.0
"""Disk for a recording and its table, which for a while is there in pieces and put together."""

_POLL_S = 0.02
_KILLED_AFTER = 1 / 3
"""Of all pieces; then two processes have some left for certain."""

SAMPLE_BYTES = 10_000_000
PART_GIGABYTES = 0.5
_MB = 1e6


class BulkRunError(Exception):
    """The run went otherwise than it must."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The log, or its beginning.

    Attributes:
        path: of the log.
        size: bytes.
        frames: in it.
    """

    path: Path
    size: int
    frames: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Dask cluster.

    Attributes:
        pid: of the process that serves it.
        address: of its scheduler.
        workers: process ids of its workers.
    """

    pid: int
    address: str
    workers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to decode.

    Attributes:
        name: for people.
        words: of the command, besides recording, database and table.
        table: whether a table is written.
        worker_killed: whether a process that decodes is killed in the middle.
        resumed: whether everything is killed in the middle, and gone on with.
        cluster: whether a Dask cluster does it.
    """

    name: str
    words: tuple[str, ...] = ()
    table: bool = True
    worker_killed: bool = False
    resumed: bool = False
    cluster: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What decoding took and gave.

    Attributes:
        variant: see `Variant.name`.
        recording: name of the recording.
        megabytes: of the recording.
        frames: in it.
        wall_s: from the command's beginning to its end; of one that was resumed, both times.
        cpu_s: user and system time of all processes, a cluster's since the command began.
        sum_megabytes: the most memory of all processes together, proportional set size.
        worst_megabytes: the most that one process had resident.
        said: what the command said of a death.
        table_megabytes: of the table.
        sha256: of the table; empty without one.
        summary: SHA-256 of all sums.
    """

    variant: str
    recording: str
    megabytes: float
    frames: int
    wall_s: float
    cpu_s: float
    sum_megabytes: float
    worst_megabytes: float
    said: str
    table_megabytes: float
    sha256: str
    summary: str


ONE = Variant("1 process", ("--jobs", "1"))
TWO = Variant("2 processes", ("--jobs", "2"))
SUMS = Variant("2 processes, sums alone", ("--jobs", "2"), table=False)
KILLED = Variant("2 processes, one killed", ("--jobs", "2"), worker_killed=True)
RESUMED = Variant("2 processes, all killed, --resume", ("--jobs", "2"), resumed=True)
DASK = Variant("Dask, 2 workers", cluster=True)
DASK_KILLED = Variant("Dask, 2 workers, one killed", worker_killed=True, cluster=True)
OF_ALL = (TWO, DASK_KILLED)
OF_PART = (ONE, TWO, SUMS, KILLED, RESUMED, DASK)


class BulkRun:
    """Decodes recordings in a folder, one variant after the other.

    Args:
        folder: scratch, on a disk with room.
        program: words with which the program begins.
        piece_bytes: into which it cuts recordings.
    """

    def __init__(
        self, folder: Path, program: Sequence[str] = PROGRAM, piece_bytes: int = PIECE_BYTES
    ) -> None:
        self._folder = folder
        self._program = program
        self._piece_bytes = piece_bytes

    def outcome(self, variant: Variant, recording: Recording, cluster: Cluster | None = None) -> Outcome:
        """Decode `recording`.

        Raises:
            BulkRunError: if the command fails, or ends before what was to be killed could be.
        """
        table = self._folder / "out.parquet"
        words = [
            *self._program,
            "decode",
            str(recording.path),
            "--dbc",
            str(self._folder / DATABASE),
            "--json",
        ]
        words += [*variant.words, *(["--out", str(table)] if variant.table else [])]
        if cluster is not None:
            words += ["--engine", "dask", "--scheduler", cluster.address]
        before_s = cpu_s(cluster.pid) if cluster else 0.0
        begin = time.perf_counter()
        runs = [self._run(words, variant, recording, cluster, stop=True)] if variant.resumed else []
        runs.append(
            self._run([*words, *(["--resume"] if runs else [])], variant, recording, cluster, stop=False)
        )
        wall_s = time.perf_counter() - begin
        used_s = sum(run.cpu_s for run in runs) + (cpu_s(cluster.pid) - before_s if cluster else 0.0)
        summary = json.loads(runs[-1].out)
        summary.pop("out", None)
        for one in summary.get("recordings", ()):
            one.pop("table", None)
        made = Outcome(
            variant=variant.name,
            recording=recording.path.name,
            megabytes=recording.size / _MB,
            frames=recording.frames,
            wall_s=wall_s,
            cpu_s=used_s,
            sum_megabytes=max(run.watch.sum_bytes for run in runs) / _MB,
            worst_megabytes=max(run.watch.worst_bytes for run in runs) / _MB,
            said=" ".join(run.said for run in runs if run.said),
            table_megabytes=table.stat().st_size / _MB if variant.table else 0.0,
            sha256=_sha256(table) if variant.table else "",
            summary=hashlib.sha256(json.dumps(summary, sort_keys=True).encode()).hexdigest(),
        )
        table.unlink(missing_ok=True)
        if Path(f"{table}.parts").exists():
            raise BulkRunError(f"{variant.name}: the tables of its pieces were left behind")
        return made

    def _run(
        self,
        words: Sequence[str],
        variant: Variant,
        recording: Recording,
        cluster: Cluster | None,
        *,
        stop: bool,
    ) -> _Run:
        """Run the command once, to its end or (`stop`) to its middle."""
        out, errors = self._folder / "stdout", self._folder / "stderr"
        with out.open("w") as out_file, errors.open("w") as errors_file:
            process = subprocess.Popen(
                words, stdout=out_file, stderr=errors_file, text=True, start_new_session=True
            )
            pids = [process.pid, *([cluster.pid] if cluster else [])]
            used_s = 0.0
            try:
                with Watch(pids) as watch:
                    if stop or variant.worker_killed:
                        self._wait_for_middle(process, recording)
                        watch.look()
                    if stop:
                        used_s = cpu_s(process.pid)
                        kill_all(process)
                    elif variant.worker_killed:
                        self._kill_one(process, cluster)
                    _wait(process)
                used_s = max(used_s, ended(process))
            finally:
                if process.returncode is None:
                    kill_all(process)
                    process.wait()
        said = errors.read_text().strip()
        if not stop and process.returncode:
            raise BulkRunError(f"{variant.name}: exit status {process.returncode}: {said}")
        if variant.worker_killed and not ("died" in said or "is gone" in said):
            raise BulkRunError(f"{variant.name}: the death was not told: {said}")
        return _Run(out.read_text(), said, used_s, watch)

    def _kill_one(self, process: subprocess.Popen[str], cluster: Cluster | None) -> None:
        """Kill a process that is decoding."""
        workers = cluster.workers if cluster else engine_processes(process.pid)
        one = at_work(workers, lambda: _has_ended(process))
        if one is None:
            raise BulkRunError(f"ended before its middle: {(self._folder / 'stderr').read_text()}")
        os.kill(one, signal.SIGKILL)

    def _wait_for_middle(self, process: subprocess.Popen[str], recording: Recording) -> None:
        """Wait until so many pieces are done that some still are not."""
        parts = self._folder / "out.parquet.parts"
        enough = max(1, int(recording.size / self._piece_bytes * _KILLED_AFTER))
        while len(list(parts.glob("*.json"))) < enough:
            if _has_ended(process):
                raise BulkRunError(f"ended before its middle: {(self._folder / 'stderr').read_text()}")
            time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of the command."""

    out: str
    said: str
    cpu_s: float
    watch: Watch


def _has_ended(process: subprocess.Popen[str]) -> bool:
    """Whether it has, without taking its usage away."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wait(process: subprocess.Popen[str]) -> None:
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def dask_cluster(folder: Path) -> Iterator[Cluster]:
    """Two worker processes on loopback, scratch in `folder`; all of them end with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bulk_cluster", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        told = json.loads(process.stdout.readline()) if process.stdout else {}
        yield Cluster(process.pid, told["address"], tuple(told["workers"]))
    finally:
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            kill_all(process)
            process.communicate()


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
