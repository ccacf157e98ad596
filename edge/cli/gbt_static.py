"""`nevgate gbt static`: what a maker registers of a vehicle, checked row by row."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from edge.catalogue.item import Edition
from edge.cli.console import counted, page
from edge.cli.program import emit_json
from edge.static_data.login import login_codes
from edge.static_data.sheet import FUEL_CELL, StaticData, read_static

_SHOWN_CHARACTERS = 60


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--edition",
    type=click.Choice([str(one.value) for one in Edition]),
    help="Check by this edition instead of the file's own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(path: Path, edition: str | None, as_json: bool) -> None:
    """Check a vehicle's static data (GB/T 32960.3, annex A) and show them in English and Chinese.

    FILE is a TOML file that says what a maker registers of a vehicle: VIN, model, storage with the codes of
    its packs, motors, terminal; see docs/gbt32960.md. VIN and ICCID are checked by their check digits, pack
    codes by what is public of GB/T 34014.

    \b
    Examples:
      nevgate gbt static vehicle.static.toml
      nevgate gbt static vehicle.static.toml --edition 2025 --json

    Exit status: 1 if a row is missing or wrong, 2 if the file cannot be read.
    """
    data = read_static(path, None if edition is None else Edition(int(edition)))
    faults = data.faults
    if as_json:
        emit_json(_as_json(data))
    else:
        _show(data)
    for fault in faults:
        if not as_json:
            click.echo(f"nevgate: {fault}", err=True)
    if faults:
        raise SystemExit(1)


def _show(data: StaticData) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("table", "of", "value 名称", "", "said", "check"):
        table.add_column(heading, overflow="fold")
    for entry in data.entries:
        verdict = Text(entry.fault, "bold red") if entry.fault else Text("right", "green")
        item = entry.row.item
        table.add_row(entry.row.table, entry.place, item.en, item.cn, _short(entry.said), verdict)
    for key, value in data.rest.items():
        table.add_row("A.7", FUEL_CELL, key, "", str(value), Text("not checked", "dim"))
    page().print(table)
    wrong = len(data.faults)
    click.echo(
        f"\nGB/T 32960.3-{data.edition.value}, {data.kind.value.upper()}: {data.distinct} different values, "
        + (f"{counted(wrong, 'fault')}" if wrong else "all right")
    )


def _short(said: str) -> str:
    return said if len(said) <= _SHOWN_CHARACTERS else said[: _SHOWN_CHARACTERS - 1] + "…"


def _as_json(data: StaticData) -> dict[str, object]:
    return {
        "edition": data.edition.value,
        "kind": data.kind.value,
        "distinct": data.distinct,
        "rows": [
            {
                "table": entry.row.table,
                "place": entry.place,
                "key": entry.row.key,
                "item": entry.row.item.id,
                "en": entry.row.item.en,
                "cn": entry.row.item.cn,
                "said": entry.said,
                "fault": entry.fault or None,
                "where": entry.where,
            }
            for entry in data.entries
        ],
        "not_checked": {key: str(value) for key, value in data.rest.items()},
        "faults": list(data.faults),
        "login": None if data.faults else [list(one) for one in login_codes(data).systems],
    }
