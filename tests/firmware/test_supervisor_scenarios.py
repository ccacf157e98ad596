"""The power supervisor in scenarios: starts, brown-outs, a silent gateway, parking; on both Pythons alike."""

import json
from pathlib import Path

import pytest

from firmware.supervisor.machine import CAUSES, NAMES, PROTECTED, STATES
from tests.firmware import micropython
from tests.firmware.supervisor_player import play
from tests.firmware.supervisor_scenarios import SCENARIOS, Scenario

HERE = Path(__file__).parent
EXPECTED = HERE / "supervisor_expected.txt"
PERIOD = 1 << 30


def told(did: list[list[int]], state: int) -> str:
    """Write down what a machine did, a line each."""
    lines = [
        f"  {ms} {NAMES[code]} {argument}" + (f" ({CAUSES[cause]})" if cause else "")
        for ms, code, cause, argument in did
    ]
    return "\n".join([*lines, f"  = {STATES[state]}"])


def expected() -> dict[str, str]:
    """Read what is expected, by the scenario's name."""
    blocks = EXPECTED.read_text(encoding="utf-8").strip().split("\n\n")
    return dict(block.split("\n", maxsplit=1) for block in blocks)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_does_what_is_expected(scenario: Scenario) -> None:
    assert told(*play(scenario.table())) == expected()[scenario.name]


def test_every_expectation_has_its_scenario() -> None:
    assert set(expected()) == {each.name for each in SCENARIOS}


@pytest.mark.parametrize("before_wrap_ms", [1, 7_000, 131_000])
def test_a_clock_that_wraps_changes_nothing(before_wrap_ms: int) -> None:
    for scenario in SCENARIOS[:12]:
        table = scenario.table() | {"start_ms": PERIOD - before_wrap_ms}
        assert told(*play(table)) == expected()[scenario.name]


@pytest.mark.parametrize("step_ms", [20])
def test_how_often_it_steps_changes_times_only(step_ms: int) -> None:
    for scenario in SCENARIOS:
        if scenario.step_ms != 50 or sum(each[0] for each in scenario.segments) > 170_000:
            continue
        did, state = play(scenario.table(), step_ms)
        usual, usual_state = play(scenario.table())
        assert [each[1:3] for each in did] == [each[1:3] for each in usual], scenario.name
        assert state == usual_state
        assert all(abs(one[0] - other[0]) <= 200 for one, other in zip(did, usual, strict=True))


def test_micropython_does_the_same(tmp_path: Path) -> None:
    tables = tmp_path / "scenarios.json"
    tables.write_text(json.dumps([each.table() for each in SCENARIOS]))
    output = micropython.run(HERE / "supervisor_player.py", str(tables))
    for scenario, (did, state) in zip(SCENARIOS, json.loads(output.stdout), strict=True):
        assert told(did, state) == expected()[scenario.name], scenario.name


@pytest.mark.parametrize("failures", [1, 4, 9])
def test_each_failure_of_the_supply_doubles_the_wait_up_to_a_limit(failures: int) -> None:
    cycle = [(3_000, True, 4_000, False, None), (400_000, True, 12_500, False, None)]
    segments = [(10_000, True, 12_500, False, None), *(cycle * failures)]
    did, state = play({"segments": segments}, 250)
    on = [ms for ms, code, _, _ in did if NAMES[code] == "power on"]
    off = [ms for ms, code, _, _ in did if NAMES[code] == "power off"]
    waits = [up - down for down, up in zip(off, on[1:], strict=False)]
    assert state != PROTECTED
    for place, wait in enumerate(waits):
        least = 5_000 << min(place, 6)
        assert least <= wait <= max(least, 12_000) + 5_000
