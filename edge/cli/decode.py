"""`nevgate decode`: recordings into tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from edge import accelerated
from edge.cli.console import counted, page
from edge.cli.decode_report import Report, as_json, show
from edge.cli.program import complete_file, emit_json
from edge.errors import DatabaseError, NevgateError, PolicyError
from edge.offline.bulk import BulkDecode
from edge.offline.decoding import ANY_BUS
from edge.offline.engines import Engine, HereEngine, ProcessEngine
from edge.offline.inputs import Inputs, find_inputs
from edge.offline.job import DecodeJob, prepared
from edge.offline.processes import cores
from edge.offline.storage import storage_of, without_file_scheme
from edge.offline.tables import ENDINGS, ExportError
from edge.offline.target import RecordingOutcome, Target
from edge.policy.classes import DataClass

INCOMPLETE_EXIT = 1
_MOST_NAMED = 3
_FORMATS = tuple(ending[1:] for ending in ENDINGS)


@click.command()
@click.argument(
    "recordings", metavar="RECORDING...", nargs=-1, required=True, type=str, shell_complete=complete_file
)
@click.option(
    "--dbc",
    "databases",
    multiple=True,
    required=True,
    metavar="[BUS=]FILE",
    shell_complete=complete_file,
    help="A database; may be repeated.",
)
@click.option(
    "--out",
    shell_complete=complete_file,
    metavar="PATH",
    help="Write values to this .parquet, .csv or .jsonl; of several recordings, into this folder.",
)
@click.option(
    "--format", "table_format", type=click.Choice(_FORMATS), help="Of tables in a folder.  [default: parquet]"
)
@click.option(
    "--signals", "patterns", multiple=True, metavar="PATTERN", help="Only these: Message.Signal, * and ?."
)
@click.option(
    "--policy",
    "class_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Apply this class file; may be repeated.",
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
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes at once.  [default: one for each core]")
@click.option("--resume", is_flag=True, help="Go on with a run that was ended before it was through.")
@click.option(
    "--engine",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Who decodes: this machine, or a Dask cluster that sees the same files.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Of the Dask cluster, such as tcp://10.0.0.5:8786.")
@click.option("--json", "as_json_", is_flag=True, help="Print the summary as JSON.")
def command(
    recordings: tuple[str, ...],
    databases: tuple[str, ...],
    out: str | None,
    table_format: str | None,
    patterns: tuple[str, ...],
    class_files: tuple[Path, ...],
    collect: tuple[str, ...],
    bus_map: tuple[str, ...],
    jobs: int | None,
    resume: bool,
    engine: str,
    scheduler: str | None,
    as_json_: bool,
) -> None:
    """Decode each RECORDING (candump, ASC, BLF, TRC, MF4, GVRET CSV, CRTD) by databases.

    A database without BUS= serves every bus. Without --out the values are summed up in a table. Without
    --policy everything is decoded: that is for files of your own test vehicles.

    A folder means all recordings in it; patterns (quoted, also with **) and URLs such as s3://bucket/trips
    work as well. All cores share the work: long candump, GVRET CSV, CRTD and BLF logs are cut into pieces,
    other formats are read a file a process. The outcome is the same to the byte, whatever --jobs and
    --engine. With several recordings --out is a folder: a table for each, and manifest.json, which says what
    was read. If a run fails or is killed, the same command with --resume goes on with what is missing.

    \b
    Examples:
      nevgate decode drive.mf4 --dbc car.dbc
      nevgate decode drive.csv --dbc pt=powertrain.dbc --dbc body=body.dbc --bus-map 0=pt --bus-map 1=body
      nevgate decode drive.blf --dbc car.dbc --out drive.parquet --signals 'Battery*.*'
      nevgate decode drive.log --dbc car.dbc --policy car.classes.toml --out drive.csv
      nevgate decode trips/ 's3://fleet/2026/**/*.log' --dbc car.dbc --out decoded/
      nevgate decode s3://fleet/2026 --dbc car.dbc --out s3://fleet/done --engine dask --scheduler tcp://h:8786
    """
    if resume and out is None:
        raise click.UsageError("--resume goes on with what --out names")
    if (engine == "dask") != (scheduler is not None):
        raise click.UsageError("--engine dask and --scheduler ADDRESS belong together")
    recordings = tuple(map(without_file_scheme, recordings))
    out = None if out is None else without_file_scheme(out)
    inputs = find_inputs(recordings)
    folder = out is not None and _is_folder(out, recordings, inputs)
    job = DecodeJob(
        databases=tuple(_database(text) for text in databases),
        patterns=patterns,
        classes=tuple((str(path), _content(path, PolicyError)) for path in class_files) or None,
        collect=collect,
        buses=tuple(_pair(text) for text in bus_map),
        ending=_ending(out, table_format, folder=folder),
    )
    ready = prepared(job)
    ready.decoder(None)
    target = Target(out or "", folder, job.ending, job.fingerprint())
    if inputs.passed_over:
        click.echo(
            f"nevgate: {counted(len(inputs.passed_over), 'file')} passed over that are no recordings:"
            f" {', '.join(inputs.passed_over[:_MOST_NAMED])}",
            err=True,
        )
    total = sum(one.stat.size for one in inputs.recordings)
    report = Report(ready.files, class_files, out, several=len(inputs.recordings) > 1)
    _run(inputs, job, target, _engine(engine, scheduler, jobs, total, out), report, resume=resume)
    if report.failed and not report.several:
        raise NevgateError(report.failed[0].failure)
    if as_json_:
        emit_json({**as_json(report), "accelerator": accelerated.state})
    else:
        show(report)
    if report.failed:
        advice = "; the same command with --resume goes on" if out is not None else ""
        click.echo(
            f"nevgate: {len(report.failed)} of {len(inputs.recordings)} recordings are missing{advice}",
            err=True,
        )
        raise click.exceptions.Exit(INCOMPLETE_EXIT)


def _run(
    inputs: Inputs, job: DecodeJob, target: Target, engine: Engine, report: Report, *, resume: bool
) -> None:
    """Decode everything into `target` and `report`, showing how far it is."""
    console = page(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    total = sum(one.stat.size for one in inputs.recordings)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(Path(inputs.recordings[0].location).name, total=total)

        def tell(words: str) -> None:
            progress.console.print(f"nevgate: {words}", markup=False, highlight=False, soft_wrap=True)

        run = BulkDecode(
            inputs.recordings,
            job,
            target,
            engine,
            tell=tell,
            advance=lambda size: progress.advance(task, size),
        )
        for outcome in run.run(resume=resume):
            report.add(outcome)
            progress.update(task, description=f"{report.summary.frames:,} frames")
            if outcome.failure and not report.several:
                continue
            for hint in _hints(outcome, {bus for bus, _, _ in job.databases}, dict(job.buses)):
                tell(f"{outcome.recording.location}: {hint}")


def _engine(name: str, scheduler: str | None, jobs: int | None, total: int, out: str | None) -> Engine:
    """Who decodes; processes are not begun for what one has done sooner, or what others could not see."""
    if name == "dask":
        from edge.offline.dask_engine import DaskEngine  # noqa: PLC0415 - an extra that only this needs

        return DaskEngine(scheduler or "")
    wanted = jobs if jobs is not None else cores()
    if wanted == 1 or (jobs is None and total < _SMALL_BYTES) or (out or "").startswith("memory://"):
        return HereEngine()
    return ProcessEngine(wanted)


_SMALL_BYTES = 16 << 20
"""So little is decoded in the time that a process takes to begin."""


def _is_folder(out: str, named: Collection[str], inputs: Inputs) -> bool:
    """Whether tables go into a folder: for more than one recording, or where the name ends with a slash."""
    single = len(named) == len(inputs.recordings) == 1 and inputs.recordings[0].location == next(iter(named))
    if _suffix(out) not in ENDINGS:
        return not single or out.endswith("/")
    if not single:
        raise ExportError(
            "is a file; several recordings need a folder", where=out, todo="Leave out the ending"
        )
    return False


def _ending(out: str | None, table_format: str | None, *, folder: bool) -> str:
    """The ending of the tables; empty if there are none."""
    if out is None:
        return ""
    if folder:
        return f".{table_format or _FORMATS[0]}"
    suffix = _suffix(out)
    if suffix not in ENDINGS:
        raise ExportError(
            f"the ending '{suffix}' is no table that nevgate writes",
            where=out,
            todo=f"Use one of {', '.join(ENDINGS)}",
        )
    if table_format is not None and f".{table_format}" != suffix:
        raise click.UsageError(f"--format {table_format} and --out {out} contradict each other")
    return suffix


def _suffix(out: str) -> str:
    return "" if out.endswith("/") else Path(out.rpartition("/")[2]).suffix.lower()


def _hints(outcome: RecordingOutcome, buses: Collection[str], names: Mapping[str, str]) -> Iterator[str]:
    """What a person should be told of a recording: that it failed, or that buses and channels do not meet."""
    if outcome.failure or outcome.account is None:
        yield f"is missing: {outcome.failure}"
        return
    if outcome.account["entered"] == 0:
        yield "there is no frame in it"
        return
    if outcome.account["left"] == 0:
        yield "no line or object in it could be read as a frame; is it a recording?"
        return
    found = ", ".join(sorted(outcome.buses))
    for bus in sorted({*buses, *names.values()} - {ANY_BUS, *outcome.buses}):
        yield f"no frame is of bus '{bus}'; the buses in it are {found}; --bus-map CHANNEL=BUS names them"


def _database(text: str) -> tuple[str, str, bytes]:
    """``BUS=FILE`` or ``FILE``; a file whose name has an equals sign in it is still found."""
    bus, equals, file = text.partition("=")
    if not equals or Path(text).exists():
        bus, file = ANY_BUS, text
    return bus, file, _content(file, DatabaseError)


def _content(file: str | Path, error: type[NevgateError]) -> bytes:
    try:
        return storage_of(str(file)).read(str(file))
    except OSError as fault:
        raise error(
            f"cannot be read ({fault.strerror or fault})",
            where=str(file),
            todo="Check the path and its permissions",
        ) from fault


def _pair(text: str) -> tuple[str, str]:
    channel, equals, bus = text.partition("=")
    if not equals or not channel or not bus:
        raise click.BadParameter(
            f"'{text}' should be CHANNEL=BUS, such as 0=powertrain", param_hint="--bus-map"
        )
    return channel, bus
