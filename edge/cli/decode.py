"""`nevgate decode`: a recording into a table."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from edge.account import Hop
from edge.bus.recording import open_recording
from edge.cli.console import page
from edge.cli.program import complete_file, emit_json
from edge.database.load import load_database
from edge.database.model import Database
from edge.errors import PolicyError
from edge.offline.decoding import ANY_BUS, OfflineDecoder, Summary
from edge.offline.tables import ExportError, open_table
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes

_MOST_WITHHELD_SHOWN = 20


@click.command()
@click.argument("recording", type=click.Path(path_type=Path))
@click.option(
    "--dbc",
    "databases",
    multiple=True,
    required=True,
    metavar="[BUS=]FILE",
    shell_complete=complete_file,
    help="A database; may be repeated.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write values to this .parquet, .csv or .jsonl.")
@click.option(
    "--signals", "patterns", multiple=True, metavar="PATTERN", help="Only these: Message.Signal, * and ?."
)
@click.option(
    "--policy", "class_files", multiple=True, type=click.Path(path_type=Path), help="Apply this class file."
)
@click.option(
    "--collect",
    multiple=True,
    type=click.Choice([one.value for one in DataClass]),
    default=(DataClass.OPERATION.value,),
    show_default=True,
    help="With --policy: a class that may be collected; may be repeated.",
)
@click.option(
    "--bus-map", "bus_map", multiple=True, metavar="CHANNEL=BUS", help="Name a channel of the recording."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    recording: Path,
    databases: tuple[str, ...],
    out: Path | None,
    patterns: tuple[str, ...],
    class_files: tuple[Path, ...],
    collect: tuple[str, ...],
    bus_map: tuple[str, ...],
    as_json: bool,
) -> None:
    """Decode a RECORDING (candump, ASC, BLF, TRC, MF4, GVRET CSV, CRTD) by databases.

    A database without BUS= serves every bus. Without --out the values are summed up in a table. Without
    --policy everything is decoded: that is for files of your own test vehicles.

    \b
    Examples:
      nevgate decode drive.mf4 --dbc car.dbc
      nevgate decode drive.csv --dbc pt=powertrain.dbc --dbc body=body.dbc --bus-map 0=pt --bus-map 1=body
      nevgate decode drive.blf --dbc car.dbc --out drive.parquet --signals 'Battery*.*'
      nevgate decode drive.log --dbc car.dbc --policy car.classes.toml --out drive.csv
    """
    loaded: dict[str, list[Database]] = {}
    files: list[Database] = []
    for text in databases:
        bus, file = _split(text)
        files.append(load_database(file))
        loaded.setdefault(bus, []).append(files[-1])
    classed = _classed(class_files, files) if class_files else None
    names = dict(_pair(text) for text in bus_map)
    channels: set[str] = set()
    with open_recording(recording, buses=names) as source:
        decoder = OfflineDecoder(
            loaded,
            patterns=patterns,
            classed=classed,
            collect=[DataClass(name) for name in collect],
            writer=None if out is None else open_table(out),
        )
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(f"{recording.name}")
            while (batch := source.read(0.0)) is not None:
                channels.update(batch.buses)
                with _writing(out):
                    decoder.decode(batch)
                progress.update(task, description=f"{recording.name}: {decoder.summary.frames:,} frames")
        with _writing(out):
            summary = decoder.finish()
        hop = source.hop()
    for hint in _hints(hop, loaded, names, channels):
        click.echo(f"nevgate: {recording}: {hint}", err=True)
    if as_json:
        emit_json(_as_json(summary, hop, files, class_files, out))
        return
    _show(summary, hop, class_files, out)
    for database in files:
        if database.defects:
            click.echo(
                f"{database.path}: {len(database.defects)} defects mended; 'nevgate dbc lint' names them",
                err=True,
            )


@contextmanager
def _writing(out: Path | None) -> Iterator[None]:
    """Name the table where the machine does not take what is written."""
    try:
        yield
    except OSError as fault:
        if out is None:
            raise
        raise ExportError(f"cannot be written ({fault.strerror or fault})", where=str(out)) from fault


def _hints(
    hop: Hop, buses: Collection[str], names: Mapping[str, str], channels: Collection[str]
) -> Iterator[str]:
    """What a person should be told whose buses and channels do not meet."""
    if hop.entered == 0:
        yield "there is no frame in it"
        return
    if hop.left == 0:
        yield "no line or object in it could be read as a frame; is it a recording?"
        return
    found = ", ".join(sorted(channels))
    for bus in sorted({*buses, *names.values()} - {ANY_BUS, *channels}):
        yield f"no frame is of bus '{bus}'; the buses in it are {found}; --bus-map CHANNEL=BUS names them"


def _split(text: str) -> tuple[str, Path]:
    """``BUS=FILE`` or ``FILE``; a file whose name has an equals sign in it is still found."""
    bus, equals, file = text.partition("=")
    if not equals or Path(text).exists():
        return ANY_BUS, Path(text)
    return bus, Path(file)


def _pair(text: str) -> tuple[str, str]:
    channel, equals, bus = text.partition("=")
    if not equals or not channel or not bus:
        raise click.BadParameter(
            f"'{text}' should be CHANNEL=BUS, such as 0=powertrain", param_hint="--bus-map"
        )
    return channel, bus


def _classed(class_files: Sequence[Path], databases: Sequence[Database]) -> Mapping[str, ClassedDatabase]:
    """Each database with its class file: that of the same name, or the only one for the only database."""
    by_stem = {path.name.partition(".")[0]: path for path in class_files}
    classed: dict[str, ClassedDatabase] = {}
    for database in databases:
        path = by_stem.pop(database.path.name.partition(".")[0], None)
        if path is None and len(class_files) == len(databases) == 1:
            path = class_files[0]
            by_stem.clear()
        classed[database.sha256] = (
            ClassedDatabase(database, {}) if path is None else load_classes(path, database)
        )
    if by_stem:
        path = next(iter(by_stem.values()))
        raise PolicyError(
            "belongs to none of the databases",
            where=str(path),
            todo="Name it like its database: car.classes.toml",
        )
    return classed


def _policy_words(summary: Summary, class_files: Sequence[Path]) -> str:
    if not class_files:
        return "no policy was applied: every signal was decoded"
    masks = ", ".join(f"{bus} {mask}" for bus, mask in summary.masks.items())
    return f"policy {', '.join(str(path) for path in class_files)} was applied (mask {masks})"


def _show(summary: Summary, hop: Hop, class_files: Sequence[Path], out: Path | None) -> None:
    console = page()
    click.echo(
        f"{hop.entered:,} frames in the recording, {summary.frames:,} read, {summary.decoded:,} decoded,"
        f" {summary.unknown:,} of unknown ids,"
        f" {summary.unknown_multiplexer:,} with an unknown multiplexer value (other signals kept),"
        f" {summary.short:,} short (some signals missing), {summary.too_short:,} too short,"
        f" {summary.not_data:,} error or remote frames"
    )
    for cause, count in hop.set_aside.items():
        click.echo(f"  not read: {count:,} {cause}")
    click.echo(_policy_words(summary, class_files))
    for cause, count in summary.not_admitted.items():
        click.echo(f"  not admitted: {count:,} {cause}")
    if out is not None:
        total = sum(one.count for one in summary.signals.values())
        click.echo(f"{total:,} values of {len(summary.signals):,} signals were written to {out}")
    else:
        console.print(_table(summary))
    withheld = sorted(summary.withheld)
    for ref in withheld[:_MOST_WITHHELD_SHOWN]:
        click.echo(f"  not collected: {ref}")
    if len(withheld) > _MOST_WITHHELD_SHOWN:
        click.echo(
            f"  not collected: {len(withheld) - _MOST_WITHHELD_SHOWN} further signals; --json lists them"
        )


def _table(summary: Summary) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("signal", "count", "min", "max", "last"):
        table.add_column(heading, justify="left" if heading == "signal" else "right")
    for ref, one in sorted(summary.signals.items()):
        table.add_row(Text(str(ref)), f"{one.count:,}", *map(_short, (one.minimum, one.maximum, one.last)))
    return table


def _short(value: int | float | None) -> str:  # noqa: PYI041 - integers are shown whole
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _finite(value: float | None) -> float | str | None:
    """JSON has no NaN and no infinity."""
    return value if value is None or math.isfinite(value) else repr(value)


def _as_json(
    summary: Summary, hop: Hop, databases: Sequence[Database], class_files: Sequence[Path], out: Path | None
) -> dict[str, object]:
    return {
        "recording": {"entered": hop.entered, "left": hop.left, "set_aside": dict(hop.set_aside)},
        "frames": summary.frames,
        "decoded": summary.decoded,
        "unknown_id": summary.unknown,
        "unknown_multiplexer_value": summary.unknown_multiplexer,
        "short": summary.short,
        "too_short": summary.too_short,
        "error_or_remote": summary.not_data,
        "databases": [
            {"file": str(one.path), "sha256": one.sha256, "defects": len(one.defects)} for one in databases
        ],
        "policy": {
            "class_files": [str(path) for path in class_files],
            "masks": summary.masks,
            "not_admitted": summary.not_admitted,
            "not_collected": [str(ref) for ref in sorted(summary.withheld)],
        }
        if class_files
        else None,
        "out": None if out is None else str(out),
        "signals": {
            str(ref): {
                "count": one.count,
                "min": _finite(one.minimum),
                "max": _finite(one.maximum),
                "last": _finite(one.last),
            }
            for ref, one in sorted(summary.signals.items())
        },
    }
