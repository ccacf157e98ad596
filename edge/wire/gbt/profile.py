"""`Profile`: what a city or a maker puts into custom blocks and parameters (0x80 to 0xFE), as a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Key

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition
from edge.errors import CatalogueError, ConfigError
from edge.tomlfile import read_toml, validate
from edge.wire.gbt.field import Coding, Field, FieldKind
from edge.wire.gbt.layout import Layout
from edge.wire.gbt.message import CUSTOM_FIRST, CUSTOM_LAST, Report
from edge.wire.gbt.steps import REST

BUILT_IN = ("shanghai", "chengdu")
"""Profiles that come with nevgate."""


@dataclass(frozen=True, slots=True)
class Block:
    """What one custom block holds.

    Attributes:
        type_id: 0x80 to 0xFE.
        en: its name in English.
        cn: its name in Chinese.
        fields: its rows; none where only its name is known.
        layout: how they lie.
    """

    type_id: int
    en: str
    cn: str
    fields: tuple[Field, ...]
    layout: Layout


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile.

    Attributes:
        name: short.
        title: in words.
        source: where it is from.
        edition: the edition that it adds to; None for any.
        bodies: information types that it asks every vehicle for.
        blocks: the custom blocks whose fields are known.
        parameters: the parameters of terminals, 0x80 to 0xFE, that it describes, by id.
    """

    name: str
    title: str
    source: str
    edition: Edition | None
    bodies: tuple[int, ...]
    blocks: Mapping[int, Block]
    parameters: Mapping[int, Field] = field(default_factory=dict)

    def lacking(self, reports: Iterable[Report]) -> tuple[int, ...]:
        """The information types that it asks for and that no report has."""
        there = {body.type_id for report in reports for body in report.bodies}
        return tuple(type_id for type_id in self.bodies if type_id not in there)


class _FieldTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Key(pattern=r"^[a-z][a-z0-9_]*$")
    en: str
    cn: str = ""
    kind: Literal["number", "enum", "flags", "count", "code", "text", "bytes"] = "number"
    width: Literal[1, 2, 4] | None = None
    size: int | str | None = None
    count: str = ""
    item: str = ""
    resolution: Decimal | None = None
    offset: Decimal = Decimal(0)
    least: int | None = None
    most: int | None = None
    missing: bool = True
    unit: str = ""
    names: dict[str, str] = {}


class _BlockTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: int = Key(ge=CUSTOM_FIRST, le=CUSTOM_LAST)
    en: str
    cn: str = ""
    clause: str = ""
    field: list[_FieldTable] = []


class _ParameterTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: int = Key(ge=CUSTOM_FIRST, le=CUSTOM_LAST)
    en: str
    cn: str = ""
    clause: str = ""
    kind: Literal["number", "enum", "text", "bytes"] = "number"
    width: Literal[1, 2, 4] | None = None
    size: Annotated[int, Key(ge=1)] | Literal["rest"] | None = None
    least: int | None = None
    most: int | None = None
    unit: str = ""
    names: dict[str, str] = {}


class _ProfileTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    title: str = ""
    source: str = ""
    edition: Literal["2016", "2025"] | None = None
    bodies: list[int] = []
    block: list[_BlockTable] = []
    parameter: list[_ParameterTable] = []


def load_profile(name: str) -> Profile:
    """A profile that comes with nevgate, by its name, or the file `name`.

    Raises:
        ConfigError: there is none, or it says what cannot be.
    """
    if name in BUILT_IN:
        path = Path(str(files("edge.wire.gbt") / "profiles" / f"{name}.toml"))
    else:
        path = Path(name)
        if not path.exists():
            raise ConfigError(
                "there is no such profile", where=name, todo=f"Give a file, or one of {', '.join(BUILT_IN)}"
            )
    asked = validate(read_toml(path, ConfigError), _ProfileTable, ConfigError)
    blocks = {}
    for block in asked.block:
        if block.id in blocks:
            raise ConfigError(f"block {block.id:#x} is there twice", where=str(path))
        rows = tuple(_field(block, one, path) for one in block.field)
        if rows:
            try:
                blocks[block.id] = Block(block.id, block.en, block.cn, rows, Layout(rows))
            except ValueError as error:
                raise ConfigError(
                    f"block {block.id:#x}: a count or size names no field before it", where=str(path)
                ) from error
    parameters = {one.id: _parameter(one, path) for one in asked.parameter}
    if len(parameters) < len(asked.parameter):
        raise ConfigError("a parameter is there twice", where=str(path))
    return Profile(
        asked.name,
        asked.title,
        asked.source,
        Edition(int(asked.edition)) if asked.edition else None,
        tuple(asked.bodies),
        MappingProxyType(blocks),
        MappingProxyType(parameters),
    )


def _field(block: _BlockTable, asked: _FieldTable, path: Path) -> Field:
    where = f"block {block.id:#x}, field {asked.name}"
    kind = FieldKind(asked.kind)
    plain = kind in {FieldKind.TEXT, FieldKind.BYTES}
    if plain != (asked.size is not None) or plain != (asked.width is None):
        raise ConfigError(f"{where}: numbers have a width, texts and bytes a size", where=str(path))
    if plain and (asked.count or asked.item):
        raise ConfigError(f"{where}: texts and bytes are neither lists nor items", where=str(path))
    if asked.item:
        try:
            item = builtin().item(asked.item)
        except CatalogueError as error:
            raise ConfigError(f"{where}: {error}", where=str(path)) from error
        if item.indexed or item.is_list != bool(asked.count):
            raise ConfigError(f"{where}: {item.id} does not fit such a field", where=str(path))
    fixed = isinstance(asked.size, int)
    return Field(
        part=f"block {block.id:02X}",
        group="",
        name=asked.name,
        item=asked.item,
        kind=kind,
        width=asked.width or (asked.size if isinstance(asked.size, int) else 0),
        size="" if fixed or asked.size is None else str(asked.size),
        count=asked.count,
        resolution=asked.resolution,
        offset=asked.offset,
        least=asked.least,
        most=asked.most,
        coding=Coding.STATED if asked.missing and not plain else Coding.NONE,
        unit=asked.unit,
        en=asked.en,
        cn=asked.cn,
        clause=block.clause,
        names=MappingProxyType({int(value, 0): word for value, word in asked.names.items()}),
    )


def _parameter(asked: _ParameterTable, path: Path) -> Field:
    kind = FieldKind(asked.kind)
    plain = kind in {FieldKind.TEXT, FieldKind.BYTES}
    if plain != (asked.size is not None) or plain != (asked.width is None):
        what = f"parameter {asked.id:#x}: a number has a width, texts and bytes a size"
        raise ConfigError(what, where=str(path))
    fixed = asked.size if isinstance(asked.size, int) else 0
    return Field(
        part=f"parameter {asked.id:02X}",
        group="",
        name="value",
        item="",
        kind=kind,
        width=asked.width or fixed,
        size=REST if plain and not fixed else "",
        count="",
        resolution=None if plain or kind is FieldKind.ENUM else Decimal(1),
        offset=Decimal(0),
        least=asked.least,
        most=asked.most,
        coding=Coding.NONE,
        unit=asked.unit,
        en=asked.en,
        cn=asked.cn,
        clause=asked.clause,
        names=MappingProxyType({int(value, 0): word for value, word in asked.names.items()}),
    )
