"""What the commands of `nevgate firmware` that need a board have in common: which one it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from edge.bus.vlink.ports import usb_ports


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    del ctx, param
    known = [port for port in usb_ports() if port.board]
    names = ["auto", *(f"auto:{port.serial_number}" for port in known), *(port.device for port in known)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


board_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-b",
    "--board",
    "channel",
    default="auto",
    show_default=True,
    metavar="PORT",
    shell_complete=_complete,
    help="A port such as /dev/ttyACM0, 'auto' for the one board on USB, 'auto:SERIAL' for one of several.",
)
"""Which board is meant."""
