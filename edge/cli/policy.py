"""`nevgate policy`: what may be collected, why, and the proof of it."""

from __future__ import annotations

from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "check": "Say in words what a policy collects, or why it is refused.",
        "explain": "Say whether a signal, id, item or class is collected, and why.",
        "test": "Try whether what leaves the door depends on a forbidden bit.",
        "sign": "Sign a policy file, as its issuer.",
        "report": "Report for an inspector what the journal proves of a period.",
        "egress": "Capture every packet, and judge where they went.",
    }
)


@click.command(cls=LazyGroup, members=MEMBERS, package="edge.cli.policy_")
def command() -> None:
    """What may be collected, why, and the proof of it.

    \b
    Examples:
      nevgate policy check -c nevgate.toml
      nevgate policy explain -c nevgate.toml body.SRS_Seats.BeltDriver
    """
