"""The report's words in each of its languages."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

LANGUAGES: Mapping[str, str] = MappingProxyType({"zh": "zh-CN", "en": "en"})
"""The languages, and how HTML calls them."""


class Words:
    """The words of one language.

    Args:
        texts: by their dotted names.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def __call__(self, name: str, /, **values: object) -> str:
        """The text of that name with its values put in."""
        return self.texts[name].format_map(values)

    def known(self, name: str, else_: str) -> str:
        """The text of that name, or `else_` where there is none."""
        return self.texts.get(name, else_)


@cache
def words(language: str) -> Words:
    """The words of a language of `LANGUAGES`."""
    source = files("edge.report").joinpath(f"words.{language}.toml").read_text("utf-8")
    return Words(MappingProxyType(dict(_flat("", tomllib.loads(source)))))


def _flat(prefix: str, table: Mapping[str, object]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _flat(f"{prefix}{key}.", value)
        else:
            found.append((f"{prefix}{key}", str(value)))
    return found
