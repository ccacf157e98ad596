"""`nevgate consent grant`: agree to a class being collected for a purpose, for a stated time."""

from __future__ import annotations

import re
from pathlib import Path

import click

from edge.cli.consenting import ask_ledger, kept_line, terms_lines, use_options
from edge.cli.program import emit_json
from edge.errors import ConsentError

_SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
_TERM = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(s|min|h|d)")


@click.command()
@use_options
@click.option(
    "--for", "term", metavar="TERM", help="How long, such as 12h or 30d; there is none without end."
)
@click.option("--keep", is_flag=True, help="Not for the gateway's present start alone.")
def command(
    data_class: str,
    purpose: str,
    role: str,
    config_path: Path | None,
    socket: Path | None,
    as_json: bool,
    term: str | None,
    keep: bool,
) -> None:
    """Agree to a CLASS being collected for a PURPOSE, for a stated time.

    It ends by itself, at the latest at the gateway's next start unless --keep is given, and you can take it
    back at any time. 'nevgate consent list' shows before what it would allow; 'consent refuse' says no.

    \b
    Examples:
      nevgate consent grant position service --for 12h
      nevgate consent grant position service --for 30d --keep --role owner
      nevgate consent grant cabin recording --for 1d --json
    """
    answer = ask_ledger(
        config_path,
        socket,
        {
            "do": "grant",
            "class": data_class,
            "purpose": purpose,
            "role": role,
            "term_s": _term_s(term),
            "keep": keep,
        },
    )
    if as_json:
        emit_json(dict(answer))
        return
    use = answer["use"]
    consent = use["consent"]
    click.echo(f"You agreed, as {role}: {data_class} is collected for {purpose} until {consent['until']}")
    click.echo(
        f"This is consent {consent['number']}{'' if keep else ', for this start of the gateway alone'}"
    )
    for line in (*terms_lines(use), *kept_line(answer)):
        click.echo(line)
    click.echo(f"Take it back by: nevgate consent withdraw {data_class} {purpose}")


def _term_s(term: str | None) -> float:
    """Seconds of a term such as 30d.

    Raises:
        ConsentError: there is none, or none that ends.
    """
    found = None if term is None else _TERM.fullmatch(term)
    if found is None:
        given = "" if term is None else f", and '{term}' is none"
        raise ConsentError(
            f"a consent is given for a stated time{given}", where="--for", todo="Add one, such as --for 30d"
        )
    return float(found[1]) * _SECONDS[found[2]]
