"""Rows for people and programs out of a platform's store: physical values, units, names in two languages."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.catalogue.catalogue import Catalogue
from edge.catalogue.item import Item, Kind
from edge.errors import CatalogueError
from edge.records import Missing, Value
from simulator.platform.reader import Gap, VehicleSummary
from simulator.platform.rows import Rejection, StoredRecord
from simulator.platform.view import iso_time

ROWS_SHOWN = 200
CELL_CHARACTERS = 60
PIPE_CHARACTERS = 200

Cell = str | int | float | bool | None | list["Cell"]

_CODED = frozenset({Kind.ENUM, Kind.BITS, Kind.CODES, Kind.PAIRS, Kind.BOOL})


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of which the rows come one by one.

    Attributes:
        columns: headings.
        rows: each as long as the headings.
        brief: the headings that a terminal shows.
    """

    columns: tuple[str, ...]
    rows: Iterable[Sequence[Cell]]
    brief: tuple[str, ...]


def list_records(
    records: Iterable[StoredRecord],
    catalogue: Catalogue,
    *,
    items: Collection[str] = (),
    chinese: bool = False,
) -> Listing:
    """A row for each value of each record, only of `items` if any are named.

    The time is that of the signed record; what a later fix has made of it stands beside it. Records are
    `signed`, or only `authenticated` under a key that their device shares with the platform, and then not
    provable to third parties.
    """
    columns = (
        "time",
        "time_quality",
        "corrected_time",
        "corrected_quality",
        "vehicle",
        "stream",
        "number",
        "kind",
        "proof",
        "provable",
        "item",
        "name",
        "value",
        "unit",
        "meaning",
    )
    brief = ("time", "vehicle", "number", "proof", "item", "name", "value", "unit", "meaning")
    return Listing(columns, _record_rows(records, catalogue, items, chinese=chinese), brief)


def _record_rows(
    records: Iterable[StoredRecord], catalogue: Catalogue, items: Collection[str], *, chinese: bool
) -> Iterator[Sequence[Cell]]:
    for stored in records:
        record, better = stored.record, stored.corrected
        head = (
            iso_time(record.timebase.wall_ns(record.t_ns)),
            record.timebase.quality.name.lower(),
            "" if better is None else iso_time(better.wall_ns(record.t_ns)),
            "" if better is None else better.quality.name.lower(),
            stored.vehicle,
            stored.stream.hex(),
            record.number,
            stored.kind,
            proof(provable=stored.provable),
            stored.provable,
        )
        for item_id in items or record.values:
            if item_id not in record.values:
                continue
            value = record.values[item_id]
            item = _item(catalogue, item_id)
            if item is None:
                yield (*head, item_id, "", _plain(value, None), "", "")
                continue
            name = item.cn if chinese else item.en
            yield (*head, item_id, name, _plain(value, item), item.unit, _meaning(value, item))


def proof(*, provable: bool) -> str:
    """What shows that records are the vehicle's, in a word."""
    return "signed" if provable else "authenticated"


def _item(catalogue: Catalogue, item_id: str) -> Item | None:
    """The item, or None for one that a newer catalogue brought."""
    try:
        return catalogue.locate(item_id).item
    except CatalogueError:
        return None


def _plain(value: Value, item: Item | None) -> Cell:
    """The physical value as plain values; what is missing by its word."""
    if isinstance(value, tuple):
        return [_plain(element, item) for element in value]
    if isinstance(value, Missing):
        return value.value
    if item is None or item.kind in _CODED:
        return value
    return _number(item.physical(value))


def _number(physical: Decimal) -> int | float:
    """A decimal of few digits as the number that prints alike."""
    return int(physical) if physical == physical.to_integral_value() else float(physical)


def _meaning(value: Value, item: Item) -> str:
    """The names of an enumeration's value, of a set's bits, or of a number's special values."""
    if isinstance(value, tuple):
        return ", ".join(filter(None, (_meaning(element, item) for element in value))) if item.names else ""
    if isinstance(value, Missing) or not item.names:
        return ""
    if item.kind is Kind.BITS:
        return ", ".join(name for bit, name in item.names.items() if value >> bit & 1)
    return item.names.get(value, "")


def list_vehicles(vehicles: Iterable[VehicleSummary]) -> Listing:
    """A row for each vehicle; `authenticated` of its records are not provable to third parties."""
    columns = (
        "vehicle",
        "streams",
        "records",
        "authenticated",
        "missing",
        "lost",
        "uncertain",
        "doubles",
        "conflicts",
        "fewer_items",
        "first_seen",
        "last_seen",
    )
    return Listing(
        columns,
        (
            (
                each.vehicle,
                each.streams,
                each.records,
                each.authenticated,
                each.missing,
                each.lost,
                each.uncertain,
                each.doubles,
                each.conflicts,
                each.fewer,
                iso_time(each.first_seen_ns),
                iso_time(each.last_seen_ns),
            )
            for each in vehicles
        ),
        ("vehicle", "records", "missing", "lost", "doubles", "conflicts", "authenticated", "last_seen"),
    )


def list_gaps(gaps: Iterable[Gap]) -> Listing:
    """A row for each span of numbers without records; final once the vehicle has signed why.

    Of an interval nobody knows how many of the numbers ever were; it has a span of one boot's time instead.
    """
    columns = (
        "vehicle",
        "stream",
        "first",
        "last",
        "numbers",
        "final",
        "cause",
        "exactness",
        "boot",
        "from_ns",
        "to_ns",
    )
    return Listing(
        columns,
        (
            (
                gap.vehicle,
                gap.stream.hex(),
                gap.first,
                gap.last,
                gap.last - gap.first + 1,
                gap.final,
                gap.cause,
                gap.exactness,
                "" if gap.interval is None else gap.interval.boot.hex(),
                None if gap.interval is None else gap.interval.from_ns,
                None if gap.interval is None else gap.interval.to_ns,
            )
            for gap in gaps
        ),
        ("vehicle", "stream", "first", "last", "numbers", "cause", "exactness"),
    )


def list_rejections(rejections: Iterable[Rejection]) -> Listing:
    """A row for each rejected payload that is kept, newest first."""
    columns = ("received", "topic", "cause", "detail", "bytes", "sha256", "head")
    return Listing(
        columns,
        (
            (
                iso_time(each.received_ns),
                each.topic,
                each.cause,
                each.detail,
                each.size,
                each.sha256.hex(),
                each.head.hex(),
            )
            for each in rejections
        ),
        ("received", "cause", "bytes", "topic", "detail"),
    )


def write_json_lines(listing: Listing, out: TextIO) -> None:
    """A JSON object a row."""
    for row in listing.rows:
        entry = dict(zip(listing.columns, row, strict=True))
        out.write(json.dumps(entry, ensure_ascii=False) + "\n")


def write_csv(listing: Listing, out: TextIO) -> None:
    """CSV (RFC 4180) with a heading; the elements of an array stand in one cell, a space between."""
    writer = csv.writer(out)
    writer.writerow(listing.columns)
    for row in listing.rows:
        writer.writerow([_text(cell) for cell in row])


def write_table(listing: Listing, out: TextIO) -> None:
    """A table for the terminal, of the first rows only where there are many; it says so."""
    rows = iter(listing.rows)
    shown = list(islice(rows, ROWS_SHOWN))
    console = Console(file=out, highlight=False, width=None if out.isatty() else PIPE_CHARACTERS)
    if not shown:
        console.print("nothing to show")
        return
    table = Table(box=None, pad_edge=False)
    places = [listing.columns.index(column) for column in listing.brief]
    for column, place in zip(listing.brief, places, strict=True):
        number = isinstance(shown[0][place], int | float)
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in shown:
        table.add_row(*(escape(_short(row[place])) for place in places))
    console.print(table)
    if next(rows, None) is not None:
        console.print(f"... the first {ROWS_SHOWN} rows; --json and --csv give all")


def _text(cell: Cell) -> str:
    if isinstance(cell, list):
        return " ".join(_text(element) for element in cell)
    return "" if cell is None else str(cell)


def _short(cell: Cell) -> str:
    text = _text(cell)
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"
