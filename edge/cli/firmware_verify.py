"""`nevgate firmware verify`: what is on a board against a bundle."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from edge.cli.firmware_board import board_option
from edge.cli.program import emit_json
from edge.firmware.bundle import read_bundle
from edge.firmware.repl import at_prompt
from edge.firmware.verify import verify

DIFFERS_EXIT = 3


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="BUNDLE")
@board_option
@click.option("--no-restart", is_flag=True, help="Leave the board at its prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(path: Path, channel: str, no_restart: bool, as_json: bool) -> None:
    """Compare what is on a board with BUNDLE, file by file, by hashes that the board computes.

    The board is brought to its prompt for it, as by 'flash', and restarted afterwards.

    \b
    Examples:
      nevgate firmware verify rp2040-mcp2515-bridge.zip
      nevgate firmware verify bench.zip -b /dev/ttyACM1 --json

    Exit status: 0 it is the same, 3 it is not, 1 an error.
    """
    bundle = read_bundle(path)
    with at_prompt(channel, lambda words: click.echo(words, err=True)) as repl:
        found = verify(repl, bundle)
        if not no_restart:
            repl.restart()
    if as_json:
        emit_json({"name": bundle.manifest.name, "build": bundle.manifest.build, **asdict(found)})
    else:
        for line in found.differing:
            click.echo(line)
        if not found.differing:
            proved = "has said that it is well" if found.good else "has not said yet that it is well"
            click.echo(f"slot {found.slot} is {bundle.manifest.name}, and {proved}")
        if found.fallen:
            click.echo(f"fell back: {found.fallen.strip().splitlines()[-1]}")
        for slot, error in found.errors.items():
            click.echo(f"slot {slot} ended: {error.strip().splitlines()[-1]}")
    if found.differing:
        sys.exit(DIFFERS_EXIT)
