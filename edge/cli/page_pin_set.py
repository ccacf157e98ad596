"""`nevgate page pin set`: give a role of the page a PIN, or a key file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from edge.config.configuration import load_config
from edge.errors import ConfigError
from edge.page.making import pins_path
from edge.page.pins import Pins, Role, check, write_private

_KEY_BYTES = 32


@click.command()
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("nevgate.toml"),
    show_default=True,
    help="The configuration of the page.",
)
@click.option(
    "--key",
    "key_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Make a random key and write it here, for the inspector to bring along in place of a PIN.",
)
def command(role: str, config_path: Path, key_path: Path | None) -> None:
    """Give ROLE a PIN, in place of the one it has; it is asked for twice and not shown.

    What is stored is a hash (scrypt) in a file for its owner alone. It counts at once, the page need not be
    started again. Run it as the user that runs the page.

    \b
    Examples:
      nevgate page pin set driver
      nevgate page pin set owner -c /etc/nevgate/nevgate.toml
      nevgate page pin set inspector --key /media/usb/inspector.key
    """
    wanted = Role(role)
    path = pins_path(load_config(config_path))
    pins = Pins(path, os.urandom)
    if key_path is not None:
        if wanted is not Role.INSPECTOR:
            raise ConfigError("a key file is for the inspector alone", todo="Leave --key away")
        if os.path.lexists(key_path):
            raise ConfigError("is there already", where=str(key_path), todo="Give another name")
        key = os.urandom(_KEY_BYTES).hex()
        write_private(key_path, key + "\n")
        pins.set(wanted, key)
        click.echo(f"the inspector's key is in {key_path}; its hash in {path}")
    else:
        pin = click.prompt(f"PIN of the {role}", hide_input=True, err=True)
        check(wanted, pin)
        if click.prompt("Once more", hide_input=True, err=True) != pin:
            raise ConfigError("the two PINs differ", todo="Nothing was changed; try again")
        pins.set(wanted, pin)
        click.echo(f"the {role} has a PIN; its hash is in {path}")
