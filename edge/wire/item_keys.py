"""Names of items on the wire: permanent integer keys, told to the codec by whoever owns the catalogue."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Protocol

from edge.errors import WireError

WireKey = tuple[int, int]
"""A catalogue's permanent integer key, and the concrete item's index: 2 in ``motor[2].speed``, 0 without."""

KEY_MAX = 0xFFFF_FFFF
INDEX_MAX = 0xFFFF

_UNKNOWN = re.compile(r"#(0|[1-9][0-9]{0,9})(?:\[([1-9][0-9]{0,4})\])?")


class ItemKeys(Hashable, Protocol):
    """What the codec asks of a catalogue; one catalogue's answers never change."""

    def key(self, item_id: str) -> WireKey | None:
        """The wire key of a concrete item id, or None for an id that the catalogue does not hold."""

    def item_id(self, key: int, index: int) -> str | None:
        """The concrete item id of a wire key, or None for a key that the catalogue does not hold."""


class KeyTable:
    """An `ItemKeys` of a plain table.

    Args:
        keys: concrete item ids and their wire keys.
    """

    def __init__(self, keys: Mapping[str, WireKey]) -> None:
        self._keys = dict(keys)
        self._ids = {key: item_id for item_id, key in self._keys.items()}
        if len(self._ids) != len(self._keys):
            raise WireError("two items share one wire key")

    def key(self, item_id: str) -> WireKey | None:
        """See `ItemKeys.key`."""
        return self._keys.get(item_id)

    def item_id(self, key: int, index: int) -> str | None:
        """See `ItemKeys.item_id`."""
        return self._ids.get((key, index))


def wire_key(item_id: str, keys: ItemKeys) -> WireKey:
    """The key under which a value is written; an id such as ``#812[3]`` stands for itself.

    Raises:
        WireError: the catalogue has no such item, or a key out of range.
    """
    found = keys.key(item_id)
    if found is None and (named := _UNKNOWN.fullmatch(item_id)) is not None:
        found = int(named[1]), int(named[2] or 0)
    if found is None:
        raise WireError("item has no wire key", where=item_id, todo="Use an item of the catalogue")
    key, index = found
    if not (0 <= key <= KEY_MAX and 0 <= index <= INDEX_MAX):
        raise WireError(f"wire key {key}[{index}] is out of range", where=item_id)
    return found


def item_name(key: int, index: int, keys: ItemKeys) -> str:
    """The item id of a key that was read; one that the catalogue lacks keeps its number: ``#812[3]``."""
    found = keys.item_id(key, index)
    if found is not None:
        return found
    return f"#{key}[{index}]" if index else f"#{key}"
