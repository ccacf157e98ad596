"""Columns of items, three kinds of nothing kept apart: what both ways know of them, and bits to records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edge.errors import WireError
from edge.records import Element, Missing, Value
from edge.wire.bits import BitReader, Int64s, UInt64s
from edge.wire.item_keys import INDEX_MAX, KEY_MAX, ItemKeys, WireKey, item_name
from edge.wire.limits import Limits
from edge.wire.series import read_series

ABSENT_SHAPE = 0
SCALAR_SHAPE = 1
EMPTY_ARRAY_SHAPE = 2

MISSING = (Missing.INVALID, Missing.ABNORMAL)


def row_width(shapes: UInt64s) -> int:
    """The common length of the arrays of a column, or 0 where its values cannot be laid out in rows."""
    present = shapes[shapes != ABSENT_SHAPE]
    if len(present) < 2 or present[0] < EMPTY_ARRAY_SHAPE + 2 or (present != present[0]).any():  # noqa: PLR2004
        return 0
    return int(present[0]) - EMPTY_ARRAY_SHAPE


@dataclass(frozen=True, slots=True)
class Body:
    """What a body holds.

    Attributes:
        record_series: uint64 arrays of N, as many as were asked for.
        values: of each record, by item id.
    """

    record_series: list[UInt64s]
    values: list[dict[str, Value]]


_Directory = tuple[tuple[WireKey, bool], ...]

_KNOWN_DIRECTORIES = 16
_LONGEST_KNOWN = 8_192


class _Directories:
    """Directories read lately, by their bits: a vehicle sends the same again and again.

    They are made of codes that tell their own end, so that the same bits always are the same directory.
    """

    def __init__(self) -> None:
        self._known: tuple[tuple[str, _Directory], ...] = ()

    def read(self, reader: BitReader, limits: Limits) -> _Directory:
        """Read a directory.

        Raises:
            WireError: the bits are none, or it exceeds a limit.
        """
        for digits, known in self._known:
            if len(known) <= limits.columns and reader.skip(digits):
                return known
        begin = reader.position
        directory = tuple(_read_directory(reader, limits))
        digits = reader.since(begin)
        if len(digits) <= _LONGEST_KNOWN:
            self._known = ((digits, directory), *self._known[: _KNOWN_DIRECTORIES - 1])
        return directory


_DIRECTORIES = _Directories()


def _read_directory(reader: BitReader, limits: Limits) -> Iterator[tuple[WireKey, bool]]:
    key, index = 0, -1
    for _ in range(reader.golomb(limits.columns)):
        step = reader.golomb(KEY_MAX)
        key += step
        index = reader.golomb(INDEX_MAX) + (index + 1 if step == 0 else 0)
        if key > KEY_MAX or index > INDEX_MAX:
            raise WireError(f"wire key {key}[{index}] is out of range")
        yield (key, index), bool(reader.bits(1))


@lru_cache(maxsize=_KNOWN_DIRECTORIES)
def _item_ids(directory: _Directory, keys: ItemKeys) -> tuple[str, ...]:
    return tuple(item_name(key, index, keys) for (key, index), _ in directory)


def read_columns(body: bytes, records: int, series: int, keys: ItemKeys, limits: Limits) -> Body:
    """Read the body of a message.

    Args:
        body: the body, uncompressed.
        records: how many records it holds, 1 or more, within the limits.
        series: how many series each record has besides its values.
        keys: gives each wire key its item.
        limits: what to accept.

    Returns:
        The content; item ids in the order of their wire keys.

    Raises:
        WireError: the bits are no such body, or exceed a limit.
    """
    reader = BitReader(body)
    directory = _DIRECTORIES.read(reader, limits)
    if records * len(directory) > limits.values:
        raise WireError(f"{len(directory)} columns of {records} records exceed {limits.values} values")
    mixed = sum(not plain for _, plain in directory)
    leading = read_series(reader, [records] * (series + mixed))
    layouts = _read_layouts(reader, leading[series:], records * (len(directory) - mixed), limits)
    waiting = iter(layouts)
    part_counts = [
        count for _, plain in directory for count in ([records] if plain else next(waiting).part_counts)
    ]
    parts = iter(read_series(reader, part_counts))
    reader.finish()
    item_ids = _item_ids(directory, keys)
    waiting = iter(layouts)
    columns: list[Sequence[Value | None]] = []
    for _, plain in directory:
        if plain:
            columns.append(next(parts).view(np.int64).tolist())
        else:
            layout = next(waiting)
            elements = layout.elements([next(parts) for _ in layout.part_counts])
            columns.append(_entries(layout.shapes.tolist(), elements))
    if not columns:
        return Body(leading[:series], [{} for _ in range(records)])
    rows = [dict(zip(item_ids, row, strict=True)) for row in zip(*columns, strict=True)]
    values = [
        {item_id: entry for item_id, entry in row.items() if entry is not None}
        if None in row.values()
        else row
        for row in rows
    ]
    return Body(leading[:series], values)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the values of a column that is not plain lie, as its reader knows it.

    Attributes:
        shapes: see `_Column`.
        states: see `_Column`.
        width: length of each present array, or 0 where they differ.
        rows: see `_Column`.
    """

    shapes: UInt64s
    states: UInt64s
    width: int
    rows: bool

    @property
    def part_counts(self) -> list[int]:
        """How many values each series of the column holds."""
        known = int(np.count_nonzero(self.states == 0))
        return [self.width, len(self.states) // self.width, known] if self.rows else [known]

    def elements(self, parts: Sequence[UInt64s]) -> list[Element]:
        """All elements, record by record."""
        if self.rows:
            bases, movements, rest = parts
            residuals = self._in_place(rest).reshape(-1, self.width)
            numbers = (residuals + bases + movements[:, np.newaxis]).reshape(-1)
        else:
            numbers = self._in_place(parts[0])
        elements: list[Element] = [*numbers.view(np.int64).tolist()]
        for place in np.flatnonzero(self.states).tolist():
            elements[place] = MISSING[int(self.states[place]) - 1]
        return elements

    def _in_place(self, numbers: UInt64s) -> UInt64s:
        """Values of all elements, record by record; missing ones are 0."""
        words = np.zeros(len(self.states), np.uint64)
        if not self.width:
            words[self.states == 0] = numbers
            return words
        table = words.reshape(-1, self.width).T.copy()
        table[self.states.reshape(-1, self.width).T == 0] = numbers
        return table.T.reshape(-1)


def _read_layouts(
    reader: BitReader, shapes: Sequence[UInt64s], plain_values: int, limits: Limits
) -> list[_Layout]:
    lengths = [_lengths(words, limits) for words in shapes]
    counts = [int(each.sum()) for each in lengths]
    if plain_values + sum(counts) > limits.values:
        raise WireError(f"arrays exceed {limits.values} values")
    states = read_series(reader, counts)
    for shape_words, state_words in zip(shapes, states, strict=True):
        _check_mixed(shape_words, state_words)
    widths = [row_width(words) for words in shapes]
    rows = [bool(width) and bool(reader.bits(1)) for width in widths]
    return [_Layout(*columns) for columns in zip(shapes, states, widths, rows, strict=True)]


def _lengths(shapes: UInt64s, limits: Limits) -> Int64s:
    """Elements of each record."""
    if (shapes > np.uint64(limits.values + EMPTY_ARRAY_SHAPE)).any():
        raise WireError(f"an array exceeds {limits.values} values")
    signed = shapes.astype(np.int64)
    return np.where(signed < EMPTY_ARRAY_SHAPE, signed, signed - EMPTY_ARRAY_SHAPE)


def _check_mixed(shapes: UInt64s, states: UInt64s) -> None:
    if (states > np.uint64(len(MISSING))).any():
        raise WireError("an element is neither a value nor invalid nor abnormal")
    if not shapes.any():
        raise WireError("a column has no entry in any record")
    if (shapes == SCALAR_SHAPE).all() and not states.any():
        raise WireError("a plain column is written as a mixed one")


def _entries(shapes: Sequence[int], elements: Sequence[Element]) -> list[Value | None]:
    """Each record's entry, None where it has none."""
    entries: list[Value | None] = []
    start = 0
    for shape in shapes:
        if shape == ABSENT_SHAPE:
            entries.append(None)
        elif shape == SCALAR_SHAPE:
            entries.append(elements[start])
            start += 1
        else:
            end = start + shape - EMPTY_ARRAY_SHAPE
            entries.append(tuple(elements[start:end]))
            start = end
    return entries
