"""`nevgate dbc`: look into databases."""

from __future__ import annotations

from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS = MappingProxyType(
    {
        "lint": "Say what is wrong or odd in database files.",
        "explain": "Take one frame apart, bit by bit.",
        "bind": "Suggest a binding of signals to regulated items.",
    }
)


@click.command(cls=LazyGroup, members=MEMBERS, package="edge.cli.dbc_")
def command() -> None:
    """Look into databases: DBC, KCD, ARXML and SYM files.

    \b
    Examples:
      nevgate dbc lint car.dbc
      nevgate dbc explain car.dbc 7E8#0341050000000000
    """
