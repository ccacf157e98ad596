"""`nevgate consent`: what people in the vehicle have agreed to."""

from __future__ import annotations

from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "list": "Show what is collected by law and by consent, and until when.",
        "grant": "Agree to something being collected, for a stated time.",
        "refuse": "Say no to something being collected.",
        "withdraw": "Take a consent back.",
    }
)


@click.command(cls=LazyGroup, members=MEMBERS, package="edge.cli.consent_")
def command() -> None:
    """What people in the vehicle have agreed to: show it, agree, refuse, withdraw.

    \b
    Examples:
      nevgate consent list -c nevgate.toml
      nevgate consent withdraw -c nevgate.toml position service
    """
