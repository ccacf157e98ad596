"""What a listening bridge may do to its controller and its pins, and a judge over all that it did."""

from __future__ import annotations

from collections import Counter
from typing import Any

from simulator.mcp2515 import CANCTRL, CANINTF, EFLG, RXB0CTRL, RXB1CTRL, TXRTSCTRL, Mcp2515
from simulator.mcp2515_wiring import Wiring

LISTEN = 0x70
"""CANCTRL: listen-only, all transmissions aborted, no one-shot, no clock output."""

CONFIGURED = {*range(0x0C), *range(0x10, 0x1C), *range(0x20, 0x2C)}
"""Filters, masks, bit timing, interrupts enabled. TXRTSCTRL is not among them, nor any transmit buffer."""


def wrong(entry: tuple[str, int, int, int]) -> str:
    """Tell what is wrong with something that came over SPI and writes; empty where nothing is."""
    what, address, mask, value = entry
    if what == "reset":
        return ""
    if what == "write" and (address in CONFIGURED or (address, value) in {(RXB0CTRL, 4), (RXB1CTRL, 0)}):
        return ""
    if what == "write" and (address, value) == (CANCTRL, LISTEN):
        return ""
    if what == "modify" and (address, mask, value) in {(CANINTF, 0xA0, 0), (EFLG, 0xC0, 0)}:
        return ""
    return f"{what} {address:#04x} {mask:#04x} {value:#04x}"


def findings(chip: Mcp2515, wiring: Wiring) -> list[str]:
    """Tell all that a bridge that only listens would not have done."""
    found = [finding for finding in map(wrong, chip.journal) if finding]
    found += [f"sent {frame}" for frame in chip.sent]
    found += [f"drove the bus: {what}" for what in chip.driven]
    found += [
        f"pin {change}"
        for change in wiring.changes
        if change not in {("select", 0), ("select", 1), ("interrupt", "armed"), ("interrupt", "disarmed")}
    ]
    if chip.registers[TXRTSCTRL] & 7:
        found.append("a pin of the controller can ask it to send")
    return found


def tally(chip: Mcp2515, wiring: Wiring) -> Counter[Any]:
    """Count what was judged."""
    counts: Counter[Any] = Counter(entry[0] for entry in chip.journal)
    counts["pins"] = len(wiring.changes)
    return counts
