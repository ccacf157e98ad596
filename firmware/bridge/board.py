"""What a bridge knows about its board; `main.py` of a bundle makes it."""

from .wire import messages


def no_temperature() -> int:
    """Stand in for a thermometer."""
    return messages.NO_TEMPERATURE


def no_supply() -> int:
    """Stand in for a measurement of the supply."""
    return messages.NO_SUPPLY


class Board:
    """A board.

    Attributes:
        name: for HELLO.
        firmware: its version.
        build: the first 8 bytes of the bundle's SHA-256.
        boot: 32 bits, others after each reset.
        cells: of each bus's ring; a frame takes one, one after a pause of 66 ms or more takes two.
        serial: four characters, for slcan.
        reset_cause: `RESET_*`.
        jumper: whether the jumper is fitted that would permit transmission; nothing here transmits.
        temperature: tells tenths of a degree Celsius.
        supply_mv: tells the supply, where no supervisor does.
        loader: restarts into the loader; None unless that was armed on the board.
    """

    def __init__(
        self,
        name: str,
        firmware: str,
        build: bytes,
        boot: int,
        cells: int = 2_000,
        serial: str = "0000",
        reset_cause: int = messages.RESET_UNKNOWN,
        jumper: bool = False,
        temperature: object = no_temperature,
        supply_mv: object = no_supply,
        loader: object | None = None,
    ) -> None:
        self.name = name
        self.firmware = firmware
        self.build = build
        self.boot = boot
        self.cells = cells
        self.serial = serial
        self.reset_cause = reset_cause
        self.jumper = jumper
        self.temperature = temperature
        self.supply_mv = supply_mv
        self.loader = loader
