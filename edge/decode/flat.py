"""All values of a batch in one pass: every (signal, frame) pair a place in one flat array.

A call into NumPy costs as much as a thousand of its operations, and a batch has hundreds of signals with a
few hundred frames each. So instead of some calls a message, there are some calls a chunk of many signals: the
constants of each signal are repeated once a frame, the payload words gathered by the same pattern, and all is
shifted and scaled at once. Signals are sorted by how they are converted: each conversion is a slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge import accelerated
from edge.database.model import SignalRef
from edge.decode.field import WORD_BITS, WORD_BYTES, Field, Kind, Values, half_floats, offset_is_void
from edge.decode.message import Column
from edge.decode.program import Program

_CHUNK_VALUES = 16384

Places = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Category:
    """Fields that are cut out and converted alike; in the order in which they are laid out."""

    signed: bool
    big_endian: bool
    kind: Kind
    word64: bool
    dtype: str
    void: bool
    float_bits: int

    @classmethod
    def of(cls, field: Field) -> Category:
        """The category of `field`."""
        return cls(
            signed=field.signed,
            big_endian=field.window.big_endian,
            kind=field.kind,
            word64=field.word64,
            dtype=field.dtype.str,
            void=field.kind is not Kind.LINEAR_INTEGER and offset_is_void(field),
            float_bits=len(field.signal.bits) if field.kind is Kind.FLOAT else 0,
        )

    @property
    def rank(self) -> tuple[bool, bool, int, bool, str, bool, int]:
        """Sorts unsigned before signed, little-endian before big-endian in each."""
        return (
            self.signed,
            self.big_endian,
            self.kind.value,
            self.word64,
            self.dtype,
            self.void,
            self.float_bits,
        )


class Constants(NamedTuple):
    """Scales and offsets of some fields, of the type that their category computes with."""

    scale: Values
    offset: Values

    @classmethod
    def of(cls, category: Category, fields: Sequence[Field]) -> Constants:
        """Those of `fields`, all of `category`."""
        whole = category.kind is Kind.LINEAR_INTEGER
        kind, number = (category.dtype, int) if whole else (np.dtype(np.float64).str, float)
        return cls(
            np.array([number(field.conversion.scale) for field in fields], kind),
            np.array([number(field.conversion.offset) for field in fields], kind),
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames that carry a group of signals.

    Attributes:
        group: the group's number in the table.
        begin: the place of the first of its frames in the order of the batch.
        count: how many there are.
    """

    group: int
    begin: int
    count: int


class FlatTable:
    """The constants of all fields of a plan as arrays, by number; groups are runs of numbers."""

    def __init__(self, groups: Sequence[Sequence[tuple[SignalRef, Field]]]) -> None:
        """Lay out `groups`, none of whose fields may be exact or skewed."""
        pairs = [pair for group in groups for pair in group]
        fields = [field for _, field in pairs]
        self.refs = [ref for ref, _ in pairs]
        ends = np.cumsum([0, *(len(group) for group in groups)])
        self._groups = [np.arange(low, high) for low, high in pairwise(ends)]
        self._categories = sorted({Category.of(field) for field in fields}, key=lambda one: one.rank)
        place = {category: number for number, category in enumerate(self._categories)}
        self._category = np.array([place[Category.of(field)] for field in fields], np.intp)
        self._first_byte = np.array([field.window.first_byte for field in fields], np.intp)
        self._left = np.array([field.left for field in fields], np.uint64)
        self._right = np.array([field.right for field in fields], np.uint64)
        self._fields = fields
        self._layout: _Layout | None = None
        self._named = groups
        self._program: Program | None = None

    def decode(
        self,
        segments: Sequence[Segment],
        order: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        columns: dict[SignalRef, Column],
    ) -> None:
        """Decode all segments into `columns`.

        Args:
            segments: what to decode.
            order: the batch's rows in the order that segments speak of.
            data: the payloads of the whole batch, (N, W), W a multiple of 8; every segment's payloads are as
                long as its signals need.
            columns: taken by reference, filled.
        """
        if accelerated.native is not None:
            if self._program is None:
                self._program = Program(self._named)
            work = [(segment.group, segment.begin, segment.count) for segment in segments]
            self._program.decode(
                accelerated.native, work, np.ascontiguousarray(order, np.int64), data, columns
            )
            return
        chosen = tuple(segment.group for segment in segments)
        if self._layout is None or self._layout.groups != chosen:
            self._layout = self._lay_out(chosen)
        layout = self._layout
        begins = np.array([segment.begin for segment in segments], np.intp)
        counts = np.array([segment.count for segment in segments], np.intp)
        times = counts[layout.segment]
        cuts = np.concatenate(([0], np.cumsum(times)))
        rows = [order[segment.begin : segment.begin + segment.count] for segment in segments]
        reader = _WordReader(order, data)
        # Chunks whose arrays stay in the processor's cache and in memory that the allocator has at hand.
        chunks = np.searchsorted(cuts, np.arange(0, int(cuts[-1]), _CHUNK_VALUES), side="right") - 1
        firsts = np.unique(np.append(chunks, len(times))).tolist()
        for first, last in pairwise(firsts):
            some = times[first:last]
            index = (begins[layout.segment[first:last]] - (cuts[first:last] - cuts[first])).repeat(some)
            index += np.arange(len(index))
            words = reader.words(index, layout.first_byte[first:last], some)
            self._decode_chunk(layout, slice(first, last), words, cuts, some, rows, columns)

    def _decode_chunk(
        self,
        layout: _Layout,
        chunk: slice,
        words: npt.NDArray[np.uint64],
        cuts: Places,
        times: Places,
        rows: list[npt.NDArray[np.int64]],
        columns: dict[SignalRef, Column],
    ) -> None:
        """Decode the signals of `chunk`, whose words stand one after the other in `words`."""
        new = tuple.__new__
        first, last = chunk.start, chunk.stop
        local = (cuts[first : last + 1] - cuts[first]).tolist()
        parts = [
            (number, max(low, first), min(high, last))
            for number, (low, high) in enumerate(pairwise(layout.bounds))
            if low < last and high > first
        ]
        for number, low, high in parts:
            if layout.categories[number].big_endian:
                words[local[low - first] : local[high - first]].byteswap(inplace=True)
        middle = local[min(max(layout.signed_from, first), last) - first]
        shift(words, layout.left[chunk].repeat(times), layout.right[chunk].repeat(times), middle)
        for number, low, high in parts:
            begin, end = local[low - first], local[high - first]
            category, constants = layout.categories[number], layout.constants[number]
            if category.kind is not Kind.INTEGER:
                place, some = layout.bounds[number], times[low - first : high - first]
                constants = Constants(
                    constants.scale[low - place : high - place].repeat(some),
                    constants.offset[low - place : high - place].repeat(some),
                )
            values = convert(category, words[begin:end], constants)
            spans = pairwise(local[low - first : high - first + 1])
            for (ref, segment), (start, stop) in zip(layout.owners[low:high], spans, strict=True):
                # As Column(...), without the detour over its own __new__.
                columns[ref] = new(Column, (rows[segment], values[start - begin : stop - begin]))

    def _lay_out(self, chosen: tuple[int, ...]) -> _Layout:
        numbers = np.concatenate([self._groups[group] for group in chosen])
        segment = np.repeat(np.arange(len(chosen)), [len(self._groups[group]) for group in chosen])
        by_category = np.argsort(self._category[numbers], kind="stable")
        numbers, segment = numbers[by_category], segment[by_category]
        category = self._category[numbers]
        changes = np.flatnonzero(np.concatenate(([True], category[1:] != category[:-1])))
        categories = [self._categories[category[place]] for place in changes.tolist()]
        signed = next((number for number, one in enumerate(categories) if one.signed), len(categories))
        bounds = [*changes.tolist(), len(numbers)]
        return _Layout(
            groups=chosen,
            owners=[
                (self.refs[number], place)
                for number, place in zip(numbers.tolist(), segment.tolist(), strict=True)
            ],
            segment=segment,
            first_byte=self._first_byte[numbers],
            left=self._left[numbers],
            right=self._right[numbers],
            constants=[
                Constants.of(one, [self._fields[number] for number in numbers[low:high].tolist()])
                for one, (low, high) in zip(categories, pairwise(bounds), strict=True)
            ],
            categories=categories,
            bounds=bounds,
            signed_from=bounds[signed],
        )


class _WordReader:
    """The payload words of a batch by place in its order."""

    def __init__(self, order: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> None:
        self._order = order
        self._width = data.shape[1]
        if self._width == WORD_BYTES:
            self._words = data.view("<u8").reshape(-1)[order].astype(np.uint64, copy=False)
        else:
            flat = data.reshape(-1)
            count = max(flat.size - WORD_BYTES + 1, 0)
            self._words = np.ndarray((count,), "<u8", buffer=flat, strides=(1,))

    def words(self, index: Places, first_byte: Places, times: Places) -> npt.NDArray[np.uint64]:
        """The little-endian words of the payloads at `index`, each from its signal's first byte on."""
        if self._width == WORD_BYTES:
            return self._words[index]
        places = self._order[index]
        places *= self._width
        places += first_byte.repeat(times)
        return self._words[places].astype(np.uint64, copy=False)


def shift(
    words: npt.NDArray[np.uint64],
    left: npt.NDArray[np.uint64],
    right: npt.NDArray[np.uint64],
    signed_from: int,
) -> None:
    """Cut the raw bits out of `words` in place; from `signed_from` on they are sign-extended."""
    words <<= left
    unsigned, signed = words[:signed_from], words[signed_from:].view(np.int64)
    unsigned >>= right[:signed_from]
    signed >>= right[signed_from:].view(np.int64)


def convert(category: Category, raw: npt.NDArray[np.uint64], constants: Constants) -> Values:
    """Physical values of `raw`, one scale and offset each."""
    kind = category.kind
    numbers: Values = raw if category.word64 else raw.view(np.int64)
    if kind is Kind.INTEGER:
        return numbers if numbers.dtype.str == category.dtype else numbers.view(category.dtype)
    if kind is Kind.LINEAR_INTEGER:
        whole: Values = numbers.view(category.dtype) * constants.scale
        whole += constants.offset
        return whole
    values: Values = _floats(raw, category.float_bits) if kind is Kind.FLOAT else numbers.astype(np.float64)
    if kind is Kind.LINEAR or not category.void:
        values *= constants.scale
    if not category.void:
        values += constants.offset
    return values


@dataclass(frozen=True, slots=True)
class _Layout:
    """The constants of the signals of some groups, by category; kept while batches have the same groups."""

    groups: tuple[int, ...]
    owners: list[tuple[SignalRef, int]]
    segment: Numbers
    first_byte: Places
    left: npt.NDArray[np.uint64]
    right: npt.NDArray[np.uint64]
    constants: list[Constants]
    categories: list[Category]
    bounds: list[int]
    signed_from: int


def _floats(raw: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.float64]:
    if bits == WORD_BITS:
        return raw.view(np.float64).copy()
    if bits == WORD_BITS // 2:
        return raw.astype(np.uint32).view(np.float32).astype(np.float64)
    return half_floats()[raw]
