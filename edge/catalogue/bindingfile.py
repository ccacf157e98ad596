"""The form of a binding file: its tables and keys, checked before anything is looked up in a database."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Name = Annotated[str, Field(min_length=1)]


def _level(given: object) -> int | str:
    if isinstance(given, str) or (type(given) is int and 0 <= given <= HIGHEST_LEVEL):
        return given
    raise ValueError(f"a level is a whole number from 0 to {HIGHEST_LEVEL}, or the signal that carries it")


HIGHEST_LEVEL = 4
"""Of the general alarms (GB/T 32960.3-2025): a thermal event."""

Level = Annotated[int | str, PlainValidator(_level)]

SOURCES = ("signal", "signals", "bits", "constant", "derive")
_VALUE_KEYS = frozenset(
    {"unit", "scale", "offset", "range", "invalid", "abnormal", "valid_when", "freshness_s"}
)
_KEYS: dict[str, frozenset[str]] = {
    "signal": _VALUE_KEYS | {"map", "when"},
    "signals": _VALUE_KEYS | {"combine", "count", "none"},
    "bits": frozenset({"latched", "levels", "freshness_s", "valid_when"}),
    "constant": frozenset(),
    "derive": frozenset({"of"}),
}


class ItemTable(BaseModel):
    """One table ``[items."..."]``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    signal: Name | None = None
    signals: Name | Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    bits: Annotated[dict[str, Name | tuple[Name, ...]], Field(min_length=1)] | None = None
    constant: int | Finite | str | None = None
    derive: Literal["maximum", "minimum", "sum", "max_level", "levels"] | None = None

    unit: Name | None = None
    scale: Finite = 1.0
    offset: Finite = 0.0
    range: tuple[Finite, Finite] | None = None
    invalid: tuple[Finite | str, ...] = ()
    abnormal: tuple[Finite | str, ...] = ()
    valid_when: Name | None = None
    freshness_s: Seconds | None = None
    map: dict[str, int | str] | None = None
    when: Name | None = None
    combine: Literal["mean", "sum", "maximum", "minimum"] | None = None
    count: Annotated[int, Field(ge=1, le=65_531)] | None = None
    none: int = 0
    latched: bool = False
    levels: dict[str, Level] = Field(default_factory=dict)
    of: Name | Annotated[tuple[Name, ...], Field(min_length=1)] | None = None

    @property
    def source(self) -> str:
        """The one key among `SOURCES` that is there."""
        return next(name for name in SOURCES if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"needs exactly one of {', '.join(SOURCES)}, and has {' and '.join(given) or 'none of them'}"
            )
        source = given[0]
        if source != "bits" and "latched" in self.model_fields_set:
            raise ValueError(
                "'latched' goes with 'bits' alone: of a latched signal it is known whether it was ever not 0 "
                "in the period, not its greatest value; latch the flags, and derive the level from them"
            )
        stray = sorted(self.model_fields_set - {source} - _KEYS[source])
        if stray:
            allowed = ", ".join(sorted(_KEYS[source])) or "no further key"
            raise ValueError(f"'{stray[0]}' does not go with '{source}', which takes {allowed}")
        if source == "derive" and self.of is None:
            raise ValueError("'derive' needs 'of'")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError("the range has to begin with its smaller end")
        if self.scale == 0:
            raise ValueError("a scale of 0 leaves nothing of the signal")
        return self


class BindingTable(BaseModel):
    """The table ``[binding]``: what holds for the whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str = ""
    freshness_s: Seconds | None = None


class BindingFile(BaseModel):
    """A whole binding file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    binding: BindingTable = BindingTable()
    items: dict[str, ItemTable]
