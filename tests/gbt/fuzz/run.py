"""A fuzzing run: chunks of inputs on some processes, with rate and memory, and each fault with its input."""

from __future__ import annotations

import multiprocessing
import queue
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from random import Random

from tests.gbt.fuzz.checks import Counts, Stream, check
from tests.gbt.fuzz.inputs import PER_CHUNK, chunk

_PAGE_KIB = 4
_WARM_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Fault:
    """An input that broke a rule or raised what nobody told of.

    Attributes:
        chunk: in which it is.
        place: its place in the chunk; -1 for the stream as a whole.
        data: the input.
        what: the exception with its way.
    """

    chunk: int
    place: int
    data: bytes
    what: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What one process tells behind a chunk.

    Attributes:
        worker: its number.
        counts: of that chunk.
        fault: None if nothing was wrong.
        rss_kib: memory of the process.
    """

    worker: int
    counts: Counts
    fault: Fault | None
    rss_kib: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        counts: of all inputs.
        fault: the first; the run ends with it.
        took_s: wall time.
        start_kib: memory of each process when a tenth of its chunks was done, so that caches are full.
        end_kib: at its end.
    """

    counts: Counts
    fault: Fault | None
    took_s: float
    start_kib: tuple[int, ...]
    end_kib: tuple[int, ...]


def run_chunk(seed: int, number: int) -> tuple[Counts, Fault | None]:
    """Check every input of a chunk, and the stream that they make together."""
    counts = Counts()
    stream = Stream(Random(number), counts)  # noqa: S311 - cuts, no secrets
    place, data = -1, b""
    try:
        for place, data in enumerate(chunk(seed, number)):  # noqa: B007 - named in a fault
            check(data, counts)
            stream.feed(data)
        place, data = -1, bytes(stream.fed)
        stream.end()
    except Exception:  # noqa: BLE001 - any exception is what is looked for
        return counts, Fault(number, place, data, traceback.format_exc())
    return counts, None


def rss_kib() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE_KIB


def _work(worker: int, workers: int, seed: int, chunks: int, told: Queue[Progress]) -> None:
    for number in range(worker, chunks, workers):
        counts, fault = run_chunk(seed, number)
        told.put(Progress(worker, counts, fault, rss_kib()))
        if fault is not None:
            return


def run(
    seed: int, inputs: int, workers: int = 2, show: Callable[[Counts, float], None] | None = None
) -> Outcome:
    """Check `inputs` inputs on `workers` processes.

    Args:
        seed: makes the inputs; the same ones for any number of processes.
        inputs: how many, rounded up to whole chunks.
        workers: processes.
        show: is told the counts so far and the seconds that went by.
    """
    context = multiprocessing.get_context("spawn")
    told: Queue[Progress] = context.Queue()
    chunks = -(-inputs // PER_CHUNK)
    processes = [
        context.Process(target=_work, args=(worker, workers, seed, chunks, told)) for worker in range(workers)
    ]
    start = time.monotonic()
    for process in processes:
        process.start()
    counts, fault = Counts(), None
    begun, ended, done = [0] * workers, [0] * workers, [0] * workers
    for progress in _until_done(chunks, told, processes):
        counts.add(progress.counts)
        worker = progress.worker
        done[worker] += 1
        if done[worker] <= max(1, _WARM_SHARE * chunks / workers):
            begun[worker] = progress.rss_kib
        ended[worker] = progress.rss_kib
        if show is not None:
            show(counts, time.monotonic() - start)
        if progress.fault is not None:
            fault = progress.fault
            break
    for process in processes:
        if fault is not None:
            process.terminate()
        process.join()
    return Outcome(counts, fault, time.monotonic() - start, tuple(begun), tuple(ended))


def _until_done(
    chunks: int, told: Queue[Progress], processes: list[multiprocessing.context.SpawnProcess]
) -> Iterator[Progress]:
    for _ in range(chunks):
        while True:
            try:
                yield told.get(timeout=5)
                break
            except queue.Empty:
                if not any(process.is_alive() for process in processes):
                    raise RuntimeError("a process ended without a word") from None
