"""The tables as Markdown: ``python -m edge.wire.gbt.page PAGE`` renews what stands between a page's marks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from edge.catalogue.item import Edition
from edge.wire.gbt.explain import type_names
from edge.wire.gbt.field import Coding, Field, FieldKind, table
from edge.wire.gbt.frame import Command

_MARK = re.compile(r"(<!-- table (\d{4}) (bodies|commands) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_CODES = {Coding.STATED: "yes", Coding.UNSTATED: "by the general rule", Coding.NONE: ""}


def marked(page: str) -> str:
    """The page with its tables as they are now."""
    return _MARK.sub(lambda found: found[1] + tables(Edition(int(found[2])), found[3]) + found[5], page)


def tables(edition: Edition, which: str) -> str:
    """The tables of all bodies, or of all else, in Markdown."""
    out = []
    for part, rows in table(edition).parts.items():
        if part.startswith("parameter "):
            continue
        if part.startswith("body ") == (which == "bodies"):
            out += ["", f"**{_title(edition, part)}**", "", *_head(), *(_line(row) for row in rows)]
    if which == "commands":
        single = [
            (part, rows[0]) for part, rows in table(edition).parts.items() if part.startswith("parameter ")
        ]
        out += ["", "**parameters of terminals**", "", *_head()]
        out += [_line(row, part.split()[1]) for part, row in single]
    return "\n".join([*out[1:], "", ""])


def _title(edition: Edition, part: str) -> str:
    if part.startswith("body "):
        en, cn = type_names(edition, int(part.split()[1], 16))
        return f"0x{part.split()[1]} {en} {cn}"
    if part.startswith("command "):
        name = Command(int(part.split()[1], 16)).name.lower().replace("_", " ")
        return f"command 0x{part.split()[1]}: {name}"
    return part


def _head() -> tuple[str, str]:
    return (
        "| field | | bytes | value | raw range | missing | item | clause |",
        "|---|---|---|---|---|---|---|---|",
    )


def _line(row: Field, key: str = "") -> str:
    en = f"{key} {row.en}".strip()
    name = f"{'· ' if row.group else ''}{en}"
    size = row.bits_text if row.kind is FieldKind.BITS else str(row.width or row.size)
    if row.kind in {FieldKind.GROUP, FieldKind.PARAMETERS}:
        size = ""
    if row.count:
        size = f"{size} for each of {row.count}".strip()
    span = "" if row.least is None else f"{row.least} to {row.most}"
    item = f"`{row.item}`" if row.item else ""
    cells = (name, row.cn, size, _value(row), span, _CODES[row.coding], item, row.clause)
    return f"| {' | '.join(cells)} |"


def _value(row: Field) -> str:
    if row.resolution is None:
        names = ", ".join(f"{value} {name}" for value, name in row.names.items())
        return names or row.kind.value
    offset = f", from {row.offset}" if row.offset else ""
    return f"{row.resolution} {row.unit}".strip() + offset


def main() -> None:
    """Renew the page that is named."""
    path = Path(sys.argv[1])
    path.write_text(marked(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
