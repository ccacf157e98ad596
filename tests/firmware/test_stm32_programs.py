"""The programs of STM32 boards start on a real MicroPython, from where these boards keep their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli.firmware import command as firmware
from edge.firmware.asking import ask_board
from edge.firmware.boards import load_board
from edge.firmware.build import build
from edge.firmware.bundle import SLOT, TRAMPOLINE, Bundle, write_bundle
from edge.firmware.main_source import Kind
from edge.wire.vlink_messages import MODE_LISTEN_ONLY
from tests.firmware.desk_board import Desk, desk_board


def bundle(name: str) -> Bundle:
    """Of a board as it is described, in sources: its machine code does not run here."""
    return build(load_board(name), Kind.BRIDGE, "1.0", armed=True, source=True)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[str]:
    """The port of a board that has its bundle already."""
    held = bundle("stm32g4-fd")
    files = {f"nevgate/a/{path}": data.decode() for path, data in held.slot_files.items()}
    files |= {"main.py": held.contents[TRAMPOLINE].decode(), "nevgate/chosen": "a"}
    assert f"{SLOT}program.py" in held.contents
    with desk_board(tmp_path, Desk("/flash", "VfsLfs2", files=files)) as board:
        yield board.port


def test_a_bridge_on_a_uart_answers(started: str) -> None:
    answer = ask_board(started)
    assert (answer.hello.board, answer.hello.firmware) == ("stm32g4-fd", "1.0")
    (bus,) = answer.hello.buses
    assert (bus.controller, bus.mode) == ("pyb.CAN", MODE_LISTEN_ONLY)
    assert (bus.bitrate, bus.data_bitrate) == (500_000, 2_000_000)


def test_a_bridge_on_usb_is_flashed_onto_fat_with_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mpremote")
    path = tmp_path / "bundle.zip"
    write_bundle(bundle("pyboard"), path)
    with desk_board(tmp_path, Desk("/flash", "VfsFat")) as board:
        flashed = CliRunner().invoke(firmware, ["flash", str(path), "-b", board.port, "--json"])
        assert flashed.exit_code == 0, (flashed.output, flashed.exception)
        assert "os.VfsLfs2.mkfs(pyb.Flash(start=0))" in json.loads(flashed.stdout)["warning"]
        assert "file system is FAT" in flashed.stderr
        answer = ask_board(board.port)
        # It has noted by now that it is well, and goes on.
        assert ask_board(board.port).hello.boot == answer.hello.boot
    assert (answer.hello.board, answer.hello.buses[0].controller) == ("pyboard", "machine.CAN")
    assert answer.hello.buses[0].mode == MODE_LISTEN_ONLY
