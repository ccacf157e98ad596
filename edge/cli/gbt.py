"""`nevgate gbt`: messages of GB/T 32960.3."""

from __future__ import annotations

from types import MappingProxyType

import click

from edge.cli.program import LazyGroup

MEMBERS = MappingProxyType(
    {
        "decode": "Explain messages byte by byte.",
        "encode": "A record as messages of either edition.",
        "convert": "Records of platforms and journals, into files or to a platform.",
        "serve": "Be a platform: take logins and reports, check, answer, keep, judge.",
        "login-test": "Log in to a platform and out again, step by step.",
        "make-key": "A key that encrypts data units or signs reports.",
        "static": "Check what a maker registers of a vehicle.",
    }
)


@click.command(cls=LazyGroup, members=MEMBERS, package="edge.cli.gbt_")
def command() -> None:
    """Messages of GB/T 32960.3, the editions of 2016 and 2025.

    \b
    Examples:
      nevgate gbt decode 232307fe4c4e564741544530305844454d30303031010000ae
      nevgate gbt encode record.json --edition 2025 --vin LNVGATE00XDEM0001
      nevgate gbt convert --store platform.db --platform gov.example:32960 --account gov.toml
      nevgate gbt serve --port 32960
    """
