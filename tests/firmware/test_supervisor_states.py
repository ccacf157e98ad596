"""What the power supervisor never does, and always does, over all its states to a depth; broken ones too."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from firmware.supervisor import machine
from tests.firmware.supervisor_player import play
from tests.firmware.supervisor_scenarios import SCENARIOS
from tests.firmware.supervisor_states import LEVELS_MV, Exploration, PropertyError
from tests.firmware.test_supervisor_scenarios import expected, told

DEPTH = int(os.environ.get("NEVGATE_SUPERVISOR_DEPTH", "4"))
INPUTS = [(ignition, mv, can) for ignition in (False, True) for mv in LEVELS_MV for can in (False, True)]


@functools.cache
def explored() -> Exploration:
    return Exploration(depth=DEPTH).run()


def test_no_way_leads_to_what_must_not_be() -> None:
    found = explored()
    assert found.transitions > 40_000
    causes = {cause for code, cause in found.switches if code == machine.POWER_OFF}
    assert causes == {machine.ANSWERED, machine.NO_ANSWER, machine.CRITICAL}
    assert {state for (state, *_), _ in found.states} == set(range(1, len(machine.STATES)))


def test_under_any_input_that_stays_it_comes_to_rest_without_circles() -> None:
    found = explored()
    for state in list(dict.fromkeys(state for state, _ in found.states))[::7]:
        for given in INPUTS:
            walked, circle = found.settle(state, given)
            assert circle == 1
            assert len(walked) <= 12


def test_ignition_with_a_good_supply_leads_to_power_within_a_bound() -> None:
    found = explored()
    p = found.parameters
    ending = p.hold_up_limit_ms + p.halt_ms
    waiting = p.protect_ms + max(p.off_ms, p.back_off_ms) + p.restart_ms
    bound = (p.ignition_on_ms + p.cranking_over_ms + ending + waiting) // 1_000 + 6
    for state in list(dict.fromkeys(state for state, _ in found.states))[::5]:
        for mv in (11_900, 12_500, 13_500):
            walked, _ = found.settle(state, (True, mv, False))
            assert walked[-1] == machine.ON
            assert len(walked) <= bound


MUTANTS = {
    "cuts at once when asked": ("self._done_ms >= p.halt_ms", "self._done_ms >= 0"),
    "never cuts a silent gateway": ("self._in_state_ms >= self._deadline_ms", "False"),
    "takes an answer at any time": (
        "if self.state != SHUTTING_DOWN:\n            return False",
        "if False:\n            return False",
    ),
    "cuts at the first critical sample": (
        "self._critical_ms >= self.parameters.critical_ms",
        "self._critical_ms >= 0",
    ),
    "forgets critical while shutting down": (
        "if self.powered and self._critical_ms >=",
        "if self.powered and self.state != SHUTTING_DOWN and self._critical_ms >=",
    ),
    "powers up without waiting for the supply": ("self._good_ms >= p.restart_ms and", "True and"),
    "powers up at the low threshold": ("supply_mv >= p.restart_mv", "supply_mv >= p.low_mv"),
    "knows no back-off": ("p.back_off_after(self.failures):", "p.off_ms:"),
    "does not count failures": ("min(self.failures + 1,", "min(self.failures,"),
    "does not charge a watch": ("self._charged = self._charged or may", "self._charged = False"),
    "ends no watch for the budget": ("(self._hold_ms == 0 or not may)", "(self._hold_ms == 0)"),
    "watches for ever": ("(self._hold_ms == 0 or not may)", "not may"),
    "wakes by CAN without budget": (
        "self._can_ms >= p.can_wake_ms and self._may_watch()",
        "self._can_ms >= p.can_wake_ms",
    ),
    "watches below the floor": (
        "floor_mv = p.watch_floor_mv if self.state == WATCHING else p.low_mv",
        "floor_mv = p.low_mv",
    ),
    "keeps the budget of an empty battery": ("self.spent_ms = p.watch_budget_ms\n", "pass\n"),
    "grants more than the hold-up limit": (
        "min(self._in_state_ms + wanted_ms, p.hold_up_limit_ms)",
        "self._in_state_ms + wanted_ms",
    ),
    "grants less than it says": ("self._deadline_ms = max(self._deadline_ms, most_ms)", "pass"),
    "believes ignition in a dip": ("if not level and self._supply_mv < p.cranking_mv:", "if False:"),
    "does not debounce": ("if self._bounce_ms >= limit_ms:", "if True:"),
    "stays cranking for ever": ("elif self._in_state_ms >= p.cranking_limit_ms:", "elif False:"),
    "stays waking for ever": ("elif self._in_state_ms >= p.waking_limit_ms:", "elif False:"),
    "leaves cranking at once": ("self._back_ms >= p.cranking_over_ms", "self._back_ms >= -1"),
    "takes a start for a failing supply": (
        "elif self._supply_mv < p.cranking_mv:\n            self._crank()",
        "elif self._supply_mv < p.cranking_mv:\n            self._ask(LOW_SUPPLY)",
    ),
    "leaves protection at once": ("elif self._good_ms >= self.parameters.protect_ms", "elif True"),
    "asks once only": ("elif self._said_ms >= p.repeat_ms:", "elif False:"),
    "asks while a gateway starts": ("if self._switched_ms >= p.minimum_on_ms and (", "if ("),
    "does not wait for power to be off": (
        "if self._switched_ms < p.back_off_after(self.failures):\n            return",
        "if False:\n            return",
    ),
    "loses time when the counter wraps": ("passed = passed + _MASK + 1", "passed = 0"),
    "ignores a low supply": (
        "elif self._low_ms >= p.low_ms:\n            self._ask(LOW_SUPPLY)",
        "elif False:\n            self._ask(LOW_SUPPLY)",
    ),
    "does not tell that the supply falls": (
        "if self.powered and was_ms < p.falling_ms",
        "if False and was_ms < p.falling_ms",
    ),
    "never refills": ("self.spent_ms = max(0, self.spent_ms - step_ms * p.refill)", "pass"),
    "wake timer counts no time": ("self._wake_ms = max(0, self._wake_ms - step_ms)", "pass"),
}


def broken(old: str, new: str) -> ModuleType:
    """The machine with one thing changed."""
    path = Path(machine.__file__)
    source = path.read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{old!r} is not there once"
    module = ModuleType("firmware.supervisor.broken")
    module.__package__ = "firmware.supervisor"
    exec(compile(source.replace(old, new), path, "exec"), vars(module))  # noqa: S102 - a copy of the machine, broken
    return module


def _by_scenarios(module: ModuleType) -> bool:
    wanted = expected()
    for scenario in SCENARIOS:
        table = scenario.table() | {"start_ms": (1 << 30) - 7_000}
        if told(*play(table, 0, module)) != wanted[scenario.name]:
            return True
    return False


def _by_exploration(module: ModuleType) -> bool:
    try:
        Exploration(module, depth=5).run()
    except PropertyError:
        return True
    return False


WAYS: tuple[Callable[[ModuleType], bool], ...] = (_by_scenarios, _by_exploration)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_machine_is_noticed(mutant: str) -> None:
    module = broken(*MUTANTS[mutant])
    assert any(way(module) for way in WAYS)
