"""Makes the page that a configuration asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.archive.opening import Archive, open_archive, reading
from edge.catalogue.catalogue import builtin
from edge.clock import Clock
from edge.config.configuration import Config
from edge.config.page import PageSection
from edge.errors import ConfigError
from edge.making import wrapping_keys
from edge.page.app import Page
from edge.page.asking import Asking, Control
from edge.page.attempts import Attempts
from edge.page.door_keeper import DoorKeeper
from edge.page.pins import Pins
from edge.page.sessions import Sessions
from edge.page.taking import Taking

PINS_FILE = "page-pins.json"


def pins_path(config: Config) -> Path:
    """Where the PINs are.

    Raises:
        ConfigError: neither [page] nor [journal] says.
    """
    section = config.page or PageSection()
    if section.pins is not None:
        return section.pins
    if config.journal is None:
        raise ConfigError(
            "no place for PINs is configured", where="page", todo="Set page.pins, or configure a journal"
        )
    return config.journal.folder / PINS_FILE


def attempts_path(pins: Path) -> Path:
    """Where wrong PINs are counted: beside the PINs."""
    return pins.with_name(f"{pins.stem}-attempts.json")


def make_page(config: Config, control: Control, clock: Clock, boot: bytes | None) -> Page:
    """Make the page of a configuration.

    Args:
        config: the configuration; without a table [page] its defaults hold.
        control: reaches the running gateway.
        clock: for sessions and waits.
        boot: names this start of the machine.

    Raises:
        ConfigError: no place for PINs is configured.
    """
    section = config.page or PageSection()
    path = pins_path(config)
    attempts = Attempts(attempts_path(path), clock, boot.hex() if boot else "")
    return Page(
        section=section,
        authorities=section.authorities,
        asking=Asking(control, clock),
        sessions=Sessions(clock, os.urandom, section.idle_s),
        keeper=DoorKeeper(Pins(path, os.urandom), attempts),
        taking=None if config.journal is None else _taking(config),
    )


def _taking(config: Config) -> Taking:
    journal = config.journal
    if journal is None:
        raise ConfigError("no journal is configured")
    section = journal

    @contextmanager
    def opened() -> Iterator[Archive]:
        keys = wrapping_keys(section, os.urandom)
        with reading(section.folder), open_archive(section.folder, keys, builtin()) as archive:
            yield archive

    return Taking(opened, builtin())
