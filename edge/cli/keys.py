"""`nevgate keys`: make and show signing keys."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        "make": "Make a key pair.",
        "show": "Show a key's algorithm and id.",
        "public": "Print the public half of a key.",
    }
)


@click.command(cls=LazyGroup, members=MEMBERS, package="edge.cli.keys_")
def command() -> None:
    """Make and show signing keys.

    The gateway signs each message with its private key; the platform checks it with the public half.

    \b
    Examples:
      nevgate keys make keys/LNVGATE00XDEM0001.pem
      nevgate keys show keys/LNVGATE00XDEM0001.pem
      nevgate keys public keys/LNVGATE00XDEM0001.pem
    """
