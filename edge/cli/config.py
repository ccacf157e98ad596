"""`nevgate config`: make and check configurations."""

from __future__ import annotations

from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS = MappingProxyType(
    {
        "check": "Check a configuration and every file that it names.",
        "init": "Write a configuration to begin with.",
        "schema": "Print the JSON schema of the configuration.",
    }
)


@click.command(cls=LazyGroup, members=MEMBERS, package="edge.cli.config_")
def command() -> None:
    """Make and check configurations.

    \b
    Examples:
      nevgate config init nevgate.toml
      nevgate config init --bench bench.toml
      nevgate config check nevgate.toml
      nevgate config schema > nevgate.schema.json
    """
