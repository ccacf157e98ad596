"""`nevgate dbc bind`: suggest a binding of signals to regulated items."""

from __future__ import annotations

from pathlib import Path

import click

from edge.catalogue.catalogue import builtin
from edge.catalogue.suggest import LEAST_SCORE, as_toml, suggest
from edge.cli.program import Finite, emit_json
from edge.database.load import load_database


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--least-score",
    type=Finite(0, 1),
    default=LEAST_SCORE,
    show_default=True,
    help="Leave out what scores lower, from 0 to 1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, all candidates with their scores.")
def command(file: Path, least_score: float, as_json: bool) -> None:
    """Suggest which signals of the database FILE fill which regulated items.

    Names, units and ranges are compared with the catalogue. What is printed is a binding file that loads,
    with what speaks for each line, and the runners-up, in comments. It is a beginning: read every line.

    \b
    Examples:
      nevgate dbc bind car.dbc
      nevgate dbc bind car.dbc > car.binding.toml
      nevgate dbc bind car.dbc --json | jq -r '.[] | [.item, .candidates[0].name] | @tsv'
    """
    database = load_database(file)
    suggestions = suggest(database, builtin(), least_score=least_score)
    if as_json:
        emit_json(
            [
                {
                    "item": suggestion.item_id,
                    "en": suggestion.item.en,
                    "cn": suggestion.item.cn,
                    "vss": suggestion.item.vss,
                    "candidates": [
                        {
                            "name": candidate.name,
                            "score": candidate.score,
                            "why": list(candidate.why),
                            "table": dict(candidate.table),
                        }
                        for candidate in suggestion.candidates
                    ],
                }
                for suggestion in suggestions
            ]
        )
    else:
        click.echo(as_toml(suggestions, database), nl=False)
