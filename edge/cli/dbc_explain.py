"""`nevgate dbc explain`: one frame, bit by bit."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.cli.console import page
from edge.cli.program import emit_json
from edge.database.explain import (
    Explanation,
    Reading,
    State,
    explain,
    matching,
    named,
    parse_data,
    parse_frame,
)
from edge.database.load import load_database

_COLOURS = (
    "black on bright_cyan",
    "black on bright_yellow",
    "black on bright_green",
    "black on bright_magenta",
    "white on blue",
    "black on orange1",
    "white on dark_green",
    "white on purple4",
    "black on light_pink1",
    "white on red3",
)
_OVERLAPPED = "bold white on red"
_NOBODY = "dim"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("frame", nargs=-1, required=True)
@click.option("--message", "name", metavar="NAME", help="Take the data as this message, whatever its id.")
@click.option("--all", "show_absent", is_flag=True, help="List each absent signal too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path, frame: tuple[str, ...], name: str | None, show_absent: bool, as_json: bool) -> None:
    """Take one FRAME apart by the database FILE: which bits made which value.

    FRAME is ID DATA or candump's ID#DATA, in hexadecimal; with --message it is the data alone. An id of more
    than four digits is an extended one.

    \b
    Examples:
      nevgate dbc explain car.dbc 7E8 03 41 05 5A 00 00 00 00
      nevgate dbc explain car.dbc 18FEF1FE#FFFF64000000FFFF
      nevgate dbc explain car.dbc --message Speed 0011223344556677 --json
    """
    database = load_database(file)
    if name is None:
        arbitration_id, extended, data = parse_frame(frame)
        messages = matching(database, arbitration_id, extended=extended)
    else:
        messages, data = (named(database, name),), parse_data("".join(frame))
    explanations = [explain(message, data) for message in messages]
    if as_json:
        emit_json([_as_json(explanation) for explanation in explanations])
        return
    console = page()
    for explanation in explanations:
        _show(console, explanation, show_absent=show_absent)


def _show(console: Console, explanation: Explanation, *, show_absent: bool) -> None:
    message = explanation.message
    kind = " extended" if message.extended else ""
    pgn = "" if message.pgn is None else f", PGN {message.pgn} (0x{message.pgn:X})"
    console.print(
        f"[bold]{message.name}[/bold]  0x{message.arbitration_id:X}{kind}{pgn},"
        f" {message.length} bytes; the frame has {len(explanation.data)}"
    )
    console.print(_grid(explanation))
    console.print(_table(explanation))
    absent = [reading for reading in explanation.readings if reading.state is not State.PRESENT]
    for reading in absent if show_absent else ():
        console.print(f"  [dim]{reading.signal.name}: {reading.state.value}, {reading.why}[/dim]")
    if absent and not show_absent:
        reasons = sorted({reading.why for reading in absent})
        shown = ", ".join(reasons[:3]) + (" …" if len(reasons) > len(reasons[:3]) else "")
        console.print(f"{len(absent)} signals are not in this frame ({shown}); --all lists them")
    for multiplexer, value in explanation.unknown:
        console.print(f"[yellow]{multiplexer} is {value}, which the database does not describe[/yellow]")
    bits = explanation.undescribed_bits
    if bits:
        console.print(f"{len(bits)} bits are described by no signal: {_spans(bits)}")


def _grid(explanation: Explanation) -> Table:
    """The payload, a row a byte, most significant bit left, coloured and lettered by signal."""
    grid = Table(show_edge=False, pad_edge=False, box=None, header_style="dim")
    for heading in ("byte", "hex", *(str(bit) for bit in range(7, -1, -1)), ""):
        grid.add_column(heading, justify="right")
    marks = _marks(explanation)
    for place, byte in enumerate(explanation.data):
        cells: list[Text] = []
        for bit in range(7, -1, -1):
            owners = explanation.owners[8 * place + bit]
            digit = str(byte >> bit & 1)
            style = _NOBODY if not owners else _OVERLAPPED if len(owners) > 1 else _colour(owners[0])
            mark = "·" if not owners else "*" if len(owners) > 1 else marks[owners[0]]
            cells.append(Text(f"{digit}{mark}", style=style))
        names = {
            explanation.readings[owner].signal.name: marks[owner]
            for bit in range(7, -1, -1)
            for owner in explanation.owners[8 * place + bit]
        }
        legend = Text("  " + " ".join(f"{mark}={name}" for name, mark in names.items()), style="dim")
        grid.add_row(str(place), f"{byte:02X}", *cells, legend)
    return grid


def _table(explanation: Explanation) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("", "signal", "bits", "raw", "value", "unit", "meaning"):
        table.add_column(heading, justify="right" if heading in {"raw", "value"} else "left")
    marks = _marks(explanation)
    for place, reading in enumerate(explanation.readings):
        if reading.state is State.PRESENT:
            signal = reading.signal
            order = "Intel" if signal.little_endian else "Motorola"
            table.add_row(
                Text(f" {marks[place]} ", style=_colour(place)),
                Text(signal.name),
                f"{_spans(tuple(sorted(signal.bits)))} {order}",
                str(reading.raw),
                str(reading.value),
                Text(signal.unit),
                Text(reading.choice or ""),
            )
    return table


def _marks(explanation: Explanation) -> dict[int, str]:
    """A letter for each present signal."""
    present = [place for place, reading in enumerate(explanation.readings) if reading.state is State.PRESENT]
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return {place: letters[number % len(letters)] for number, place in enumerate(present)}


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def _spans(bits: tuple[int, ...]) -> str:
    """Bits as byte.bit ranges, such as ``0.4-0.7 2.0``."""
    spans: list[list[int]] = []
    for bit in bits:
        if spans and spans[-1][1] == bit - 1:
            spans[-1][1] = bit
        else:
            spans.append([bit, bit])
    return " ".join(
        f"{low // 8}.{low % 8}" + (f"-{high // 8}.{high % 8}" if high > low else "") for low, high in spans
    )


def _as_json(explanation: Explanation) -> dict[str, object]:
    message = explanation.message
    return {
        "message": message.name,
        "id": message.arbitration_id,
        "extended": message.extended,
        "pgn": message.pgn,
        "data": explanation.data.hex(),
        "signals": [_reading_json(reading) for reading in explanation.readings],
        "unknown_multiplexer_values": dict(explanation.unknown),
        "undescribed_bits": list(explanation.undescribed_bits),
    }


def _reading_json(reading: Reading) -> dict[str, object]:
    return {
        "name": reading.signal.name,
        "state": reading.state.value,
        "why": reading.why,
        "bits": list(reading.signal.bits),
        "raw": reading.raw,
        "value": reading.value,
        "unit": reading.signal.unit,
        "choice": reading.choice,
    }
