"""`nevgate journal repair`: keep what can be read of a damaged journal."""

from __future__ import annotations

from pathlib import Path

import click

from edge.archive.changing import check_idle, inside_of
from edge.archive.opening import reading
from edge.cli.place import DEFAULT_CONFIG, find_place
from edge.cli.program import emit_json
from edge.errors import ConfigError
from edge.journal.damage.salvage import Salvage, open_or_salvage


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
@click.option("--put-aside", is_flag=True, help="Put the journal aside even if no check finds it damaged.")
@click.option("--yes", is_flag=True, help="With --put-aside: do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(folder: Path | None, config_path: Path, put_aside: bool, yes: bool, as_json: bool) -> None:
    """Check the journal; put a damaged one aside, begin a fresh one, and take over what still has to be sent.

    The gateway does the same at each start; this does it by hand, and shows the outcome. The damaged files
    are kept as they are in a folder beside, and stay readable as far as they can be read. The fresh journal
    names the old stream as its predecessor. What cannot be read is told to the platform as lost.

    \b
    Examples:
      nevgate journal repair --config /etc/nevgate/nevgate.toml
      nevgate journal repair --put-aside --yes --json

    Exit status: 0 if nothing was damaged or all that was is put aside.
    """
    place = find_place(folder, config_path)
    if place.config is None:
        raise ConfigError("a configuration is needed", todo="Name it by --config")
    check_idle(place.folder)
    if put_aside and not (
        yes or click.confirm(f"Put the journal in {place.folder} aside and begin a fresh one?")
    ):
        raise SystemExit(1)
    found = "put aside by hand" if put_aside else ""
    settings = place.section.settings(place.config.vehicle.topic_name)
    with reading(place.folder):
        opened, salvages = open_or_salvage(
            place.folder,
            place.provider(),
            settings,
            inside_of(place.config, place.folder),
            found=found,
        )
        stream = opened.stream
        opened.close()
    if as_json:
        emit_json({"stream": stream.hex(), "damaged": [_as_json(one) for one in salvages]})
        return
    if not salvages:
        click.echo(f"nothing is damaged in {place.folder}")
    for one in salvages:
        click.echo(str(one))
    if salvages:
        click.echo(f"the journal goes on as stream {stream.hex()}")


def _as_json(salvage: Salvage) -> dict[str, object]:
    rescued = salvage.rescued
    return {
        "what": salvage.what,
        "cause": salvage.cause,
        "kept_in": salvage.kept_in or None,
        "stream": None if salvage.stream is None else salvage.stream.hex(),
        "rescued": {
            "blocks": rescued.blocks,
            "records": rescued.records,
            "lost": rescued.lost,
            "messages": rescued.messages,
        },
    }
