"""What raw logging costs: bytes a frame and time, beside BLF, MF4 and SQLite writers of others."""

from __future__ import annotations

import importlib.util
import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import can
import numpy as np

from edge.frames import FrameBatch, FrameFlag, concatenate
from edge.journal.frames.frame_block import decode_frames, encode_frames
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.bench.comparison import Comparison, alternate

FRAMES_PER_S = 17_000
VEHICLES = 8
ROUNDS = 5
WARM_S = 10.0
"""Where the second begins: the vehicle drives by then."""


def four_buses() -> FrameBatch:
    """One second of 17,000 frames on four buses: eight vehicles' worth of ids, each with its own drive."""
    parts: list[FrameBatch] = []
    for number in range(VEHICLES):
        vehicle = ReferenceVehicle(number + 1)
        batch = concatenate(list(vehicle.frames(WARM_S + 1.5)))
        identifiers = batch.arbitration_id ^ np.uint32(number << 8)
        parts.append(replace(batch, arbitration_id=identifiers))
    united = concatenate(parts)
    united = united.take(np.argsort(united.t_ns, kind="stable"))
    first = int(np.searchsorted(united.t_ns, int(WARM_S * 1e9)))
    return united.take(slice(first, first + FRAMES_PER_S))


def messages(batch: FrameBatch) -> list[can.Message]:
    """The same frames as python-can has them."""
    made: list[can.Message] = []
    for place in range(len(batch)):
        frame = batch.frame(place)
        made.append(
            can.Message(
                timestamp=batch.timebase.wall_ns(frame.t_ns) / 1e9,
                arbitration_id=frame.arbitration_id,
                is_extended_id=FrameFlag.EXTENDED in frame.flags,
                is_fd=FrameFlag.FD in frame.flags,
                bitrate_switch=FrameFlag.BITRATE_SWITCH in frame.flags,
                data=frame.data,
                channel=int(batch.bus[place]),
            )
        )
    return made


def written(writer: Callable[[Path], can.Listener], ending: str, frames: list[can.Message]) -> int:
    """Write the frames with a writer of python-can; tell the file's size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"frames.{ending}")
        listener = writer(path)
        for frame in frames:
            listener.on_message_received(frame)
        if isinstance(listener, can.SqliteWriter):
            # Stopped at once, it would write one buffer and lose the rest.
            while listener.num_frames < len(frames):
                time.sleep(0.01)
        listener.stop()
        return path.stat().st_size


def peers(frames: list[can.Message]) -> dict[str, Callable[[], int]]:
    """Who else writes such frames, by name; MF4 only where asammdf is installed."""
    found: dict[str, Callable[[], int]] = {
        "python-can BLFWriter": partial(written, can.BLFWriter, "blf", frames),
        "python-can SqliteWriter": partial(written, can.SqliteWriter, "db", frames),
    }
    if importlib.util.find_spec("asammdf") is not None:
        logging.getLogger("asammdf").setLevel(logging.ERROR)
        found["asammdf, through python-can MF4Writer"] = partial(written, can.MF4Writer, "mf4", frames)
    return found


def cpu_s(work: Callable[[], object]) -> float:
    """Processor time of the whole process, so that waiting for a queue counts for nobody."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure() -> list[Comparison]:
    """Bytes a frame and processor time of one-second blocks, ours and each peer's in turn."""
    batch = four_buses()
    frames = messages(batch)
    block = encode_frames(batch)
    rows: list[Comparison] = []
    what = f"{len(batch):,} raw frames of four buses in one second"
    for name, peer in peers(frames).items():
        size = peer()
        rows.append(
            Comparison(
                f"{what}, order and 1 µs included",
                len(block) / len(batch),
                size / len(batch),
                "bytes/frame",
                name,
                size / len(block),
                "at most 5",
            )
        )
        times = [(cpu_s(lambda: encode_frames(batch)), cpu_s(peer)) for _ in range(ROUNDS)]
        ours_s, peer_s = (median(column) for column in zip(*times, strict=True))
        rows.append(
            Comparison(
                f"{what}, writing them as they come",
                100 * ours_s,
                100 * peer_s,
                "% of a core",
                name,
                peer_s / ours_s,
                "at most 2 with encryption and commit",
            )
        )
    ours_s, _ = alternate(lambda: decode_frames(block), lambda: None)
    rows.append(Comparison(f"{what}, reading them", 1e3 * ours_s, None, "ms", "", None, ""))
    return rows
