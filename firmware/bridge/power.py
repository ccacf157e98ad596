"""The supervisor of the gateway's power as the main loop has it: the state machine with its pins."""

try:
    from firmware.supervisor import machine
except ImportError:
    from supervisor import machine


class Power:
    """Steps the state machine, and does with the pins what it says.

    Args:
        supervisor: a `PowerSupervisor`.
        pins: `SupervisorPins`, or what has the same methods.

    Attributes:
        supply_mv: as measured last.
    """

    def __init__(self, supervisor: object, pins: object) -> None:
        # A host may ask before the first step.
        self.supply_mv = pins.supply_mv()
        self._supervisor = supervisor
        self._pins = pins

    @property
    def state(self) -> int:
        """One of the states of `machine`."""
        return self._supervisor.state

    @property
    def ignition(self) -> bool:
        """As debounced."""
        return self._supervisor.ignition

    def step(self, now_ms: int, can_active: bool) -> tuple[tuple[int, int, int], ...]:
        """Measure, decide, switch; return what is to be told: code, cause, argument each."""
        self.supply_mv = self._pins.supply_mv()
        told = self._supervisor.step(now_ms, self._pins.ignition(), self.supply_mv, can_active)
        for code, _, _ in told:
            if code == machine.POWER_ON:
                self._pins.power(True)
            elif code == machine.POWER_OFF:
                self._pins.power(False)
        return told

    def cause(self, cause: int) -> str:
        """Tell a cause in words."""
        return machine.CAUSES[cause]

    def shutdown_done(self) -> bool:
        """As the state machine's."""
        return self._supervisor.shutdown_done()

    def keep_power(self, seconds: int) -> int:
        """As the state machine's."""
        return self._supervisor.keep_power(seconds)

    def set_wake(self, seconds: int) -> int:
        """As the state machine's."""
        return self._supervisor.set_wake(seconds)
