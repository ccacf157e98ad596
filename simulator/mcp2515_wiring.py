"""The lines between a board and its MCP2515: SPI and pins as `machine` has them, each change recorded.

CPython and MicroPython run it unchanged.
"""

try:
    from collections.abc import Callable

    from simulator.mcp2515 import Mcp2515
except ImportError:
    pass  # and reads no annotations


class Wiring:
    """An MCP2515 and the lines to it.

    Attributes:
        chip: the controller.
        changes: (line, what) of all that the board did to pins: "select" with its level, "interrupt" with
            "armed" or "disarmed".
        disturb_answer: changes what the controller answers, on its way.
        disturb_command: changes what the board tells it.
        spi: to be handed to a driver, as are the next two.
        select: chip select.
        interrupt: INT.
    """

    def __init__(self, chip: Mcp2515) -> None:
        self.chip = chip
        self.changes: list[tuple[str, object]] = []
        self.disturb_answer: Callable[[bytes], bytes] | None = None
        self.disturb_command: Callable[[bytes], bytes] | None = None
        self.spi = Spi(self)
        self.select = Select(self)
        self.interrupt = Interrupt(self)

    def settle(self) -> None:
        """Call the interrupt's handler if INT has fallen since it was last high."""
        self.interrupt.settle()


class Spi:
    """`machine.SPI`, as much of it as a driver of this chip needs."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def write_readinto(self, octets: bytes, answer: bytearray) -> None:
        """Transfer; only with chip select low does the chip listen."""
        if len(octets) != len(answer):
            raise ValueError("buffers must be the same length")
        wiring = self._wiring
        if wiring.select.level:
            answer[:] = b"\xff" * len(answer)
            return
        told = bytes(octets)
        if wiring.disturb_command is not None:
            told = wiring.disturb_command(told)
        got = wiring.chip.transfer(told)
        if wiring.disturb_answer is not None:
            got = wiring.disturb_answer(got)
        answer[:] = got
        wiring.interrupt.follow()


class Select:
    """The pin of chip select."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.level = 0

    def __call__(self, level: int) -> None:
        """Set the level."""
        self.level = level
        self._wiring.changes.append(("select", level))


class Interrupt:
    """The pin of INT."""

    IRQ_FALLING = 2

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._handler: Callable[[object], None] | None = None
        self._was_low = False

    def irq(
        self, handler: Callable[[object], None] | None = None, trigger: int = 0, hard: bool = False
    ) -> None:
        """Set the handler."""
        self._wiring.changes.append(("interrupt", "armed" if handler else "disarmed"))
        self._handler = handler
        if handler and not (trigger == self.IRQ_FALLING and hard):
            raise ValueError("not a hard interrupt of the falling edge")

    def follow(self) -> None:
        """Follow the chip up: a later fall is an edge again."""
        if not self._wiring.chip.interrupt:
            self._was_low = False

    def settle(self) -> None:
        """As `Wiring.settle`."""
        low = self._wiring.chip.interrupt
        falls = low and not self._was_low
        self._was_low = low
        if falls and self._handler is not None:
            self._handler(self)
