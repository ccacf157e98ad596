"""The conformance page says of each cell what came of it, and hides neither failures nor what was not run."""

from __future__ import annotations

from tests.socketcan.table import Cell, Outcomes, page

RING, RAW, CAN = ("ring", "veth"), ("raw", "veth"), ("python-can", "veth")


def test_each_cell_says_what_came_of_it() -> None:
    outcomes = Outcomes(order=["test_ids", "test_losses"])
    outcomes.cells["test_ids"] = {RING: Cell("passed", outside_us=3.26), RAW: Cell("failed")}
    without = Cell("skipped", "not told")
    outcomes.cells["test_losses"] = {RING: Cell("passed"), RAW: Cell("passed"), CAN: without}
    lines = page(outcomes, [RING, RAW, CAN]).splitlines()
    assert "| ids | passed, within 3.3 µs | **failed** | not run |" in lines
    assert "| losses | passed | passed | no (1) |" in lines
    assert "1. not told." in lines
    assert any(line.startswith("3 of 6 cells passed") for line in lines)
