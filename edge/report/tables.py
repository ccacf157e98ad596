"""Pieces of HTML: elements whose texts are escaped, tables, and words in one language or both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Self

from edge.report.words import LANGUAGES, words

BOTH = "both"
DASH = "\N{EN DASH}"
"""Stands for none, and between two times."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()

    @classmethod
    def of(cls, *parts: str) -> Self:
        """Parts one after the other; what is no HTML is escaped."""
        return cls("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def element(name: str, *parts: str, kind: str = "", **attributes: str) -> Html:
    """An element with what is in it.

    Args:
        name: of the element.
        parts: in it.
        kind: its class.
        attributes: further ones.
    """
    if kind:
        attributes = {"class": kind, **attributes}
    given = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{given}>{Html.of(*parts)}</{name}>")


@dataclass(frozen=True, slots=True)
class Speech:
    """Says things in one language, or in both.

    Attributes:
        languages: keys of `edge.report.words.LANGUAGES`, in order.
    """

    languages: tuple[str, ...]

    @classmethod
    def of(cls, language: str) -> Speech:
        """Of what `--language` says."""
        return cls(tuple(LANGUAGES) if language == BOTH else (language,))

    def __call__(self, name: str, /, **values: object) -> Html:
        """The words of that name."""
        return self.either({one: words(one)(name, **values) for one in self.languages})

    def known(self, prefix: str, name: str) -> Html:
        """The words for a name, or the name itself where there are none."""
        return self.either({one: words(one).known(f"{prefix}.{name}", name) for one in self.languages})

    def each(self, prefix: str, names: Iterable[str]) -> Html:
        """Several of them; a dash for none."""
        found = [self.known(prefix, one) for one in names]
        return Html(" · ".join(found)) if found else Html(DASH)

    def either(self, texts: Mapping[str, str]) -> Html:
        """A text that is there in each language."""
        found = list(dict.fromkeys(texts[one] for one in self.languages))
        if len(found) == 1:
            return Html.of(found[0])
        spans = [
            element("span", texts[one], kind=f"word {one}", lang=LANGUAGES[one]) for one in self.languages
        ]
        return Html(" ".join(spans))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "", empty: bool = True
    ) -> Html:
        """A table with a head.

        Args:
            columns: names of words, under ``column`` unless they have a dot.
            rows: of cells.
            kind: its class.
            empty: whether a table without rows says so.
        """
        names = [name if "." in name else f"column.{name}" for name in columns]
        head = element("tr", *(element("th", self(name), scope="col") for name in names))
        body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
        if not body:
            return element("p", self("none"), kind="none") if empty else Html("")
        return element("table", element("thead", head), element("tbody", *body), kind=kind)
