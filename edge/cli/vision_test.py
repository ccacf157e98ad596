"""`nevgate vision test`: what is hidden in the annotated pictures of a folder, by the standard's measure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from edge.cli.console import page
from edge.cli.place import progress_bar
from edge.cli.program import emit_json
from edge.cli.vision_detectors import SUBJECT_NAMES as _NAMES
from edge.cli.vision_detectors import open_each
from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import read_annotations
from edge.vision.measuring.measure import SIZES_PX, STANDARD_SIZE_PX, Share

if TYPE_CHECKING:
    from edge.vision.measuring.folder import Measurement

_SAID = {True: "met", False: "NOT met", None: "not known: not all was measured"}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--models", type=click.Path(file_okay=False, path_type=Path), help="Folder of the models.")
@click.option("--only", type=click.Choice(["faces", "plates"]), help="Measure one of them alone.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write a page in HTML here.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(folder: Path, models: Path | None, only: str | None, report: Path | None, as_json: bool) -> None:
    """Measure what nevgate would hide in the pictures of FOLDER.

    FOLDER holds an annotations.json, which says what is truly in each picture (docs/vision.md). The measure
    is that of GB/T 44464-2024, 5.6.2: of faces from 32 pixels and plates from 16 on the share that is masked
    by half, and of all masks the share that hides nothing; and how much is hidden at every size. Pictures are
    judged one by one, without the memory that a camera's frames have. The report shows what was missed as
    pictures in which everything marked is filled. Ends with 1 where the standard's rate is not met.

    \b
    Examples:
      nevgate vision test /data/pictures
      nevgate vision test /data/pictures --only faces --report measured.html
      nevgate vision test /data/pictures --json > measured.json
    """
    annotations = read_annotations(folder)
    detectors, missing = open_each(models, only)
    from edge.vision.measuring.folder import (  # noqa: PLC0415 - needs the extra, whose lack is told by now
        Looking,
        measure_folder,
    )

    looking = Looking(detectors)
    with progress_bar("measuring", len(annotations.images)) as progress:
        measurement = measure_folder(folder, annotations, looking, progress)
    if report is not None:
        from edge.vision.measuring.report import (  # noqa: PLC0415 - only where it is asked for
            in_order_of_weight,
            page_of,
            redacted_crops,
        )

        crops = redacted_crops(folder, annotations, in_order_of_weight(measurement.subjects), looking)
        settings = [("folder", folder.name), ("models", str(models or "of the installed packages"))]
        report.write_text(page_of(measurement, settings, crops), "utf-8")
    if as_json:
        emit_json(measurement.as_json())
    else:
        _tell(measurement, missing)
    if measurement.passed is False:
        sys.exit(1)


def _tell(measurement: Measurement, missing: dict[Subject, str]) -> None:
    table = Table("what", "counted", "rate", "95 % interval", "asked", box=None, pad_edge=False)
    for one in measurement.subjects:
        name = _NAMES[one.subject]
        size = STANDARD_SIZE_PX[one.subject]
        table.add_row(f"{name} of {size} px and more, detected", *_words(one.detected), "at least 0.90")
        table.add_row(f"{name}, false detections", *_words(one.false), "at most 0.10")
        for low, high in zip(SIZES_PX, (*SIZES_PX[1:], None), strict=True):
            span = f"{low} to {high} px" if high else f"{low} px and more"
            table.add_row(f"{name} hidden, {span}", *_words(one.hidden[low]), "")
    page().print(table)
    for one in measurement.subjects:
        if one.cpu_ms is not None:
            click.echo(f"{_NAMES[one.subject]}: {one.cpu_ms:.0f} ms of processor time a picture, median")
    for subject, why in missing.items():
        click.echo(f"{_NAMES[subject]} were not measured: {why}")
    for file, why in measurement.refused:
        click.echo(f"{file} was not judged, counted as if nothing had been found: {why}")
    for line in measurement.requirements:
        if not line.met:
            click.echo(f"no set as annex B asks for: {line.name}: {line.found}, {line.asked} asked")
    click.echo(f"GB/T 44464-2024, 5.6.2, detection rate: {_SAID[measurement.passed]}")


def _words(share: Share) -> tuple[str, str, str]:
    if share.rate is None:
        return "none", "", ""
    low, high = share.interval
    return f"{share.part:,} of {share.whole:,}", f"{share.rate:.3f}", f"{low:.3f} to {high:.3f}"
