"""Measures the disk that a journal is to lie on: how long commits take, and what a power cut costs."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import numpy as np

from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, SystemClock
from edge.frames import FrameBatch, Int64s
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.opening import Inside, OpenJournal, open_journal
from edge.journal.settings import JournalSettings
from edge.policy.classes import DataClass
from edge.records import Record
from edge.wire.cose import Signer
from edge.wire.keys import Algorithm, SigningKey

FRAMES_PER_S = 17_000
"""Four buses of 500 kbit/s under load."""

_IDS = 200
_VEHICLE = "LNEVGATE000000001"
_PERCENTILES = 100
LONGEST_SLEEP_S = 0.25
"""The journal's thread looks at its work at least so often."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a disk takes.

    Attributes:
        commits: small commits that were measured, each with one record, as an alarm makes them.
        commit_median_s: of their durations.
        commit_p99_s: 99 of 100 are faster.
        commit_worst_s: the longest.
        seconds_of_frames: blocks of a second of 17,000 frames that were committed.
        frame_commit_median_s: of their durations, coding and sealing included.
        frame_commit_worst_s: the longest.
        frames_per_s: so many frames a second could be kept, committed second by second.
        frame_bytes: bytes of a sealed frame on the disk.
        disk_bytes_per_s: bytes a second that frames at 17,000 a second need.
        block_period_s: of the configuration.
    """

    commits: int
    commit_median_s: float
    commit_p99_s: float
    commit_worst_s: float
    seconds_of_frames: int
    frame_commit_median_s: float
    frame_commit_worst_s: float
    frames_per_s: float
    frame_bytes: float
    disk_bytes_per_s: float
    block_period_s: float

    @property
    def worst_loss_s(self) -> float:
        """Data older than this survive a power cut: block period, waiting for the thread, commit."""
        return self.block_period_s + LONGEST_SLEEP_S + max(self.commit_worst_s, self.frame_commit_worst_s)

    @property
    def alarm_loss_s(self) -> float:
        """An alarm older than this survives: it is committed at once, after what is being written."""
        return self.commit_worst_s + self.frame_commit_worst_s


def measure(
    folder: Path, *, seconds: float, block_period_s: float, progress: Callable[[float], None]
) -> Measurement:
    """Measure in a temporary folder that is removed afterwards.

    Args:
        folder: on the disk in question.
        seconds: how long to measure.
        block_period_s: of the configuration, for the worst loss.
        progress: told how much of it has passed, 0 to 1.

    Raises:
        JournalError: the disk refuses.
        OSError: likewise.
    """
    with (
        tempfile.TemporaryDirectory(prefix=".nevgate-bench-", dir=folder) as scratch,
        _open(Path(scratch)) as opened,
    ):
        begin = time.monotonic()

        def share() -> float:
            return min(1.0, (time.monotonic() - begin) / seconds)

        commits = _small_commits(opened, lambda: 2 * share() < 1, lambda: progress(share()))
        before = _block_bytes(opened)
        frames = _frame_commits(opened, lambda: share() < 1, lambda: progress(share()))
        kept = _block_bytes(opened) - before
    frame_bytes = kept / (len(frames) * FRAMES_PER_S)
    return Measurement(
        commits=len(commits),
        commit_median_s=median(commits),
        commit_p99_s=quantiles(commits, n=_PERCENTILES, method="inclusive")[-1],
        commit_worst_s=max(commits),
        seconds_of_frames=len(frames),
        frame_commit_median_s=median(frames),
        frame_commit_worst_s=max(frames),
        frames_per_s=FRAMES_PER_S / median(frames),
        frame_bytes=frame_bytes,
        disk_bytes_per_s=frame_bytes * FRAMES_PER_S,
        block_period_s=block_period_s,
    )


def _open(folder: Path) -> OpenJournal:
    catalogue = builtin()
    key = SigningKey.generate(Algorithm.ED25519)

    def whole(batch: FrameBatch) -> dict[DataClass, tuple[FrameBatch, Int64s]]:
        return {DataClass.OPERATION: (batch, np.arange(len(batch), dtype=np.int64))}

    return open_journal(
        folder,
        FileKeyProvider(folder, os.urandom),
        JournalSettings(_VEHICLE, frames=True),
        Inside(
            boot=os.urandom(16),
            split=whole,
            class_of=lambda item_id: catalogue.item(item_id).data_class,
            items=catalogue,
            sign=Signer(key, vehicle=_VEHICLE).sign,
            clock=SystemClock(),
            draw=os.urandom,
        ),
    )


def _small_commits(opened: OpenJournal, going: Callable[[], bool], tell: Callable[[], None]) -> list[float]:
    clock = SystemClock()
    taken: list[float] = []
    while going() or len(taken) < 2:  # noqa: PLR2004 - percentiles need two
        record = Record(0, clock.boot_ns(), clock.timebase(), {"vehicle.speed": len(taken) % 200}, alarm=True)
        opened.journal.add_record(record)
        taken.append(_timed(opened))
        tell()
    return taken


def _frame_commits(opened: OpenJournal, going: Callable[[], bool], tell: Callable[[], None]) -> list[float]:
    dice = np.random.default_rng(1)
    taken: list[float] = []
    while going() or not taken:
        opened.journal.add_frames(_second(len(taken), dice))
        taken.append(_timed(opened))
        tell()
    return taken


def _timed(opened: OpenJournal) -> float:
    begin = time.monotonic()
    if not opened.journal.commit():
        raise OSError(f"the disk refuses: {opened.journal.failure}")
    return time.monotonic() - begin


def _second(number: int, dice: np.random.Generator) -> FrameBatch:
    """A second of periodic frames: each has a counter, two slow values and three bytes of noise."""
    count = FRAMES_PER_S
    place = np.arange(count)
    turn = number * (count // _IDS) + place // _IDS
    data = np.zeros((count, 8), np.uint8)
    data[:, 0] = turn % 16
    for column, speed in ((1, 7), (3, 61)):
        value = (turn // speed + place % _IDS * 97).astype(np.uint16)
        data[:, column] = value & 0xFF
        data[:, column + 1] = value >> 8
    data[:, 5:] = dice.integers(0, 256, (count, 3))
    jitter = dice.integers(0, 20, count)
    return FrameBatch(
        t_ns=number * NS_PER_S + (place * (NS_PER_S // count) // 1_000 + jitter) * 1_000,
        bus=(place % 4).astype(np.uint8),
        arbitration_id=(0x100 + place % _IDS).astype(np.uint32),
        flags=np.zeros(count, np.uint16),
        length=np.full(count, 8, np.uint16),
        data=data,
        buses=("pt", "body", "chassis", "info"),
        mask="bench",
    )


def _block_bytes(opened: OpenJournal) -> int:
    found: list[int] = []
    opened.journal.run_with_connection(
        lambda connection: found.append(
            int(connection.execute("SELECT coalesce(sum(size), 0) FROM block").get or 0)
        )
    )
    return found[0]
