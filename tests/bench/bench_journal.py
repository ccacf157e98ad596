"""The journal at work: what raw logging in real time costs, beside the writers of others; and records."""

from __future__ import annotations

import importlib.util
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import can
import numpy as np

from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Clock, SystemClock, Timebase, TimeQuality, VirtualClock
from edge.frames import FrameBatch
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.opening import Inside, OpenJournal, open_journal
from edge.journal.settings import JournalSettings
from edge.journal.writer import WriterThread
from edge.policy.classes import DataClass
from edge.records import Record
from edge.wire.cose import Signer
from edge.wire.keys import SigningKey
from tests.bench.bench_journal_frames import FRAMES_PER_S, four_buses, messages
from tests.bench.comparison import Comparison

PACED_S = 12
"""How long each writer is fed in real time."""

PIECES = 10
"""Batches a second, as the gateway reads them."""

LONG_S = 90
"""How much is written to see what the disk gets, checkpoints of the write-ahead log included."""

RECORDS_S = 600
_VEHICLE = "LNEVGATE000000001"


@dataclass(frozen=True, slots=True)
class Logged:
    """What one journal wrote.

    Attributes:
        core_share: processor time over wall time.
        file_bytes: of the database when it was closed.
        block_bytes: of the sealed blocks.
        written_bytes: handed to the system by write calls.
        device_bytes: that the system handed to the disk.
        commits_s: how long each commit took.
    """

    core_share: float
    file_bytes: int
    block_bytes: int
    written_bytes: int
    device_bytes: int
    commits_s: tuple[float, ...]


def measure() -> list[Comparison]:
    """Measure all of it."""
    second = four_buses()
    feeding = idle(second)
    ours = paced(second)
    share, a_frame = 100 * (ours.core_share - feeding), ours.block_bytes / (PACED_S * FRAMES_PER_S)
    what = f"{FRAMES_PER_S:,} raw frames/s in real time, encrypted, committed each second, less the feeding"
    rows = [
        _alone(what, share, "% of a core", "at most 2"),
        _alone(what, a_frame, "bytes/frame", "at most 5"),
    ]
    for name, ending, peer in peers():
        core_share, size = paced_peer(second, ending, peer)
        theirs = size / (PACED_S * FRAMES_PER_S)
        rows += [
            Comparison(what, share, 100 * core_share, "% of a core", name, 100 * core_share / share, ""),
            Comparison(what, a_frame, theirs, "bytes/frame", name, theirs / a_frame, ""),
        ]
    long = unpaced(second, LONG_S)
    median, late = (1e3 * _quantile(ours.commits_s, each) for each in (0.5, 0.99))
    loss_s = JournalSettings(_VEHICLE).block_period_s + max(ours.commits_s)
    written, device = long.written_bytes / long.block_bytes, long.device_bytes / long.block_bytes
    return [
        *rows,
        _alone("raw blocks: written for each byte of block", written, "times", "at most 2.5"),
        _alone("raw blocks: to the device for each byte of block", device, "times", ""),
        _alone("raw blocks: database", long.file_bytes / (LONG_S * FRAMES_PER_S), "bytes/frame", ""),
        _alone("commit of a second of raw frames, median", median, "ms", ""),
        _alone("commit of a second of raw frames, 99th percentile", late, "ms", ""),
        _alone("loss by a power cut: block period and the longest commit", loss_s, "s", "stated"),
        *_records_only(),
    ]


def _alone(what: str, figure: float, unit: str, asked: str) -> Comparison:
    return Comparison(what, figure, None, unit, "", None, asked)


def peers() -> Iterator[tuple[str, str, Callable[[Path], can.Listener]]]:
    """Who else logs frames as they come: name, file ending, and how it is made."""
    yield "python-can BLFWriter", "blf", can.BLFWriter
    yield "python-can SqliteWriter", "db", can.SqliteWriter
    if importlib.util.find_spec("asammdf") is not None:
        logging.getLogger("asammdf").setLevel(logging.ERROR)
        yield "asammdf, through python-can MF4Writer", "mf4", can.MF4Writer


def idle(second: FrameBatch) -> float:
    """Share of a core that feeding alone takes."""
    _, share = _feed(second, SystemClock(TimeQuality.NTP), lambda _: None)
    return share


def paced(second: FrameBatch) -> Logged:
    """Feed a journal and its writer thread in real time."""
    clock = SystemClock(TimeQuality.NTP)
    with _journal(clock, frames=True) as (opened, folder):
        commits = _timed(opened)
        writer = WriterThread(opened.journal, clock)
        writer.start()
        before = _written()
        _, share = _feed(second, clock, opened.journal.add_frames)
        writer.stop()
        return _logged(opened, folder, share, before, commits)


def paced_peer(second: FrameBatch, ending: str, make: Callable[[Path], can.Listener]) -> tuple[float, int]:
    """Feed a writer of python-can in real time; share of a core with the feeding left out, and the size."""
    frames = messages(second)
    size = len(frames) // PIECES
    pieces = [frames[begin : begin + size] for begin in range(0, len(frames), size)][:PIECES]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"frames.{ending}")
        listener = make(path)
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        for place in range(PACED_S * PIECES):
            _sleep_until(start_s + place / PIECES)
            for frame in pieces[place % PIECES]:
                frame.timestamp += 1.0
                listener.on_message_received(frame)
        if isinstance(listener, can.SqliteWriter):
            # Stopped at once, it would write one buffer and lose the rest.
            while listener.num_frames < PACED_S * PIECES * size:
                time.sleep(0.01)
        listener.stop()
        spent_s = time.process_time() - start_cpu_s
        return spent_s / PACED_S, path.stat().st_size


def unpaced(second: FrameBatch, seconds: int, *, page_bytes: int = 0, wal_pages: int = 0) -> Logged:
    """Commit so many seconds of frames one after the other.

    Args:
        second: one second of frames.
        seconds: how many.
        page_bytes: of the database's pages; 0 for what the journal takes.
        wal_pages: of the write-ahead log before it is brought into the database; 0 likewise.
    """
    clock = VirtualClock(NS_PER_S, Timebase(time.time_ns(), TimeQuality.NTP))
    with _journal(clock, frames=True, page_bytes=page_bytes) as (opened, folder):
        if wal_pages:
            opened.journal.run_with_connection(lambda it: it.pragma("wal_autocheckpoint", wal_pages))
        commits = _timed(opened)
        before = _written()
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        for place in range(seconds):
            clock.advance_to((place + 2) * NS_PER_S)
            opened.journal.add_frames(_moved(second, (place + 1) * NS_PER_S, clock))
            opened.journal.commit()
        share = (time.process_time() - start_cpu_s) / (time.perf_counter() - start_s)
        return _logged(opened, folder, share, before, commits)


def records_only(seconds: int, *, block_period: int = 1, page_bytes: int = 0, wal_pages: int = 0) -> Logged:
    """Commit so many seconds of a record each."""
    clock = VirtualClock(NS_PER_S, Timebase(time.time_ns(), TimeQuality.NTP))
    dice = np.random.default_rng(1)
    with _journal(clock, frames=False, page_bytes=page_bytes) as (opened, folder):
        if wal_pages:
            opened.journal.run_with_connection(lambda it: it.pragma("wal_autocheckpoint", wal_pages))
        commits = _timed(opened)
        before = _written()
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        for place in range(seconds):
            clock.advance_to((place + 2) * NS_PER_S)
            opened.journal.add_record(Record(0, clock.boot_ns(), clock.timebase(), _values(dice), "mask"))
            if (place + 1) % block_period == 0:
                opened.journal.commit()
        share = (time.process_time() - start_cpu_s) / (time.perf_counter() - start_s)
        return _logged(opened, folder, share, before, commits)


def _records_only() -> list[Comparison]:
    rows = []
    for period in (1, 10):
        done = records_only(RECORDS_S, block_period=period)
        hours = RECORDS_S / 3600
        what = f"a record a second and nothing else, a block each {period} s"
        rows += [
            _alone(f"{what}: on the disk", done.file_bytes / hours / 1e6, "MB/hour", "stated"),
            _alone(f"{what}: written", done.written_bytes / hours / 1e6, "MB/hour", "stated"),
        ]
    return rows


def _values(dice: np.random.Generator) -> dict[str, int | tuple[int, ...]]:
    """Some sixty values, most of which move."""
    moving = dice.integers(0, 3000, 8).tolist()
    names = ("vehicle.speed", "hv.voltage", "hv.current", "hv.insulation", "vehicle.odometer")
    cells = tuple((3_700 + dice.integers(-5, 5, 48)).tolist())
    return {**dict(zip(names, moving, strict=False)), "pack[1].cells": cells, "vehicle.gear": 1, "hv.soc": 70}


@contextmanager
def _journal(clock: Clock, *, frames: bool, page_bytes: int = 0) -> Iterator[tuple[OpenJournal, Path]]:
    catalogue = builtin()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "journal")
        folder.mkdir(mode=0o700)
        if page_bytes:
            with closing(apsw.Connection(str(folder / "journal.db"))) as made:
                made.pragma("page_size", page_bytes)
                made.pragma("journal_mode", "wal")
        inside = Inside(
            boot=bytes(16),
            split=lambda batch: {DataClass.OPERATION: (batch, np.arange(len(batch)))},
            class_of=lambda item_id: catalogue.item(item_id).data_class,
            items=catalogue,
            sign=Signer(SigningKey.seeded(b"bench"), vehicle=_VEHICLE).sign,
            clock=clock,
            draw=os.urandom,
        )
        settings = JournalSettings(_VEHICLE, frames=frames)
        with open_journal(folder, FileKeyProvider(folder, os.urandom), settings, inside) as opened:
            yield opened, folder


def _timed(opened: OpenJournal) -> list[float]:
    """Have each commit's time noted down."""
    commits: list[float] = []
    commit = opened.journal.commit

    def timed(*, media: bool = True) -> bool:
        start_s = time.perf_counter()
        done = commit(media=media)
        commits.append(time.perf_counter() - start_s)
        return done

    opened.journal.commit = timed  # type: ignore[method-assign]
    return commits


def _feed(second: FrameBatch, clock: Clock, take: Callable[[FrameBatch], object]) -> tuple[int, float]:
    """Hand batches on at their own time; frames, and the share of a core of this process meanwhile."""
    size = len(second) // PIECES
    pieces = [second.take(slice(begin, begin + size)) for begin in range(0, size * PIECES, size)]
    start_ns, start_s, start_cpu_s = clock.boot_ns(), time.perf_counter(), time.process_time()
    for place in range(PACED_S * PIECES):
        _sleep_until(start_s + place / PIECES)
        take(_moved(pieces[place % PIECES], start_ns + place // PIECES * NS_PER_S, clock))
    _sleep_until(start_s + PACED_S)
    return PACED_S * PIECES * size, (time.process_time() - start_cpu_s) / (time.perf_counter() - start_s)


def _moved(batch: FrameBatch, begin_ns: int, clock: Clock) -> FrameBatch:
    t_ns = batch.t_ns - batch.t_ns[0] // NS_PER_S * NS_PER_S + begin_ns
    return replace(batch, t_ns=t_ns, timebase=clock.timebase())


def _sleep_until(at_s: float) -> None:
    time.sleep(max(0.0, at_s - time.perf_counter()))


def _written() -> tuple[int, int]:
    """Bytes that this process has handed to write calls, and to the disk."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["wchar"]), int(lines["write_bytes"])


def _logged(
    opened: OpenJournal, folder: Path, share: float, before: tuple[int, int], commits: list[float]
) -> Logged:
    blocks = {name: n for hop in opened.journal.hops() for name, n in hop.facts.items()}["bytes of blocks"]
    opened.close()
    after = _written()
    return Logged(
        share,
        (folder / "journal.db").stat().st_size,
        blocks,
        after[0] - before[0],
        after[1] - before[1],
        tuple(commits),
    )


def _quantile(values: tuple[float, ...], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]
