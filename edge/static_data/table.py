"""The tables of annex A as data: one row a value that is registered, and the codes of battery types."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition, Item


@dataclass(frozen=True, slots=True)
class StaticRow:
    """One value that is registered.

    Attributes:
        table: of annex A.
        section: the table of the maker's file that holds it.
        key: its key there.
        item: what it is, with its names and unit.
        kind: how it is checked, see `edge.static_data.checks`.
        least: the least number, count or length; None where the kind needs none.
        most: the greatest.
    """

    table: str
    section: str
    key: str
    item: Item
    kind: str
    least: Decimal | None
    most: Decimal | None


@dataclass(frozen=True, slots=True)
class BatteryType:
    """A kind of battery.

    Attributes:
        code: as it is registered.
        en: its name in English.
        cn: its name in Chinese.
        since: the first edition that has it.
        letter: the fifth character of pack codes (GB/T 34014) that says the same; empty where that is not
            known from a public source.
    """

    code: int
    en: str
    cn: str
    since: int
    letter: str


@cache
def static_rows(edition: Edition) -> tuple[StaticRow, ...]:
    """The rows of `edition`, in order of annex A."""
    return tuple(
        StaticRow(
            row["table"],
            row["section"],
            row["key"],
            builtin().item(row["item"]),
            row["kind"],
            Decimal(row["least"]) if row["least"] else None,
            Decimal(row["most"]) if row["most"] else None,
        )
        for row in _csv(f"table_{edition.value}.csv")
    )


@cache
def battery_types(edition: Edition) -> dict[int, BatteryType]:
    """The battery types that `edition` has, by code."""
    types = (
        BatteryType(int(row["code"], 16), row["en"], row["cn"], int(row["since"]), row["letter"])
        for row in _csv("battery_types.csv")
    )
    return {one.code: one for one in types if one.since <= edition.value}


def _csv(name: str) -> Iterator[dict[str, str]]:
    text = (files("edge.static_data") / name).read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())
