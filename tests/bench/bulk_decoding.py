"""`BulkRun`: a recording decoded by the whole command, killed in part or altogether, and what that took."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.offline.bulk import PIECE_BYTES
from tests.bench.bulk_recording import DATABASE
from tests.bench.bulk_watch import Watch, at_work, cpu_s, ended, engine_processes, kill_all

PROGRAM = (sys.executable, "-m", "edge")
_POLL_S = 0.02
_KILLED_AFTER = 1 / 3
"""Of all pieces; then two processes have some left for certain."""

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
            raise self._ended_too_soon()
        os.kill(one, signal.SIGKILL)

    def _wait_for_middle(self, process: subprocess.Popen[str], recording: Recording) -> None:
        """Wait until so many pieces are done that some still are not."""
        parts = self._folder / "out.parquet.parts"
        enough = max(1, int(recording.size / self._piece_bytes * _KILLED_AFTER))
        while len(list(parts.glob("*.json"))) < enough:
            if _has_ended(process):
                raise self._ended_too_soon()
            time.sleep(_POLL_S)

    def _ended_too_soon(self) -> BulkRunError:
        return BulkRunError(f"ended before its middle: {(self._folder / 'stderr').read_text()}")


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
