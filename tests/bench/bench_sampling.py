"""Sampling a record of 300 items, and the live path beside signals that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Timebase
from edge.database.load import parse_database
from edge.database.model import SignalRef
from edge.decode.latest import LatestValues, Snapshot
from edge.decode.plan import DecodePlan
from edge.frames import FrameBatch
from edge.records import Missing
from edge.vehicle.sampler import Sampler
from tests.bench.comparison import Comparison, alternate

ITEMS = 300
PACKS = 240
REPEATS = 20
FRAMES = 32_000
IDS = 100
ASKED = 10
TICKS = 15


def measure() -> list[Comparison]:
    """What a record and what a second of frames costs."""
    return [*_record(), *_unasked()]


def _record() -> list[Comparison]:
    """Milliseconds a record: ours and plain decimal arithmetic."""
    sampler, snapshot, item_ids = _prepared()
    items = {item_id: builtin().item(item_id) for item_id in item_ids.values()}

    # Equal keys that are other objects than the snapshot's, as a sampler's are.
    apart = {SignalRef(ref.bus, ref.message, ref.signal): item_id for ref, item_id in item_ids.items()}

    def ours() -> None:
        for _ in range(REPEATS):
            sampler.sample(10 * NS_PER_S, Timebase(), snapshot)

    def peer() -> None:
        for _ in range(REPEATS):
            record: dict[str, int | Missing] = {}
            for ref, item_id in apart.items():
                item = items[item_id]
                if not 0 < 10 * NS_PER_S - snapshot.t_ns[ref] <= 3 * NS_PER_S:
                    record[item_id] = Missing.INVALID
                    continue
                exact = Decimal(repr(snapshot.values[ref])) / item.resolution
                steps = int(exact.to_integral_value(ROUND_HALF_EVEN))
                fits = item.minimum <= steps * item.resolution <= item.maximum
                record[item_id] = steps if fits else Missing.ABNORMAL

    ours_s, peer_s = alternate(ours, peer)
    return [
        Comparison(
            name=f"sampling a record of {ITEMS} items",
            ours=ours_s / REPEATS * 1000,
            peer=peer_s / REPEATS * 1000,
            unit="ms/record",
            peer_name="decimal arithmetic",
            ratio=peer_s / ours_s,
            asked="under 1 ms",
        )
    ]


def _unasked() -> list[Comparison]:
    """The live path at 32,000 frames/s: ten signals asked for, alone or among a thousand in the database."""
    generator = np.random.default_rng(1)
    data = generator.integers(0, ASKED, (FRAMES, 8), np.uint8)
    batch = FrameBatch(
        t_ns=np.arange(FRAMES) * (NS_PER_S // FRAMES),
        bus=np.zeros(FRAMES, np.uint8),
        arbitration_id=(256 + np.arange(FRAMES) % IDS).astype(np.uint32),
        flags=np.zeros(FRAMES, np.uint16),
        length=np.full(FRAMES, 8, np.uint16),
        data=data,
        buses=("pt",),
    )
    parts = [batch.take(slice(begin, begin + FRAMES // TICKS)) for begin in range(0, FRAMES, FRAMES // TICKS)]
    wanted = [SignalRef("pt", f"M{place}", "S0") for place in range(ASKED)]

    def second(text: str) -> Callable[[], None]:
        database = parse_database(text.encode(), Path("bench.dbc"))
        latest = LatestValues(DecodePlan({"pt": [database]}, wanted=wanted))

        def run() -> None:
            for part in parts:
                latest.update(part)
            latest.snapshot()

        run()
        return run

    alone = second(_described(ASKED, 1, multiplexed=False))
    found = []
    for name, multiplexed in (("", False), (", most of them multiplexed", True)):
        many_s, few_s = alternate(second(_described(IDS, 10, multiplexed=multiplexed)), alone)
        found.append(
            Comparison(
                name=f"{FRAMES:,} frames/s, {ASKED} signals wanted of 1,000 in the database{name}",
                ours=many_s * 1000,
                peer=few_s * 1000,
                unit="ms/s",
                peer_name=f"of {ASKED} in the database",
                ratio=few_s / many_s,
                asked="no growth",
            )
        )
    return found


def _described(messages: int, signals: int, *, multiplexed: bool) -> str:
    """A database; of messages that nobody asks for all signals but the first are multiplexed, or none."""
    lines = ['VERSION ""', "BS_:", "BU_: ECU"]
    for message in range(messages):
        lines.append(f"BO_ {256 + message} M{message}: 8 ECU")
        lines.append(' SG_ S0 : 8|8@1+ (0.1,0) [0|0] "" ECU')
        pages = multiplexed and message >= ASKED
        if pages:
            lines.append(' SG_ Page M : 0|8@1+ (1,0) [0|0] "" ECU')
        lines += [
            f' SG_ S{place}{f" m{place}" if pages else ""} : {12 + 4 * place}|4@1+ (1,0) [0|0] "" ECU'
            for place in range(1, signals)
        ]
    return "\n".join(lines)


def _prepared() -> tuple[Sampler, Snapshot, dict[SignalRef, str]]:
    lines = ['VERSION ""', "", "NS_ :", "", "BS_:", "", "BU_: ECU", ""]
    for place in range(ITEMS):
        if place % 4 == 0:
            lines.append(f"BO_ {256 + place // 4} M{place // 4}: 8 ECU")
        lines.append(f' SG_ S{place % 4} : {16 * (place % 4)}|16@1+ (0.1,0) [0|2000] "V" ECU')
    item_ids = {
        SignalRef("pt", f"M{place // 4}", f"S{place % 4}"): (
            f"pack[{place + 1}].voltage" if place < PACKS else f"motor[{place - PACKS + 1}].ctrl_voltage"
        )
        for place in range(ITEMS)
    }
    tables = (
        f'[items."{item_id}"]\nsignal = "{ref.message}.{ref.signal}"\n' for ref, item_id in item_ids.items()
    )
    database = parse_database("\n".join(lines).encode(), Path("bench.dbc"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bench.binding.toml"
        path.write_text("".join(tables), encoding="utf-8")
        sampler = Sampler({"pt": [load_binding(path, database, builtin())]}, builtin())
    values: dict[SignalRef, int | float] = {ref: place * 0.1 for place, ref in enumerate(item_ids)}
    times = dict.fromkeys(item_ids, 9 * NS_PER_S)
    return sampler, Snapshot(values, times, {}, {}, {}), item_ids
