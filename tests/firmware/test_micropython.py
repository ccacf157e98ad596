"""The MicroPython beside the tests is a real one, and its serial port lets every byte through."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import serial

from tests.firmware.micropython import on_pty, run

ECHO = Path(__file__).parent / "programs" / "echo_on_board.py"


def test_it_is_micropython_and_a_failing_program_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, micropython, vlink, bridge.ring\nprint(sys.implementation.name, vlink.VERSION)"
    )
    assert run(program).stdout == b"micropython 1\n"
    program.write_text("raise ValueError('no use')")
    assert run(program, check=False).code == 1
    with pytest.raises(pytest.fail.Exception, match="no use"):
        run(program)


def test_every_byte_comes_through_the_port_and_the_end_hangs_up(tmp_path: Path) -> None:
    with on_pty(ECHO, folder=tmp_path) as board, serial.Serial(board.port, timeout=20) as port:
        while "ready" not in board.said():
            assert board.process.poll() is None, board.said()
            time.sleep(0.01)
        octets = bytes(range(256))
        port.write(octets)
        assert port.read(256) == octets
        board.process.kill()
        with pytest.raises((serial.SerialException, OSError)):
            until_it_hangs_up(port)


def until_it_hangs_up(port: serial.Serial) -> None:
    for _ in range(1000):
        port.write(b"x")
        assert not port.read(1)
