"""`nevgate journal erase`: destroy data of a class and time for good."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from edge.archive.changing import ErasurePreview, check_idle, inside_of, preview
from edge.archive.opening import reading
from edge.cli.console import counted
from edge.cli.place import DEFAULT_CONFIG, find_place, kind_name
from edge.cli.program import emit_json
from edge.errors import ConfigError
from edge.journal.opening import open_journal
from edge.journal.upkeep.erase import erase
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass

_EPOCH = date(1970, 1, 1)


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The gateway's configuration: it names keys and signs checkpoints.",
)
@click.option(
    "--class",
    "data_class",
    required=True,
    type=click.Choice([one.value for one in DataClass]),
    help="Data of this class.",
)
@click.option("--from", "since", metavar="DAY", help="Of this UTC day and later, such as 2026-03-01.")
@click.option("--to", "until", metavar="DAY", help="Of this UTC day and earlier.")
@click.option("--purpose", help="Only what was kept for this purpose, such as a consent.")
@click.option("--reason", default="", help="Who asked and why; it stands in the chain for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; needs --yes.")
def command(
    folder: Path | None,
    config_path: Path,
    data_class: str,
    since: str | None,
    until: str | None,
    purpose: str | None,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Destroy the data keys of a class and time, so that nothing sealed under them opens again, anywhere.

    Shows what would go and asks first. Whole days alone, by UTC; without --from and --to everything of the
    class goes, data of boots without wall time included. The chain stays verifiable, and says that, when and
    why something was erased. Stop the gateway before. What a platform has received is not touched.

    \b
    Examples:
      nevgate journal erase --class position --from 2026-03-01 --to 2026-03-07
      nevgate journal erase --class cabin --reason "request of 2026-04-02" --yes --json
    """
    place = find_place(folder, config_path)
    if place.config is None:
        raise ConfigError("a configuration is needed", todo="Name it by --config")
    if as_json and not yes:
        raise ConfigError("--json asks no questions", todo="Add --yes")
    request = ErasureRequest(
        DataClass(data_class), _day(since, "--from"), _day(until, "--to"), purpose, reason
    )
    if (
        request.first_day is not None
        and request.last_day is not None
        and request.first_day > request.last_day
    ):
        raise ConfigError("the days run backwards", where="--from")
    check_idle(place.folder)
    with place.open() as archive:
        seen = preview(archive, request)
    if not as_json:
        _show(seen, request)
    if not seen.keys:
        if as_json:
            emit_json({"keys": [], "blocks": 0, "messages": 0, "resealed": 0})
        return
    if not yes and not click.confirm("Destroy this for good?"):
        click.echo("nothing was erased")
        raise SystemExit(1)
    inside = inside_of(place.config, place.folder)
    settings = place.section.settings(place.config.vehicle.topic_name)
    with reading(place.folder), open_journal(place.folder, place.provider(), settings, inside) as opened:
        done = erase(opened, request, inside)
    if as_json:
        emit_json(
            {
                "keys": [key.hex() for key in done.key_ids],
                "blocks": done.blocks,
                "messages": done.messages,
                "resealed": done.resealed,
            }
        )
        return
    click.echo(
        f"{counted(len(done.key_ids), 'key')} destroyed; the content of {done.blocks:,} blocks is gone;"
        f" {done.messages:,} messages that waited are made anew without it"
    )


def _show(seen: ErasurePreview, request: ErasureRequest) -> None:
    if not seen.keys:
        click.echo(f"there is nothing of class '{request.data_class}' in that time")
        return
    click.echo(f"{counted(len(seen.keys), 'data key')} of class '{request.data_class}':")
    for entry in seen.keys:
        purpose = f", for {entry.purpose}" if entry.purpose else ""
        click.echo(f"  {_period(entry.period)}{purpose}")
    for kind, count in sorted(seen.blocks.items()):
        click.echo(f"{count:,} {kind_name(kind)} blocks")
    click.echo(f"{seen.bytes:,} bytes; {seen.messages:,} messages wait and are looked through")


def _period(period: str) -> str:
    kind, _, number = period.partition(" ")
    if kind == "day" and number.isdigit():
        return date.fromordinal(_EPOCH.toordinal() + int(number)).isoformat()
    return period


def _day(text: str | None, where: str) -> int | None:
    """Days from 1970-01-01 to a day."""
    if text is None:
        return None
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError as error:
        raise ConfigError(f"'{text}' is no day", where=where, todo="Write it like 2026-03-01") from error
