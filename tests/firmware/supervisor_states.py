"""Explores all that the power supervisor can do, breadth first; as a program to the very end, with counts.

Small parameters of whole quanta make the states finite: every timer stops at its limit. Beside the machine
an observer counts time, so that the machine's timers are not judged by themselves.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from types import ModuleType
from typing import Any

from firmware.supervisor import machine as intact
from firmware.supervisor.parameters import Parameters

Q = 1_000
"""A quantum, in milliseconds: a command's second."""

LEVELS_MV = (5_000, 8_000, 10_000, 11_500, 11_900, 12_500, 13_500)
"""One on each side of every threshold."""

SMALL = {
    "ignition_on_ms": 0,
    "ignition_off_ms": Q,
    "can_wake_ms": 0,
    "critical_ms": Q,
    "falling_ms": 0,
    "cranking_over_ms": 0,
    "cranking_limit_ms": Q,
    "low_ms": Q,
    "restart_ms": Q,
    "protect_ms": Q,
    "waking_limit_ms": 2 * Q,
    "off_ms": Q,
    "minimum_on_ms": Q,
    "grace_ms": Q,
    "can_quiet_ms": Q,
    "hold_up_ms": Q,
    "hold_up_limit_ms": 2 * Q,
    "repeat_ms": Q,
    "halt_ms": Q,
    "back_off_ms": 2 * Q,
    "back_off_doublings": 0,
    "stable_ms": 2 * Q,
    "watch_budget_ms": 9 * Q,
    "refill": 9,
    "longest_step_ms": Q,
}

_NO_STATE = {
    "parameters",
    "_told",
    "_last_ms",
    "_supply_mv",
    "_longest_good_ms",
    "_longest_in_state_ms",
    "_longest_switched_ms",
}

State = tuple[Any, ...]
Input = tuple[bool, int, bool]
Command = tuple[str, int] | None


class PropertyError(AssertionError):
    """A property does not hold."""


@dataclass(frozen=True, slots=True)
class Observer:
    """What somebody outside knows who sees inputs and actions only.

    Attributes:
        critical_ms: for how long the supply has been critical; -1 where it is not.
        good_ms: for how long it has been at the restart voltage or more, while off; -1 where it has not.
        off_ms: for how long power has been off, up to its limit.
        asked_ms: since when a shutdown is asked for; -1 where none is.
        answered: whether it was answered.
        promised_ms: for how long the machine has promised power yet.
        stayed_ms: for how long it has been waking or cranking.
    """

    critical_ms: int = -1
    good_ms: int = -1
    off_ms: int = 0
    asked_ms: int = -1
    answered: bool = False
    promised_ms: int = 0
    stayed_ms: int = 0


def _since(before_ms: int, holds: bool, limit_ms: int) -> int:
    if not holds:
        return -1
    return 0 if before_ms < 0 else min(before_ms + Q, limit_ms)


@dataclass
class Exploration:
    """Breadth-first search over a machine's states.

    Attributes:
        module: whose machine.
        depth: how many quanta deep; None for all there is.
        states: found, with the observer's.
        transitions: taken.
        reached: depth that was reached.
        complete: whether nothing was left to be found.
        switches: how often power went on and off, and shutdowns were asked for, by code and cause.
        after: for each state of the machine and input without a command, what follows.
    """

    module: ModuleType = intact
    depth: int | None = None
    small: dict[str, int] = field(default_factory=lambda: dict(SMALL))
    states: dict[tuple[State, Observer], tuple[State, Observer, Command, Input] | None] = field(
        default_factory=dict
    )
    transitions: int = 0
    reached: int = 0
    complete: bool = False
    switches: Counter[tuple[int, int]] = field(default_factory=Counter)
    after: dict[tuple[State, Input], State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parameters = Parameters(**self.small)
        self.machine = self.module.PowerSupervisor(self.parameters)
        self._names = [name for name in vars(self.machine) if name not in _NO_STATE]
        self._get = attrgetter(*self._names)

    def state(self) -> State:
        """All that the machine remembers, but for the counter's last value."""
        found: State = self._get(self.machine)
        return found

    def restore(self, state: State) -> None:
        """Put the machine into a state."""
        vars(self.machine).update(zip(self._names, state, strict=True), _last_ms=0)

    def run(self) -> Exploration:
        """Search; raises PropertyError with the way to it."""
        found_on = self.module.PowerSupervisor(self.parameters, 0, True)
        front = [(self.state(), Observer()), (self._get(found_on), Observer())]
        self.states = dict.fromkeys(front)
        while front and (self.depth is None or self.reached < self.depth):
            following: list[tuple[State, Observer]] = []
            for before in front:
                for command in self._commands(before[0]):
                    for given in self._inputs(before[0]):
                        after = self._take(before, command, given)
                        if after not in self.states:
                            self.states[after] = (*before, command, given)
                            following.append(after)
            front = following
            self.reached += 1
        self.complete = not front
        return self

    def way(self, at: tuple[State, Observer]) -> list[str]:
        """How a state was reached."""
        steps: list[str] = []
        while (origin := self.states.get(at)) is not None:
            at, command, given = (origin[0], origin[1]), origin[2], origin[3]
            steps.append(f"{self.module.STATES[at[0][0]]}: {command or ''} {given}")
        return steps[::-1]

    def settle(self, state: State, given: Input, most: int = 60) -> tuple[list[int], int]:
        """Let the same input go on; tell the machine's states on the way, up to where nothing changes.

        Returns:
            The states, and of how many quanta the circle at the end consists.
        """
        seen: dict[State, int] = {}
        walked: list[int] = []
        while state not in seen:
            seen[state] = len(walked)
            walked.append(int(state[0]))
            if len(walked) > most:
                raise PropertyError(f"does not settle under {given}: {walked}")
            known = self.after.get((state, given))
            if known is None:
                self.restore(state)
                self.machine.step(Q, *given)
                known = self.after[state, given] = self.state()
            state = known
        return walked, len(walked) - seen[state]

    def _commands(self, state: State) -> tuple[Command, ...]:
        self.restore(state)
        if self.machine.state == self.module.SHUTTING_DOWN:
            return (None, ("done", 0), ("keep", 2))
        if self.machine.powered:
            return (None, ("keep", 2), ("keep", 0), ("done", 0))
        return (None, ("wake", 1), ("done", 0))

    def _inputs(self, state: State) -> list[Input]:
        del state
        # A bus says nothing to a machine that is on or ends; to leave that out halves the work.
        hears = not self.machine.powered or self.machine.state == self.module.WATCHING
        return [
            (ignition, mv, active)
            for ignition in (False, True)
            for mv in LEVELS_MV
            for active in ((False, True) if hears else (False,))
        ]

    def _take(self, before: tuple[State, Observer], command: Command, given: Input) -> tuple[State, Observer]:
        self.restore(before[0])
        box = self.machine
        was, was_powered = box.state, box.powered
        seen = before[1]
        done, granted_ms = False, 0
        if command is not None and command[0] == "done":
            done = box.shutdown_done()
        elif command is not None and command[0] == "keep":
            granted_ms = 1_000 * box.keep_power(command[1])
        elif command is not None:
            box.set_wake(command[1])
        actions = box.step(Q, *given)
        self.transitions += 1
        try:
            observer = self._judge(seen, command, given, actions, (was, was_powered), (done, granted_ms))
        except PropertyError as violation:
            way = "\n".join(
                [*self.way(before), f"{self.module.STATES[was]}: {command or ''} {given} -> {actions}"]
            )
            raise PropertyError(f"{violation}\n{way}") from None
        return self.state(), observer

    def _judge(
        self,
        seen: Observer,
        command: Command,
        given: Input,
        actions: tuple[tuple[int, int, int], ...],
        was: tuple[int, bool],
        heard: tuple[bool, int],
    ) -> Observer:
        m, p, box = self.module, self.parameters, self.machine
        mv = given[1]
        (state, powered), (done, granted_ms) = was, heard
        for code, cause, _ in actions:
            self.switches[code, cause] += 1
        codes = {code: cause for code, cause, _ in actions}
        critical_ms = _since(seen.critical_ms, mv < p.critical_mv, p.critical_ms)
        good_ms = _since(seen.good_ms, not powered and mv >= p.restart_mv, p.restart_ms)
        off_ms = min(seen.off_ms + Q, p.back_off_ms) if not powered else 0
        asked_ms = seen.asked_ms + Q if seen.asked_ms >= 0 else -1
        answered = seen.answered or done
        promised_ms = max(0, (granted_ms if command and command[0] == "keep" else seen.promised_ms) - Q)
        _claim(done <= (state == m.SHUTTING_DOWN), "an answer counts although nothing was asked")
        self._judge_fit(codes, powered)
        if m.POWER_ON in codes:
            self._judge_power_on(mv, good_ms, off_ms)
        if m.POWER_OFF in codes:
            self._judge_power_off(codes[m.POWER_OFF], critical_ms, asked_ms, answered, promised_ms)
            asked_ms, answered = -1, False
        elif critical_ms >= p.critical_ms:
            _claim(not box.powered, "power stays although the supply is critical for its time")
        if m.SHUTDOWN_PLEASE in codes and asked_ms < 0:
            asked_ms, answered = 0, False
            if codes[m.SHUTDOWN_PLEASE] == m.WATCH_OVER:
                _claim(promised_ms == 0, "a shutdown is asked for although power was promised")
        if asked_ms >= 0:
            longest_ms = p.hold_up_limit_ms + p.halt_ms
            _claim(asked_ms <= longest_ms, "a request is not followed by a cut in bounded time")
            _claim(asked_ms == 0 or box.state == m.SHUTTING_DOWN, "a request is taken back")
            _claim(answered or m.SHUTDOWN_PLEASE in codes, "a request without an answer is not said again")
        _claim(box.spent_ms <= p.watch_budget_ms, "the budget of watching is passed")
        stays = state == box.state == m.WATCHING and box._switched_ms >= p.minimum_on_ms
        _claim(not stays or box._charged, "a watch goes on that is not charged to the budget")
        limits = {m.WAKING: p.waking_limit_ms, m.CRANKING: p.cranking_limit_ms}
        stayed_ms = seen.stayed_ms + Q if state == box.state and state in limits else 0
        _claim(stayed_ms <= limits.get(box.state, 0), "a state is not left in its time")
        if not box.powered:
            promised_ms = 0
        gone = m.SHUTDOWN_PLEASE in codes and state != m.SHUTTING_DOWN
        return Observer(
            critical_ms, good_ms, off_ms, asked_ms, answered, 0 if gone else promised_ms, stayed_ms
        )

    def _judge_fit(self, codes: dict[int, int], powered: bool) -> None:
        m, box = self.module, self.machine
        _claim((m.POWER_ON in codes) == (box.powered and not powered), "power and what is told of it differ")
        _claim((m.POWER_OFF in codes) == (powered and not box.powered), "power and what is told of it differ")
        on_states = (m.ON, m.WATCHING, m.SHUTTING_DOWN)
        off_states = (m.OFF, m.WAKING, m.PROTECTED)
        _claim(box.state not in (off_states if box.powered else on_states), "power does not fit the state")

    def _judge_power_on(self, mv: int, good_ms: int, off_ms: int) -> None:
        p, box = self.parameters, self.machine
        _claim(mv >= p.restart_mv, "power comes on below the restart voltage")
        _claim(good_ms >= p.restart_ms, "power comes on before the supply was good for its time")
        _claim(off_ms >= p.off_ms, "power comes on before it was off for its time")
        _claim(box.ignition or mv >= p.watch_floor_mv, "power comes on without ignition at a low battery")
        _claim(box.failures == 0 or off_ms >= p.back_off_ms, "power comes on before the back-off is over")

    def _judge_power_off(
        self, cause: int, critical_ms: int, asked_ms: int, answered: bool, promised_ms: int
    ) -> None:
        m, p = self.module, self.parameters
        if cause == m.CRITICAL:
            _claim(critical_ms >= p.critical_ms, "power is cut as critical, and it was not for its time")
        else:
            _claim(asked_ms >= 0, "power is cut without a request")
            if cause == m.ANSWERED:
                _claim(answered, "power is cut as answered, and nobody has answered")
            else:
                _claim(not answered, "power is cut without the time to halt, after an answer")
                _claim(asked_ms >= p.hold_up_ms, "power is cut before the hold-up time is over")
                _claim(promised_ms == 0, "power is cut before the time that was promised is over")


def _claim(holds: bool, what: str) -> None:
    if not holds:
        raise PropertyError(what)


if __name__ == "__main__":
    explored = Exploration(depth=int(sys.argv[1]) if len(sys.argv) > 1 else None).run()
    machines = {state for state, _ in explored.states}
    sys.stdout.write(
        f"depth {explored.reached}, complete {explored.complete}: {len(machines)} states of the machine, "
        f"{len(explored.states)} with the observer's, {explored.transitions} transitions\n"
    )
    for (code, cause), count in sorted(explored.switches.items()):
        sys.stdout.write(f"  {count:>8} {intact.NAMES[code]} {intact.CAUSES[cause]}\n")
    walks = longest = 0
    inputs = [(i, mv, c) for i in (False, True) for mv in LEVELS_MV for c in (False, True)]
    for each in machines:
        for one in inputs:
            walked, circle = explored.settle(each, one)
            walks += 1
            longest = max(longest, len(walked))
            _claim(circle == 1, f"goes in circles under {one}: {walked}")
            _claim(
                not (one[0] and one[1] >= 11_900) or walked[-1] == intact.ON, f"does not come on: {walked}"
            )
    sys.stdout.write(f"{walks} walks under one input, the longest {longest} quanta: each comes to rest\n")
