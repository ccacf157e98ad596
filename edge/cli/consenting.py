"""Reaches the consent ledger for the commands: through the gateway that runs, else in its journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from edge.archive.changing import check_idle, inside_of
from edge.archive.opening import reading
from edge.cli.chosen_policy import chosen_policy
from edge.cli.console import counted
from edge.cli.place import DEFAULT_CONFIG, Place
from edge.clock import SystemClock, kernel_boot_id
from edge.config.configuration import Config, load_config
from edge.consent.consent_notes import load_ledger
from edge.consent.desk import ConsentDesk
from edge.consent.entries import Role
from edge.consent.erasing import erase_gone
from edge.control.client import ControlClient, NotRunningError
from edge.control.requests import Requests, Steering
from edge.control.socket_path import socket_path
from edge.control.uses import plain_clock, plain_uses
from edge.errors import ConfigError, ControlError
from edge.governing import Start, open_desk
from edge.journal.block import BOOT_BYTES
from edge.journal.opening import JOURNAL_FILE, open_journal
from edge.policy.classes import DataClass
from edge.policy.policy_choice import PolicyChoice
from edge.policy.policy_words import places_words, span_words
from edge.policy.rules import Purpose

_Command = TypeVar("_Command", bound=Callable[..., Any])

Answer = Mapping[str, Any]
RUNNING = "running"
"""Added to an answer: whether a gateway gave it."""


def reaching_options(command: _Command) -> _Command:
    """Add ``--config``, ``--socket`` and ``--json``."""
    for option in reversed(
        (
            click.option(
                "-c",
                "--config",
                "config_path",
                type=click.Path(path_type=Path),
                help=f"The gateway's configuration; {DEFAULT_CONFIG} unless named.",
            ),
            click.option(
                "--socket",
                "socket",
                type=click.Path(path_type=Path),
                help="The control socket of a running gateway, in place of a configuration.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print it as JSON."),
        )
    ):
        command = option(command)
    return command


def use_options(command: _Command) -> _Command:
    """Add ``CLASS``, ``PURPOSE`` and ``--role``, and those of `reaching_options`."""
    command = reaching_options(command)
    command = click.option(
        "--role",
        type=click.Choice([one.value for one in Role]),
        default=Role.DRIVER.value,
        show_default=True,
        help="In which role you speak; no name is kept.",
    )(command)
    command = click.argument("purpose", type=click.Choice([one.value for one in Purpose]), metavar="PURPOSE")(
        command
    )
    return click.argument("data_class", type=click.Choice([one.value for one in DataClass]), metavar="CLASS")(
        command
    )


def ask_ledger(config_path: Path | None, socket: Path | None, request: Mapping[str, object]) -> Answer:
    """Ask the gateway that runs, or do as it would with its journal.

    Raises:
        ConfigError: neither a gateway nor a journal is named.
        NevgateError: the request is refused, or nobody and nothing can be reached.
    """
    if socket is not None:
        return {**ControlClient(socket).ask(request), RUNNING: True}
    config = load_config(config_path or DEFAULT_CONFIG)
    path = socket_path(config.control, None if config.journal is None else config.journal.folder)
    if path is not None:
        try:
            return {**ControlClient(path).ask(request), RUNNING: True}
        except NotRunningError:
            pass
    if config.journal is None:
        raise ConfigError(
            "without a journal no consent can be kept",
            where=str(config_path or DEFAULT_CONFIG),
            todo="Add a table [journal] with a folder",
        )
    place = Place(config.journal.folder, config.journal, config)
    with (_looking if request["do"] == "state" else _changing)(place, config) as answer:
        return {**answer(request), RUNNING: False}


class _Idle(Steering):
    """What can be said while no gateway runs."""

    def __init__(self, desk: ConsentDesk, choice: PolicyChoice) -> None:
        self._desk = desk
        self._choice = choice

    def state(self) -> Mapping[str, object]:
        policy = self._desk.policy
        return {
            "policy": {
                "name": policy.name,
                "version": policy.version,
                "profile": policy.profile,
                "title": policy.title,
                "signature": self._choice.signature,
            },
            "clock": plain_clock(self._desk),
            "uses": plain_uses(self._desk),
            "contact": policy.contact,
        }

    def erase(self, data_class: DataClass, *, role: Role, reason: str) -> Mapping[str, object]:
        del data_class, role, reason
        raise ControlError("no gateway runs", todo="Use 'nevgate journal erase'")

    def picture(self, camera: str) -> None:
        del camera
        raise ControlError("no gateway runs, so that no camera is open")


Ask = Callable[[Mapping[str, object]], Mapping[str, object]]


@contextmanager
def _looking(place: Place, config: Config) -> Iterator[Ask]:
    """Answer from the journal without changing anything."""
    clock = SystemClock()
    choice = chosen_policy(config, clock)
    ledger = None
    if (place.folder / JOURNAL_FILE).exists():
        with place.open() as archive:
            if archive.keys is not None:
                ledger = load_ledger(archive.connection, archive.reader, archive.keys)
    desk = ConsentDesk(choice.policy, clock, boot=_boot(), ledger=ledger)
    yield Requests(desk, _Idle(desk, choice)).answer


@contextmanager
def _changing(place: Place, config: Config) -> Iterator[Ask]:
    """Answer with the journal open, and erase what has no consent any more."""
    check_idle(place.folder)
    clock = SystemClock()
    choice = chosen_policy(config, clock)
    inside = inside_of(config, place.folder)
    settings = place.section.settings(config.vehicle.topic_name)
    with reading(place.folder), open_journal(place.folder, place.provider(), settings, inside) as opened:
        desk = open_desk(choice, clock, Start(_boot(), b"", opened))
        answer = Requests(desk, _Idle(desk, choice)).answer

        def answer_and_erase(request: Mapping[str, object]) -> Mapping[str, object]:
            answered = answer(request)
            return {**answered, "blocks_erased": erase_gone(opened, desk, inside)}

        yield answer_and_erase


def _boot() -> bytes:
    return kernel_boot_id() or os.urandom(BOOT_BYTES)


def terms_lines(use: Mapping[str, Any]) -> Iterator[str]:
    """What a person agrees to with a use, in words."""
    if not use["leaves"]:
        yield "It stays in the vehicle: nobody outside of it gets it"
    elif use["destinations_listed"] and not use["destinations"]:
        yield "It may leave the vehicle, but the policy lists nobody who may have it"
    else:
        to = ", ".join(use["destinations"]) or "whichever destinations policy and configuration have there"
        yield f"It may leave the vehicle to {to}: {places_words(use['jurisdictions'])}"
    if use["class"] == DataClass.POSITION and use["precision"] != "full":
        yield f"Positions are made coarse: {use['precision']}"
    if use["retention_days"]:
        yield f"It is kept for at most {span_words(use['retention_days'] * 86_400)}"
    yield f"After a withdrawal it is erased within {span_words(use['erase_within_s'])}"


def kept_line(answer: Answer) -> Iterator[str]:
    """What has to be said of a change that is not on the disk yet, or of what it erased."""
    if not answer.get("kept", True):
        yield "It holds, but is not on the disk yet: the journal cannot be written at present"
    if answer.get("blocks_erased"):
        blocks = counted(answer["blocks_erased"], "block")
        yield f"What rested on it is erased: the content of {blocks} is gone"
