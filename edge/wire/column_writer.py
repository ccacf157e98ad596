"""Records to one string of bits: what each column is, how its values are laid out, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from types import MappingProxyType
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from edge.errors import WireError
from edge.records import Element, Missing, Value
from edge.wire.bits import BitWriter, UInt64s, golomb_digits
from edge.wire.columns import ABSENT_SHAPE, EMPTY_ARRAY_SHAPE, MISSING, SCALAR_SHAPE, row_width
from edge.wire.item_keys import ItemKeys, WireKey, wire_key
from edge.wire.plans import plan_groups
from edge.wire.segments import lower_median
from edge.wire.series import write_series

_STATE_CODES = MappingProxyType({missing: code for code, missing in enumerate(MISSING, start=1)})

_INT_ALONE = {int}
_NOTHING = np.zeros(0, np.uint64)


def as_series(numbers: Sequence[int], what: str) -> UInt64s:
    """Signed 64-bit numbers as the codec's words.

    Raises:
        WireError: a number needs more than 64 bits signed; `what` names it.
    """
    try:
        return np.array(numbers, np.int64).view(np.uint64)
    except OverflowError as error:
        raise WireError("value needs more than 64 bits", where=what) from error


class _Column(NamedTuple):
    """One item over the records.

    Attributes:
        key: its wire key.
        plain: whether each record holds one value of it, none of them missing.
        shapes: of each record: 0 no entry, 1 a single element, 2 + n an array of n.
        states: of each element: 0 a value, 1 invalid, 2 abnormal.
        parts: the series that its values are written as, those that are missing left out.
        may_be_rows: whether the shapes allow rows, so that the choice is written.
        as_rows: the other way to write its values: a base of each element, a movement of each record, and the
            rest; empty where there is none.
    """

    key: WireKey
    plain: bool
    shapes: UInt64s
    states: UInt64s
    parts: tuple[UInt64s, ...]
    may_be_rows: bool = False
    as_rows: tuple[UInt64s, ...] = ()


@lru_cache(maxsize=16)
def _wire_keys(item_ids: tuple[str, ...], keys: ItemKeys) -> list[tuple[WireKey, int]]:
    """Wire keys in order, and the place of each one's item; a vehicle sends the same again and again."""
    found = sorted((wire_key(item_id, keys), place) for place, item_id in enumerate(item_ids))
    if any(key == following for (key, _), (following, _) in pairwise(found)):
        raise WireError("two items of one message share a wire key")
    return found


def _transposed(
    values: Sequence[Mapping[str, Value]],
) -> tuple[tuple[str, ...], list[tuple[Value | None, ...]]]:
    """All items, and the entries of each."""
    item_ids = tuple(values[0])
    if all(tuple(entries) == item_ids for entries in values):
        return item_ids, [*zip(*(entries.values() for entries in values), strict=True)]
    item_ids = tuple(dict.fromkeys(chain.from_iterable(values)))
    return item_ids, [*zip(*(map(entries.get, item_ids) for entries in values), strict=True)]


def _columns(values: Sequence[Mapping[str, Value]], keys: ItemKeys) -> list[_Column]:
    """All columns, in the order of their wire keys."""
    item_ids, entries = _transposed(values)
    plain = [place for place, column in enumerate(entries) if set(map(type, column)) == _INT_ALONE]
    numbers = cast("list[tuple[int, ...]]", [entries[place] for place in plain])
    words = dict(zip(plain, _plain_words(numbers, [item_ids[place] for place in plain]), strict=True))
    return [
        _plain_column(key, words[place])
        if place in words
        else _mixed_column(key, item_ids[place], entries[place])
        for key, place in _wire_keys(item_ids, keys)
    ]


def _plain_words(columns: Sequence[Sequence[int]], item_ids: Sequence[str]) -> list[UInt64s]:
    """Columns of whole numbers, all at once where none of them is too great."""
    if not columns:
        return []
    try:
        return [*np.array(columns, np.int64).view(np.uint64)]
    except OverflowError:
        return [as_series(column, item_id) for column, item_id in zip(columns, item_ids, strict=True)]


def _plain_column(key: WireKey, values: UInt64s) -> _Column:
    return _Column(key, True, _NOTHING, _NOTHING, (values,))


def _mixed_column(key: WireKey, item_id: str, entries: Sequence[Value | None]) -> _Column:
    shapes: list[int] = []
    elements: list[Element] = []
    for entry in entries:
        if entry is None:
            shapes.append(ABSENT_SHAPE)
        elif isinstance(entry, tuple):
            shapes.append(EMPTY_ARRAY_SHAPE + len(entry))
            elements.extend(entry)
        else:
            shapes.append(SCALAR_SHAPE)
            elements.append(entry)
    if set(map(type, elements)) == _INT_ALONE:
        values = as_series(elements, item_id)  # type: ignore[arg-type] # each is an int, as just checked
        states = np.zeros(len(elements), np.uint64)
    else:
        states = as_series([_state(element, item_id) for element in elements], item_id)
        values = as_series(
            [0 if isinstance(element, Missing) else int(element) for element in elements], item_id
        )
    if set(shapes) == {SCALAR_SHAPE} and not states.any():
        # A subclass of int, such as an enumeration's member, is the number that it is.
        return _plain_column(key, values)
    shape_words = as_series(shapes, item_id)
    width = row_width(shape_words)
    if not width:
        return _Column(key, False, shape_words, states, (values[states == 0],))
    flat, as_rows = _layouts(values, states, width)
    return _Column(key, False, shape_words, states, (flat,), True, as_rows)


def _state(element: Element, item_id: str) -> int:
    if isinstance(element, int):
        return 0
    if isinstance(element, Missing):
        return _STATE_CODES[element]
    raise WireError("value is neither a whole number nor missing", where=item_id)


def _layouts(values: UInt64s, states: UInt64s, width: int) -> tuple[UInt64s, tuple[UInt64s, ...]]:
    """One series, element by element; and bases, movements and the rest, where any value is known."""
    table = values.reshape(-1, width)
    known = states.reshape(-1, width) == 0
    flat = table.T[known.T]
    if not known.any():
        return flat, ()
    filled = _filled(table, known)
    movements = lower_median((filled - filled[0]).view(np.int64), 1).view(np.uint64)
    bases = lower_median((filled - movements[:, np.newaxis]).view(np.int64), 0).view(np.uint64)
    rest = (table - bases - movements[:, np.newaxis]).T[known.T]
    return flat, (bases, movements, rest)


def _filled(table: UInt64s, known: npt.NDArray[np.bool_]) -> UInt64s:
    """The table with each missing element replaced by the last known one of its column, or the first."""
    if known.all():
        return table
    row_numbers = np.arange(len(table))[:, np.newaxis]
    latest = np.maximum.accumulate(np.where(known, row_numbers, -1), axis=0)
    first = known.argmax(axis=0)
    return np.take_along_axis(table, np.where(latest < 0, first, latest), axis=0)


def _write_directory(writer: BitWriter, columns: Sequence[_Column]) -> None:
    pieces = [golomb_digits(len(columns))]
    previous_key, previous_index = 0, -1
    for (key, index), plain, *_ in columns:
        step = key - previous_key
        pieces.append(golomb_digits(step))
        pieces.append(golomb_digits(index if step else index - previous_index - 1))
        pieces.append("1" if plain else "0")
        previous_key, previous_index = key, index
    writer.digits("".join(pieces))


def _value_groups(columns: Sequence[_Column]) -> list[list[UInt64s]]:
    """The columns' values, to be planned: those with a choice of layout in both, each by itself."""
    groups: list[list[UInt64s]] = [[]]
    for column in columns:
        if column.as_rows:
            groups += [list(column.parts), list(column.as_rows), []]
        else:
            groups[-1].extend(column.parts)
    return groups


def _chosen_layouts(
    columns: Sequence[_Column], bits: Sequence[int], place: int
) -> tuple[list[bool], list[int]]:
    """Choose between one series and rows.

    Args:
        columns: all columns.
        bits: what each series takes.
        place: of the first of `_value_groups` there.

    Returns:
        For each column that `may_be_rows`, whether it is; and the places of the series to write.
    """
    in_rows: list[bool] = []
    places: list[int] = []
    for column in columns:
        flat, rows_end = place + 1, place + 1 + len(column.as_rows)
        rows = bool(column.as_rows) and sum(bits[flat:rows_end]) < bits[place]
        places.extend(range(flat, rows_end) if rows else [place])
        if column.may_be_rows:
            in_rows.append(rows)
        place = rows_end
    return in_rows, places


def write_columns(
    record_series: Sequence[UInt64s], values: Sequence[Mapping[str, Value]], keys: ItemKeys
) -> bytes:
    """Write the body of a message.

    Args:
        record_series: what each record has besides values, one array of N for each.
        values: the N records' values by item id.
        keys: gives each item its wire key.

    Returns:
        The body, uncompressed.

    Raises:
        WireError: an item has no key or two share one, or a value does not fit 64 bits.
    """
    columns = _columns(values, keys)
    mixed = [column for column in columns if not column.plain]
    leading = [*record_series, *(column.shapes for column in mixed)]
    states = [column.states for column in mixed]
    plans = plan_groups([leading, states, *_value_groups(columns)])
    values_from = len(leading) + len(states)
    in_rows, places = _chosen_layouts(columns, plans.bits.tolist(), values_from)
    writer = BitWriter()
    _write_directory(writer, columns)
    write_series(writer, plans.of(slice(len(leading))))
    write_series(writer, plans.of(slice(len(leading), values_from)))
    for rows in in_rows:
        writer.bits(int(rows), 1)
    write_series(writer, plans.of(places))
    return writer.to_bytes()
