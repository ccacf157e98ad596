"""The catalogue: all items by id and by wire key, read once from the tables in this package."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from edge.catalogue.item import Edition, Encoding, Item, Kind
from edge.errors import CatalogueError
from edge.policy.classes import DataClass

GREATEST_INDEX = 253
"""The greatest number of a motor that GB/T 32960.3 allows; packs and stacks end earlier."""

_CONCRETE = re.compile(r"^(?P<stem>[a-z0-9_]+)\[(?P<index>[1-9][0-9]{0,2})\](?P<rest>\.[a-z0-9_]+)$")
_LINEAR = re.compile(r"^(\d+);([0-9.e-]+);(-?[0-9.]+);(\d+)$")


@dataclass(frozen=True, slots=True)
class Located:
    """An item with the number of the motor, pack or stack meant.

    Attributes:
        item: the item, its id with ``[i]``.
        index: the number from 1, or None where the item is not indexed.
    """

    item: Item
    index: int | None


class Catalogue:
    """All items; immutable."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._by_id: dict[str, Item] = {}
        self._by_key: dict[int, Item] = {}
        for item in items:
            if item.id in self._by_id or item.key in self._by_key:
                raise CatalogueError(f"the item '{item.id}' or its key {item.key} is there twice")
            self._by_id[item.id] = item
            self._by_key[item.key] = item

    def __iter__(self) -> Iterator[Item]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def item(self, item_id: str) -> Item:
        """The item called `item_id`, which may be concrete (``motor[1].speed``) or not (``motor[i].speed``).

        Raises:
            CatalogueError: if there is none; it names the nearest.
        """
        return self._by_id[item_id] if item_id in self._by_id else self.locate(item_id).item

    def locate(self, item_id: str) -> Located:
        """The item called `item_id` in a record, and its index.

        Raises:
            CatalogueError: if there is none, or if the index is missing or too great.
        """
        found = _CONCRETE.match(item_id)
        template = f"{found['stem']}[i]{found['rest']}" if found else item_id
        item = self._by_id.get(template)
        if item is None:
            raise CatalogueError(
                f"there is no item '{item_id}'",
                todo=self._suggestion(template, found["index"] if found else ""),
            )
        if item.indexed and not found:
            raise CatalogueError(
                f"the item '{item_id}' needs a number", todo=f"Write '{item_id.replace('[i]', '[1]')}'"
            )
        index = int(found["index"]) if found else None
        if index is not None and index > GREATEST_INDEX:
            raise CatalogueError(f"'{item_id}': numbers end at {GREATEST_INDEX}")
        return Located(item, index)

    def has(self, item_id: str) -> bool:
        """Whether a record can hold an item called `item_id`."""
        try:
            self.locate(item_id)
        except CatalogueError:
            return False
        return True

    def by_key(self, key: int) -> Item:
        """The item that `key` stands for on the wire.

        Raises:
            CatalogueError: if there is none.
        """
        try:
            return self._by_key[key]
        except KeyError:
            raise CatalogueError(f"no item has the key {key}") from None

    def key(self, item_id: str) -> tuple[int, int] | None:
        """The wire key of a concrete item id and its index, 0 where it has none; None for an unknown id."""
        item = self._by_id.get(item_id)
        if item is not None and not item.indexed:
            return item.key, 0
        try:
            located = self.locate(item_id)
        except CatalogueError:
            return None
        return located.item.key, located.index or 0

    def item_id(self, key: int, index: int) -> str | None:
        """The concrete item id of a wire key; None where no item has it, or not with such an index."""
        item = self._by_key.get(key)
        if item is None or not (1 <= index <= GREATEST_INDEX if item.indexed else index == 0):
            return None
        return item.id.replace("[i]", f"[{index}]")

    def _suggestion(self, template: str, index: str) -> str:
        bare = re.sub(r"\[[^\]]*\]", "", template)
        known = {re.sub(r"\[i\]", "", item_id): item_id for item_id in self._by_id}
        near = get_close_matches(bare, known, n=1, cutoff=0.5)
        if not near:
            return "The items are listed in edge/catalogue/items.csv"
        return f"Did you mean '{known[near[0]].replace('[i]', f'[{index or 1}]')}'?"


@cache
def builtin() -> Catalogue:
    """The catalogue of this package: both editions of GB/T 32960.3 and nevgate's own items."""
    return Catalogue((*map(_sampled, _rows("items.csv")), *map(_static, _rows("static.csv"))))


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("edge.catalogue") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _sampled(row: Mapping[str, str]) -> Item:
    encodings = {edition: _encoding(row[f"edition_{edition.value}"]) for edition in Edition}
    return Item(
        id=row["id"],
        key=int(row["key"]),
        row=row["row"],
        en=row["en"],
        cn=row["cn"],
        unit=row["unit"],
        kind=Kind(row["kind"]),
        resolution=Decimal(row["resolution"]),
        minimum=Decimal(row["minimum"]),
        maximum=Decimal(row["maximum"]),
        longest=int(row["longest"] or 0),
        data_class=DataClass(row["data_class"]),
        period_s=Decimal(row["period_s"]),
        editions=MappingProxyType({edition: known for edition, known in encodings.items() if known}),
        confidence=row["confidence"],
        vss=row["vss"],
        vss_scale=Decimal(row["vss_scale"]) if row["vss_scale"] else None,
        names=_names(row["names"]),
        note=row["note"],
        tables=MappingProxyType({}),
    )


def _static(row: Mapping[str, str]) -> Item:
    tables = {edition: row[f"table_{edition.value}"] for edition in Edition}
    return Item(
        id=row["id"],
        key=int(row["key"]),
        row="",
        en=row["en"],
        cn=row["cn"],
        unit=row["unit"],
        kind=Kind(row["kind"]),
        resolution=Decimal(1),
        minimum=Decimal(0),
        maximum=Decimal(2**32 - 1),
        longest=0,
        data_class=DataClass(row["data_class"]),
        period_s=Decimal(0),
        editions=MappingProxyType({}),
        confidence="confirmed",
        vss=row["vss"],
        vss_scale=Decimal(1) if row["vss"] else None,
        names=_names(row["names"]),
        note="",
        tables=MappingProxyType({edition: table for edition, table in tables.items() if table}),
    )


def _encoding(words: str) -> Encoding | None:
    body, _, rest = words.partition(" ")
    if not body or body == "derived":
        return None
    linear = _LINEAR.match(rest)
    if linear:
        return Encoding(
            body=int(body, 16),
            width=int(linear[1]),
            resolution=Decimal(linear[2]),
            offset=Decimal(linear[3]),
            raw_maximum=int(linear[4]),
            words=rest,
        )
    width = re.match(r"^(\d+)(?:;|$)", rest)
    return Encoding(int(body, 16), int(width[1]) if width else 0, None, Decimal(0), None, rest)


def _names(words: str) -> Mapping[int, str]:
    pairs = (entry.split(" ", 1) for entry in words.split(";") if entry)
    return MappingProxyType({int(value): name for value, name in pairs})
