"""Options that say which journal is meant, and which of its blocks; and the errors of reading one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from edge.archive.opening import Archive, open_archive, reading
from edge.archive.selection import Selection
from edge.catalogue.catalogue import builtin
from edge.cli.moment import moment_ns
from edge.config.configuration import Config, load_config
from edge.errors import ConfigError
from edge.journal.block import BlockKind
from edge.journal.keys.key_provider import FileKeyProvider, KeyProvider
from edge.journal.section import JournalSection
from edge.making import wrapping_keys
from edge.policy.classes import DataClass

_Command = TypeVar("_Command", bound=Callable[..., Any])

DEFAULT_CONFIG = Path("nevgate.toml")
KINDS = {kind.name.lower().replace("_", "-"): kind for kind in BlockKind}
"""The kinds of blocks by the names that the command line has for them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a journal is, and what opens it.

    Attributes:
        folder: that holds it.
        section: the configuration's table of it; a plain one where no configuration was given.
        config: the configuration; None where none was given.
    """

    folder: Path
    section: JournalSection
    config: Config | None

    def provider(self) -> KeyProvider:
        """What keeps the wrapping keys: what the configuration names, else files in the journal's folder."""
        if self.config is None:
            return FileKeyProvider(self.folder, os.urandom)
        return wrapping_keys(self.section, os.urandom)

    @contextmanager
    def open(self, *, keys: bool = True) -> Iterator[Archive]:
        """Open the journal to look at it."""
        with (
            reading(self.folder),
            open_archive(self.folder, self.provider() if keys else None, builtin()) as archive,
        ):
            yield archive


def place_options(command: _Command) -> _Command:
    """Add ``FOLDER`` and ``--config``; `find_place` makes a `Place` of what is given."""
    command = click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help=f"The configuration that names folder and keys; {DEFAULT_CONFIG} where no FOLDER is given.",
    )(command)
    return click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))(command)


def find_place(folder: Path | None, config_path: Path | None) -> Place:
    """The journal that is meant.

    Raises:
        ConfigError: neither tells one.
    """
    if config_path is None and folder is not None:
        return Place(folder, JournalSection(folder=folder), None)
    if config_path is None and not DEFAULT_CONFIG.exists():
        raise ConfigError(
            "no journal is named", todo=f"Give its folder, or --config; there is no {DEFAULT_CONFIG} here"
        )
    config_path = config_path or DEFAULT_CONFIG
    config = load_config(config_path)
    if config.journal is None:
        raise ConfigError(
            "configures no journal", where=str(config_path), todo="Add a table [journal] with a folder"
        )
    section = config.journal if folder is None else config.journal.model_copy(update={"folder": folder})
    return Place(section.folder, section, config)


def selection_options(command: _Command) -> _Command:
    """Add ``--kind``, ``--class``, ``--from``, ``--to`` and ``--boot``."""
    for option in reversed(
        (
            click.option(
                "--kind", "kinds", multiple=True, type=click.Choice([*KINDS]), help="Only this kind."
            ),
            click.option(
                "--class",
                "classes",
                multiple=True,
                type=click.Choice([one.value for one in DataClass]),
                help="Only data of this class; may be given again.",
            ),
            click.option(
                "--from",
                "since",
                metavar="TIME",
                help="Data from this time on: ISO 8601, UTC without a zone.",
            ),
            click.option("--to", "until", metavar="TIME", help="Data before this time."),
            click.option(
                "--boot", default="", metavar="HEX", help="Only the boot whose name begins like this."
            ),
        )
    ):
        command = option(command)
    return command


def make_selection(
    kinds: tuple[str, ...], classes: tuple[str, ...], since: str | None, until: str | None, boot: str
) -> Selection:
    """What the options of `selection_options` mean.

    Raises:
        ConfigError: a time is none.
    """
    return Selection(
        frozenset(KINDS[kind] for kind in kinds),
        frozenset(classes),
        boot.lower(),
        moment_ns(since, "--from"),
        moment_ns(until, "--to"),
    )


def kind_name(kind: BlockKind) -> str:
    """The name of a kind on the command line."""
    return kind.name.lower().replace("_", "-")


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far something is; hands out what is to be told."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=max(total, 1))
        yield lambda done: progress.update(task, completed=done)
