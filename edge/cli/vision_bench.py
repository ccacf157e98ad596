"""`nevgate vision bench`: the processor time of a frame, step by step, and the memory that it takes."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from edge.cli.console import page
from edge.cli.place import progress_bar
from edge.cli.program import emit_json
from edge.cli.vision_detectors import SUBJECT_NAMES, open_each

if TYPE_CHECKING:
    from edge.vision.measuring.stages import FrameCost

_SMALLEST_PX, _LARGEST_PX = 16, 8192


def _size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """Width and height of what is written as ``1280x720``."""
    sides = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", value)
    found = (int(sides[1]), int(sides[2])) if sides else (0, 0)
    if not all(_SMALLEST_PX <= side <= _LARGEST_PX for side in found):
        words = f"{value!r} is no size such as 1280x720, of {_SMALLEST_PX} to {_LARGEST_PX} a side."
        raise click.BadParameter(words, ctx, param)
    return found


@click.command()
@click.option(
    "--size",
    callback=_size,
    metavar="WIDTHxHEIGHT",
    default="1280x720",
    show_default=True,
    help="Of the frames.",
)
@click.option("--frames", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@click.option("--models", type=click.Path(file_okay=False, path_type=Path), help="Folder of the models.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(size: tuple[int, int], frames: int, models: Path | None, as_json: bool) -> None:
    """Measure what a frame costs on this machine, on one thread.

    Made-up frames go through all steps from the camera's pixels to the encoded picture. Processor time
    counts, so that other programs which run meanwhile hardly matter. The memory is the most that the process
    has had.

    \b
    Examples:
      nevgate vision bench
      nevgate vision bench --size 1920x1080 --frames 50 --json
    """
    detectors, missing = open_each(models)
    from edge.vision.measuring.way import measure_way  # noqa: PLC0415 - needs the extra, told of by now

    with progress_bar("measuring", frames) as progress:
        cost = measure_way(detectors, size[0], size[1], frames, progress)
    if as_json:
        emit_json({"width": size[0], "height": size[1], **asdict(cost)})
    else:
        _tell(cost, size)
        for subject, why in missing.items():
            click.echo(f"{SUBJECT_NAMES[subject]} are not in it: {why}")


def _tell(cost: FrameCost, size: tuple[int, int]) -> None:
    table = Table("step", "CPU ms a frame, median", "worst", box=None, pad_edge=False)
    for stage in cost.stages:
        table.add_row(stage.name, f"{stage.cpu_ms:.1f}", f"{stage.worst_cpu_ms:.1f}")
    table.add_row("all", f"{cost.cpu_ms:.1f}", "")
    page().print(table)
    click.echo(f"{cost.frames:,} frames of {size[0]} x {size[1]}; at most {cost.peak_mib:,.0f} MiB of memory")
