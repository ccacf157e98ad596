"""A withdrawal with two destinations at work: how long until the keys are gone, and what stands still for it.

`python -m tests.bench erasure` fills a journal of 50 MB first.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.frames import FrameBatch
from edge.journal.upkeep.erasure import Erasure, ErasureRequest
from edge.policy.classes import DataClass
from tests.bench.comparison import Comparison
from tests.forward.busy import Busy

JOURNAL_BYTES = 50_000_000
WITHDRAWALS = 5
_FRAMES = 4_000
_RECORDS_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Gone:
    """One withdrawal.

    Attributes:
        keys_s: from the request to the return: the keys are destroyed, nothing on the medium opens.
        emptied_s: from the request until the blocks have made room.
        erasure: what it erased.
    """

    keys_s: float
    emptied_s: float
    erasure: Erasure


def measure() -> list[Comparison]:
    """Measure a withdrawal of all there is, and some of what has come since the one before."""
    with tempfile.TemporaryDirectory() as folder:
        first, later = withdrawals(Path(folder))
    what = f"withdrawal, journal of {JOURNAL_BYTES // 1_000_000} MB, 2 destinations at work"
    longest = max(one.keys_s for one in later)
    return [
        _alone(f"{what}: request to keys gone ({_said(first)})", first.keys_s, "s"),
        _alone(f"{what}: request to blocks emptied", first.emptied_s, "s"),
        _alone(
            "the next ones: request to keys gone, median", statistics.median(o.keys_s for o in later), "s"
        ),
        _alone("the next ones: request to keys gone, longest", longest, "s"),
    ]


def withdrawals(folder: Path) -> tuple[Gone, list[Gone]]:
    """Fill a journal, then withdraw again and again while data come in."""
    busy = Busy(folder / "journal")
    try:
        _fill(busy, folder / "journal")
        stop = threading.Event()
        feeding = threading.Thread(target=_feed, args=(busy, stop), daemon=True)
        feeding.start()
        results = []
        for number in range(WITHDRAWALS + 1):
            time.sleep(1.0)
            results.append(_withdraw(busy, number + 3))
        stop.set()
        feeding.join()
    finally:
        busy.close()
    if any(one.error for one in busy.destinations):
        raise RuntimeError("a destination's thread has failed")
    return results[0], results[1:]


def _withdraw(busy: Busy, consent: int) -> Gone:
    start = time.perf_counter()
    busy.label = f"consent {consent + 1}"
    erasure = busy.erasing.erase([ErasureRequest(DataClass.POSITION, consents=frozenset({consent}))])
    keys_s = time.perf_counter() - start
    while busy.opened.journal.run_with_connection(
        lambda one: one.execute("SELECT 1 FROM erasing LIMIT 1").get
    ):
        time.sleep(0.01)
    return Gone(keys_s, time.perf_counter() - start, erasure)


def _fill(busy: Busy, folder: Path) -> None:
    dice = np.random.default_rng(1)
    while (folder / "journal.db").stat().st_size < JOURNAL_BYTES:
        busy.opened.journal.add_frames(_batch(busy, dice, _FRAMES))
        for _ in range(_RECORDS_AT_ONCE):
            busy.record()
        busy.opened.journal.commit()


def _feed(busy: Busy, stop: threading.Event) -> None:
    """Frames and records as they come in a vehicle."""
    dice = np.random.default_rng(2)
    while not stop.wait(0.1):
        busy.opened.journal.add_frames(_batch(busy, dice, _FRAMES // 10))
        busy.record()


def _batch(busy: Busy, dice: np.random.Generator, count: int) -> FrameBatch:
    return FrameBatch(
        t_ns=busy.clock.boot_ns() - np.arange(count, dtype=np.int64)[::-1] * 1_000,
        bus=np.zeros(count, np.uint8),
        arbitration_id=(0x100 + np.arange(count, dtype=np.uint32) % 2).astype(np.uint32),
        flags=np.zeros(count, np.uint16),
        length=np.full(count, 8, np.uint16),
        data=dice.integers(0, 256, (count, 8), np.uint8),
        buses=("pt",),
        timebase=busy.clock.timebase(),
        mask="mask",
    )


def _said(one: Gone) -> str:
    return (
        f"{one.erasure.blocks:,} blocks, {one.erasure.messages:,} messages made anew,"
        f" {one.erasure.resealed:,} sealed anew"
    )


def _alone(what: str, figure: float, unit: str) -> Comparison:
    return Comparison(what, figure, None, unit, "", None, "")
