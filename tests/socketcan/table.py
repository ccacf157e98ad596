"""Runs the conformance suite and writes docs/conformance.md out of what came of it.

    python -m tests.socketcan.table [--host-only]

On this machine the suite runs on virtual cables; in the virtual machine of tests/vm on `vcan` and on
controllers. A cell is what pytest reported of one test of one source: nothing of the page is written by hand
but its first lines. With a failure, or without qemu, the page says so, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.socketcan.conformance import OUTSIDE_US, SocketCanConformance

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"
HOST, GUEST = "tests/socketcan/test_conformance.py", "tests/vm/test_in_the_machine.py"
MEDIA: Mapping[str, str] = {"veth": "host", "vcan": "VM", "kvaser_pci": "VM"}
WAYS = ("ring", "shared ring", "raw", "python-can")
NOT_RUN = "not run"
SUITES = "OnVirtualCable or OnVcan or OnController"

HEAD = """# Conformance of all ways to take frames

Made by `python -m tests.socketcan.table`, which runs the conformance suite (`tests/socketcan/conformance.py`)
on each way and each medium and writes down what came of it. *host*: a virtual cable (veth) that carries the
kernel's structures, where the kernel has no CAN; there a packet socket stands in for the raw CAN socket, also
under python-can. *VM*: Debian's kernel under qemu without an accelerator, with `vcan` and two `kvaser_pci`
controllers on one bus. nevgate has no frames of its own that could come back: it never sends.

"""


@dataclass
class Cell:
    """What came of one test of one source.

    Attributes:
        outcome: ``passed``, ``failed`` or ``skipped``.
        reason: why it was skipped.
        outside_us: what was measured of stamps; None if nothing.
    """

    outcome: str
    reason: str = ""
    outside_us: float | None = None


@dataclass
class Outcomes:
    """A pytest plugin that remembers what came of each test of the suite.

    Attributes:
        cells: by test, then by way and medium.
        order: the tests as they stand in the suite.
    """

    cells: dict[str, dict[tuple[str, str], Cell]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    _columns: dict[str, tuple[str, tuple[str, str]]] = field(default_factory=dict)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Remember whose test it is."""
        suite = getattr(item, "cls", None)
        if isinstance(suite, type) and issubclass(suite, SocketCanConformance):
            self._columns[item.nodeid] = (item.name, suite.column)
            if item.name not in self.order:
                self.order.append(item.name)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take up what came of it; whatever failed or was skipped on the way counts."""
        if report.nodeid not in self._columns or (report.when != "call" and report.passed):
            return
        name, column = self._columns[report.nodeid]
        measured = [value for key, value in report.user_properties if key == OUTSIDE_US]
        reason = ""
        if report.skipped:
            *_, said = report.longrepr if isinstance(report.longrepr, tuple) else (str(report.longrepr),)
            reason = str(said).removeprefix("Skipped: ")
        outside_us = float(str(measured[0])) if measured else None
        before = self.cells.setdefault(name, {}).get(column)
        if before is None or report.failed:
            self.cells[name][column] = Cell(report.outcome, reason, outside_us)


def words_of(test: str) -> str:
    """The property that a test of the suite is named after."""
    return test.removeprefix("test_").replace("_", " ")


def page(outcomes: Outcomes, columns: Sequence[tuple[str, str]]) -> str:
    """The page as Markdown."""
    notes: list[str] = []
    lines = [
        "| "
        + " | ".join(["property", *(f"{way}, {MEDIA[medium]}, {medium}" for way, medium in columns)])
        + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for test in outcomes.order:
        cells = [_cell(outcomes.cells.get(test, {}).get(column), notes) for column in columns]
        lines.append("| " + " | ".join([words_of(test), *cells]) + " |")
    explained = [f"{place}. {reason}." for place, reason in enumerate(notes, 1)]
    cells_of_all = [cell for row in outcomes.cells.values() for cell in row.values()]
    passed = sum(cell.outcome == "passed" for cell in cells_of_all)
    told = (
        f"{passed} of {len(outcomes.order) * len(columns)} cells passed; host: Linux {platform.release()}.\n"
    )
    if not any(MEDIA[medium] == "VM" for _, medium in columns):
        told += "The virtual machine was left out (`--host-only`): run it without that for the rest.\n"
    return "\n".join([HEAD + told, *lines, "", "Not to be had:", "", *explained, ""])


def _cell(cell: Cell | None, notes: list[str]) -> str:
    if cell is None:
        return NOT_RUN
    if cell.outcome == "skipped":
        if cell.reason not in notes:
            notes.append(cell.reason)
        return f"no ({notes.index(cell.reason) + 1})"
    if cell.outcome == "failed":
        return "**failed**"
    return "passed" if cell.outside_us is None else f"passed, within {cell.outside_us:,.1f} µs"


def main() -> None:
    """Run both suites and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host-only", action="store_true", help="leave the virtual machine out")
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    os.environ["NEVGATE_VM"] = "all"
    outcomes = Outcomes()
    files = [HOST] if arguments.host_only else [HOST, GUEST]
    columns = [
        (way, medium)
        for medium, place in MEDIA.items()
        for way in WAYS
        if place == "host" or not arguments.host_only
    ]
    status = 0
    for file in files:
        words = ["-q", "-p", "no:cacheprovider", "-k", SUITES, str(ROOT / file)]
        status |= int(pytest.main(words, plugins=[outcomes]))
    arguments.output.write_text(page(outcomes, columns), encoding="utf-8")
    complete = all(column in row for row in outcomes.cells.values() for column in columns)
    sys.exit(status or not complete)


if __name__ == "__main__":
    main()
