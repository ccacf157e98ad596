"""`nevgate journal`: what the gateway has kept."""

from __future__ import annotations

import click

from edge.cli.program import LazyGroup


@click.command(
    cls=LazyGroup,
    members={
        "ls": "What a journal holds, and what each destination has of it.",
        "show": "One block with its content.",
        "verify": "Prove a journal or an excerpt by public keys alone.",
        "export": "Frames, records, signals or evidence into a file.",
        "repair": "Keep what can be read of a damaged journal.",
        "erase": "Destroy data of a class and time for good.",
        "bench": "Measure the disk that a journal is to lie on.",
    },
    package="edge.cli.journal_",
)
def command() -> None:
    """Look into a journal, prove it, take data out of it.

    All but 'repair' and 'erase' only read, also while the gateway runs.

    \b
    Examples:
      nevgate journal ls --config /etc/nevgate/nevgate.toml
      nevgate journal export drive.mf4 --from 2026-03-01T08:00 --to 2026-03-01T09:00
      nevgate journal verify trip.excerpt --vehicle-key vehicle.pub.pem
    """
