"""`nevgate dbc lint`: what is wrong or odd in database files."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from edge.cli.program import emit_json
from edge.database.lint import lint
from edge.database.load import load_database
from edge.errors import DatabaseError


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--quiet", "-q", is_flag=True, help="One line a file: how many defects of each kind.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(files: tuple[Path, ...], quiet: bool, as_json: bool) -> None:
    """Say what is wrong or odd in database FILES: what loading mends, and what a reader should know.

    A defect that is mended is a warning. The exit code is 1 if a file cannot be loaded, else 0.

    \b
    Examples:
      nevgate dbc lint car.dbc
      nevgate dbc lint --quiet *.dbc
      nevgate dbc lint car.dbc --json | jq '.[].defects[] | select(.code == "signals-overlap")'
    """
    reports = [_report(path) for path in files]
    if as_json:
        emit_json(reports)
    else:
        for report in reports:
            _print(report, quiet=quiet)
    if any(report["refused"] for report in reports):
        sys.exit(1)


def _report(path: Path) -> dict[str, object]:
    try:
        database = load_database(path)
    except DatabaseError as error:
        return {"file": str(path), "refused": str(error), "messages": 0, "signals": 0, "defects": []}
    return {
        "file": str(path),
        "refused": None,
        "messages": len(database.messages),
        "signals": sum(len(message.signals) for message in database.messages),
        "defects": [
            {"code": defect.code, "line": defect.line, "text": defect.text} for defect in lint(database)
        ],
    }


def _print(report: dict[str, object], *, quiet: bool) -> None:
    path, defects = report["file"], report["defects"]
    if report["refused"]:
        click.echo(f"{report['refused']} [refused]")
        return
    if not isinstance(defects, list):
        return
    kinds = Counter(defect["code"] for defect in defects)
    if not quiet:
        for defect in defects:
            place = f"{path}:{defect['line']}" if defect["line"] else path
            click.echo(f"{place}: {defect['text']} [{defect['code']}]")
    found = ", ".join(f"{count} {code}" for code, count in sorted(kinds.items())) or "nothing to remark"
    click.echo(f"{path}: {report['messages']} messages, {report['signals']} signals; {found}")
