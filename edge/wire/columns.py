"""Records to one string of bits and back: a column for each item, the three kinds of nothing kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edge.errors import WireError
from edge.records import Element, Missing, Value
from edge.wire.bits import BitReader, BitWriter, UInt64s
from edge.wire.item_keys import INDEX_MAX, KEY_MAX, ItemKeys, WireKey, item_name, wire_key
from edge.wire.limits import Limits
from edge.wire.series import read_series, write_series

ABSENT_SHAPE = 0
SCALAR_SHAPE = 1
EMPTY_ARRAY_SHAPE = 2

_MISSING = (Missing.INVALID, Missing.ABNORMAL)
_STATE_CODES = MappingProxyType({missing: code for code, missing in enumerate(_MISSING, start=1)})

Int64s = npt.NDArray[np.int64]


def as_series(numbers: Sequence[int], what: str) -> UInt64s:
    """Signed 64-bit numbers as the codec's words.

    Raises:
        WireError: a number needs more than 64 bits signed; `what` names it.
    """
    try:
        return np.array(numbers, np.int64).view(np.uint64)
    except OverflowError as error:
        raise WireError("value needs more than 64 bits", where=what) from error


@dataclass(frozen=True, slots=True)
class _Column:
    """One item over the records.

    Attributes:
        key: its wire key.
        plain: whether each record holds one value of it, none of them missing.
        shapes: of each record: 0 no entry, 1 a single element, 2 + n an array of n.
        states: of each element: 0 a value, 1 invalid, 2 abnormal.
        parts: the series that its values are written as, those that are missing left out.
        rows: whether these are a base of each element, a movement of each record, and the rest.
        may_be_rows: whether the shapes allow rows, so that the choice is written.
    """

    key: WireKey
    plain: bool
    shapes: UInt64s
    states: UInt64s
    parts: tuple[UInt64s, ...]
    rows: bool
    may_be_rows: bool


def _column(key: WireKey, item_id: str, entries: Sequence[Value | None]) -> _Column:
    if all(type(entry) is int for entry in entries):
        values = as_series(entries, item_id)  # type: ignore[arg-type] # each entry is an int, as just checked
        nothing = np.zeros(0, np.uint64)
        return _Column(key, True, nothing, nothing, (values,), False, False)
    shapes: list[int] = []
    states: list[int] = []
    numbers: list[int] = []
    for entry in entries:
        if entry is None:
            shapes.append(ABSENT_SHAPE)
            continue
        elements: tuple[Element, ...]
        if isinstance(entry, tuple):
            shapes.append(EMPTY_ARRAY_SHAPE + len(entry))
            elements = entry
        else:
            shapes.append(SCALAR_SHAPE)
            elements = (entry,)
        for element in elements:
            if isinstance(element, Missing):
                states.append(_STATE_CODES[element])
                numbers.append(0)
            elif isinstance(element, int):
                states.append(0)
                numbers.append(int(element))
            else:
                raise WireError("value is neither a whole number nor missing", where=item_id)
    shape_words = as_series(shapes, item_id)
    state_words = as_series(states, item_id)
    values = as_series(numbers, item_id)
    width = _row_width(shape_words)
    rows, parts = (False, (values[state_words == 0],)) if not width else _parts(values, state_words, width)
    if set(shapes) == {SCALAR_SHAPE} and not any(states):
        # A subclass of int, such as an enumeration's member, is the number that it is.
        return _Column(key, True, values[:0], values[:0], parts, False, False)
    return _Column(key, False, shape_words, state_words, parts, rows, bool(width))


def _row_width(shapes: UInt64s) -> int:
    """The common length of the arrays of a column, or 0 where its values cannot be laid out in rows."""
    present = shapes[shapes != ABSENT_SHAPE]
    if len(present) < 2 or present[0] < EMPTY_ARRAY_SHAPE + 2 or (present != present[0]).any():  # noqa: PLR2004
        return 0
    return int(present[0]) - EMPTY_ARRAY_SHAPE


def _median(table: Int64s, axis: int) -> Int64s:
    """The lower median along an axis, exact over 64 bits."""
    middle = (table.shape[axis] - 1) // 2
    ordered: Int64s = np.partition(table, middle, axis=axis)
    return ordered[:, middle] if axis else ordered[middle]


def _parts(values: UInt64s, states: UInt64s, width: int) -> tuple[bool, tuple[UInt64s, ...]]:
    """Choose between one series, element by element, and bases, movements and the rest."""
    table = values.reshape(-1, width)
    known = states.reshape(-1, width) == 0
    flat = table.T[known.T]
    if not known.any():
        return False, (flat,)
    filled = _filled(table, known)
    movements = _median((filled - filled[0]).view(np.int64), 1).view(np.uint64)
    bases = _median((filled - movements[:, np.newaxis]).view(np.int64), 0).view(np.uint64)
    rest = (table - bases - movements[:, np.newaxis]).T[known.T]
    as_rows = (bases, movements, rest)
    if _bits(as_rows) < _bits((flat,)):
        return True, as_rows
    return False, (flat,)


def _filled(table: UInt64s, known: npt.NDArray[np.bool_]) -> UInt64s:
    """The table with each missing element replaced by the last known one of its column, or the first."""
    if known.all():
        return table
    row_numbers = np.arange(len(table))[:, np.newaxis]
    latest = np.maximum.accumulate(np.where(known, row_numbers, -1), axis=0)
    first = known.argmax(axis=0)
    return np.take_along_axis(table, np.where(latest < 0, first, latest), axis=0)


def _bits(parts: Sequence[UInt64s]) -> int:
    writer = BitWriter()
    write_series(writer, parts)
    return writer.length


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
    ids: dict[str, None] = {}
    for entries in values:
        ids.update(dict.fromkeys(entries))
    by_key = {wire_key(item_id, keys): item_id for item_id in ids}
    if len(by_key) != len(ids):
        raise WireError("two items of one message share a wire key")
    columns = [
        _column(key, item_id, [entries.get(item_id) for entries in values])
        for key, item_id in sorted(by_key.items())
    ]
    mixed = [column for column in columns if not column.plain]
    writer = BitWriter()
    writer.golomb(len(columns))
    previous_key, previous_index = 0, -1
    for column in columns:
        key, index = column.key
        writer.golomb(key - previous_key)
        writer.golomb(index - previous_index - 1 if key == previous_key else index)
        writer.bits(int(column.plain), 1)
        previous_key, previous_index = key, index
    write_series(writer, [*record_series, *(column.shapes for column in mixed)])
    write_series(writer, [column.states for column in mixed])
    for column in mixed:
        if column.may_be_rows:
            writer.bits(int(column.rows), 1)
    write_series(writer, [part for column in columns for part in column.parts])
    return writer.to_bytes()


@dataclass(frozen=True, slots=True)
class Body:
    """What a body holds.

    Attributes:
        record_series: uint64 arrays of N, as many as were asked for.
        values: of each record, by item id.
    """

    record_series: list[UInt64s]
    values: list[dict[str, Value]]


def _read_directory(reader: BitReader, limits: Limits) -> list[tuple[WireKey, bool]]:
    columns: list[tuple[WireKey, bool]] = []
    key, index = 0, -1
    for _ in range(reader.golomb(limits.columns)):
        step = reader.golomb(KEY_MAX)
        key += step
        index = reader.golomb(INDEX_MAX) + (index + 1 if step == 0 else 0)
        if key > KEY_MAX or index > INDEX_MAX:
            raise WireError(f"wire key {key}[{index}] is out of range")
        columns.append(((key, index), bool(reader.bits(1))))
    return columns


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
    directory = _read_directory(reader, limits)
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
    values: list[dict[str, Value]] = [{} for _ in range(records)]
    waiting = iter(layouts)
    for (key, index), plain in directory:
        item_id = item_name(key, index, keys)
        if plain:
            for entries, number in zip(values, next(parts).view(np.int64).tolist(), strict=True):
                entries[item_id] = number
        else:
            layout = next(waiting)
            elements = layout.elements([next(parts) for _ in layout.part_counts])
            _deal(values, item_id, layout.shapes.tolist(), elements)
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
            elements[place] = _MISSING[int(self.states[place]) - 1]
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
    widths = [_row_width(words) for words in shapes]
    rows = [bool(width) and bool(reader.bits(1)) for width in widths]
    return [_Layout(*columns) for columns in zip(shapes, states, widths, rows, strict=True)]


def _lengths(shapes: UInt64s, limits: Limits) -> Int64s:
    """Elements of each record."""
    if (shapes > np.uint64(limits.values + EMPTY_ARRAY_SHAPE)).any():
        raise WireError(f"an array exceeds {limits.values} values")
    signed = shapes.astype(np.int64)
    return np.where(signed < EMPTY_ARRAY_SHAPE, signed, signed - EMPTY_ARRAY_SHAPE)


def _check_mixed(shapes: UInt64s, states: UInt64s) -> None:
    if (states > np.uint64(len(_MISSING))).any():
        raise WireError("an element is neither a value nor invalid nor abnormal")
    if not shapes.any():
        raise WireError("a column has no entry in any record")
    if (shapes == SCALAR_SHAPE).all() and not states.any():
        raise WireError("a plain column is written as a mixed one")


def _deal(
    values: Sequence[dict[str, Value]], item_id: str, shapes: Sequence[int], elements: Sequence[Element]
) -> None:
    """Give each record its entry."""
    start = 0
    for entries, shape in zip(values, shapes, strict=True):
        if shape == ABSENT_SHAPE:
            continue
        if shape == SCALAR_SHAPE:
            entries[item_id] = elements[start]
            start += 1
            continue
        end = start + shape - EMPTY_ARRAY_SHAPE
        entries[item_id] = tuple(elements[start:end])
        start = end
