"""`nevgate vision take`: a picture on request."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.consenting import ask_ledger, reaching_options
from edge.cli.program import emit_json


@click.command()
@click.argument("camera")
@reaching_options
def command(camera: str, config_path: Path | None, socket: Path | None, as_json: bool) -> None:
    """Have CAMERA of the running gateway keep its next picture, redacted, in the journal.

    It has to take pictures on request (requests = true), and be open: what it is for has to be allowed now.
    'nevgate journal export OUT --kind media' writes what was kept.

    \b
    Examples:
      nevgate vision take front
      nevgate vision take rear --config /etc/nevgate/nevgate.toml
    """
    answer = ask_ledger(config_path, socket, {"do": "picture", "camera": camera})
    if as_json:
        emit_json(dict(answer))
        return
    click.echo(f"asked for: the next picture of camera {camera}")
