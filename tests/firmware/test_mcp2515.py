"""The MCP2515's driver on the controller's registers: each frame once and in order, or a loss told."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.wire import vlink_messages
from firmware.bridge import health
from firmware.bridge.controllers import NotListenOnly, TimingRefused, mcp2515_plain
from simulator import mcp2515
from tests.firmware.listening import Frame, Listening, random_frame
from tests.firmware.micropython import FIRMWARE, ROOT, run
from tests.vlink.small_machine import LongWord, Small, SmallArray, Word, viper_module

PROGRAMS = Path(__file__).parent / "programs"
STANDARD: Frame = (8, 0x123, b"12345678")
EXTENDED: Frame = (0x13, 0x18FEF100, b"abc")
REMOTE: Frame = (0x22, 0x7FF, b"")
REMOTE_EXTENDED: Frame = (0x34, 0x1FFFFFFF, b"")
LONG_DLC: Frame = (0x0F, 0x001, b"87654321")


def started(oscillator_hz: int = 16_000_000, bitrate: int = 500_000) -> Listening:
    listening = Listening(oscillator_hz, bitrate)
    listening.driver.start(listening.ring)
    return listening


def test_it_listens_after_a_start_and_stays_off_the_bus() -> None:
    listening = started()
    assert listening.chip.mode == mcp2515.LISTEN_ONLY
    assert listening.driver.mode() == health.MODE_LISTEN_ONLY
    listening.driver.stop()
    assert listening.chip.mode == mcp2515.CONFIGURATION
    assert listening.driver.mode() == health.MODE_OFF


@pytest.mark.parametrize("frame", [STANDARD, EXTENDED, REMOTE, REMOTE_EXTENDED, LONG_DLC])
def test_a_frame_comes_out_as_it_was(frame: Frame) -> None:
    listening = started()
    assert listening.come(frame)
    assert listening.driver.take() == 1
    assert listening.packed() == [frame]


def test_no_id_is_filtered_away() -> None:
    listening = started()
    ids = [0, *(1 << bit for bit in range(29)), 0x1FFFFFFF]
    frames = [(0x10, can_id, b"") for can_id in ids]
    frames += [(2, can_id, b"\xff\xff") for can_id in ids if can_id < 0x800]
    for frame in frames:
        listening.come(frame)
        listening.driver.take()
    assert listening.packed() == frames


def test_frames_with_errors_are_none() -> None:
    listening = started()
    for _ in range(3):
        listening.chip.disturb()
        assert listening.driver.take() == 0
        listening.look()
    assert listening.health.bus_errors == 3
    assert listening.look().bus_errors == 3, "the flag is cleared when it was counted"


def test_order_and_losses_whatever_comes_between_two_transfers() -> None:
    """A frame may end between any two transfers of the driver, also while it empties a buffer."""
    dice = random.Random(2515)  # noqa: S311 - no secret
    losses = 0
    for _ in range(60):
        listening = started()
        listening.driver.on_frames(listening.driver.take)
        accepted: list[Frame] = []
        lost: list[Frame] = []
        transfers = [0]

        def come(
            listening: Listening = listening, accepted: list[Frame] = accepted, lost: list[Frame] = lost
        ) -> None:
            frame = random_frame(dice)
            (accepted if listening.come(frame) else lost).append(frame)

        def between(
            octets: bytes, come: Callable[[], None] = come, transfers: list[int] = transfers
        ) -> bytes:
            # The shortest frame takes longer than two transfers of this driver.
            transfers[0] += 1
            if transfers[0] >= 3 and dice.random() < 0.4:
                transfers[0] = 0
                come()
            return octets

        listening.wiring.disturb_command = between
        for _ in range(30):
            for _ in range(dice.choice((1, 1, 2, 3))):
                come()
            listening.wiring.settle()
            if dice.random() < 0.2:
                listening.look()
                listening.driver.mode()
            listening.driver.take()
        listening.wiring.disturb_command = None
        listening.driver.take()
        assert listening.packed() == accepted
        assert bool(lost) <= listening.look().overrun_flags <= len(lost)
        losses += len(lost)
    assert losses, "the test met no overrun"


@pytest.mark.parametrize("phase_us", range(0, 222, 37))
def test_a_look_each_second_costs_no_frame_of_a_full_bus(phase_us: int) -> None:
    """By the speed that docs/bridge.md estimates: a third of 120 us for what moves frames, else 110."""
    listening = started()
    listening.driver.on_frames(listening.driver.take)
    now_us = [phase_us]

    def between(octets: bytes) -> bytes:
        before_us = now_us[0]
        now_us[0] += 40 if octets[0] >= 0x90 or octets[1] == 0x2D else 110
        if now_us[0] // 222 > before_us // 222:
            listening.come(STANDARD)
            listening.wiring.settle()
        return octets

    for _ in range(3):
        listening.wiring.disturb_command = between
        listening.look()
        listening.wiring.disturb_command = None
        listening.driver.take()
    assert listening.look().overrun_flags == 0
    assert len(listening.packed()) >= 6


def test_each_overrun_that_the_driver_can_see_is_flagged_once() -> None:
    listening = started()
    for _ in range(2):
        for _ in range(4):
            listening.come(STANDARD)
        assert listening.driver.take() == 2
    assert listening.look().overrun_flags == 2, "not only those that a look each second finds"
    for _ in range(3):
        listening.come(STANDARD)
    assert listening.look().overrun_flags == 3
    assert listening.look().overrun_flags == 3


def test_what_an_interrupt_finds_while_the_main_loop_talks_is_taken_afterwards() -> None:
    listening = started()
    listening.driver.on_frames(listening.driver.take)

    def interrupted(octets: bytes) -> bytes:
        listening.wiring.disturb_answer = None
        listening.come(STANDARD)
        listening.wiring.settle()
        return octets

    for talk in (listening.driver.mode, listening.look, listening.driver.take):
        # It comes when the controller has just said that there is nothing.
        listening.wiring.disturb_answer = interrupted
        talk()
        assert listening.packed() == [STANDARD]


def test_one_wrong_bit_in_an_answer_makes_no_frame_and_no_mode() -> None:
    for bit in range(24):
        listening = started()
        listening.wiring.disturb_answer = flip_once(bit)
        assert listening.driver.take() == 0
        listening.wiring.disturb_answer = flip_once(bit)
        listening.driver.mode()
        assert listening.driver.mode() == health.MODE_LISTEN_ONLY
        listening.wiring.disturb_answer = flip_once(bit)
        told = listening.look()
        assert (told.overrun_flags, told.bus_errors, told.tec, told.rec, told.state) == (0, 0, 0, 0, 0)
    for value in (0x00, 0x40, 0x80, 0x20):
        for bit in range(32):
            listening = started()
            listening.chip.registers[mcp2515.CANSTAT] = value
            listening.wiring.disturb_answer = flip_once(bit)
            assert listening.driver.mode() != health.MODE_LISTEN_ONLY


def flip_once(bit: int) -> Callable[[bytes], bytes]:
    """Turn one bit of the next answer that has it, counted from the answer's end."""
    done: list[int] = []

    def flip(octets: bytes) -> bytes:
        if done or bit >= 8 * len(octets):
            return octets
        done.append(bit)
        return (int.from_bytes(octets, "big") ^ 1 << bit).to_bytes(len(octets), "big")

    return flip


@pytest.mark.parametrize("mode", [mcp2515.NORMAL, mcp2515.SLEEP, mcp2515.LOOPBACK, mcp2515.CONFIGURATION])
def test_a_mode_that_is_not_listen_only_is_told(mode: int) -> None:
    listening = started()
    listening.chip.registers[mcp2515.CANSTAT] = mode << 5
    assert listening.driver.mode() != health.MODE_LISTEN_ONLY
    assert listening.look().mode != health.MODE_LISTEN_ONLY
    listening.driver.restart()
    assert listening.look().mode == health.MODE_LISTEN_ONLY


def test_a_controller_that_never_listens_is_refused_and_left_silent() -> None:
    listening = Listening()
    listening.chip.refused.add(mcp2515.LISTEN_ONLY)
    with pytest.raises(NotListenOnly):
        listening.driver.start(listening.ring)
    assert listening.chip.mode == mcp2515.CONFIGURATION
    assert listening.driver.take() == 0


@pytest.mark.parametrize("stuck", [0x00, 0xFF, 0x60])
def test_a_line_that_is_stuck_is_no_controller(stuck: int) -> None:
    listening = Listening()
    listening.wiring.disturb_answer = lambda octets: bytes([stuck]) * len(octets)
    with pytest.raises(NotListenOnly):
        listening.driver.start(listening.ring)
    assert listening.driver.take() == 0
    assert listening.driver.mode() != health.MODE_LISTEN_ONLY


def test_a_line_that_breaks_later_gives_no_frames_without_end() -> None:
    for stuck in (0x00, 0xFF, 0x03):
        listening = started()
        listening.wiring.disturb_answer = lambda octets, stuck=stuck: bytes([stuck]) * len(octets)
        assert listening.driver.take() <= 8
        assert listening.driver.mode() != health.MODE_LISTEN_ONLY


def test_numbers_go_on_over_a_restart() -> None:
    listening = started()
    listening.come(STANDARD)
    listening.driver.take()
    listening.driver.restart()
    listening.come(EXTENDED)
    listening.driver.take()
    assert listening.ring.accepted() == 2
    assert listening.packed() == [STANDARD, EXTENDED]


@pytest.mark.parametrize(
    ("tec", "rec", "state"), [(0, 0, 0), (0, 96, 1), (128, 0, 2), (0, 200, 2), (256, 0, 3)]
)
def test_the_controllers_state_is_told(tec: int, rec: int, state: int) -> None:
    listening = started()
    listening.chip.count_errors(tec, rec)
    told = listening.look()
    assert (told.state, told.tec, told.rec) == (state, min(tec, 255), rec)


POSSIBLE = {
    (8, 125): 875,
    (8, 250): 875,
    (8, 500): 750,
    (16, 125): 875,
    (16, 250): 875,
    (16, 500): 875,
    (16, 1000): 750,
    (20, 125): 875,
    (20, 250): 850,
    (20, 500): 850,
    (20, 1000): 800,
}


@pytest.mark.parametrize("kbit_s", [125, 250, 500, 1000])
@pytest.mark.parametrize("mhz", [8, 16, 20])
def test_timing_is_exact_or_refused(mhz: int, kbit_s: int) -> None:
    if (mhz, kbit_s) not in POSSIBLE:
        with pytest.raises(TimingRefused, match="exactly"):
            Listening(oscillator_hz=mhz * 1_000_000, bitrate=kbit_s * 1000)
        return
    listening = started(oscillator_hz=mhz * 1_000_000, bitrate=kbit_s * 1000)
    registers = listening.chip.registers
    # As sections 5.1 to 5.3 read the registers.
    quantum_clocks = 2 * ((registers[mcp2515.CNF1] & 0x3F) + 1)
    propagation = (registers[mcp2515.CNF2] & 7) + 1
    phase_1 = (registers[mcp2515.CNF2] >> 3 & 7) + 1
    phase_2 = (registers[mcp2515.CNF3] & 7) + 1
    jump = (registers[mcp2515.CNF1] >> 6) + 1
    quanta = 1 + propagation + phase_1 + phase_2
    assert registers[mcp2515.CNF2] & 0x80, "phase 2 is what CNF3 says"
    assert mhz * 1_000_000 == kbit_s * 1000 * quanta * quantum_clocks
    assert phase_2 >= 2
    assert propagation + phase_1 >= phase_2 > jump
    assert round(1000 * (quanta - phase_2) / quanta) == listening.driver.sample_point == POSSIBLE[mhz, kbit_s]


def test_a_sample_point_that_cannot_be_is_refused_with_those_that_can() -> None:
    with pytest.raises(TimingRefused, match="but at 600, 650, 700, 750, 800, 850"):
        Listening(oscillator_hz=20_000_000, sample_point=875)
    assert Listening(oscillator_hz=20_000_000, sample_point=800).driver.sample_point == 800


def test_machine_code_and_bytecode_read_the_same_frame() -> None:
    dice = random.Random(61)  # noqa: S311 - no secret
    source = FIRMWARE / "bridge" / "controllers" / "mcp2515_viper.py"
    words = [viper_module(source, "firmware.bridge.controllers", word).unpack for word in (Word, LongWord)]
    refused = 0
    for _ in range(500):
        frame = bytearray(dice.choice((dice.randbytes(14), b"\xff\xff\xeb\xff\xff\x4f")))
        ids = array("I", [0])
        plain: Callable[..., int] = mcp2515_plain.unpack
        kind = plain(SmallArray(frame), ids)
        assert Small(ids[0]) == ids[0]
        for unpack in words:
            others = array("I", [0])
            assert (unpack(frame, others), others) == (kind, ids)
        refused += kind < 0
        if kind >= 0:
            assert ids[0] <= (0x1FFFFFFF if kind & 0x10 else 0x7FF)
    assert refused


def test_numbers_of_modes_and_states_are_the_links() -> None:
    for name in dir(health):
        if name.startswith(("MODE_", "BUS_")):
            assert getattr(health, name) == getattr(vlink_messages, name), name


def test_micropython_does_the_same_and_takes_no_memory_for_it() -> None:
    said = run(PROGRAMS / "mcp2515_on_board.py", paths=(ROOT / "simulator",)).stdout.decode().splitlines()
    listening = started()
    listening.driver.on_frames(listening.driver.take)
    frames = [STANDARD, EXTENDED, REMOTE, REMOTE_EXTENDED, LONG_DLC]
    for frame in frames:
        listening.come(frame)
        listening.wiring.settle()
    assert said[0].split() == [f"{kind}:{can_id}:{data.hex()}" for kind, can_id, data in listening.packed()]
    assert said[1].split() == [str(len(listening.chip.journal)), str(health.MODE_LISTEN_ONLY), "0", "0", "0"]
    assert said[2] == "without memory 200"
