"""`nevgate config init`: a configuration to begin with, every key explained."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from edge.errors import ConfigError


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=Path("nevgate.toml"))
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(path: Path, force: bool) -> None:
    """Write a commented configuration to PATH (nevgate.toml).

    \b
    Examples:
      nevgate config init
      nevgate config init /etc/nevgate/nevgate.toml
    """
    text = files("edge").joinpath("nevgate.example.toml").read_text(encoding="utf-8")
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError("is there already", where=str(path), todo="Add --force to overwrite it") from None
    except OSError as fault:
        raise ConfigError(f"cannot be written: {fault.strerror}", where=str(path)) from fault
    click.echo(f"{path} written; next: edit it, then 'nevgate config check {path}'")
