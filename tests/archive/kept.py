"""A journal with frames of two classes and records of two, closed, and what went into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.archive.opening import Archive, open_archive
from edge.clock import Timebase
from edge.frames import Frame, FrameBatch, FrameFlag, Int64s
from edge.journal.keys.key_provider import FileKeyProvider
from edge.policy.classes import SENSITIVITY, DataClass
from edge.records import Record, Value
from tests.journal.journal_rig import CATALOGUE, Rig

BUSES = ("pt", "body")
MASK = "mask"


class KeptRig(Rig):
    """A journal whose frames are divided as the door divides them, the most sensitive class first."""

    def split(self, batch: FrameBatch) -> dict[DataClass, tuple[FrameBatch, Int64s]]:
        parts = super().split(batch)
        return {data_class: parts[data_class] for data_class in SENSITIVITY if data_class in parts}


def batch(frames: list[Frame], timebase: Timebase) -> FrameBatch:
    return replace(FrameBatch.from_frames(frames, BUSES, timebase), mask=MASK)


def drawn_second(rig: Rig, count: int = 60) -> list[Frame]:
    """A second of frames of all sorts that a bus carries, some of which arrive after later ones."""
    rig.after(1)
    dice = rig.dice
    times = np.sort(np.array([dice.randrange(990_000) for _ in range(count)]))
    for place in (0, 5):
        times[place], times[place + 1] = times[place + 1] + 3, times[place]
    frames = []
    for t_us in times.tolist():
        flags = dice.choice(
            [FrameFlag(0), FrameFlag.EXTENDED, FrameFlag.FD, FrameFlag.FD | FrameFlag.EXTENDED]
        )
        if FrameFlag.FD in flags and dice.random() < 0.5:
            flags |= FrameFlag.BITRATE_SWITCH
        if dice.random() < 0.3:
            flags |= FrameFlag.TRANSMITTED
        length = dice.choice([12, 64, 3]) if FrameFlag.FD in flags else dice.randrange(9)
        frames.append(
            Frame(
                rig.clock.boot_ns() - 1_000_000_001 + t_us * 1_000,
                dice.randrange(0x1FFFFFFF if FrameFlag.EXTENDED in flags else 0x7FF),
                dice.randbytes(length),
                dice.choice(BUSES),
                flags,
            )
        )
    return frames


def keep_frames(rig: Rig, frames: list[Frame]) -> FrameBatch:
    """Commit frames as one period."""
    made = batch(frames, rig.clock.timebase())
    rig.open.journal.add_frames(made)
    assert rig.open.journal.commit()
    return made


def keep_record(rig: Rig, values: dict[str, Value]) -> Record:
    rig.after(1)
    record = rig.open.journal.add_record(Record(0, rig.clock.boot_ns(), rig.clock.timebase(), values, MASK))
    assert record is not None
    assert rig.open.journal.commit()
    return record


@contextmanager
def archive(folder: Path, *, keys: bool = True) -> Iterator[Archive]:
    provider = FileKeyProvider(folder, os.urandom) if keys else None
    with open_archive(folder, provider, CATALOGUE) as opened:
        yield opened
