"""What a board can tell of itself: another number each boot, serial number, cause of reset, temperature."""

import os

import machine

_CAUSES = (
    ("PWRON_RESET", 1),
    ("HARD_RESET", 2),
    ("WDT_RESET", 3),
    ("SOFT_RESET", 4),
    ("DEEPSLEEP_RESET", 6),
)


def boot_number() -> int:
    """A random number of 32 bits."""
    return int.from_bytes(os.urandom(4), "little")


def serial() -> str:
    """Four characters, for slcan."""
    return "".join(["%02X" % octet for octet in machine.unique_id()[-2:]])  # noqa: UP031 - a board's format


def reset_cause() -> int:
    """As STATUS has it (docs/vlink.md)."""
    cause = machine.reset_cause()
    for name, number in _CAUSES:
        if getattr(machine, name, None) == cause:
            return number
    return 0


class Thermometer:
    """The RP2's own, which is good to a few degrees (RP2040 data sheet, 4.9.5)."""

    def __init__(self) -> None:
        self._adc = machine.ADC(machine.ADC.CORE_TEMP)

    def read(self) -> int:
        """Tenths of a degree Celsius: 27 °C at 706 mV, 1.721 mV less for each degree more."""
        microvolts = self._adc.read_u16() * 3_300 // 65_535 * 1000
        return 270 - (microvolts - 706_000) * 10 // 1_721


def armed(pin: int | str) -> bool:
    """Whether the jumper of the loader connects this pin to ground."""
    return not machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP).value()
