"""`make canary`: ten hours of drives with consents that change, and a search for every canary afterwards."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.canary.run import Outcome, run
from tests.canary.script import the_drives

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system on which a sync costs nothing
MOST_SHOWN = 40


def told(outcome: Outcome, took_s: float) -> Table:
    """The figures as a table."""
    found = outcome.found
    table = Table(title=f"{outcome.simulated_s / 3600:.2f} hours of driving")
    table.add_column("what")
    table.add_column("figure", justify="right")
    rows = [
        ("frames sent on the bus", f"{outcome.told.frames:,}"),
        ("frames, bytes behind the door", f"{found.searched['behind the door']:,}"),
        ("messages handed to a link", f"{len(outcome.told.sent):,}"),
        *_rows("canaries planted, class ", outcome.planted),
        ("searches of the journal with its keys", f"{outcome.looks}"),
        ("bytes searched, each at 8 bits and in both orders", f"{sum(found.searched.values()):,}"),
        *_rows("  ", found.searched),
        *_rows("canaries found where they may be, ", found.hits),
        *_rows("positions judged, ", found.positions),
        ("canaries that had to be found", f"{found.expected.total():,}"),
        *_rows("  ", found.expected),
        ("of these missing", f"{len(found.missing)}"),
        ("found where they must not be", f"{len(found.leaks)}"),
        ("removed signals that an export gives a value", f"{len(outcome.zeros)}"),
        *(
            (
                f"batches too late, {what}: how often",
                ", ".join(f"{late}: {n}" for late, n in sorted(counts.items())),
            )
            for what, counts in outcome.late.items()
        ),
        *((f"wall-clock time of {what}", f"{seconds:.0f} s") for what, seconds in outcome.took_s.items()),
        ("wall-clock time of all", f"{took_s:.0f} s"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _rows(before: str, counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for name, count in sorted(counts.items()):
        yield before + name, f"{count:,}"


def main() -> int:
    """Run the drives; fail if anything is where it must not be, or not where it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drive-s", type=int, default=3_120, help="how long each of the twelve drives takes")
    parser.add_argument("--gap-s", type=int, default=300, help="the vehicle stands so long between two")
    arguments = parser.parse_args()
    console = Console(width=120)
    start_s = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        drives = the_drives(arguments.drive_s, arguments.gap_s)
        outcome = run(Path(folder), drives, step=lambda what: console.print(f"searched: {what}"))
    console.print(told(outcome, time.perf_counter() - start_s))
    for what, count in outcome.found.leaked().most_common():
        console.print(f"must not be there: {what}, {count} times")
    for leak in outcome.found.leaks[:MOST_SHOWN]:
        console.print(f"must not be there: {leak}")
    for leak in outcome.found.missing[:MOST_SHOWN]:
        console.print(f"missing: {leak}")
    for what in (*outcome.told.vain, *outcome.zeros[:MOST_SHOWN]):
        console.print(what)
    wrong = outcome.found.leaks or outcome.found.missing or outcome.zeros or outcome.told.vain
    return 1 if wrong or not outcome.not_collected else 0


if __name__ == "__main__":
    sys.exit(main())
