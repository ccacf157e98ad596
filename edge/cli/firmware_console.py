"""`nevgate firmware console`: MicroPython's prompt of a board, by mpremote."""

from __future__ import annotations

import subprocess
import sys

import click

from edge.cli.firmware_board import board_option
from edge.firmware.repl import at_prompt


@click.command()
@board_option
@click.option("--no-restart", is_flag=True, help="Leave the board at its prompt afterwards.")
def command(channel: str, no_restart: bool) -> None:
    """Open MicroPython's prompt of a board, out of a running bridge if need be; Ctrl-] ends it.

    \b
    Examples:
      nevgate firmware console
      nevgate firmware console -b auto:E6614C311B7E6F35
    """
    with at_prompt(channel, lambda words: click.echo(words, err=True)) as repl:
        device = repl.device
    code = subprocess.run(  # noqa: S603 - a program of a package, with a port that was found
        [sys.executable, "-m", "mpremote", "connect", device, "resume", "repl"], check=False
    ).returncode
    if not no_restart:
        with at_prompt(device) as repl:
            repl.restart()
    sys.exit(code)
