"""`nevgate platform page`: shows the stills and clips of a platform's store in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.ending import stop_on_signal
from edge.errors import ConfigError

_HOST = "127.0.0.1"


@click.command()
@click.argument("store", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8481,
    show_default=True,
    help="On 127.0.0.1; 0 for any that is free.",
)
def command(store: Path, port: int) -> None:
    """Show the stills and clips of a platform's store until SIGINT or SIGTERM, also while the platform runs.

    The page is for browsers on this machine alone. Each picture is compared with its hash whenever it is
    shown; the vehicle's signature over that was checked when it came, and is not checked again. Of what is
    incomplete or was let go of, the page says how far it came.

    \b
    Examples:
      nevgate platform page platform.db
      nevgate platform page platform.db --port 0
    """
    try:
        from edge.page.server import PageServer  # noqa: PLC0415 - an extra that only this command needs
        from simulator.platform.media_site import MediaSite  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise ConfigError(f"the page needs {error.name}", todo="pip install 'nevgate[page]'") from error
    from simulator.platform.reader import StoreReader  # noqa: PLC0415 - with the page alone

    StoreReader(store).close()
    try:
        server = PageServer(MediaSite(store), _HOST, port)
    except ConfigError as error:
        todo = "Give another port, or --port 0 for any that is free"
        raise ConfigError(error.what, where="the platform's page", todo=todo) from error
    click.echo(f"stills and clips are at http://{_HOST}:{server.bound_port}/; end with Ctrl-C", err=True)
    with stop_on_signal() as stop:
        server.serve(stop)
