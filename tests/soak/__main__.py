"""`make soak`: ten days with a link that is away for seven of them, and what comes of it."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.soak.days import DAY_S, Days
from tests.soak.findings import Findings, days_of, findings
from tests.soak.world import Plan, World, second_of

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system on which a sync costs nothing
ALARMS_S = (
    (second_of(0, 18.2), second_of(0, 18.25)),
    (second_of(2, 7.6), second_of(2, 7.7)),
    (second_of(3, 0), second_of(6, 12)),
    *((second_of(7, 18) + 40 * place, second_of(7, 18) + 40 * place + 2) for place in range(60)),
    (second_of(9, 7.55), second_of(9, 7.6)),
)
"""Short ones, one that stands for days, sixty in a row that flicker, and one amid the drain."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured at the end of an awake time.

    Attributes:
        at_s: seconds since the first midnight.
        waiting: records that wait to be sent.
        resident_mb: memory of this process, the platform's included.
        journal_mb: of database and write-ahead log.
        platform_mb: of the platform's store.
    """

    at_s: int
    waiting: int
    resident_mb: float
    journal_mb: float
    platform_mb: float


def ten_days(bits_per_s: float, share: float) -> Plan:
    """Ten days, the link away from the third to the ninth, two restarts in between."""
    return Plan(
        Days(10.0, share=share, alarms_s=ALARMS_S),
        outage_s=(second_of(2, 0), second_of(9, 7)),
        restarts_s=(second_of(4, 7.5) + 100, second_of(6, 18.0) + 100),
        unset_s=(second_of(6, 18.0) + 100, 600),
        bits_per_s=bits_per_s,
        records_days=8.0,
    )


def measured(world: World, at_s: int) -> Point:
    """Memory and disk now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Point(
        at_s,
        world.seen.waiting[-1][1],
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        sum(path.stat().st_size for path in world.journal.glob("journal.db*")) / 1e6,
        sum(path.stat().st_size for path in world.folder.glob("platform.db*")) / 1e6,
    )


def told(plan: Plan, found: Findings, took_s: float) -> Table:
    """The findings as a table."""
    away = days_of(found.outage_span_s)
    table = Table(title=f"{plan.days.days:g} days, link {plan.bits_per_s / 1000:g} kbit/s, away for {away}")
    table.add_column("what")
    table.add_column("figure", justify="right")
    drained = (
        "never"
        if found.drain_s is None
        else f"{days_of(found.drain_s)} ({days_of(found.drain_awake_s)} awake)"
    )
    rate = found.backlog_records / found.drain_awake_s if found.drain_awake_s else 0.0
    rows = [
        ("records made", f"{found.made:,}"),
        ("records at the platform", f"{found.stored:,}"),
        ("withheld as too old, told", f"{found.withheld:,} in {found.entries:,} range entries"),
        (
            "lost / unaccounted / conflicting / refused",
            f"{found.lost} / {found.unaccounted} / {found.doubled} / {found.rejected}",
        ),
        ("messages", ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.messages.items()))),
        ("drain after the first message", drained),
        ("drain, times real time at 1 Hz", f"{rate:,.0f}"),
        ("turns in the order of backlog (alarms first: 1)", f"{found.turns}"),
        *(
            (
                f"{name}: {delays.count:,} messages, delay least / median / most",
                f"{delays.least:.2f} / {delays.median:.2f} / {delays.most:.2f} s",
            )
            for name, delays in (
                ("live, calm", found.calm),
                ("live, draining", found.draining),
                ("alarm", found.alarms),
            )
        ),
        (
            "live while draining later than calm by at most",
            f"{found.excess_s:.3f} s (one 4 KB message: {found.allowed_s:.3f} s)",
        ),
        ("wall-clock time of this run", f"{took_s:.0f} s"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def course(points: list[Point]) -> Table:
    """The points as a table, the last of each day."""
    table = Table(title="at the end of each day")
    for heading in ("day", "records waiting", "MB resident", "MB journal", "MB platform"):
        table.add_column(heading, justify="right")
    last_of_day = {point.at_s // DAY_S: point for point in points}
    for day, point in last_of_day.items():
        table.add_row(
            str(day + 1),
            f"{point.waiting:,}",
            f"{point.resident_mb:.0f}",
            f"{point.journal_mb:.1f}",
            f"{point.platform_mb:.1f}",
        )
    return table


def main() -> None:
    """Run the ten days over each link that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kbit-per-s", type=float, nargs="*", default=[64.0, 10_000.0])
    parser.add_argument("--share", type=float, default=0.2, help="of each drive and charge that is simulated")
    arguments = parser.parse_args()
    console = Console(width=120)
    for kbit_per_s in arguments.kbit_per_s:
        plan = ten_days(kbit_per_s * 1000, arguments.share)
        start_s = time.perf_counter()
        points: list[Point] = []

        def look(at_s: int, world: World, points: list[Point] = points) -> None:
            points.append(measured(world, at_s))

        with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
            world = World(Path(folder), plan, look)
            world.run()
            console.print(told(plan, findings(world), time.perf_counter() - start_s))
        console.print(course(points))


if __name__ == "__main__":
    main()
