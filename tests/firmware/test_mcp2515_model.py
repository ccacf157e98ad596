"""The MCP2515's model does what the data sheet says, where a driver or a careless bridge would meet it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulator import mcp2515
from simulator.mcp2515 import Mcp2515

WRITE, READ, MODIFY = 0x02, 0x03, 0x05


def chip_in(mode: int) -> Mcp2515:
    chip = Mcp2515()
    # Filters off, so that anything comes in.
    chip.transfer(bytes((WRITE, mcp2515.RXB0CTRL, 0x64)))
    chip.transfer(bytes((WRITE, mcp2515.RXB1CTRL, 0x60)))
    chip.transfer(bytes((WRITE, mcp2515.CANCTRL, mode << 5)))
    return chip


def test_after_a_reset_it_is_in_configuration_and_deaf() -> None:
    chip = Mcp2515()
    assert chip.transfer(bytes((READ, mcp2515.CANSTAT, 0, 0)))[2:] == b"\x80\x87"
    assert not chip.deliver(1, False, False, 0, b"")


def test_what_configures_can_be_written_in_configuration_alone() -> None:
    for mode, kept in ((mcp2515.CONFIGURATION, 0x15), (mcp2515.LISTEN_ONLY, 0)):
        chip = chip_in(mode)
        for address in (0x00, 0x1B, 0x20, mcp2515.CNF1, mcp2515.CNF3):
            chip.transfer(bytes((WRITE, address, 0x15)))
            assert chip.read(address) == kept
    chip.transfer(bytes((WRITE, mcp2515.TXRTSCTRL, 7)))
    assert chip.read(mcp2515.TXRTSCTRL) == 0


def test_status_and_control_stand_in_each_row() -> None:
    chip = chip_in(mcp2515.LISTEN_ONLY)
    for row in range(0, 0x80, 0x10):
        assert chip.read(row + 0x0E) == 0x60
        assert chip.read(row + 0x0F) == 0x60


def test_bit_modify_changes_bits_or_of_other_registers_all() -> None:
    chip = chip_in(mcp2515.CONFIGURATION)
    chip.transfer(bytes((MODIFY, mcp2515.CANINTE, 0x0F, 0xFF)))
    assert chip.read(mcp2515.CANINTE) == 0x0F
    chip.transfer(bytes((MODIFY, 0x20, 0x0F, 0xFF)))
    assert chip.read(0x20) == 0xFF


def test_a_full_buffer_rolls_over_if_it_may_and_else_overruns() -> None:
    chip = chip_in(mcp2515.LISTEN_ONLY)
    assert [chip.deliver(n, False, False, 0, b"") for n in range(3)] == [True, True, False]
    assert chip.read(mcp2515.EFLG) == mcp2515.RX1OVR
    assert chip.transfer(b"\xa0\0")[1] == 3
    assert chip.transfer(b"\xb0\0")[1] >> 6 == 3
    assert chip.transfer(b"\x90" + bytes(13))[1:3] == b"\x00\x00"
    assert chip.transfer(b"\x94" + bytes(13))[1:3] == b"\x00\x20"
    assert chip.transfer(b"\xa0\0")[1] == 0
    chip.transfer(bytes((WRITE, mcp2515.RXB0CTRL, 0x60)))
    assert [chip.deliver(n, False, False, 0, b"") for n in range(2)] == [True, False]
    assert chip.read(mcp2515.EFLG) == mcp2515.RX1OVR | mcp2515.RX0OVR


@pytest.mark.parametrize(
    ("can_id", "extended", "data", "taken"),
    [
        (0x123, False, b"\xab\xcd", True),
        (0x123, False, b"\xab\xce", False),
        (0x122, False, b"\xab\xcd", False),
        (0x123 << 18 | 0xABCD, True, b"", False),
    ],
)
def test_a_filter_takes_what_it_is_set_to(can_id: int, extended: bool, data: bytes, taken: bool) -> None:
    chip = Mcp2515()
    for filter_at in (0x00, 0x04, 0x08, 0x10, 0x14, 0x18):
        chip.transfer(bytes((WRITE, filter_at, 0x24, 0x60, 0xAB, 0xCD)))
    for mask_at in (0x20, 0x24):
        chip.transfer(bytes((WRITE, mask_at, 0xFF, 0xE3, 0xFF, 0xFF)))
    chip.transfer(bytes((WRITE, mcp2515.CANCTRL, mcp2515.LISTEN_ONLY << 5)))
    assert chip.deliver(can_id, extended, False, len(data), data) == taken


def test_the_interrupt_line_is_low_while_an_enabled_flag_stands() -> None:
    chip = chip_in(mcp2515.LISTEN_ONLY)
    chip.transfer(bytes((WRITE, mcp2515.CANINTE, mcp2515.RX0IF)))
    assert not chip.interrupt
    chip.deliver(1, False, False, 0, b"")
    assert chip.interrupt
    assert chip.read(mcp2515.CANSTAT) & 0x0E == 6 << 1
    chip.transfer(b"\x90" + bytes(13))
    assert not chip.interrupt


def test_a_normal_controller_speaks_by_each_of_the_three_ways() -> None:
    load = b"\x40\x24\x60\x00\x00\x01\xaa"
    ways: tuple[Callable[[Mcp2515], object], ...] = (
        lambda chip: chip.transfer(b"\x81"),
        lambda chip: chip.transfer(bytes((WRITE, 0x30, mcp2515.TXREQ))),
        lambda chip: chip.pull_request_pin(0),
    )
    for ask in ways:
        chip = Mcp2515()
        chip.transfer(bytes((WRITE, mcp2515.TXRTSCTRL, 1)))
        chip.transfer(load)
        chip.transfer(bytes((WRITE, mcp2515.CANCTRL, 0)))
        ask(chip)
        assert chip.sent == [(0x123, False, False, b"\xaa")]


def test_a_listening_controller_keeps_a_request_until_it_may_speak_or_aborts_it() -> None:
    chip = chip_in(mcp2515.LISTEN_ONLY)
    chip.transfer(b"\x40\x24\x60\x00\x00\x01\xaa")
    chip.transfer(b"\x81")
    assert chip.sent == []
    assert chip.read(0x30) & mcp2515.TXREQ
    chip.transfer(bytes((WRITE, mcp2515.CANCTRL, mcp2515.LISTEN_ONLY << 5 | mcp2515.ABAT)))
    assert chip.read(0x30) & (mcp2515.TXREQ | mcp2515.ABTF) == mcp2515.ABTF
    chip.transfer(bytes((WRITE, mcp2515.CANCTRL, 0)))
    assert chip.sent == []


def test_a_normal_controller_acknowledges_and_flags_errors_and_a_listening_one_does_not() -> None:
    for mode, driven in ((mcp2515.NORMAL, ["acknowledge", "error flag"]), (mcp2515.LISTEN_ONLY, [])):
        chip = chip_in(mode)
        chip.deliver(1, False, False, 0, b"")
        chip.disturb()
        assert chip.driven == driven
        assert chip.read(mcp2515.CANINTF) & mcp2515.MERRF
        # Filters off take what has an error, too.
        assert chip.read(mcp2515.CANINTF) & mcp2515.RX1IF
