"""The clauses of the standards that checks answer, and in which standard they stand."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Clause:
    """What one clause asks for.

    Attributes:
        standard: its name in English.
        standard_zh: its name in Chinese.
        number: of the clause; empty where it is not known to this program.
        en: what it asks for, in short.
        zh: the same in Chinese.
    """

    standard: str
    standard_zh: str
    number: str
    en: str
    zh: str

    def as_json(self) -> dict[str, str]:
        """As plain values."""
        return {
            "standard": self.standard,
            "standard_zh": self.standard_zh,
            "clause": self.number,
            "en": self.en,
            "zh": self.zh,
        }


@cache
def clauses() -> Mapping[str, Clause]:
    """All clauses by the names that checks have for them."""
    tables = tomllib.loads(files("edge.report").joinpath("clauses.toml").read_text("utf-8"))
    found = {}
    for name, fields in tables["clause"].items():
        standard = tables["standard"][fields["standard"]]
        found[name] = Clause(standard["en"], standard["zh"], fields["number"], fields["en"], fields["zh"])
    return MappingProxyType(found)
