"""The modelled MCP2515 on the pins of an emulated RP2040: SPI 0 byte by byte, chip select, INT."""

from __future__ import annotations

from typing import Any

from simulator.mcp2515 import Mcp2515


class EmulatedWiring:
    """Joins a chip to the microcontroller; the levels of its pins follow each other.

    Args:
        chip: the controller.
        mcu: rp2040py's microcontroller.
        select: GPIO of chip select.
        interrupt: GPIO of INT.
    """

    def __init__(self, chip: Mcp2515, mcu: Any, select: int, interrupt: int) -> None:  # noqa: ANN401 - rp2040py may not be there
        self.chip = chip
        self._spi = mcu.spi[0]
        self._select = mcu.gpio[select]
        self._interrupt = mcu.gpio[interrupt]
        self._told = bytearray()
        self._probe = Mcp2515()
        self._spi.on_transmit = self._octet
        self._select.add_listener(self._selected)
        self.settle()

    def settle(self) -> None:
        """Have INT as the chip has it."""
        self._interrupt.set_input_value(not self.chip.interrupt)

    def _octet(self, value: int) -> None:
        answer = 0xFF
        if not self._select.output_value:
            self._told.append(value)
            # Only the rising edge ends an instruction, but each octet is answered at once.
            self._probe.registers[:] = self.chip.registers
            answer = self._probe.transfer(bytes(self._told))[-1]
        self._spi.complete_transmit(answer)

    def _selected(self, *_: object) -> None:
        if self._select.output_value and self._told:
            told, self._told = bytes(self._told), bytearray()
            self.chip.transfer(told)
            self.settle()
