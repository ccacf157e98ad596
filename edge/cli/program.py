"""The program `nevgate`: imports a subcommand only when it is called, and shows errors as one line."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import click

from edge.errors import NevgateError

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "demo": "Run vehicle, buses, gateway, broker and platform in one go.",
        "run": "Run the gateway of a configuration.",
        "replay": "Send a recording through the gateway of a configuration.",
        "decode": "Decode a recording into a table.",
        "simulate": "Play the reference vehicle on buses or into a recording.",
        "platform": "The platform side: receive, check, store, acknowledge.",
        "config": "Make and check configurations.",
        "dbc": "Look into databases.",
        "keys": "Make and show signing keys.",
    }
)
"""Each subcommand and its one line of help; the file is `edge/cli/<name>.py`, the object in it `command`."""


class LazyGroup(click.Group):
    """A group whose members are imported when they are named, so that `--help` and completion stay quick."""

    def __init__(self, *args: Any, members: Mapping[str, str], package: str, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._members = members
        self._package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        del ctx
        return list(self._members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the file of `cmd_name` and hand out its `command`."""
        del ctx
        if cmd_name not in self._members:
            return None
        module = importlib.import_module(f"{self._package}{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the members without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self._members.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve as click does, naming the nearest subcommand where there is none."""
        if args and args[0] not in self._members and not args[0].startswith("-"):
            from difflib import get_close_matches  # noqa: PLC0415 - only needed on a typing error

            near = get_close_matches(args[0], self._members, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)


def emit_json(value: object) -> None:
    """Print `value` as JSON on standard output, as every `--json` does."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


@click.command(
    cls=LazyGroup,
    members=COMMANDS,
    package="edge.cli.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with 'nevgate demo', which needs no vehicle. Each subcommand's --help shows examples.",
)
@click.version_option(version("nevgate"), prog_name="nevgate")
def program() -> None:
    """nevgate: the data gateway of a new-energy vehicle."""


def main() -> None:
    """Run the program; an expected error is one line on standard error and the error's own exit code."""
    try:
        program(prog_name="nevgate")
    except NevgateError as error:
        click.echo(f"nevgate: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(141)
