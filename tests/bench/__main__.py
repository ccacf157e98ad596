"""`python -m tests.bench [NAME...]`: runs the bench files here and prints one table of medians and ratios."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.comparison import Comparison


def bench_names() -> list[str]:
    """List the bench files by the part of their name after ``bench_``."""
    return sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def _figure(value: float) -> str:
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def table(rows: list[Comparison]) -> Table:
    """Lay the comparisons out for a person."""
    made = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for heading in ("what", "ours", "peer", "unit", "who", "ratio", "asked"):
        made.add_column(heading, justify="right" if heading in ("ours", "peer", "ratio") else "left")
    for row in rows:
        made.add_row(
            row.name,
            _figure(row.ours),
            "" if row.peer is None else _figure(row.peer),
            row.unit,
            row.peer_name,
            "" if row.ratio is None else f"{row.ratio:.1f}",
            row.asked,
        )
    return made


def main() -> None:
    """Run the benches named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "name", nargs="*", choices=[*bench_names(), []], help="benches to run; all without one"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    rows: list[Comparison] = []
    for name in arguments.name or bench_names():
        print(f"measuring {name} ...", file=sys.stderr)  # noqa: T201 - a program speaks
        measured: list[Comparison] = importlib.import_module(f"tests.bench.bench_{name}").measure()
        rows.extend(measured)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))  # noqa: T201 - a program speaks
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(rows))


if __name__ == "__main__":
    main()
