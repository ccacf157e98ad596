"""`nevgate journal bench`: measure the disk that a journal is to lie on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge.archive.measuring import FRAMES_PER_S, LONGEST_SLEEP_S, Measurement, measure
from edge.cli.place import find_place, place_options, progress_bar
from edge.cli.program import Finite, emit_json
from edge.errors import ConfigError

_STEPS = 1_000


@click.command()
@place_options
@click.option("--seconds", type=Finite(1, 600), default=10.0, show_default=True, help="How long to measure.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(folder: Path | None, config_path: Path | None, seconds: float, as_json: bool) -> None:
    """Measure how long commits take on the disk of FOLDER, and say what a power cut can cost there.

    Works in a temporary folder within FOLDER, or beside it where it is yet to be made; a journal that is
    there is not touched. Best while no gateway runs. First small commits, as alarms make them, then blocks of
    17,000 frames. A disk that says "written" before it is makes all of this look good and keeps nothing.

    \b
    Examples:
      nevgate journal bench /var/lib/nevgate
      nevgate journal bench --config /etc/nevgate/nevgate.toml --seconds 60 --json
    """
    place = find_place(folder, config_path)
    folder = place.folder.absolute()
    scene = folder if folder.is_dir() else folder.parent
    if not scene.is_dir():
        raise ConfigError("there is no such folder to measure in", where=str(scene))
    with progress_bar("measuring", _STEPS) as progress:
        found = measure(
            scene,
            seconds=seconds,
            block_period_s=place.section.block_period_s,
            progress=lambda share: progress(round(share * _STEPS)),
        )
    if as_json:
        emit_json({**asdict(found), "worst_loss_s": found.worst_loss_s, "alarm_loss_s": found.alarm_loss_s})
    else:
        _tell(found)


def _tell(found: Measurement) -> None:
    click.echo(
        f"a commit        {_ms(found.commit_median_s)} median, {_ms(found.commit_p99_s)} p99,"
        f" {_ms(found.commit_worst_s)} worst of {found.commits:,}"
    )
    click.echo(
        f"{FRAMES_PER_S:,} frames   {_ms(found.frame_commit_median_s)} median,"
        f" {_ms(found.frame_commit_worst_s)} worst of {found.seconds_of_frames:,}:"
        f" room for {found.frames_per_s:,.0f} frames/s"
    )
    click.echo(
        f"on the disk     {found.frame_bytes:.2f} bytes a frame,"
        f" {found.disk_bytes_per_s / 1_000:,.0f} kB/s at {FRAMES_PER_S:,} frames/s"
    )
    click.echo(
        f"a power cut     costs at most the last {found.worst_loss_s:.2f} s: block period"
        f" {found.block_period_s:g} s, queue {LONGEST_SLEEP_S:g} s, commit;"
        f" of an alarm {_ms(found.alarm_loss_s)}"
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1_000:.1f} ms"
