"""`nevgate firmware flash`: a bundle onto a board."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.firmware_board import board_option
from edge.cli.program import emit_json
from edge.firmware.bundle import read_bundle
from edge.firmware.flash import flash
from edge.firmware.repl import at_prompt


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="BUNDLE")
@board_option
@click.option("--take-over", is_flag=True, help="Replace a main.py on the board that is none of nevgate's.")
@click.option("--no-restart", is_flag=True, help="Leave the board at its prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(path: Path, channel: str, take_over: bool, no_restart: bool, as_json: bool) -> None:
    """Put BUNDLE on a board, beside what is there, and start it.

    It is written into the slot that does not run, checked on the board by its hashes, and chosen by one
    rename. A bundle that does not come up is left for the one before. A bridge that runs is asked to
    restart into its loader, which it does with the loader's jumper fitted.

    \b
    Examples:
      nevgate firmware flash rp2040-mcp2515-bridge.zip
      nevgate firmware flash bench.zip -b /dev/ttyACM1 --take-over
    """
    bundle = read_bundle(path)
    with at_prompt(channel, lambda words: click.echo(words, err=True)) as repl:
        with click.progressbar(length=bundle.size, label="flashing", hidden=as_json) as bar:
            done = flash(repl, bundle, take_over=take_over, progress=bar.update)
        if not no_restart:
            repl.restart()
    if done.warning:
        click.echo(f"Warning: {done.warning}", err=True)
    if as_json:
        emit_json(
            {
                "name": bundle.manifest.name,
                "build": bundle.manifest.build,
                "slot": done.slot,
                "before": done.before or None,
                "main_replaced": done.trampoline,
                "restarted": not no_restart,
                "warning": done.warning or None,
            }
        )
    else:
        click.echo(f"{bundle.manifest.name} is in slot {done.slot}; before it: {done.before or 'nothing'}")
