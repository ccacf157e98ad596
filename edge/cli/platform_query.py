"""`nevgate platform query`: reads what a platform has stored."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S
from edge.errors import ConfigError
from simulator.platform.listing import (
    Listing,
    list_gaps,
    list_records,
    list_rejections,
    list_vehicles,
    write_csv,
    write_json_lines,
    write_table,
)
from simulator.platform.reader import StoreReader


@click.command()
@click.argument("store", type=click.Path(dir_okay=False, path_type=Path))
@click.argument(
    "what", type=click.Choice(["records", "vehicles", "gaps", "rejected"]), default="vehicles", required=False
)
@click.option("--vehicle", help="Only this vehicle.")
@click.option("--item", "items", multiple=True, help="Only this item of the records; may be given again.")
@click.option("--since", help="Records from this time on: ISO 8601, UTC where no zone is given.")
@click.option("--until", help="Records before this time.")
@click.option("--chinese", is_flag=True, help="Items' names as the standard words them.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each row.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a heading.")
def command(
    *,
    store: Path,
    what: str,
    vehicle: str | None,
    items: tuple[str, ...],
    since: str | None,
    until: str | None,
    chinese: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Read a platform's store, also while the platform runs.

    Records are shown with physical values and units; a value that the vehicle marked as invalid or abnormal
    says so, an item that was not collected has no row.

    \b
    Examples:
      nevgate platform query platform.db
      nevgate platform query platform.db records --item vehicle.speed --since 2026-03-01T08:00
      nevgate platform query platform.db records --item 'pack[1].cells' --csv > cells.csv
      nevgate platform query platform.db gaps --vehicle LNEVGATE000000001 --json
      nevgate platform query platform.db rejected
    """
    catalogue = builtin()
    for item in items:
        catalogue.locate(item)
    if as_json and as_csv:
        raise ConfigError("rows are either JSON or CSV", todo="Give one of --json and --csv")
    with StoreReader(store) as reader:
        match what:
            case "records":
                listing = list_records(
                    reader.records(
                        vehicle=vehicle,
                        since_ns=_moment_ns(since, "--since"),
                        until_ns=_moment_ns(until, "--until"),
                    ),
                    catalogue,
                    items=items,
                    chinese=chinese,
                )
            case "gaps":
                listing = list_gaps(reader.gaps(vehicle=vehicle))
            case "rejected":
                listing = list_rejections(reader.rejections())
            case _:
                listing = list_vehicles(reader.vehicles(vehicle=vehicle))
        _write(listing, as_json=as_json, as_csv=as_csv)


def _write(listing: Listing, *, as_json: bool, as_csv: bool) -> None:
    out = sys.stdout
    if as_json:
        write_json_lines(listing, out)
    elif as_csv:
        write_csv(listing, out)
    else:
        write_table(listing, out)


def _moment_ns(text: str | None, where: str) -> int | None:
    """An ISO 8601 time as Unix nanoseconds."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"'{text}' is no time", where=where, todo="Write it like 2026-03-01T08:00:00"
        ) from error
    whole = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(whole.replace(microsecond=0).timestamp()) * NS_PER_S + whole.microsecond * 1000
