"""`nevgate page pin`: the PINs of the page's roles."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS: Mapping[str, str] = MappingProxyType({"set": "Set the PIN of a role."})


@click.command(cls=LazyGroup, members=MEMBERS, package="edge.cli.page_pin_")
def command() -> None:
    """Set the PINs of the driver's page.

    The driver agrees, refuses and withdraws; the owner erases, and takes data along; the inspector looks at
    all that the gateway says of itself.

    \b
    Examples:
      nevgate page pin set driver
      nevgate page pin set inspector --key inspector.key
    """
