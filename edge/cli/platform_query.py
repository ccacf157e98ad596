"""`nevgate platform query`: reads what a platform has stored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import click

from edge.catalogue.catalogue import builtin
from edge.cli.moment import moment_ns
from edge.errors import ConfigError
from simulator.platform.findings import checkpoint_looks, findings, stream_links
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
from simulator.platform.media_listing import list_media, write_media
from simulator.platform.reader import StoreReader
from simulator.platform.statement_listing import (
    list_accounts,
    list_checkpoints,
    list_corrections,
    list_findings,
    list_streams,
)

LISTINGS: Mapping[str, Callable[[StoreReader, str | None], Listing]] = MappingProxyType(
    {
        "vehicles": lambda reader, vehicle: list_vehicles(reader.vehicles(vehicle=vehicle)),
        "streams": lambda reader, vehicle: list_streams(stream_links(reader.streams(vehicle=vehicle))),
        "gaps": lambda reader, vehicle: list_gaps(reader.gaps(vehicle=vehicle)),
        "account": lambda reader, vehicle: list_accounts(reader.accounts(vehicle=vehicle)),
        "checkpoints": lambda reader, vehicle: list_checkpoints(checkpoint_looks(reader, vehicle)),
        "corrections": lambda reader, vehicle: list_corrections(reader.corrections(vehicle=vehicle)),
        "findings": lambda reader, vehicle: list_findings(findings(reader, vehicle)),
        "media": lambda reader, vehicle: list_media(reader.media(vehicle=vehicle)),
        "rejected": lambda reader, _: list_rejections(reader.rejections()),
    }
)
"""What can be listed beside records."""


@click.command()
@click.argument("store", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("what", type=click.Choice([*LISTINGS, "records"]), default="vehicles", required=False)
@click.option("--vehicle", help="Only this vehicle.")
@click.option("--item", "items", multiple=True, help="Only this item of the records; may be given again.")
@click.option("--since", help="Records from this time on: ISO 8601, UTC where no zone is given.")
@click.option("--until", help="Records before this time.")
@click.option("--chinese", is_flag=True, help="Items' names as the standard words them.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="With 'media': write those that are complete into this folder.",
)
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
    out: Path | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Read a platform's store, also while the platform runs.

    Records are shown with physical values and units; a value that the vehicle marked as invalid or abnormal
    says so, an item that was not collected has no row. Beside the time that a record was signed with stands
    the corrected one, where a later fix has given one.

    'media' lists stills and clips: what each is, how much of it is here, which bytes are missing.

    'account' holds each vehicle's last account against the platform's own counts, 'findings' names all that
    is wrong or open, and 'checkpoints' and 'streams' show how they hang together.

    \b
    Examples:
      nevgate platform query platform.db
      nevgate platform query platform.db records --item vehicle.speed --since 2026-03-01T08:00
      nevgate platform query platform.db records --item 'pack[1].cells' --csv > cells.csv
      nevgate platform query platform.db gaps --vehicle LNEVGATE000000001 --json
      nevgate platform query platform.db account --json | jq 'select(.agrees | not)'
      nevgate platform query platform.db findings --json
      nevgate platform query platform.db media --out pictures
      nevgate platform query platform.db rejected
    """
    catalogue = builtin()
    for item in items:
        catalogue.locate(item)
    if as_json and as_csv:
        raise ConfigError("rows are either JSON or CSV", todo="Give one of --json and --csv")
    if out is not None and what != "media":
        raise click.UsageError("--out is for media")
    with StoreReader(store) as reader:
        if out is not None:
            click.echo(f"{write_media(reader, vehicle, out):,} stills and clips written into {out}", err=True)
        if what == "records":
            records = reader.records(
                vehicle=vehicle,
                since_ns=moment_ns(since, "--since"),
                until_ns=moment_ns(until, "--until"),
            )
            listing = list_records(records, catalogue, items=items, chinese=chinese)
        else:
            listing = LISTINGS[what](reader, vehicle)
        _write(listing, as_json=as_json, as_csv=as_csv)


def _write(listing: Listing, *, as_json: bool, as_csv: bool) -> None:
    out = sys.stdout
    if as_json:
        write_json_lines(listing, out)
    elif as_csv:
        write_csv(listing, out)
    else:
        write_table(listing, out)
