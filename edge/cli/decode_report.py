"""What `nevgate decode` says of its run, to people and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from edge.cli.console import page
from edge.database.model import Database
from edge.offline.summary import Summary
from edge.offline.target import RecordingOutcome

_MOST_WITHHELD_SHOWN = 20


@dataclass(slots=True)
class Report:
    """What is known of the run so far.

    Attributes:
        databases: that were used.
        class_files: of the policy; none without one.
        out: where tables went.
        several: whether more than one recording was asked for.
        summary: of all recordings, in their order.
        read: frames by what became of them in reading: entered, left.
        set_aside: frames that could not be read, by cause.
        entries: the manifest's entries.
        failed: recordings that could not be decoded.
    """

    databases: Sequence[Database]
    class_files: Sequence[Path]
    out: str | None
    several: bool
    summary: Summary = field(default_factory=Summary)
    read: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[str] = field(default_factory=Counter)
    entries: list[dict[str, Any]] = field(default_factory=list)
    failed: list[RecordingOutcome] = field(default_factory=list)

    def add(self, outcome: RecordingOutcome) -> None:
        """Take in a recording."""
        self.entries.append(outcome.entry())
        if outcome.summary is None or outcome.account is None:
            self.failed.append(outcome)
            return
        self.summary.merge(outcome.summary)
        self.read.update(entered=outcome.account["entered"], left=outcome.account["left"])
        self.set_aside.update(outcome.account["set_aside"])


def _policy_words(report: Report) -> str:
    if not report.class_files:
        return "no policy was applied: every signal was decoded"
    masks = ", ".join(f"{bus} {mask}" for bus, mask in report.summary.masks.items())
    return f"policy {', '.join(map(str, report.class_files))} was applied (mask {masks})"


def show(report: Report) -> None:
    """Print for people."""
    summary = report.summary
    click.echo(
        (f"{len(report.entries) - len(report.failed):,} recordings: " if report.several else "")
        + f"{report.read['entered']:,} frames in the recording{'s' if report.several else ''},"
        f" {summary.frames:,} read, {summary.decoded:,} decoded,"
        f" {summary.unknown:,} of unknown ids,"
        f" {summary.unknown_multiplexer:,} with an unknown multiplexer value (other signals kept),"
        f" {summary.short:,} short (some signals missing), {summary.too_short:,} too short,"
        f" {summary.not_data:,} error or remote frames"
    )
    for cause, count in sorted(report.set_aside.items()):
        click.echo(f"  not read: {count:,} {cause}")
    click.echo(_policy_words(report))
    for cause, count in summary.not_admitted.items():
        click.echo(f"  not admitted: {count:,} {cause}")
    if report.out is not None:
        click.echo(
            f"{summary.values:,} values of {len(summary.signals):,} signals were written to {report.out}"
        )
    else:
        page().print(_table(summary))
    withheld = sorted(summary.withheld)
    for ref in withheld[:_MOST_WITHHELD_SHOWN]:
        click.echo(f"  not collected: {ref}")
    if len(withheld) > _MOST_WITHHELD_SHOWN:
        click.echo(
            f"  not collected: {len(withheld) - _MOST_WITHHELD_SHOWN} further signals; --json lists them"
        )
    for database in report.databases:
        if database.defects:
            click.echo(
                f"{database.path}: {len(database.defects)} defects mended; 'nevgate dbc lint' names them",
                err=True,
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


def as_json(report: Report) -> dict[str, object]:
    """The same as plain values."""
    summary = report.summary
    return {
        "recording": {
            "entered": report.read["entered"],
            "left": report.read["left"],
            "set_aside": dict(sorted(report.set_aside.items())),
        },
        "recordings": report.entries,
        "complete": not report.failed,
        "frames": summary.frames,
        "decoded": summary.decoded,
        "unknown_id": summary.unknown,
        "unknown_multiplexer_value": summary.unknown_multiplexer,
        "short": summary.short,
        "too_short": summary.too_short,
        "error_or_remote": summary.not_data,
        "databases": [
            {"file": str(one.path), "sha256": one.sha256, "defects": len(one.defects)}
            for one in report.databases
        ],
        "policy": {
            "class_files": [str(path) for path in report.class_files],
            "masks": summary.masks,
            "not_admitted": summary.not_admitted,
            "not_collected": [str(ref) for ref in sorted(summary.withheld)],
        }
        if report.class_files
        else None,
        "out": report.out,
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
