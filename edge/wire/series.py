"""Series of whole numbers to bits: a predictor and a residual code for each, chosen by what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from edge.errors import WireError
from edge.wire.bits import ESCAPE_QUOTIENT, BitReader, BitWriter, Rice, UInt64s, unzigzags, zigzags

SHORT_K_MAX = 12
K_MAX = 63
_K_FOLLOWS = 13
_RUNS = 14
_CONSTANT = 15
_CODING_BITS = 4
_PREDICTOR_BITS = 2
_RUNS_HEAD_BITS = 20

_CELLS_AT_ONCE = 1 << 17

_CostTable = npt.NDArray[np.int64]


class Predictor(IntEnum):
    """What a value is expected to be; all arithmetic is modulo 2^64."""

    LEVEL = 0
    """The base, for each value."""

    DELTA = 1
    """The value before; the base is the first value."""

    SLOPE = 2
    """The value before and once more the step before; the base is the first value, the step before it 0."""

    FOLLOW = 3
    """The same place's value in the series just before, which must be as long, and the base."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one series is written."""

    base: int
    coding: int
    predictor: Predictor
    residuals: tuple[Rice, ...]


def _bit_length(number: int) -> int:
    return int(number).bit_length()


def _costs(codes: UInt64s, k_most: int) -> _CostTable:
    """Bits of each row of `codes` (S, N) under each parameter to `k_most`: int64 (S, k_most + 1)."""
    table = np.empty((len(codes), k_most + 1), np.int64)
    together = max(1, _CELLS_AT_ONCE // codes.size)
    for start in range(0, k_most + 1, together):
        ks = np.arange(start, min(start + together, k_most + 1), dtype=np.int64)
        shifted = codes[:, np.newaxis, :] >> ks.astype(np.uint64)[:, np.newaxis]
        quotients = np.minimum(shifted, np.uint64(ESCAPE_QUOTIENT))
        escapes = (quotients == np.uint64(ESCAPE_QUOTIENT)).sum(axis=2)
        table[:, ks] = quotients.sum(axis=2).view(np.int64) + codes.shape[1] * (1 + ks) + escapes * (64 - ks)
    table[:, SHORT_K_MAX + 1 :] += 6
    return table


def _best_k(codes: UInt64s) -> tuple[int, int]:
    """The best parameter for one group of codes, and its bits."""
    costs = _costs(codes[np.newaxis, :], min(_bit_length(int(codes.max())), K_MAX))[0]
    k = int(costs.argmin())
    return k, int(costs[k])


_FROM_BASE = frozenset({Predictor.LEVEL, Predictor.FOLLOW})


def _residuals(rows: UInt64s, predictor: Predictor) -> tuple[npt.NDArray[np.int64], UInt64s]:
    """Bases (S,) and zigzag codes (S, N or N - 1) of series (S, N) with N of 2 or more."""
    if predictor in _FROM_BASE:
        middle = (rows.shape[1] - 1) // 2
        bases = np.partition(rows.view(np.int64), middle, axis=1)[:, middle]
        return bases, zigzags(rows - bases.view(np.uint64)[:, np.newaxis])
    steps = rows[:, 1:] - rows[:, :-1]
    if predictor is Predictor.SLOPE:
        steps = np.concatenate([steps[:, :1], steps[:, 1:] - steps[:, :-1]], axis=1)
    return rows[:, 0].view(np.int64), zigzags(steps)


def _runs(codes: UInt64s, zeros: int, beaten: int) -> tuple[Rice, ...] | None:
    """Gaps and values of the residuals that are not 0, if that takes fewer than `beaten` bits."""
    if (len(codes) - zeros) * 4 > len(codes):
        return None
    places = np.flatnonzero(codes)
    if not len(places):
        return Rice(codes[:0], 0), Rice(codes[:0], 0)
    gaps = (np.diff(places, prepend=-1) - 1).astype(np.uint64)
    values = codes[places] - np.uint64(1)
    gap_k, gap_bits = _best_k(gaps)
    value_k, value_bits = _best_k(values)
    if gap_bits + value_bits + _RUNS_HEAD_BITS >= beaten:
        return None
    return Rice(gaps, gap_k), Rice(values, value_k)


def _plans(rows: UInt64s, leaders: UInt64s, led: npt.NDArray[np.bool_]) -> list[_Plan]:
    """Choose for each of S series of one length N, N of 2 or more.

    Args:
        rows: the series, uint64 (S, N).
        leaders: the series before each, uint64 (S, N).
        led: whether there is one of its length, (S,).
    """
    moving = (rows != rows[:, :1]).any(axis=1)
    plans = [_Plan(int(base), _CONSTANT, Predictor.LEVEL, ()) for base in rows[:, 0].view(np.int64)]
    if moving.any():
        chosen = _moving_plans(rows[moving], leaders[moving], led[moving])
        for place, plan in zip(np.flatnonzero(moving).tolist(), chosen, strict=True):
            plans[place] = plan
    return plans


def _moving_plans(rows: UInt64s, leaders: UInt64s, led: npt.NDArray[np.bool_]) -> list[_Plan]:
    """`_plans` for series none of which is constant."""
    best_cost = np.full(len(rows), np.iinfo(np.int64).max)
    best_k = np.zeros(len(rows), np.int64)
    best_predictor = np.zeros(len(rows), np.int64)
    most_zeros = np.full(len(rows), -1)
    sparsest = np.zeros(len(rows), np.int64)
    tried: list[tuple[npt.NDArray[np.int64], UInt64s]] = []
    for predictor in Predictor:
        follows = predictor is Predictor.FOLLOW
        bases, codes = _residuals(rows - leaders if follows else rows, predictor)
        tried.append((bases, codes))
        possible = led | (not follows)
        costs = _costs(codes, min(_bit_length(int(codes.max())), K_MAX))
        k = costs.argmin(axis=1)
        cost = costs[np.arange(len(rows)), k]
        better = (cost < best_cost) & possible
        best_cost[better], best_k[better], best_predictor[better] = cost[better], k[better], predictor
        zeros = (codes == 0).sum(axis=1)
        sparser = (zeros > most_zeros) & possible
        most_zeros[sparser], sparsest[sparser] = zeros[sparser], predictor
    plans = []
    for row in range(len(rows)):
        predictor = Predictor(sparsest[row])
        parts = _runs(tried[predictor][1][row], int(most_zeros[row]), int(best_cost[row]))
        if parts is not None:
            plans.append(_Plan(int(tried[predictor][0][row]), _RUNS, predictor, parts))
            continue
        predictor = Predictor(best_predictor[row])
        bases, codes = tried[predictor]
        k_of_row = int(best_k[row])
        coding = k_of_row if k_of_row <= SHORT_K_MAX else _K_FOLLOWS
        plans.append(_Plan(int(bases[row]), coding, predictor, (Rice(codes[row], k_of_row),)))
    return plans


def write_series(writer: BitWriter, series: Sequence[UInt64s]) -> None:
    """Write a group of series.

    First come the heads of all series (base, coding, predictor), then, as one Rice group, the residuals of
    all. How many values each series holds is not written: the reader knows it.

    Args:
        writer: where to.
        series: uint64 arrays; signed values are taken as 64 bits two's complement.
    """
    plans: list[_Plan | None] = [None] * len(series)
    by_length: dict[int, list[int]] = {}
    for place, values in enumerate(series):
        by_length.setdefault(len(values), []).append(place)
    for length, places in by_length.items():
        if length == 1:
            for place in places:
                base = int(series[place].view(np.int64)[0])
                plans[place] = _Plan(base, _CONSTANT, Predictor.LEVEL, ())
        elif length > 1:
            rows = np.stack([series[place] for place in places])
            led = [place > 0 and len(series[place - 1]) == length for place in places]
            leaders = np.stack(
                [series[place - 1 if known else place] for place, known in zip(places, led, strict=True)]
            )
            for place, chosen in zip(places, _plans(rows, leaders, np.array(led)), strict=True):
                plans[place] = chosen
    parts: list[Rice] = []
    for values, plan in zip(series, plans, strict=True):
        if plan is not None:
            _write_head(writer, plan, alone=len(values) == 1)
            parts.extend(plan.residuals)
    writer.rice(parts)


def _write_head(writer: BitWriter, plan: _Plan, *, alone: bool) -> None:
    writer.sized(plan.base)
    if alone:
        return
    writer.bits(plan.coding, _CODING_BITS)
    if plan.coding == _CONSTANT:
        return
    writer.bits(plan.predictor, _PREDICTOR_BITS)
    if plan.coding == _K_FOLLOWS:
        writer.bits(plan.residuals[0].k, 6)
    elif plan.coding == _RUNS:
        gaps, values = plan.residuals
        writer.golomb(len(gaps.codes))
        if len(gaps.codes):
            writer.golomb(gaps.k)
            writer.golomb(values.k)


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
    coding = reader.bits(_CODING_BITS) if count > 1 else _CONSTANT
    if coding == _CONSTANT:
        return _Head(count, base, Predictor.LEVEL, 0, ())
    predictor = Predictor(reader.bits(_PREDICTOR_BITS))
    residuals = count if predictor in _FROM_BASE else count - 1
    if coding == _RUNS:
        changes = reader.golomb(residuals)
        gap_k, value_k = (reader.golomb(K_MAX), reader.golomb(K_MAX)) if changes else (0, 0)
        return _Head(count, base, predictor, residuals, ((changes, gap_k), (changes, value_k)))
    k = coding
    if coding == _K_FOLLOWS:
        k = reader.bits(6)
        if k <= SHORT_K_MAX:
            raise WireError("body writes a short Rice parameter in its long form")
    return _Head(count, base, predictor, residuals, ((residuals, k),))


def read_series(reader: BitReader, counts: Sequence[int]) -> list[UInt64s]:
    """Read a group of series that hold `counts` values.

    The caller has bounded the sum of `counts`.

    Raises:
        WireError: the bits are no such group.
    """
    heads = [_read_head(reader, count) if count else None for count in counts]
    groups = [group for head in heads if head is not None for group in head.groups]
    residuals = iter(reader.rice([count for count, _ in groups], [k for _, k in groups]) if groups else [])
    series: list[UInt64s] = []
    for head in heads:
        if head is None:
            series.append(np.zeros(0, np.uint64))
            continue
        base = np.uint64(head.base & 0xFFFF_FFFF_FFFF_FFFF)
        if not head.groups:
            series.append(np.full(head.count, base, np.uint64))
        elif len(head.groups) == 1:
            series.append(_undo(head, base, unzigzags(next(residuals)), series))
        else:
            series.append(_undo(head, base, _spread(head, next(residuals), next(residuals)), series))
    return series


def _spread(head: _Head, gaps: UInt64s, values: UInt64s) -> UInt64s:
    """Residuals from the gaps and values of those that are not 0."""
    if (gaps >= np.uint64(head.residuals)).any():
        raise WireError("body's run goes past the end of its series")
    places = np.cumsum(gaps.astype(np.int64) + 1) - 1
    if len(places) and int(places[-1]) >= head.residuals:
        raise WireError("body's run goes past the end of its series")
    if (values == np.uint64(0xFFFF_FFFF_FFFF_FFFF)).any():
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
    steps = np.cumsum(residuals, dtype=np.uint64) if head.predictor is Predictor.SLOPE else residuals
    return np.cumsum(np.concatenate([np.array([base], np.uint64), steps]), dtype=np.uint64)
