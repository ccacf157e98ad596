"""Decoding against cantools: wanted signals in one-second batches, and all signals in bulk.

A round of ours goes over the frames several times, so that both sides work for about as long and are
interrupted by the rest of the machine alike.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cantools.database.can
import numpy as np

from edge.database.load import load_database, parse_database
from edge.database.model import Database, SignalRef
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch
from tests.bench.comparison import Comparison, alternate

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"
BATCH_FRAMES = 65_536
NS_PER_S = 1_000_000_000
WANTED = 80
PASSES = 20
PEER = "cantools 45 decode(decode_choices=False), a call a frame"

Codecs = Mapping[tuple[str, int], cantools.database.can.Message]


def measure() -> list[Comparison]:
    """Measure both paths on the Kona recording where it is, and on a made-up load of four buses."""
    rows = [*_synthetic()]
    folder = SHARED_DATA / "kona-ev"
    if folder.is_dir():
        rows = [*_kona(folder), *rows]
    return rows


def _kona(folder: Path) -> list[Comparison]:
    database = load_database(folder / "pcan.dbc")
    frames = _gvret(next(folder.glob("230112-7-*.csv")))
    databases = dict.fromkeys(("0", "1"), database)
    span_ns = frames[-1].t_ns - frames[0].t_ns
    again = [replace(frame, t_ns=frame.t_ns + number * span_ns) for number in range(5) for frame in frames]
    return [
        *_both("Kona recording", databases, frames),
        *_both(f"Kona recording five times over, batches of {BATCH_FRAMES}", databases, again)[1:],
    ]


def _gvret(path: Path) -> list[Frame]:
    with path.open(newline="") as file:
        lines = csv.reader(file)
        next(lines)
        frames = [
            Frame(
                int(line[0]) * 1000,
                int(line[1], 16),
                bytes(int(byte, 16) for byte in line[5 : 5 + int(line[4])]),
                line[3],
            )
            for line in lines
        ]
    return sorted(frames, key=lambda frame: frame.t_ns)


def _synthetic() -> list[Comparison]:
    """Four buses of 25 messages of eight signals, each at its own period, for 20 seconds."""
    source = random.Random(1)  # noqa: S311 - to be repeated, not secret
    databases: dict[str, Database] = {}
    frames: list[Frame] = []
    for bus in ("powertrain", "chassis", "body", "battery"):
        lines = ['VERSION ""', "BS_:", "BU_:"]
        for number in range(25):
            lines.append(f"BO_ {256 + number} M{number}: 8 XXX")
            order, sign = ("1", "+") if number % 2 else ("0", "-")
            for place in range(8):
                start = 8 * place + (0 if order == "1" else 7)
                scale = ("1,0", "0.1,-40", "0.5,0", "2,10")[place % 4]
                lines.append(f' SG_ S{place} : {start}|8@{order}{sign} ({scale}) [0|0] "" XXX')
            period_ns = source.choice((10, 20, 50, 100)) * 1_000_000
            frames += [
                Frame(t_ns, 256 + number, source.randbytes(8), bus)
                for t_ns in range(number * 1000, 20 * NS_PER_S, period_ns)
            ]
        databases[bus] = parse_database("\n".join(lines).encode(), Path(f"{bus}.dbc"))
    return _both("four made-up buses", databases, sorted(frames, key=lambda frame: frame.t_ns))


def _both(name: str, databases: Mapping[str, Database], frames: Sequence[Frame]) -> list[Comparison]:
    codecs: Codecs = {
        (bus, message.arbitration_id): message.codec
        for bus, database in databases.items()
        for message in database.messages
    }
    peer = _peer(codecs, frames)
    plan = DecodePlan({bus: [database] for bus, database in databases.items()})
    whole = FrameBatch.from_frames(frames)
    batches = [whole.take(slice(begin, begin + BATCH_FRAMES)) for begin in range(0, len(whole), BATCH_FRAMES)]

    def bulk() -> None:
        for _ in range(PASSES):
            for batch in batches:
                plan.decode(batch)

    refs = random.Random(1).sample(sorted(plan.refs), WANTED)  # noqa: S311 - to be repeated, not secret
    live = _live(databases, whole, refs)
    return [
        _compare(
            f"wanted signals, {WANTED} of {len(plan.refs)}, {name}", live, peer, len(frames), "at least 40"
        ),
        _compare(f"bulk, all signals, {name}", bulk, peer, len(frames), "at least 25"),
    ]


def _peer(codecs: Codecs, frames: Sequence[Frame]) -> Callable[[], None]:
    def decode() -> None:
        for frame in frames:
            codec = codecs.get((frame.bus, frame.arbitration_id))
            if codec is not None:
                codec.decode(frame.data, decode_choices=False, allow_truncated=True)

    return decode


def _live(
    databases: Mapping[str, Database], whole: FrameBatch, refs: Sequence[SignalRef]
) -> Callable[[], None]:
    """Every frame goes through `update`, second by second; each second ends in a snapshot."""
    plan = DecodePlan({bus: [database] for bus, database in databases.items()}, wanted=refs)
    second = (whole.t_ns - whole.t_ns[0]) // NS_PER_S
    batches = [whole.take(np.flatnonzero(second == number)) for number in range(int(second.max()) + 1)]

    latest = LatestValues(plan)
    later_ns = 0

    def run() -> None:
        # Each pass is later than the one before, as it is in a vehicle; nothing is set up anew.
        nonlocal later_ns
        for _ in range(PASSES):
            later_ns += 60 * NS_PER_S
            for batch in batches:
                latest.update(replace(batch, t_ns=batch.t_ns + later_ns))
                snapshot = latest.snapshot()
                for ref in refs:
                    snapshot.values.get(ref)

    return run


def _compare(
    name: str, ours: Callable[[], None], peer: Callable[[], None], frames: int, asked: str
) -> Comparison:
    ours_s, peer_s = alternate(ours, peer)
    return Comparison(
        name, PASSES * frames / ours_s, frames / peer_s, "frames/s", PEER, PASSES * peer_s / ours_s, asked
    )
