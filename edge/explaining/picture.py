"""A payload as a picture for people: a row a byte, each bit with its signal's letter and its fate."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edge.explaining.payloads import AT_TIMES, KEPT, REMOVED, BitAnswer, PayloadAnswer, PayloadSignal

_STYLES = {KEPT: "black on green", AT_TIMES: "black on yellow", REMOVED: "white on red"}
_SIGNS = {KEPT: "+", AT_TIMES: "~", REMOVED: "-"}
_NOBODY = "dim"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BYTE = 8


def picture(answer: PayloadAnswer) -> Iterator[RenderableType]:
    """The payload bit by bit, what the signs mean, and its signals."""
    marks = {one.name: _LETTERS[place % len(_LETTERS)] for place, one in enumerate(answer.signals)}
    yield _grid(answer, marks)
    legend = Text("  ")
    for fate, words in (
        (KEPT, "passes"),
        (AT_TIMES, "passes as a multiplexer says"),
        (REMOVED, "is removed"),
    ):
        legend.append(f" x{_SIGNS[fate]} ", _STYLES[fate])
        legend.append(f" {words}   ")
    legend.append("·-", _NOBODY)
    legend.append(" no signal, is removed   * several signals")
    yield legend
    yield _signals(answer, marks)


def _grid(answer: PayloadAnswer, marks: dict[str, str]) -> Table:
    grid = Table(show_edge=False, pad_edge=False, box=None, header_style="dim")
    for heading in ("byte", *(str(bit) for bit in range(7, -1, -1)), ""):
        grid.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    rows = [answer.bits[begin : begin + _BYTE] for begin in range(0, len(answer.bits), _BYTE)]
    place = 0
    while place < len(rows):
        empty = place
        while empty < len(rows) and not any(bit.signals for bit in rows[empty]):
            empty += 1
        if empty - place > 1:
            cells = [Text("·-", _NOBODY)] * _BYTE
            grid.add_row(f"{place}-{empty - 1}", *cells, Text("  no signal", "dim"))
            place = empty
            continue
        names = dict.fromkeys(name for bit in reversed(rows[place]) for name in bit.signals)
        legend = " ".join(f"{marks[name]}={name.partition('.')[2]}" for name in names)
        grid.add_row(
            str(place), *(_cell(bit, marks) for bit in reversed(rows[place])), Text(f"  {legend}", "dim")
        )
        place += 1
    return grid


def _cell(bit: BitAnswer, marks: dict[str, str]) -> Text:
    mark = marks[bit.signals[0]] if len(bit.signals) == 1 else "*" if bit.signals else "·"
    style = _STYLES[bit.fate] if bit.signals else _NOBODY
    return Text(f"{mark}{_SIGNS[bit.fate]}", style)


def _signals(answer: PayloadAnswer, marks: dict[str, str]) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("", "signal", "class", "bits", "", "why"):
        table.add_column(heading)
    for one in answer.signals:
        table.add_row(
            Text(f" {marks[one.name]} ", _STYLES[_fate(one)]),
            Text(one.name),
            one.data_class or "none",
            one.bits,
            "collected" if one.collected else "not collected",
            Text(one.why or (f"while {one.when}" if one.when else "")),
        )
    return table


def _fate(signal: PayloadSignal) -> str:
    if not signal.collected:
        return REMOVED
    return AT_TIMES if signal.when else KEPT
