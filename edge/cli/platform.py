"""`nevgate platform`: the other side, as a platform's operator runs it."""

from __future__ import annotations

import click

from edge.cli.program import LazyGroup


@click.command(
    cls=LazyGroup,
    members={
        "serve": "Receive, check, store and acknowledge.",
        "query": "Read what a platform has stored.",
        "page": "Show the stills and clips that a platform has stored.",
    },
    package="edge.cli.platform_",
)
def command() -> None:
    """The platform side: receive, check, store, acknowledge.

    \b
    Examples:
      nevgate platform serve --with-broker --keys keys/ --store platform.db
      nevgate platform query platform.db vehicles
      nevgate platform page platform.db
    """
