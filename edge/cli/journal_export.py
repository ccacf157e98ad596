"""`nevgate journal export`: frames, records, signals or evidence into a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from edge.archive.contents import event_window
from edge.archive.export_file import About
from edge.archive.exporting import (
    ExportRequest,
    Format,
    What,
    about_path,
    chosen_format,
    chosen_what,
    export,
)
from edge.archive.media import export_media
from edge.archive.opening import Archive
from edge.archive.selection import Selection
from edge.archive.signals import load_rules
from edge.catalogue.catalogue import builtin
from edge.cli.place import find_place, make_selection, place_options, progress_bar, selection_options
from edge.cli.program import emit_json
from edge.errors import ConfigError
from edge.offline.processes import cores

_MOST_WITHHELD_SHOWN = 20
_UNITS = {
    What.FRAMES: "frames",
    What.EVENT_FRAMES: "frames",
    What.RECORDS: "records",
    What.SIGNALS: "values",
    What.EXCERPT: "blocks",
}


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@place_options
@click.option(
    "--format", "format_name", type=click.Choice([*Format]), help="Without it, the ending of OUT tells."
)
@selection_options
@click.option("--event", metavar="ID", help="The frames of this event, or what else was within its window.")
@click.option("--decode", is_flag=True, help="Signals instead of frames, by the configuration's databases.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    help="With --decode: processes that decode at once.  [default: one for each core]",
)
@click.option("--force", is_flag=True, help="Replace OUT if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was exported as JSON.")
def command(
    out: Path,
    folder: Path | None,
    config_path: Path | None,
    format_name: str | None,
    kinds: tuple[str, ...],
    classes: tuple[str, ...],
    since: str | None,
    until: str | None,
    boot: str,
    event: str | None,
    decode: bool,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Export from the journal in FOLDER, or that of a configuration, into OUT.

    Raw frames go to candump (.log), BLF, MF4, Parquet or MCAP, their class parts put together again; records
    go to CSV, Parquet or MCAP, with names and physical values, an invalid value apart from an abnormal one;
    signals (--decode) to CSV, Parquet or JSON lines. Without --kind, a .csv, .parquet or .mcap holds records,
    the other files frames. An .excerpt is evidence: all blocks of one kind, class and boot in a range of
    time, which 'nevgate journal verify' proves complete and unchanged.

    With --decode all cores share the work: this process reads the journal and opens its blocks, others decode
    them; the file is the same to the byte, whatever --jobs. All other exports are made by one process: there
    the writing is the work.

    Media (--kind media) go into the folder OUT: each still or clip under a name that tells camera, time and
    block, and beside it a JSON file with all that is known of it.

    With a configuration the export names the signals that its door withheld, as "not collected". Candump, BLF
    and CSV have no place for that: there it stands beside OUT, in OUT.about.json.

    \b
    Examples:
      nevgate journal export drive.mf4 --from 2026-03-01T08:00 --to 2026-03-01T09:00
      nevgate journal export day.parquet --kind records --from 2026-03-01 --to 2026-03-02
      nevgate journal export signals.parquet --decode --config /etc/nevgate/nevgate.toml
      nevgate journal export crash.blf --event collision@81234567890
      nevgate journal export pictures --kind media --class exterior
      nevgate journal export trip.excerpt --kind records --class position --from 2026-03-01T08:00
    """
    place = find_place(folder, config_path)
    if kinds == ("media",) and out.suffix.lower() != ".excerpt" and format_name is None:
        selection = make_selection(kinds, classes, since, until, boot)
        with place.open() as archive:
            _export_media(archive, _within(archive, selection, event), out, force=force, as_json=as_json)
        return
    if out.is_dir():
        raise click.UsageError(f"'{out}' is a folder; only media are exported into one")
    format_ = chosen_format(out, format_name)
    selection = make_selection(kinds, classes, since, until, boot)
    what, meant = chosen_what(format_, selection.kinds, event=event is not None, decode=decode)
    if what is What.SIGNALS and place.config is None:
        raise ConfigError("signals are decoded by a configuration's databases", todo="Name it by --config")
    if jobs is not None and what is not What.SIGNALS:
        raise click.UsageError("--jobs is for --decode: all else is exported by one process")
    wants_rules = what in {What.FRAMES, What.EVENT_FRAMES, What.SIGNALS}
    rules = load_rules(place.config) if wants_rules and place.config is not None else None
    with place.open() as archive:
        selection = replace(_within(archive, selection, event), kinds=meant)
        request = ExportRequest(out, what, format_, selection, force)
        blocks = archive.count(replace(selection, classes=frozenset()))
        with progress_bar(f"exporting {what}", blocks) as progress:
            about = export(
                archive,
                request,
                builtin(),
                rules=rules,
                jobs=cores() if jobs is None else jobs,
                progress=progress,
                tell=lambda words: click.echo(f"nevgate: {words}", err=True),
            )
    if as_json:
        emit_json({"out": str(out), "what": what.value, "format": format_.value, **about.as_json()})
        return
    _tell(request, about)


def _export_media(archive: Archive, selection: Selection, out: Path, *, force: bool, as_json: bool) -> None:
    with progress_bar("exporting media", archive.count(selection)) as progress:
        done = export_media(archive, selection, out, force=force, progress=progress)
    if as_json:
        emit_json({"out": str(out), "what": "media", **done.as_json()})
        return
    click.echo(f"{done.written:,} stills and clips ({done.bytes:,} bytes) were written into {out}")
    for cause, count in done.left_out.items():
        click.echo(f"  left out: {count:,} {cause}")


def _within(archive: Archive, selection: Selection, event: str | None) -> Selection:
    if event is None:
        return selection
    window = event_window(archive, event)
    return replace(selection, boot=window.boot.hex(), span=(window.from_ns, window.to_ns))


def _tell(request: ExportRequest, about: About) -> None:
    click.echo(f"{about.written:,} {_UNITS[request.what]} were written to {request.path}")
    if about.without_wall_time:
        click.echo(f"  {about.without_wall_time:,} have times since boot: no wall time was known")
    for data_class, periods in about.not_at_hand.items():
        click.echo(f"  not in it: class '{data_class}', in {periods:,} periods")
    for cause, count in about.left_out.items():
        click.echo(f"  left out: {count:,} {cause}")
    if about.buses:
        named = ", ".join(f"{bus} is {number}" for bus, number in about.buses.items())
        click.echo(f"  buses are numbered: {named}")
    withheld = about.not_collected
    if withheld is None and any(about.masks):
        masks = ", ".join(mask for mask in about.masks if mask)
        click.echo(f"  collected under mask {masks}; --config names what it withheld")
    for name in (withheld or ())[:_MOST_WITHHELD_SHOWN]:
        click.echo(f"  not collected: {name}")
    if withheld is not None and len(withheld) > _MOST_WITHHELD_SHOWN:
        click.echo(
            f"  not collected: {len(withheld) - _MOST_WITHHELD_SHOWN} further signals; --json lists them"
        )
    if about_path(request.path).exists():
        click.echo(f"  what it holds, and what not, is in {about_path(request.path)}")
