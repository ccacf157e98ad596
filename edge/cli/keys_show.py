"""`nevgate keys show`: what a key file holds."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.program import emit_json
from edge.wire.device_keys import DEVICE_ALGORITHM
from edge.wire.key_files import holds_device_key, holds_private_key, read_device_key, read_public_half


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(path: Path, as_json: bool) -> None:
    """Show the algorithm and the id of the key in PATH; private and device keys themselves are never shown.

    \b
    Examples:
      nevgate keys show vehicle.pem
      nevgate keys show vehicle.pub.pem --json
    """
    if holds_device_key(path):
        _show_device_key(path, as_json=as_json)
        return
    key = read_public_half(path)
    half = "private" if holds_private_key(path) else "public"
    if as_json:
        emit_json(
            {
                "file": str(path),
                "half": half,
                "algorithm": key.algorithm.value,
                "key_id": key.key_id.hex(),
                "public_pem": key.pem.decode("ascii"),
            }
        )
        return
    click.echo(f"file       {path}")
    click.echo(f"half       {half}")
    click.echo(f"algorithm  {key.algorithm.value}")
    click.echo(f"key id     {key.key_id.hex()}")


def _show_device_key(path: Path, *, as_json: bool) -> None:
    key_id = read_device_key(path).key_id.hex()
    if as_json:
        emit_json({"file": str(path), "half": "device", "algorithm": DEVICE_ALGORITHM, "key_id": key_id})
        return
    click.echo(f"file       {path}")
    click.echo("half       device")
    click.echo(f"algorithm  {DEVICE_ALGORITHM}")
    click.echo(f"key id     {key_id}")
