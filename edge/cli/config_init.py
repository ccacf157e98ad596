"""`nevgate config init`: a configuration to begin with, every key explained."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import click

from edge.errors import ConfigError


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=Path("nevgate.toml"))
@click.option("--bench", is_flag=True, help="For the reference vehicle and a platform on this machine.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(path: Path, bench: bool, force: bool) -> None:
    """Write a commented configuration to PATH (nevgate.toml).

    It is for a vehicle, whose databases you put beside it; with --bench it can be run as it is.

    \b
    Examples:
      nevgate config init
      nevgate config init /etc/nevgate/nevgate.toml
      nevgate config init --bench bench.toml
    """
    text = files("edge").joinpath(f"nevgate.{'bench' if bench else 'example'}.toml").read_text("utf-8")
    if bench:
        from simulator.vehicle.wiring import DATABASES  # noqa: PLC0415 - half a second that only this needs

        # TOML's basic strings escape what JSON's do.
        text = text.replace("@DATABASES@", json.dumps(str(DATABASES), ensure_ascii=False)[1:-1])
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError("is there already", where=str(path), todo="Add --force to overwrite it") from None
    except OSError as fault:
        raise ConfigError(f"cannot be written: {fault.strerror}", where=str(path)) from fault
    step = "make its keys as its first lines say" if bench else "edit it"
    click.echo(f"{path} written; next: {step}, then 'nevgate config check {path}'")
