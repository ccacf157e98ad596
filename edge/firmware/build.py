"""Builds a bundle: sources, generated program and decoder, compiled for a board, under a hash over all."""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import FirmwareError
from edge.firmware.boards import Board
from edge.firmware.bundle import BUILD_ID, FORMAT, SLOT, TRAMPOLINE, Bundle, Manifest, build_hash, listed
from edge.firmware.compiler import compile_module
from edge.firmware.main_source import Kind, main_source
from edge.firmware.sources import sources_folder, sources_of
from edge.firmware.timing import check_timing

_PACKAGES = {
    Kind.BRIDGE: ("bridge", "starting"),
    Kind.TELEMETRY: ("bridge", "starting", "telemetry"),
}
_TRAMPOLINE = "starting/trampoline.py"
_MACHINE_CODE = "_viper.py"
BYTECODE_ALONE: frozenset[str] = frozenset({"rv64imc"})
"""For these mpy-cross makes no machine code; modules that need it are left out, and their twins serve."""


def build(
    board: Board,
    kind: Kind,
    version: str,
    *,
    decoder: str = "",
    armed: bool = False,
    source: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Build a bundle; the same input gives the same bytes.

    Args:
        board: for which.
        kind: what it is to be.
        version: told in HELLO.
        decoder: the generated module of a telemetry node.
        armed: whether the loader may be entered without a jumper: for a bench.
        source: leave modules as they are, for the board to compile.
        progress: is told each file.

    Raises:
        FirmwareError: something cannot be compiled, does not fit together, or a bit rate cannot be had.
    """
    if (kind is Kind.TELEMETRY) != bool(decoder):
        raise FirmwareError("a telemetry node needs a decoder, and a bridge has none")
    check_timing(board)
    texts = _texts(board, kind, decoder, armed=armed)
    contents = {TRAMPOLINE: (sources_folder() / _TRAMPOLINE).read_bytes()}
    for path, text in texts.items():
        if path.endswith(_MACHINE_CODE) and board.architecture in BYTECODE_ALONE:
            continue
        progress(path)
        if source:
            contents[SLOT + path] = text
        else:
            contents[f"{SLOT}{path.removesuffix('.py')}.mpy"] = compile_module(text, path, board.architecture)
    about = {
        "name": f"{board.name}-{kind}-{version}",
        "version": version,
        "board": board.name,
        "family": board.family,
        "architecture": board.architecture,
        "kind": str(kind),
        "form": "source" if source else "mpy",
    }
    digest = build_hash(about, contents)
    contents[BUILD_ID] = (
        f'"""What this bundle is called."""\n\nVERSION = {version!r}\nBUILD = {bytes.fromhex(digest)[:8]!r}\n'
    ).encode()
    manifest = Manifest.model_validate(
        {"format": FORMAT, **about, "build": digest, "files": listed(contents)}
    )
    return Bundle(manifest, contents)


def _texts(board: Board, kind: Kind, decoder: str, *, armed: bool) -> dict[str, bytes]:
    packages = _PACKAGES[kind] + (("supervisor",) if board.supervisor and kind is Kind.BRIDGE else ())
    drivers = {f"bridge/controllers/{bus.controller}" for bus in board.buses}
    found = {
        path: place.read_bytes()
        for path, place in sources_of(packages).items()
        if path != _TRAMPOLINE and _wanted(path, drivers, kind)
    }
    # `bridge.power` names the supervisor's package, which is there only where one is fitted.
    if not any(path.startswith("supervisor/") for path in found):
        found.pop("bridge/power.py", None)
    found["program.py"] = main_source(board, kind, armed=armed).encode()
    if decoder:
        found["decoder.py"] = decoder.encode()
    return dict(sorted(found.items()))


_DRIVERS = {
    "bridge/controllers/mcp2515": ("mcp2515",),
    "bridge/controllers/machine_can": ("machine_can", "stm32", "stm32_registers"),
    "bridge/controllers/pyb_can": ("pyb_can", "stm32", "stm32_registers"),
}
_OF_A_LINE = (
    "bridge/bridge.py",
    "bridge/session.py",
    "bridge/slcan.py",
    "bridge/outgoing.py",
    "bridge/ports.py",
)


def _wanted(path: str, drivers: set[str], kind: Kind) -> bool:
    """Whether a board with these drivers needs a module; what is not known here is taken along."""
    if kind is Kind.TELEMETRY and path in _OF_A_LINE:
        return False
    stem = path.removesuffix(".py").removesuffix("_viper").removesuffix("_plain")
    all_drivers = {f"bridge/controllers/{one}" for several in _DRIVERS.values() for one in several}
    needed = {f"bridge/controllers/{one}" for driver in drivers for one in _DRIVERS[driver]}
    return stem not in all_drivers or stem in needed
