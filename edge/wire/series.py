"""Groups of series to bits and back: the heads of all, then the residuals of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from edge.errors import WireError
from edge.wire.bits import BitReader, BitWriter, UInt64s, unzigzags
from edge.wire.plans import CODING_BITS, CONSTANT, K_FOLLOWS, PREDICTOR_BITS, RUNS, Plans, Predictor
from edge.wire.segments import K_MAX, LONG_K_BITS, SHORT_K_MAX, cut

_FROM_BASE = frozenset({Predictor.LEVEL, Predictor.FOLLOW})
_NOTHING = np.zeros(0, np.uint64)
_WORD = 0xFFFF_FFFF_FFFF_FFFF


def write_series(writer: BitWriter, plans: Plans) -> None:
    """Write a group of series.

    First come the heads of all series (base, coding, predictor), then, as one Rice group, the residuals of
    all. How many values each series holds is not written: the reader knows it.

    Args:
        writer: where to.
        plans: how each series is to be written.
    """
    writer.codewords(plans.heads)
    lengths = plans.lengths.reshape(-1)
    if lengths.any():
        codes = cut(plans.words, plans.starts.reshape(-1), lengths)
        writer.rice(codes, np.repeat(plans.parameters.reshape(-1), lengths))


@dataclass(frozen=True, slots=True)
class _Head:
    """What the reader knows of a series before its residuals."""

    count: int
    base: int
    predictor: Predictor
    residuals: int
    groups: tuple[tuple[int, int], ...]


def _read_head(reader: BitReader, count: int) -> _Head:
    base = reader.sized()
    coding = reader.bits(CODING_BITS)
    if coding == CONSTANT:
        return _Head(count, base, Predictor.LEVEL, 0, ())
    predictor = Predictor(reader.bits(PREDICTOR_BITS))
    residuals = count if predictor in _FROM_BASE else count - 1
    if coding == RUNS:
        changes = reader.golomb(residuals)
        gap_k, value_k = (reader.golomb(K_MAX), reader.golomb(K_MAX)) if changes else (0, 0)
        return _Head(count, base, predictor, residuals, ((changes, gap_k), (changes, value_k)))
    k = coding
    if coding == K_FOLLOWS:
        k = reader.bits(LONG_K_BITS)
        if k <= SHORT_K_MAX:
            raise WireError("body writes a short Rice parameter in its long form")
    return _Head(count, base, predictor, residuals, ((residuals, k),))


def _read_heads(reader: BitReader, counts: Sequence[int]) -> list[_Head | int | None]:
    """The head of each series; of one that holds one value the base, of an empty one None."""
    heads: list[_Head | int | None] = []
    for single, run in groupby(counts, key=(1).__eq__):
        if single:
            heads.extend(reader.sized_numbers(sum(run)))
        else:
            heads.extend(_read_head(reader, count) if count else None for count in run)
    return heads


def read_series(reader: BitReader, counts: Sequence[int]) -> list[UInt64s]:
    """Read a group of series that hold `counts` values.

    The caller has bounded the sum of `counts`.

    Raises:
        WireError: the bits are no such group.
    """
    heads = _read_heads(reader, counts)
    groups = [group for head in heads if isinstance(head, _Head) for group in head.groups]
    codes = reader.rice([count for count, _ in groups], [k for _, k in groups]) if groups else _NOTHING
    residuals = unzigzags(codes)
    singles = iter(
        np.array([head & _WORD for head in heads if isinstance(head, int)], np.uint64).reshape(-1, 1)
    )
    series: list[UInt64s] = []
    start = 0
    for head in heads:
        if not isinstance(head, _Head):
            series.append(_NOTHING if head is None else next(singles))
            continue
        base = np.uint64(head.base & _WORD)
        end = start + sum(count for count, _ in head.groups)
        if not head.groups:
            series.append(np.full(head.count, base, np.uint64))
        elif len(head.groups) == 1:
            series.append(_undo(head, base, residuals[start:end], series))
        else:
            middle = start + head.groups[0][0]
            series.append(_undo(head, base, _spread(head, codes[start:middle], codes[middle:end]), series))
        start = end
    return series


def _spread(head: _Head, gaps: UInt64s, values: UInt64s) -> UInt64s:
    """Residuals from the gaps and values of those that are not 0."""
    if (gaps >= np.uint64(head.residuals)).any():
        raise WireError("body's run goes past the end of its series")
    places = np.cumsum(gaps.astype(np.int64) + 1) - 1
    if len(places) and int(places[-1]) >= head.residuals:
        raise WireError("body's run goes past the end of its series")
    if (values == np.uint64(_WORD)).any():
        raise WireError("body holds a number of more than 64 bits")
    codes = np.zeros(head.residuals, np.uint64)
    codes[places] = values + np.uint64(1)
    return unzigzags(codes)


def _undo(head: _Head, base: np.uint64, residuals: UInt64s, before: Sequence[UInt64s]) -> UInt64s:
    if head.predictor is Predictor.FOLLOW:
        if not before or len(before[-1]) != head.count:
            raise WireError("body's series follows one of another length")
        return residuals + base + before[-1]
    if head.predictor is Predictor.LEVEL:
        return residuals + base
    values = np.empty(head.count, np.uint64)
    values[0] = base
    values[1:] = np.cumsum(residuals) if head.predictor is Predictor.SLOPE else residuals
    return np.cumsum(values, out=values)
