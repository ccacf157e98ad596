"""`nevgate page`: the driver's page, and the PINs of its roles."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS: Mapping[str, str] = MappingProxyType({"pin": "Set the PINs of driver, owner and inspector."})


@click.command(
    cls=LazyGroup,
    members=MEMBERS,
    package="edge.cli.page_",
    invoke_without_command=True,
)
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("nevgate.toml"),
    show_default=True,
    help="The configuration.",
)
@click.option("--verbose", is_flag=True, help="Log more.")
@click.pass_context
def command(context: click.Context, config_path: Path, verbose: bool) -> None:
    """Serve the driver's page until SIGINT or SIGTERM.

    The page shows what the running gateway collects and what has left the vehicle, and takes consents,
    refusals and withdrawals. It speaks with the gateway over its control socket; the two may be started and
    stopped in any order. The table [page] of the configuration says where it listens (docs/page.md).

    \b
    Examples:
      nevgate page -c /etc/nevgate/nevgate.toml
      nevgate page pin set driver -c /etc/nevgate/nevgate.toml
      nevgate page pin set inspector --key inspector.key
    """
    if context.invoked_subcommand is not None:
        return
    from edge.cli.page_serving import serve  # noqa: PLC0415 - the web server is an extra

    serve(config_path, verbose=verbose, logger=logging.getLogger("nevgate"))
