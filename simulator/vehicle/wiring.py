"""Which quantity of the vehicle feeds which signal: read from the files in `wiring/`, one a bus."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from edge.database.load import load_database
from edge.database.model import Database
from edge.errors import DatabaseError

BUSES = ("powertrain", "battery", "body", "chassis")


def _databases() -> Path:
    """Find the databases in a clone, or where pip puts them: for all, for one user, or in a target."""
    beside = Path(__file__).parents[2]
    roots = (sys.prefix, sysconfig.get_path("data"), sysconfig.get_path("data", f"{os.name}_user"), beside)
    installed = [Path(root) / "share" / "nevgate" / "dbc" for root in roots]
    return next((folder for folder in (beside / "dbc", *installed) if folder.is_dir()), installed[0])


DATABASES = _databases()
"""Where the reference vehicle's databases are: in a clone of the project, or where the package put them."""

_WIRING = Path(__file__).with_name("wiring")
_NUMBER = re.compile(r"\d+$")
PAGE_MARK = "[*]"


@dataclass(frozen=True, slots=True)
class Wiring:
    """What one bus carries.

    Attributes:
        feeds: channel of each fed signal, by message and signal; the number of a multiplexer's page stands as
            ``[*]`` in it.
        sent_while: message names, each with the channel that has to be other than 0 for it to be sent.
    """

    feeds: Mapping[tuple[str, str], str]
    sent_while: Mapping[str, str]

    def channel(self, message: str, signal: str) -> str | None:
        """The channel that feeds `signal`, or None."""
        exact = self.feeds.get((message, signal))
        if exact is not None:
            return exact
        number = _NUMBER.search(signal)
        if number is None:
            return None
        stem = self.feeds.get((message, signal[: number.start()] + "{n}"))
        return stem and stem.replace("{n}", str(int(number.group())))


def load_wiring(bus: str) -> Wiring:
    """The wiring of one of `BUSES`."""
    table = tomllib.loads((_WIRING / f"{bus}.toml").read_text(encoding="utf-8"))
    feeds = {
        (message, signal): channel
        for message, signals in table["signals"].items()
        for signal, channel in signals.items()
    }
    return Wiring(MappingProxyType(feeds), MappingProxyType(table.get("sent_while", {})))


@cache
def load_databases(folder: Path = DATABASES) -> Mapping[str, Database]:
    """The reference vehicle's databases by bus, loaded once a folder.

    Raises:
        DatabaseError: if one is not there or does not load as it stands.
    """
    databases = {}
    for bus in BUSES:
        path = folder / f"nev-{bus}.dbc"
        if not path.is_file():
            raise DatabaseError(
                "the reference vehicle's database is not there",
                where=str(path),
                todo="Run from a clone of the project, or name the folder that holds dbc/",
            )
        databases[bus] = load_database(path)
    return MappingProxyType(databases)
