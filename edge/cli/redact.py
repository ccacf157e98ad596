"""`nevgate redact`: faces and plates in pictures and films filled, at a desk."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.console import counted
from edge.cli.ending import stop_on_signal
from edge.cli.place import progress_bar
from edge.cli.program import INTERRUPTED_EXIT, emit_json
from edge.vision.boxes import Subject
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.media import MediaFormat

if TYPE_CHECKING:
    from edge.vision.redacting import Hidden, Outcome
    from edge.vision.redacting_plan import Plan

INCOMPLETE_EXIT = 1
_STILLS = {"jpeg": MediaFormat.JPEG, "avif": MediaFormat.AVIF}
_FILMS = {"webm": ".webm", "mp4": ".mp4"}
_MOST_NAMED = 3


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write, or a folder; of a folder, always a folder.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice([*_STILLS, *_FILMS]),
    help="Of pictures (jpeg, avif) and of films (webm, mp4); once for each.  [default: jpeg, webm]",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=85,
    show_default=True,
    help="Of pictures, and of films in mp4.",
)
@click.option("--faces/--no-faces", default=True, help="Look for faces.  [default: yes]")
@click.option("--plates/--no-plates", default=True, help="Look for plates.  [default: yes]")
@click.option(
    "--memory/--no-memory",
    default=True,
    help="Hide in each frame of a film also what was found before and after it.  [default: yes]",
)
@click.option(
    "--preview", type=click.Choice(["boxes"]), help="Outline what was filled; nothing is left open for it."
)
@click.option("--models", type=click.Path(file_okay=False, path_type=Path), help="Folder of the models.")
@click.option(
    "--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="That a detector may use."
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was filled, by file and frame, as JSON.")
def command(
    source: Path,
    out: Path,
    formats: tuple[str, ...],
    quality: int,
    faces: bool,
    plates: bool,
    memory: bool,
    preview: str | None,
    models: Path | None,
    threads: int,
    force: bool,
    as_json: bool,
) -> None:
    """Fill all faces and plates in a picture, a film or a folder IN, and write what is left to --out.

    Boxes are enlarged and filled with one colour, as in a vehicle; that cannot be undone. Written is what is
    seen and nothing else: no sound, no place, no time, no preview from within the file. A film's frames keep
    their times; mp4 needs PyAV (docs/vision.md).

    What cannot be read or judged (damaged, too dark, too blurred) is not written, and is named: a picture
    not at all, a film without these frames. Ends with 1 where anything is missing. No file is replaced
    without --force, none lies under its name half written, and IN stays as it is.

    Look through what comes out before you give it away: no detector finds everything.

    \b
    Examples:
      nevgate redact street.jpg --out street-redacted.jpg
      nevgate redact dashcam.mp4 --out dashcam.webm
      nevgate redact drives/ --out redacted/ --json > boxes.json
      nevgate redact drives/ --out looked-at/ --preview boxes --format avif
    """
    detectors = open_detectors(DetectorSettings(models=models, faces=faces, plates=plates, threads=threads))
    from edge.vision.redacting import (  # noqa: PLC0415 - needs the extra, whose lack is told by now
        Redacting,
        RedactingSettings,
        StoppedError,
    )
    from edge.vision.redacting_plan import Formats, formats_of, plan_redaction  # noqa: PLC0415 - the same

    wanted = Formats(
        next((_STILLS[one] for one in formats if one in _STILLS), MediaFormat.JPEG),
        next((_FILMS[one] for one in formats if one in _FILMS), ".webm"),
    )
    if not formats and source.is_file() and not out.is_dir():
        wanted = formats_of(out, wanted)
    plan = plan_redaction(source, out, wanted)
    settings = RedactingSettings(
        wanted, quality, memory=memory, outlines=preview is not None, force=force, boxes=as_json
    )
    sizes = [max(1, job.source.stat().st_size) for job in plan.jobs]
    outcomes: list[Outcome] = []
    with stop_on_signal() as stop, progress_bar("redacting", sum(sizes)) as progress:
        redacting = Redacting(detectors, settings, stopped=stop.is_set)
        for job, size, before in zip(plan.jobs, sizes, _before(sizes), strict=True):
            try:
                outcome = redacting.run(job, _told(progress, before, size))
            except StoppedError:
                break
            outcomes.append(outcome)
            progress(before + size)
            if outcome.reason:
                click.echo(f"nevgate: {job.source}: {outcome.written}: {outcome.reason}", err=True)
    left = len(plan.jobs) - len(outcomes)
    if as_json:
        names = [detector.name for detector in detectors]
        emit_json({"detectors": names, **_as_json(plan, outcomes)})
    else:
        _tell(plan, outcomes)
    if left:
        click.echo(f"nevgate: ended before {counted(left, 'file')}, of which nothing was written", err=True)
        sys.exit(INTERRUPTED_EXIT)
    if any(outcome.reason for outcome in outcomes):
        sys.exit(INCOMPLETE_EXIT)


def _told(progress: Callable[[int], None], before: int, size: int) -> Callable[[float], None]:
    """What tells of a share of one file as a part of all."""
    return lambda share: progress(before + round(share * size))


def _before(sizes: list[int]) -> list[int]:
    """What was done before each."""
    return [sum(sizes[:place]) for place in range(len(sizes))]


def _tell(plan: Plan, outcomes: list[Outcome]) -> None:
    if plan.passed_over:
        count = counted(len(plan.passed_over), "file")
        some = ", ".join(path.name for path in plan.passed_over[:_MOST_NAMED])
        click.echo(f"nevgate: {count} passed over, neither pictures nor films: {some}", err=True)
    by_word = Counter(str(outcome.written) for outcome in outcomes)
    words = ", ".join(f"{count:,} {word}" for word, count in by_word.items())
    click.echo(
        f"{counted(len(plan.jobs), 'file')}: {words or 'none written'};"
        f" {counted(sum(one.faces for one in outcomes), 'face')} and"
        f" {counted(sum(one.plates for one in outcomes), 'plate')} filled"
        f" in {counted(sum(one.kept for one in outcomes), 'frame')}"
    )


def _as_json(plan: Plan, outcomes: list[Outcome]) -> dict[str, Any]:
    return {
        "files": [
            {
                "file": str(one.job.source),
                "out": str(one.job.target) if one.kept else None,
                "written": str(one.written),
                "reason": one.reason,
                "frames": one.frames,
                "kept": one.kept,
                "dropped": dict(one.dropped),
                "faces": one.faces,
                "plates": one.plates,
                "hidden": [_frame(hidden) for hidden in one.hidden],
            }
            for one in outcomes
        ],
        "not_begun": [str(job.source) for job in plan.jobs[len(outcomes) :]],
        "passed_over": [str(path) for path in plan.passed_over],
    }


def _frame(hidden: Hidden) -> dict[str, Any]:
    boxes = hidden.boxes
    found = zip(
        boxes.subjects.tolist(),
        boxes.corners.tolist(),
        hidden.masks.tolist(),
        boxes.scores.tolist(),
        strict=True,
    )
    return {
        "frame": hidden.frame,
        "t_s": round(hidden.t_ns / 1e9, 6),
        "boxes": [
            {
                "subject": Subject(subject).name.lower(),
                "found": [round(corner, 1) for corner in corners],
                "filled": mask,
                "score": round(score, 3),
            }
            for subject, corners, mask, score in found
        ],
    }
