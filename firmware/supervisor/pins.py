"""The supervisor's pins: ignition line, divided supply, power enable; a thin layer over `machine`.

The enable is active high and has to have a pull-down at the load switch with a capacitor that holds it for
longer than this board takes to start: a board that is dead or empty leaves the gateway off, one that was only
reset finds the line still up, and the gateway has not noticed. Nothing drives the line before it was read.
"""

import machine

_FULL_SCALE = 65_535


class SupervisorPins:
    """What the state machine reads and switches.

    Args:
        ignition: number or name of the pin of the ignition line, divided and clamped, high with ignition.
        enable: of the gateway's power enable.
        supply: of the ADC on the divided supply.
        full_scale_mv: of the supply at the ADC's full scale: 3,300 mV times the divider's ratio.
        samples: of the ADC for a value; the median is taken, so that a spike is no dip.

    Attributes:
        powered: whether the gateway had power when this board started.
    """

    def __init__(
        self, ignition: int | str, enable: int | str, supply: int | str, full_scale_mv: int, samples: int = 5
    ) -> None:
        if full_scale_mv < 1 or samples < 1 or samples % 2 == 0:
            raise ValueError("full_scale_mv must be 1 or more, samples an odd number")
        self._full_scale_mv = full_scale_mv
        self._ignition = machine.Pin(ignition, machine.Pin.IN)
        self._supply = machine.ADC(supply)
        self._samples: list[int] = [0] * samples
        self._enable = machine.Pin(enable, machine.Pin.IN)
        self.powered: bool = bool(self._enable.value())
        self._enable.init(machine.Pin.OUT, value=int(self.powered))

    def ignition(self) -> bool:
        """The level of the ignition line, as it is."""
        return bool(self._ignition.value())

    def supply_mv(self) -> int:
        """The vehicle's supply, the median of a few samples."""
        for place in range(len(self._samples)):
            self._samples[place] = self._supply.read_u16()
        self._samples.sort()
        return self._samples[len(self._samples) // 2] * self._full_scale_mv // _FULL_SCALE

    def power(self, on: bool) -> None:
        """Switch the gateway's power."""
        self._enable.value(int(on))
