"""What a power supervisor goes by: thresholds and times, and why they are what they are."""


class Parameters:
    """Thresholds in millivolts and times in milliseconds, for a 12 V vehicle unless changed.

    Raises:
        ValueError: a name that is none, or values that contradict each other.
    """

    ignition_on_ms: int = 50
    """Ignition counts as on after so long: contacts bounce for up to 20 ms."""
    ignition_off_ms: int = 500
    """And as off after so long; a key that is turned through its positions opens the contact for longer."""
    can_wake_ms: int = 100
    """A bus wakes the gateway after so long of activity: an edge picked up by the wiring is no frame."""
    critical_mv: int = 6_000
    """Below this the gateway's converter is about to fail. ISO 16750-2 keeps 6.5 V at levels II and IV."""
    critical_ms: int = 1_500
    """For so long it is ridden through: ISO 16750-2 level III is at 3 and 5 V for 1.2 s with its edges."""
    falling_ms: int = 100
    """After so long below critical the gateway is told to save; a start is at its bottom for 15 ms."""
    cranking_mv: int = 9_000
    """Below this, with ignition, the starter is taken to turn (ISO 16750-2 level I: 8 V); 9 V is the lowest
    supply of the terminal (GB/T 32960.2)."""
    cranking_over_ms: int = 200
    """A start is over when the supply was back for so long; it swings at 2 Hz while the engine turns."""
    cranking_limit_ms: int = 15_000
    """The longest start: 10 s of ISO 16750-2 levels II and IV, with edges and a second try at once."""
    low_mv: int = 11_000
    """Below this nothing charges the battery, and it is nearly empty under load."""
    low_ms: int = 60_000
    """For so long: headlamps, a blower or a power steering pull it down for seconds."""
    restart_mv: int = 11_800
    """Power is switched on at this or more only: what `low_mv` has switched off recovers without load."""
    restart_ms: int = 2_000
    """For so long before: longer than the swing of a start."""
    protect_ms: int = 10_000
    """Protection ends when `restart_mv` was there for so long."""
    watch_floor_mv: int = 12_000
    """Without ignition, the gateway runs at this or more only: about a third of the charge is left then, and
    the vehicle still wakes."""
    charging_mv: int = 13_200
    """At this or more the battery is being charged: no battery rests there."""
    waking_limit_ms: int = 30_000
    """For so long a wake waits for its voltage."""
    off_ms: int = 3_000
    """For so long power stays off at least: capacitors empty, so that the gateway starts from nothing."""
    minimum_on_ms: int = 60_000
    """For so long it stays on without a request: a gateway that starts cannot answer yet."""
    grace_ms: int = 30_000
    """After ignition went off nothing is asked for so long: the driver may come back, the gateway ask to
    stay."""
    can_quiet_ms: int = 30_000
    """Without ignition, a bus that speaks keeps power for so long after its last frame."""
    hold_up_ms: int = 30_000
    """So long a gateway has to answer a request: nevgate sends for 10 s and closes its journal in 1 s."""
    hold_up_limit_ms: int = 120_000
    """And so long at the most, where it asks for more."""
    repeat_ms: int = 1_000
    """A request without an answer is said again so often: a packet may be lost."""
    halt_ms: int = 10_000
    """After its answer the gateway's system has so long to unmount and halt."""
    back_off_ms: int = 5_000
    """After the supply has failed power stays off for so long, twice as long each time after."""
    back_off_doublings: int = 6
    """But no longer than after so many failures: 320 s."""
    stable_ms: int = 600_000
    """Failures are forgotten when power was on for so long."""
    watch_budget_ms: int = 7_500_000
    """For so long the gateway may run without ignition and without charging: two hours of watching with their
    ends. At 6 W this takes 12.5 Wh, 1 Ah of a battery of 12 V."""
    refill: int = 6
    """Charging gives it back so many times as fast: a converter charges with tens of times what 6 W take."""
    longest_step_ms: int = 8_000
    """The longest time between two steps while power is on: the watchdog bites then."""

    def __init__(self, **changes: int) -> None:
        for name, value in changes.items():
            if not isinstance(getattr(Parameters, name, None), int):
                raise ValueError("no parameter of the supervisor: " + name)  # noqa: TRY004 - it is the name
            if not isinstance(value, int):
                raise ValueError(name + " must be a whole number")  # noqa: TRY004 - one error for all
            setattr(self, name, value)
        self._check()
        self.reserve_ms: int = (
            self.minimum_on_ms + self.hold_up_limit_ms + self.halt_ms + 3 * self.longest_step_ms
        )
        """Of the budget, what the end of a watch may take."""
        if self.reserve_ms + self.grace_ms >= self.watch_budget_ms:
            raise ValueError(
                "watch_budget_ms must hold more than the end of a watch and its grace, "
                + str(self.reserve_ms + self.grace_ms)
            )

    def back_off_after(self, failures: int) -> int:
        """How long power stays off after so many failures of the supply, in milliseconds."""
        if failures == 0:
            return self.off_ms
        return max(self.off_ms, self.back_off_ms << min(failures - 1, self.back_off_doublings))

    def _check(self) -> None:
        for name in dir(self):
            value = getattr(self, name)
            if isinstance(value, int) and not 0 <= value <= _LONGEST:
                raise ValueError(name + " must be from 0 to " + str(_LONGEST) + ", not " + str(value))
        _rising(
            self,
            ("critical_mv", "cranking_mv", "low_mv", "restart_mv", "watch_floor_mv", "charging_mv"),
            strict=("critical_mv", "low_mv", "restart_mv"),
        )
        _rising(self, ("falling_ms", "critical_ms"), strict=("falling_ms",))
        _rising(self, ("hold_up_ms", "hold_up_limit_ms"))
        _rising(self, ("cranking_over_ms", "cranking_limit_ms"), strict=("cranking_over_ms",))
        _rising(self, ("restart_ms", "waking_limit_ms"), strict=("restart_ms",))
        for name in ("repeat_ms", "refill", "hold_up_ms", "longest_step_ms", "off_ms", "low_ms"):
            if getattr(self, name) < 1:
                raise ValueError(name + " must be 1 or more")
        if self.back_off_doublings > _MOST_DOUBLINGS or self.back_off_ms << _MOST_DOUBLINGS > _LONGEST:
            raise ValueError("back_off_ms must be 262143 or less, back_off_doublings 10 or less")


# What fits a small integer of a 32-bit MicroPython twice over.
_LONGEST = (1 << 28) - 1
_MOST_DOUBLINGS = 10


def _rising(parameters: Parameters, names: tuple[str, ...], strict: tuple[str, ...] = ()) -> None:
    for place in range(len(names) - 1):
        lower, upper = names[place], names[place + 1]
        low, high = getattr(parameters, lower), getattr(parameters, upper)
        if low > high or (lower in strict and low == high):
            than = "less than " if lower in strict else "at most "
            raise ValueError(lower + " must be " + than + upper + ", not " + str(low) + " with " + str(high))


def for_24_v(**changes: int) -> Parameters:
    """The parameters of a 24 V vehicle: ISO 16750-2 starts at 10, 8 and 6 V, then 20, 15 and 10 V."""
    values = {
        "critical_mv": 9_000,
        "cranking_mv": 18_000,
        "low_mv": 22_000,
        "restart_mv": 23_600,
        "watch_floor_mv": 24_000,
        "charging_mv": 26_400,
    }
    values.update(changes)
    return Parameters(**values)
