"""The supervisor's parameters: contradictions are refused, and the page has every one with its default."""

import re
from pathlib import Path

import pytest

from firmware.supervisor.machine import CAUSES, NAMES, PowerSupervisor, passed_ms
from firmware.supervisor.parameters import Parameters, for_24_v

PAGE = Path(__file__).parents[2] / "docs" / "supervisor.md"


@pytest.mark.parametrize(
    "changes",
    [
        {"low_mv": 11_800},
        {"critical_mv": 9_000},
        {"restart_mv": 12_001},
        {"falling_ms": 1_500},
        {"hold_up_ms": 120_001},
        {"repeat_ms": 0},
        {"off_ms": -1},
        {"low_ms": 1 << 28},
        {"watch_budget_ms": 244_000},
        {"back_off_ms": 300_000},
        {"back_off_doublings": 11},
        {"reserve_ms": 1},
        {"_check": 1},
        {"back_off_after": 1},
        {"volts": 12},
    ],
)
def test_a_contradiction_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must|no parameter"):
        Parameters(**changes)


def test_no_fraction_is_taken() -> None:
    with pytest.raises(ValueError, match="whole"):
        Parameters(low_mv=11_000.5)  # type: ignore[arg-type]


def test_24_volts_are_a_set_that_holds() -> None:
    assert for_24_v(low_ms=30_000).low_ms == 30_000
    assert for_24_v().restart_mv > for_24_v().low_mv == 22_000


@pytest.mark.parametrize(
    ("now", "before", "passed"),
    [
        (5, 3, 2),
        (3, (1 << 30) - 2, 5),
        (0, (1 << 30) - 1, 1),
        (2, 3, 0),
        ((1 << 30) - 1, 0, 0),
        (1 << 29, 1, (1 << 29) - 1),
    ],
)
def test_time_that_passed_outlives_the_wrap_and_never_runs_backwards(
    now: int, before: int, passed: int
) -> None:
    assert passed_ms(now, before) == passed


def test_what_the_gateway_asks_for_is_bounded() -> None:
    box = PowerSupervisor(powered=True)
    assert box.keep_power(65_535) == (box.parameters.watch_budget_ms - box.parameters.reserve_ms) // 1_000
    assert box.keep_power(-1) == 0
    assert box.set_wake(4_294_967_295) == 500_000
    assert not box.shutdown_done()
    assert PowerSupervisor().keep_power(10) == 0


def test_the_page_tells_every_parameter_event_and_cause() -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition("\n## Parameters\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", section, re.MULTILINE))
    defaults = {
        name: value
        for name, value in vars(Parameters).items()
        if isinstance(value, int) and not name.startswith("_")
    }
    assert {name: int(value.replace(",", "")) for name, value in told.items()} == defaults
    for code, name in NAMES.items():
        assert f"| 0x{code:03X} | {name} |" in page
    for cause in CAUSES[1:]:
        assert cause in page
