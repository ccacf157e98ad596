"""`nevgate policy explain`: whether a signal, id, item or class is collected, why, and by which rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from edge.catalogue.catalogue import builtin
from edge.cli.chosen_policy import chosen_policy
from edge.cli.consenting import RUNNING, ask_ledger
from edge.cli.console import page
from edge.cli.place import DEFAULT_CONFIG
from edge.cli.program import emit_json
from edge.clock import SystemClock
from edge.collecting import Described
from edge.config.configuration import Config, load_config
from edge.control.client import ControlClient, NotRunningError
from edge.control.socket_path import socket_path
from edge.errors import NevgateError
from edge.explaining.page import heading, page_of, summary_page
from edge.explaining.question import Answer, ask, known_names
from edge.explaining.situation import BY_POLICY_ALONE, Agreed, Situation, agreed_of, observed_items
from edge.explaining.summary import summarise
from edge.governing import served_purposes
from edge.loading import load_buses

_MOST_COMPLETIONS = 200


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete names by the configuration, as far as it can be read."""
    del param
    path = ctx.params.get("config_path") or DEFAULT_CONFIG
    try:
        config = load_config(path)
        situation = _situation(config, Agreed())
    except (NevgateError, OSError):
        return []
    found = (name for name in known_names(situation) if name.startswith(incomplete))
    return [CompletionItem(name) for name, _ in zip(found, range(_MOST_COMPLETIONS), strict=False)]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_complete)
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The gateway's configuration.",
)
@click.option(
    "--consents/--no-consents",
    "consents",
    default=None,
    help="Count the consents that hold, by the gateway that runs or else by the journal; or none. "
    "Without either: those of a gateway that runs.",
)
@click.option("--all", "every", is_flag=True, help="Without a NAME: list each signal too.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    names: tuple[str, ...], config_path: Path, consents: bool | None, every: bool, as_json: bool
) -> None:
    """Say of each NAME whether it is collected, for what, by which rule, where it may go; and if not, why.

    \b
    A NAME is
      body.SRS_Seats.BeltDriver a signal; SRS_Seats.BeltDriver, BeltDriver if that means one alone; * and ?
      0x310, body:0x18FEF100x   an id, x for 29 bits: a picture of its bits; SRS_Seats, its message's name
      0x310#0011223344556677    one frame: what of it passes
      pgn:65265                 a J1939 parameter group
      0x7E8:0x62F190            a diagnostic message: service and identifier on a channel
      gnss.lon, motor[*].speed  an item of the records
      position, camera          a class; a camera or microphone
      platform                  a destination; that of [uplink] is called so

    Without a NAME, all signals are summed up by class. It needs no key, and changes nothing.

    \b
    Examples:
      nevgate policy explain
      nevgate policy explain -c nevgate.toml body.SRS_Seats.BeltDriver
      nevgate policy explain --consents gnss.lon platform
      nevgate policy explain 0x310 --json

    Exit status: 0 answered, 1 a NAME means nothing here, 2 the configuration cannot be used.
    """
    config = load_config(config_path)
    agreed, remark = _agreed(config, config_path, consents)
    situation = _situation(config, agreed)
    answers = [one for name in names for one in ask(situation, name)]
    summary = None if names else summarise(situation)
    if as_json:
        shown: dict[str, Any] = {
            "policy": situation.policy.title,
            "consents": agreed.source,
            "mask": situation.mask,
        }
        if summary is not None:
            emit_json({**shown, **asdict(summary)})
        else:
            emit_json({**shown, "answers": [_record(one) for one in answers]})
        return
    console = page()
    for part in heading(situation):
        console.print(part)
    if remark and not _same_policy(remark, situation):
        words = "has another policy in force"
        click.echo(f"nevgate: the gateway that runs {words}: {remark['policy']['title']}", err=True)
    for part in summary_page(summary, every=every) if summary is not None else ():
        console.print(part)
    for answer in answers:
        for part in page_of(answer):
            console.print(part)


def _situation(config: Config, agreed: Agreed) -> Situation:
    catalogue = builtin()
    databases, bindings = load_buses(config, catalogue)
    described = Described(
        databases, bindings, catalogue, tuple(observed_items(config)), served_purposes(config)
    )
    return Situation(config, chosen_policy(config, SystemClock()), described, agreed)


def _agreed(config: Config, path: Path, consents: bool | None) -> tuple[Agreed, Mapping[str, Any] | None]:
    """Where consents stand, and the state of the gateway that runs; None where none was asked."""
    if consents is False:
        return Agreed(), None
    if consents:
        state = ask_ledger(path, None, {"do": "state"})
        if state[RUNNING]:
            return agreed_of(state, "with the consents of the gateway that runs"), state
        return agreed_of(state, "with the consents of the journal; no gateway runs"), None
    socket = socket_path(config.control, config.journal_folder)
    if socket is None:
        return Agreed(), None
    try:
        state = ControlClient(socket).ask({"do": "state"})
    except NotRunningError:
        return Agreed(f"{BY_POLICY_ALONE}; no gateway runs"), None
    return agreed_of(state, "with the consents of the gateway that runs"), state


def _same_policy(state: Mapping[str, Any], situation: Situation) -> bool:
    title: object = state["policy"]["title"]
    return title == situation.policy.title


def _record(answer: Answer) -> dict[str, object]:
    return {"kind": type(answer).__name__.removesuffix("Answer").lower(), **asdict(answer)}
