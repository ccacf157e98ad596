"""`nevgate firmware build`: a bundle for a board."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.cli.console import page
from edge.cli.program import emit_json
from edge.database.load import load_database
from edge.errors import FirmwareError
from edge.firmware.boards import Board, board_names, load_board
from edge.firmware.build import build
from edge.firmware.bundle import Bundle, write_bundle
from edge.firmware.decoder import board_decoder
from edge.firmware.main_source import Kind
from edge.policy.classfile import load_classes
from edge.policy.policyfile import STRICTEST, load_policy, profile


def _boards(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    del ctx, param
    return [CompletionItem(name) for name in board_names() if name.startswith(incomplete)]


@click.command()
@click.argument("board_name", metavar="[BOARD]", required=False, shell_complete=_boards)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="File *.zip or new folder, BOARD-KIND.zip else."
)
@click.option(
    "--bitrate",
    type=click.IntRange(5_000, 1_000_000),
    metavar="RATE",
    help="Bit/s of all buses, in place of the board's.",
)
@click.option("--version", "version", help="Told by the board; that of nevgate unless named.")
@click.option(
    "--dbc",
    "dbcs",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Database of a bus, in their order: a telemetry node.",
)
@click.option(
    "--binding",
    "bindings",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Binding of the same bus, FILE.binding.toml beside the database unless named.",
)
@click.option(
    "--classes",
    "classes",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Classes of the same bus, FILE.classes.toml beside the database unless named.",
)
@click.option(
    "--policy",
    "policy_name",
    default=STRICTEST,
    show_default=True,
    metavar="NAME|FILE",
    help="What a telemetry node may collect.",
)
@click.option("--machine-code", is_flag=True, help="Decode in machine code: faster, and twice as large.")
@click.option(
    "--source",
    is_flag=True,
    help="Leave the modules for the board to compile: needs no mpy-cross, and more memory there.",
)
@click.option(
    "--armed",
    is_flag=True,
    help="Let the loader be entered without the jumper: for a bench, not for a vehicle.",
)
@click.option("--list", "lists", is_flag=True, help="List the boards.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    board_name: str | None,
    out: Path | None,
    bitrate: int | None,
    version: str | None,
    dbcs: tuple[Path, ...],
    bindings: tuple[Path, ...],
    classes: tuple[Path, ...],
    policy_name: str,
    machine_code: bool,
    source: bool,
    armed: bool,
    lists: bool,
    as_json: bool,
) -> None:
    """Build a bundle for BOARD: one of --list, or a file *.toml like those in firmware/boards.

    Without --dbc it is a bridge to the gateway; with it a node that sends records by itself, and decodes
    what the policy lets it collect. The same files give the same bundle, byte for byte.

    \b
    Examples:
      nevgate firmware build --list
      nevgate firmware build rp2040-mcp2515
      nevgate firmware build my-board.toml --bitrate 250000 -o bench.zip --armed
      nevgate firmware build esp32-mcp2515 --dbc dbc/nev-battery.dbc --policy gbt32960
    """
    if lists:
        _list(as_json)
        return
    if board_name is None:
        raise click.UsageError("Name a BOARD; --list shows which there are.")
    board = load_board(board_name)
    if bitrate is not None:
        board = Board.model_validate(
            board.model_dump() | {"buses": [bus.model_dump() | {"bitrate": bitrate} for bus in board.buses]}
        )
    if (bindings or classes) and not dbcs:
        raise click.UsageError("--binding and --classes go with --dbc.")
    kind = Kind.TELEMETRY if dbcs else Kind.BRIDGE
    decoder = _decoder(board, dbcs, bindings, classes, policy_name, machine_code=machine_code) if dbcs else ""
    path = out or Path(f"{board.name}-{kind}.zip")
    with click.progressbar(length=1, label="compiling", hidden=as_json) as bar:
        bundle = build(
            board, kind, version or version_of("nevgate"), decoder=decoder, armed=armed, source=source
        )
        bar.update(1)
    write_bundle(bundle, path)
    if as_json:
        emit_json(_record(bundle, path))
    else:
        _show(bundle, path)


def _list(as_json: bool) -> None:
    boards = {name: load_board(name) for name in board_names()}
    if as_json:
        emit_json(
            [
                {"name": name, "title": one.title, "family": one.family, "architecture": one.architecture}
                for name, one in boards.items()
            ]
        )
        return
    for name, one in boards.items():
        click.echo(f"{name:16} {one.title}")


def _decoder(
    board: Board,
    dbcs: tuple[Path, ...],
    bindings: tuple[Path, ...],
    classes: tuple[Path, ...],
    policy_name: str,
    *,
    machine_code: bool,
) -> str:
    if len(dbcs) > len(board.buses):
        raise FirmwareError(f"{len(dbcs)} databases for {len(board.buses)} buses", where=board.name)
    if (bindings and len(bindings) != len(dbcs)) or (classes and len(classes) != len(dbcs)):
        raise click.UsageError("Name as many --binding and --classes as --dbc, or none.")
    policy = load_policy(Path(policy_name)) if policy_name.endswith(".toml") else profile(policy_name)
    classed = {}
    bound = {}
    for number, path in enumerate(dbcs):
        database = load_database(path)
        bus = path.stem
        if bus in classed:
            bus = f"{bus}-{number}"
        classed[bus] = (
            load_classes(classes[number] if classes else path.with_suffix(".classes.toml"), database),
        )
        binding = bindings[number] if bindings else path.with_suffix(".binding.toml")
        bound[bus] = (load_binding(binding, database, builtin()),) if bindings or binding.exists() else ()
    return board_decoder(classed, bound, policy, tuple(classed)).source(machine_code=machine_code)


def _record(bundle: Bundle, path: Path) -> Mapping[str, Any]:
    manifest = bundle.manifest
    return {"bundle": str(path), "bytes": bundle.size, **manifest.model_dump(mode="json")}


def _show(bundle: Bundle, path: Path) -> None:
    manifest = bundle.manifest
    page().print(f"{path}: {manifest.kind} for {manifest.board}, {manifest.version}")
    form = f"{manifest.form} for {manifest.architecture}"
    page().print(f"build {manifest.build[:16]}, {len(manifest.files)} files, {bundle.size:,} bytes, {form}")
