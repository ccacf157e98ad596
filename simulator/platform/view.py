"""What an operator sees while the platform runs: one row a vehicle, one line of JSON a look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rich.table import Table

from edge.account import Hop
from edge.clock import NS_PER_S
from simulator.platform.vehicles import VehicleWatch


@dataclass(frozen=True, slots=True)
class VehicleRow:
    """One vehicle in this run.

    Attributes:
        vehicle: its name.
        online: what its signed status says; None before it said anything.
        records: stored in this run.
        authenticated: of these, those under a device's key, which are not provable to third parties.
        watermark: of the stream heard of last: everything up to here is stored or explained.
        missing: numbers neither stored nor explained.
        doubles: records that came again with equal contents.
        conflicts: records that came again with other contents.
        rejected: messages on its topics that were not taken in.
        latency_p50_s: from a message's newest sample to its arrival, median of the latest messages; None
            where the vehicle does not know the time well enough.
        latency_p99_s: the same, of which 99 % are not above.
        last_seen_ns: Unix time of its latest accepted message; None before any.
        media: stills and clips that became complete in this run.
    """

    vehicle: str
    online: bool | None
    records: int
    authenticated: int
    watermark: int
    missing: int
    doubles: int
    conflicts: int
    rejected: int
    latency_p50_s: float | None
    latency_p99_s: float | None
    last_seen_ns: int | None
    media: int = 0


def vehicle_rows(watch: VehicleWatch) -> list[VehicleRow]:
    """A row for each vehicle heard of, in order of name."""
    return [
        VehicleRow(
            vehicle=vehicle,
            online=None if counts.status is None else counts.status.online,
            records=counts.records,
            authenticated=counts.authenticated,
            watermark=counts.watermark,
            missing=counts.missing,
            doubles=counts.doubles,
            conflicts=counts.conflicts,
            rejected=counts.rejected,
            latency_p50_s=counts.latency_s(0.5),
            latency_p99_s=counts.latency_s(0.99),
            last_seen_ns=counts.last_seen_ns or None,
            media=counts.media,
        )
        for vehicle, counts in watch.items()
    ]


def look_json(rows: Iterable[VehicleRow], hops: Iterable[Hop], trouble: str) -> dict[str, object]:
    """One look as plain values."""
    messages, records = hops
    return {
        "trouble": trouble,
        "messages": {"entered": messages.entered, "stored": messages.left, **messages.set_aside},
        "records": {"entered": records.entered, "stored": records.left, **records.set_aside},
        "vehicles": [asdict(row) for row in rows],
    }


def look_table(rows: Iterable[VehicleRow], hops: Iterable[Hop], trouble: str, now_ns: int) -> Table:
    """One look as a table of 80 characters; a row with conflicting doubles is red.

    Its caption says what was set aside and what is in the way.
    """
    table = Table(title="platform", caption=_caption(hops, trouble), box=None, padding=(0, 1, 0, 0))
    for heading in (
        "vehicle",
        "records",
        "watermark",
        "missing",
        "doubles",
        "rejected",
        "p50/p99 s",
        "ago s",
    ):
        table.add_column(heading, justify="left" if heading == "vehicle" else "right", no_wrap=True)
    for row in rows:
        mark = {True: "● ", False: "○ ", None: "  "}[row.online]
        counts = (row.records, row.watermark, row.missing, row.doubles, row.rejected)
        table.add_row(
            mark + row.vehicle,
            *(f"{count:,}" for count in counts),
            f"{_seconds(row.latency_p50_s)}/{_seconds(row.latency_p99_s)}",
            _seconds(None if row.last_seen_ns is None else max(0, now_ns - row.last_seen_ns) / NS_PER_S),
            style="red" if row.conflicts else None,
        )
    return table


def _caption(hops: Iterable[Hop], trouble: str) -> str:
    aside = [
        f"{count:,} {hop.unit} {cause}" for hop in hops for cause, count in hop.set_aside.items() if count
    ]
    return "\n".join(line for line in (", ".join(aside), trouble) if line)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


def iso_time(wall_ns: int) -> str:
    """A Unix time as ISO 8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(wall_ns // NS_PER_S, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{wall_ns % NS_PER_S // 1_000_000:03d}Z"
