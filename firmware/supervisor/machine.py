"""The state machine of ignition and supply: values and the time go in, what to do comes out; no pins, no I/O.

Times are milliseconds of a counter that wraps, as ``time.ticks_ms`` of any MicroPython does; voltages are
millivolts. No number grows beyond a small integer of a 32-bit board. Everything is kept as time that has
passed, so that neither a wrap nor the counter's start means anything.
"""

from .parameters import Parameters

# As STATUS of vlink has them, where 0 stands for no supervisor.
OFF = 1
WAKING = 2
CRANKING = 3
ON = 4
SHUTTING_DOWN = 5
WATCHING = 6
PROTECTED = 7
STATES: tuple[str, ...] = (
    "none",
    "off",
    "waking",
    "cranking",
    "on",
    "shutting down",
    "watching",
    "protected",
)

# Codes of actions, which are also those of vlink's EVENT.
POWER_ON = 0x201
POWER_OFF = 0x202
SHUTDOWN_PLEASE = 0x203
SUPPLY_FALLING = 0x204
IGNITION = 0x205
CRANKING_BEGINS = 0x206
CRANKING_OVER = 0x207
WATCHING_BEGINS = 0x208
PROTECTION = 0x209
WAKE_REFUSED = 0x20A

NO_CAUSE = 0
BY_IGNITION = 1
BY_CAN = 2
BY_TIMER = 3
FOUND_ON = 4
WATCH_OVER = 5
LOW_SUPPLY = 6
BUDGET_SPENT = 7
LONG_CRANKING = 8
CRITICAL = 9
ANSWERED = 10
NO_ANSWER = 11
BATTERY_LIMIT = 12
CAUSES: tuple[str, ...] = (
    "",
    "ignition",
    "CAN",
    "wake timer",
    "found on at start",
    "nothing left to watch",
    "supply low",
    "watching budget spent",
    "cranking too long",
    "supply critical",
    "answered",
    "no answer",
    "battery limit",
)

NAMES: dict[int, str] = {
    POWER_ON: "power on",
    POWER_OFF: "power off",
    SHUTDOWN_PLEASE: "shutdown please",
    SUPPLY_FALLING: "supply falling",
    IGNITION: "ignition",
    CRANKING_BEGINS: "cranking begins",
    CRANKING_OVER: "cranking over",
    WATCHING_BEGINS: "watching begins",
    PROTECTION: "protection",
    WAKE_REFUSED: "wake refused",
}
"""Of the actions, for people; with the cause they are the text of an EVENT."""

LONGEST_WAKE_S = 500_000
"""A wake timer reaches no further: more milliseconds are no small integer of a 32-bit board."""

_MASK = 0x3FFF_FFFF
_HALF = 0x2000_0000
_BUSY_STEP_MS = 10
_IDLE_STEP_MS = 1_000
_FAILED = (LOW_SUPPLY, LONG_CRANKING)


def passed_ms(now_ms: int, before_ms: int) -> int:
    """Milliseconds from `before_ms` to `now_ms` of a counter of 30 bits; 0 if it seems to have run backwards.

    Two times may lie up to 6.2 days apart.
    """
    passed = (now_ms & _MASK) - (before_ms & _MASK)
    if passed < -_HALF:
        # In two steps, since 2**30 itself is no small integer.
        passed = passed + _MASK + 1
    elif passed >= _HALF:
        passed = passed - _MASK - 1
    return max(0, passed)


def _run(run_ms: int, holds: bool, step_ms: int, longest_ms: int) -> int:
    """For how long something has held, -1 if it does not; it begins to count when it is first seen."""
    if not holds:
        return -1
    if run_ms < 0:
        return 0
    return min(run_ms + step_ms, longest_ms)


class PowerSupervisor:
    """Owns the gateway's power.

    Call `step` with what the pins say, at the latest `next_step_ms` later again, and do what it returns.

    Args:
        parameters: what it goes by; without them those of a 12 V vehicle.
        now_ms: the counter now.
        powered: whether the gateway was found to have power, after a reset of this microcontroller alone.
        spent_ms: what is spent of the watching budget, where a board has kept it through its reset.

    Attributes:
        parameters: what it goes by.
        state: one of `OFF` to `PROTECTED`.
        powered: whether the gateway has power.
        ignition: as debounced.
        cause: why it is in this state: of the wake, or of the request.
        spent_ms: of the watching budget.
        failures: how often in a row the supply has failed.
    """

    def __init__(
        self,
        parameters: Parameters | None = None,
        now_ms: int = 0,
        powered: bool = False,
        spent_ms: int = 0,
    ) -> None:
        p = self.parameters = Parameters() if parameters is None else parameters
        self.state: int = WATCHING if powered else OFF
        self.powered: bool = powered
        self.ignition: bool = False
        self.cause: int = FOUND_ON if powered else NO_CAUSE
        self.spent_ms: int = min(max(0, spent_ms), p.watch_budget_ms)
        self.failures: int = 0
        self._told: list[tuple[int, int, int]] = []
        self._last_ms: int = now_ms & _MASK
        self._supply_mv: int = 0
        self._in_state_ms: int = 0
        self._switched_ms: int = 0
        self._bounce_ms: int = -1
        self._critical_ms: int = -1
        self._low_ms: int = -1
        self._good_ms: int = -1
        self._back_ms: int = -1
        self._can_ms: int = -1
        self._done_ms: int = -1
        self._said_ms: int = 0
        self._deadline_ms: int = 0
        self._hold_ms: int = 0
        self._wake_ms: int = -1
        self._charged: bool = False
        self._longest_good_ms: int = max(p.restart_ms, p.protect_ms)
        self._longest_in_state_ms: int = max(p.waking_limit_ms, p.cranking_limit_ms, p.hold_up_limit_ms)
        self._longest_switched_ms: int = max(
            p.stable_ms, p.minimum_on_ms, p.back_off_after(p.back_off_doublings + 1)
        )

    def shutdown_done(self) -> bool:
        """The gateway has closed its journal; tell whether that was asked for."""
        if self.state != SHUTTING_DOWN:
            return False
        self._done_ms = max(self._done_ms, 0)
        return True

    def keep_power(self, seconds: int) -> int:
        """The gateway asks for power for so long from now, whatever ignition does; 0 takes that back.

        After a request it asks for time to end.

        Returns:
            For how many seconds it gets it, as things stand.
        """
        p = self.parameters
        wanted_ms = min(max(0, seconds), LONGEST_WAKE_S) * 1_000
        if self.state == SHUTTING_DOWN:
            most_ms = min(self._in_state_ms + wanted_ms, p.hold_up_limit_ms)
            self._deadline_ms = max(self._deadline_ms, most_ms)
            return min(wanted_ms, self._deadline_ms - self._in_state_ms) // 1_000
        if not self.powered:
            return 0
        self._hold_ms = max(0, min(wanted_ms, p.watch_budget_ms - p.reserve_ms - self.spent_ms))
        return self._hold_ms // 1_000

    def set_wake(self, seconds: int) -> int:
        """Wake the gateway in so many seconds, 0 for not at all; return in how many it will be."""
        seconds = min(max(0, seconds), LONGEST_WAKE_S)
        self._wake_ms = seconds * 1_000 if seconds else -1
        return seconds

    def step(
        self, now_ms: int, ignition: bool, supply_mv: int, can_active: bool
    ) -> tuple[tuple[int, int, int], ...]:
        """Take in what is measured now; return what to do and to tell.

        Args:
            now_ms: the counter.
            ignition: the level of the ignition line, as it is.
            supply_mv: of the vehicle.
            can_active: whether a bus has spoken since the last step.

        Returns:
            Actions in order, each a code, a cause and an argument. `POWER_ON` and `POWER_OFF` are to be done,
            all are to be told.
        """
        step_ms = passed_ms(now_ms, self._last_ms)
        self._last_ms = now_ms & _MASK
        self._told = []
        self._measure(step_ms, ignition, supply_mv, can_active)
        if self.powered and self._critical_ms >= self.parameters.critical_ms:
            self._cut(CRITICAL)
        elif self.state == ON:
            self._step_on()
        elif self.state == OFF:
            self._step_off()
        elif self.state == WATCHING:
            self._step_watching(can_active)
        elif self.state == SHUTTING_DOWN:
            self._step_shutting_down()
        elif self.state == CRANKING:
            self._step_cranking()
        elif self.state == WAKING:
            self._step_waking()
        elif self._good_ms >= self.parameters.protect_ms:
            self._enter(OFF)
        return tuple(self._told)

    def next_step_ms(self) -> int:
        """When to step again at the latest, unless the ignition line or a bus wakes the board before."""
        idle = self.state in (OFF, PROTECTED) and self._bounce_ms < 0 and self._can_ms < 0
        if not idle:
            return _BUSY_STEP_MS
        return min(_IDLE_STEP_MS, self._wake_ms) if self._wake_ms > 0 else _IDLE_STEP_MS

    def _measure(self, step_ms: int, ignition: bool, supply_mv: int, can_active: bool) -> None:
        p = self.parameters
        self._supply_mv = supply_mv
        if self.state in (WAKING, CRANKING, SHUTTING_DOWN):
            self._in_state_ms = min(self._in_state_ms + step_ms, self._longest_in_state_ms)
        if self.state == SHUTTING_DOWN:
            self._said_ms = min(self._said_ms + step_ms, p.repeat_ms)
            if self._done_ms >= 0:
                self._done_ms = min(self._done_ms + step_ms, p.halt_ms)
        self._switched_ms = min(self._switched_ms + step_ms, self._longest_switched_ms)
        if self.powered and self._switched_ms >= p.stable_ms:
            self.failures = 0
        self._hold_ms = max(0, self._hold_ms - step_ms)
        if self._wake_ms > 0:
            self._wake_ms = max(0, self._wake_ms - step_ms)
        if supply_mv >= p.charging_mv:
            self.spent_ms = max(0, self.spent_ms - step_ms * p.refill)
        elif self._charged:
            self.spent_ms += step_ms
        self._weigh(step_ms, supply_mv, can_active)
        self._debounce(step_ms, ignition)

    def _weigh(self, step_ms: int, supply_mv: int, can_active: bool) -> None:
        """For how long the supply has been on which side of what matters in this state."""
        p = self.parameters
        was_ms = self._critical_ms
        self._critical_ms = _run(was_ms, supply_mv < p.critical_mv, step_ms, p.critical_ms)
        if self.powered and was_ms < p.falling_ms <= self._critical_ms:
            self._tell(SUPPLY_FALLING, CRITICAL, supply_mv)
        if self.powered:
            floor_mv = p.watch_floor_mv if self.state == WATCHING else p.low_mv
            self._low_ms = _run(self._low_ms, supply_mv < floor_mv, step_ms, p.low_ms)
        else:
            self._good_ms = _run(self._good_ms, supply_mv >= p.restart_mv, step_ms, self._longest_good_ms)
            self._can_ms = _run(self._can_ms, can_active, step_ms, p.can_wake_ms)
        if self.state == CRANKING:
            self._back_ms = _run(self._back_ms, supply_mv >= p.cranking_mv, step_ms, p.cranking_over_ms)

    def _debounce(self, step_ms: int, level: bool) -> None:
        p = self.parameters
        if level == self.ignition:
            self._bounce_ms = -1
            return
        if not level and self._supply_mv < p.cranking_mv:
            # The ignition line hangs on the same battery: in a dip it is low, too, and that says nothing.
            return
        limit_ms = p.ignition_on_ms if level else p.ignition_off_ms
        self._bounce_ms = _run(self._bounce_ms, True, step_ms, limit_ms)
        if self._bounce_ms >= limit_ms:
            self.ignition = level
            self._bounce_ms = -1
            self._tell(IGNITION, NO_CAUSE, int(level))

    def _step_off(self) -> None:
        p = self.parameters
        if self._switched_ms < p.back_off_after(self.failures):
            return
        if self.ignition:
            self._wake(BY_IGNITION)
        elif self._wake_ms == 0:
            self._wake_ms = -1
            if self._may_watch():
                self._wake(BY_TIMER)
            else:
                poor = self._supply_mv < p.watch_floor_mv
                self._tell(WAKE_REFUSED, BATTERY_LIMIT if poor else BUDGET_SPENT, self._supply_mv)
        elif self._can_ms >= p.can_wake_ms and self._may_watch():
            self._wake(BY_CAN)

    def _step_waking(self) -> None:
        p = self.parameters
        if self.ignition:
            self.cause = BY_IGNITION
        elif self.cause == BY_IGNITION:
            self._enter(OFF)
            return
        if self.ignition and self._supply_mv < p.cranking_mv:
            self._crank()
        elif self._good_ms >= p.restart_ms and (self.ignition or self._may_watch()):
            self._switch_on()
        elif self._in_state_ms >= p.waking_limit_ms:
            self._protect()

    def _step_cranking(self) -> None:
        p = self.parameters
        if self._back_ms >= p.cranking_over_ms:
            self._tell(CRANKING_OVER, NO_CAUSE, self._in_state_ms)
            self._enter(ON if self.powered else WAKING)
        elif self._in_state_ms >= p.cranking_limit_ms:
            if self.powered:
                self._ask(LONG_CRANKING)
            else:
                self._protect()
        elif not self.powered and not self.ignition:
            self._enter(OFF)

    def _step_on(self) -> None:
        p = self.parameters
        if not self.ignition:
            self._hold_ms = max(self._hold_ms, p.grace_ms)
            self._watch()
        elif self._supply_mv < p.cranking_mv:
            self._crank()
        elif self._low_ms >= p.low_ms:
            self._ask(LOW_SUPPLY)

    def _step_watching(self, can_active: bool) -> None:
        p = self.parameters
        may = self._within_budget()
        if self.ignition:
            self._charged = False
            self._enter(ON)
        elif self._low_ms >= p.low_ms:
            # The battery's own word counts more than the sum: nothing is left of the budget.
            self.spent_ms = p.watch_budget_ms
            self._charged = False
            self._ask(BATTERY_LIMIT if self._supply_mv >= p.low_mv else LOW_SUPPLY)
        else:
            self._charged = self._charged or may
            if can_active:
                self._hold_ms = max(self._hold_ms, p.can_quiet_ms)
            if self._switched_ms >= p.minimum_on_ms and (self._hold_ms == 0 or not may):
                self._ask(WATCH_OVER if may else BUDGET_SPENT)

    def _step_shutting_down(self) -> None:
        p = self.parameters
        if self._done_ms >= 0:
            if self._done_ms >= p.halt_ms:
                self._cut(ANSWERED)
        elif self._in_state_ms >= self._deadline_ms:
            self._cut(NO_ANSWER)
        elif self._said_ms >= p.repeat_ms:
            self._say()

    def _within_budget(self) -> bool:
        return self.spent_ms + self.parameters.reserve_ms < self.parameters.watch_budget_ms

    def _may_watch(self) -> bool:
        return self._within_budget() and self._supply_mv >= self.parameters.watch_floor_mv

    def _enter(self, state: int) -> None:
        self.state = state
        self._in_state_ms = 0

    def _wake(self, cause: int) -> None:
        self.cause = cause
        self._enter(WAKING)

    def _crank(self) -> None:
        self._back_ms = -1
        self._tell(CRANKING_BEGINS, NO_CAUSE, self._supply_mv)
        self._enter(CRANKING)

    def _watch(self) -> None:
        self._tell(WATCHING_BEGINS, self.cause, self.parameters.watch_budget_ms - self.spent_ms)
        self._enter(WATCHING)

    def _protect(self) -> None:
        self._tell(PROTECTION, self.cause, self._supply_mv)
        self._enter(PROTECTED)

    def _switch_on(self) -> None:
        self.powered = True
        self._switched_ms = self._hold_ms = 0
        self._good_ms = self._can_ms = -1
        self._tell(POWER_ON, self.cause, self._supply_mv)
        if self.ignition:
            self._enter(ON)
        else:
            self._charged = True
            self._watch()

    def _ask(self, cause: int) -> None:
        self.cause = cause
        self._deadline_ms = self.parameters.hold_up_ms
        self._done_ms = -1
        self._enter(SHUTTING_DOWN)
        self._say()

    def _say(self) -> None:
        self._said_ms = 0
        self._tell(SHUTDOWN_PLEASE, self.cause, self._deadline_ms - self._in_state_ms)

    def _cut(self, cause: int) -> None:
        asked = self.state == SHUTTING_DOWN
        self._tell(POWER_OFF, cause, self._in_state_ms if asked else 0)
        self.powered = False
        self._charged = False
        self._switched_ms = 0
        self._hold_ms = self._deadline_ms = self._said_ms = 0
        self._done_ms = self._low_ms = -1
        failed = cause == CRITICAL or (asked and self.cause in _FAILED)
        if cause == CRITICAL:
            self.cause = CRITICAL
        if failed:
            self.failures = min(self.failures + 1, self.parameters.back_off_doublings + 1)
            self._protect()
        else:
            self._enter(OFF)

    def _tell(self, code: int, cause: int, argument: int) -> None:
        self._told.append((code, cause, argument))
