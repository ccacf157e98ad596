"""`nevgate keys public`: the half of a key that the platform needs."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.program import emit_json
from edge.wire.key_files import read_public_half


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(path: Path, as_json: bool) -> None:
    """Print the public half of the key in PATH as PEM.

    \b
    Examples:
      nevgate keys public vehicle.pem > vehicle.pub.pem
      nevgate keys public vehicle.pem --json | jq -r .key_id
    """
    key = read_public_half(path)
    if as_json:
        emit_json({"key_id": key.key_id.hex(), "public_pem": key.pem.decode("ascii")})
        return
    click.echo(key.pem.decode("ascii"), nl=False)
