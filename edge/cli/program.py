"""The program `nevgate`: imports a subcommand only when it is called, and shows errors as one line."""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click
from click.shell_completion import CompletionItem

from edge.errors import NevgateError

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "demo": "Run vehicle, buses, gateway, broker and platform in one go.",
        "run": "Run the gateway of a configuration.",
        "status": "What the running gateway does, and what alarms stand.",
        "replay": "Send a recording through the gateway of a configuration.",
        "decode": "Decode a recording into a table.",
        "simulate": "Play the reference vehicle on buses or into a recording.",
        "journal": "Look into what the gateway has kept, prove it, take data out.",
        "account": "What became of every frame and record, by the journal.",
        "policy": "What may be collected, why, and the proof of it.",
        "consent": "What people in the vehicle have agreed to.",
        "platform": "The platform side: receive, check, store, acknowledge.",
        "page": "The driver's page: what is collected, and the buttons that change it.",
        "gbt": "Messages of GB/T 32960.3: explain them, write them.",
        "config": "Make and check configurations.",
        "dbc": "Look into databases.",
        "keys": "Make and show signing keys.",
        "firmware": "Programs for the microcontroller beside the gateway.",
        "redact": "Fill faces and plates in pictures and films.",
        "vision": "How well faces and plates are found and hidden, and what that costs.",
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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the members' names without importing them, then the group's own options."""
        members = [
            CompletionItem(name, help=words)
            for name, words in self._members.items()
            if name.startswith(incomplete)
        ]
        return [*members, *click.Command.shell_complete(self, ctx, incomplete)]

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


class Finite(click.FloatRange):
    """A number within a range, neither infinite nor NaN: Python reads both, and no clock waits for them.

    Args:
        min: the least allowed.
        max: the greatest allowed; without one about thirty years in seconds.
        min_open: whether `min` itself is refused.
    """

    def __init__(self, min: float, max: float = 1e9, *, min_open: bool = False) -> None:  # noqa: A002 - click's names
        super().__init__(min=min, max=max, min_open=min_open)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's
        """See `click.ParamType.convert`."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def complete_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete an option that is a file's name but no `click.Path`."""
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


def emit_json(value: object) -> None:
    """Print `value` as JSON on standard output, as every `--json` does.

    Where standard output is not in UTF-8, other characters are escaped, so that it stays JSON.
    """
    plain = (getattr(sys.stdout, "encoding", None) or "ascii").lower() not in {"utf-8", "utf8"}
    click.echo(json.dumps(value, ensure_ascii=plain, indent=2))


@click.command(
    cls=LazyGroup,
    members=COMMANDS,
    package="edge.cli.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with 'nevgate demo', which needs no vehicle. Each subcommand's --help shows examples.",
)
@click.version_option(package_name="nevgate", prog_name="nevgate")
def program() -> None:
    """nevgate: the data gateway of a new-energy vehicle."""


BROKEN_PIPE_EXIT = 141
INTERRUPTED_EXIT = 130
"""What a shell reports of a program that SIGPIPE or SIGINT ended."""


def main() -> None:
    """Run the program; an expected error is one line on standard error and the error's own exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A file name or unit that the terminal's encoding lacks is escaped; it never ends the program.
            stream.reconfigure(errors="backslashreplace")
    logging.getLogger("can").addHandler(logging.NullHandler())
    sys.exit(_run())


def _run() -> int:
    """Run the program and tell its exit code, with everything that it printed handed on."""
    code = 0
    stdout = sys.stdout
    try:
        try:
            # click hands out the code of --help and its like, and raises what it would else print.
            code = program.main(prog_name="nevgate", standalone_mode=False) or 0
        except SystemExit as end:
            # click has wrapped a standard output whose reader is gone; rich ends while it handles that.
            if sys.stdout is not stdout or isinstance(end.__context__, BrokenPipeError):
                raise BrokenPipeError from None
            code = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED_EXIT
    except NevgateError as error:
        click.echo(f"nevgate: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        _discard_output()
        code = BROKEN_PIPE_EXIT
    except OSError as error:
        # What no room expected of the machine: a full disk, no rights. Its own words are the best there are.
        place = f"{error.filename}: " if error.filename else ""
        _discard_output()
        click.echo(f"nevgate: {place}{error.strerror or error}", err=True)
        code = 1
    return code


def _discard_output() -> None:
    """Let go of what standard output did not take, or Python would complain of it once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
