"""`nevgate config schema`: the configuration's JSON schema, for editors."""

from __future__ import annotations

import click

from edge.cli.program import emit_json
from edge.config.configuration import Config


@click.command()
def command() -> None:
    """Print the JSON schema of the configuration file.

    \b
    Example:
      nevgate config schema > nevgate.schema.json
    """
    emit_json(Config.model_json_schema())
