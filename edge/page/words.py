"""The page's words in each of its languages, and how it writes times and spans."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

LANGUAGES: Mapping[str, str] = {"zh": "zh-CN", "en": "en"}
"""The languages and how HTML calls them; the first is taken where a browser wants none of them."""

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


@dataclass(frozen=True)
class Words:
    """The words of one language.

    Attributes:
        language: a key of `LANGUAGES`.
        texts: by their dotted names.
    """

    language: str
    texts: Mapping[str, str]

    @property
    def html_language(self) -> str:
        """As HTML's ``lang`` has it."""
        return LANGUAGES[self.language]

    def __call__(self, name: str, /, **values: object) -> str:
        """The text of that name with its values put in."""
        text = self.texts[name]
        return text.format_map(values) if values else text

    def known(self, name: str, else_: str) -> str:
        """The text of that name, or `else_` where there is none."""
        return self.texts.get(name, else_)

    def moment(self, text: str) -> str:
        """A time as the gateway gives it, in the vehicle's local time; what is no time stays as it is."""
        if not text:
            return self("time.never")
        found = instant(text)
        return text if found is None else f"{found.astimezone():%Y-%m-%d %H:%M}"

    def span(self, seconds: float) -> str:
        """A span of time in its two largest units, rounded down."""
        minutes = int(seconds // _MINUTE_S)
        if minutes < 1:
            return self("time.under-a-minute")
        units = (("day", _DAY_S), ("hour", _HOUR_S), ("minute", _MINUTE_S))
        rest = int(seconds)
        parts: list[str] = []
        for name, size in units:
            count, rest = divmod(rest, size)
            if count and len(parts) < 2:  # noqa: PLR2004 - two units
                parts.append(self(f"time.{name}" if count == 1 else f"time.{name}s", count=count))
        return self("time.join").join(parts)


def instant(text: str) -> datetime | None:
    """A time in ISO 8601 with a zone; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
        found.astimezone()
    except (ValueError, OverflowError, OSError):
        return None
    return None if found.tzinfo is None else found


@cache
def words(language: str) -> Words:
    """The words of a language of `LANGUAGES`."""
    source = files("edge.page").joinpath(f"words.{language}.toml").read_text("utf-8")
    return Words(language, dict(_flat("", tomllib.loads(source))))


def _flat(prefix: str, table: Mapping[str, object]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _flat(f"{prefix}{key}.", value)
        else:
            found.append((f"{prefix}{key}", str(value)))
    return found
