"""Sampling a record of 300 items against looking each up and rounding it in decimal arithmetic."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Timebase
from edge.database.load import parse_database
from edge.database.model import SignalRef
from edge.decode.latest import Snapshot
from edge.records import Missing
from edge.vehicle.sampler import Sampler
from tests.bench.comparison import Comparison, alternate

ITEMS = 300
PACKS = 240
REPEATS = 20


def measure() -> list[Comparison]:
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
