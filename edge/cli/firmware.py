"""`nevgate firmware`: programs for the microcontroller beside the gateway, and what is on a board."""

from __future__ import annotations

from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "build": "Build a bundle for a board.",
        "flash": "Put a bundle on a board, beside the one that runs.",
        "verify": "Compare what is on a board with a bundle.",
        "status": "Ask a board what it is and how it stands.",
        "console": "Open MicroPython's prompt of a board.",
    }
)


@click.command(cls=LazyGroup, members=MEMBERS, package="edge.cli.firmware_")
def command() -> None:
    """Programs for the microcontroller beside the gateway, and what is on a board (docs/firmware.md).

    \b
    Examples:
      nevgate firmware build rp2040-mcp2515
      nevgate firmware flash rp2040-mcp2515-bridge.zip
      nevgate firmware verify rp2040-mcp2515-bridge.zip
      nevgate firmware status
    """
