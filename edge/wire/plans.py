"""How to write series of whole numbers: a predictor and a coding for each, chosen by what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.wire.bits import Codewords, Int64s, UInt64s, zigzags
from edge.wire.segments import LONG_K_BITS, SHORT_K_MAX, Segments, best_parameters, cut

CODING_BITS = 4
PREDICTOR_BITS = 2
K_FOLLOWS = 13
RUNS = 14
CONSTANT = 15

_RUNS_FROM = 4
"""Runs are tried where at most one residual of so many is not 0."""

_RUNS_HEAD_BITS = 20
_IMPOSSIBLE = np.iinfo(np.int64).max
_NOTHING = np.zeros(0, np.uint64)


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


_BASE_IS_FIRST_VALUE = np.array([0, 1, 1, 0])
"""By predictor: there is no residual for the first value."""


@dataclass(frozen=True, slots=True)
class Plans:
    """How S series are written.

    Attributes:
        heads: what stands before residuals, a row for each series.
        words: what goes into Rice groups.
        starts: where in `words` a series' two parts begin, (S, 2): the codes, or gaps and values of runs.
        lengths: how long these are, 0 for none, (S, 2).
        parameters: their Rice parameters, (S, 2).
        bits: what each series takes in all, (S,).
    """

    heads: Codewords
    words: UInt64s
    starts: Int64s
    lengths: Int64s
    parameters: Int64s
    bits: Int64s

    def of(self, places: slice | Sequence[int]) -> Plans:
        """The plans of some of the series."""
        return Plans(
            self.heads.rows(places),
            self.words,
            self.starts[places],
            self.lengths[places],
            self.parameters[places],
            self.bits[places],
        )


class _Choices:
    """What is being chosen for S series; first, that each is constant.

    Attributes:
        counts: how many values each has, (S,).
        bases: as `Predictor` has it, (S,).
        codings: a Rice parameter up to `SHORT_K_MAX`, `K_FOLLOWS`, `RUNS` or `CONSTANT`, (S,).
        predictors: of no meaning where a series is constant, (S,).
        words: see `Plans`, as the others.
    """

    def __init__(self, counts: Int64s) -> None:
        self.counts = counts
        self.bases = np.zeros(len(counts), np.uint64)
        self.codings = np.full(len(counts), CONSTANT)
        self.predictors = np.zeros(len(counts), np.int64)
        self.words = _NOTHING
        self.starts, self.lengths, self.parameters = np.zeros((3, len(counts), 2), np.int64)
        self.residual_bits = np.zeros(len(counts), np.int64)

    def plans(self) -> Plans:
        """The plans that follow from what is chosen."""
        heads = self._heads()
        bits = heads.widths.sum(axis=1) + self.residual_bits
        return Plans(heads, self.words, self.starts, self.lengths, self.parameters, bits)

    def _heads(self) -> Codewords:
        base = Codewords.sized(self.bases)
        base.widths[self.counts == 0] = 0
        numbers = np.stack([self.codings, self.predictors, self.parameters[:, 0]], axis=1).view(np.uint64)
        widths = np.empty(numbers.shape, np.int64)
        coded = self.counts > 1
        widths[:, 0] = coded * CODING_BITS
        widths[:, 1] = (self.codings != CONSTANT) * PREDICTOR_BITS
        widths[:, 2] = (self.codings == K_FOLLOWS) * LONG_K_BITS
        parts = [base, Codewords(numbers, widths)]
        runs = self.codings == RUNS
        if runs.any():
            changes = self.lengths[:, :1]
            extent = Codewords.golomb(np.concatenate([changes, self.parameters], axis=1))
            extent.widths[~runs] = 0
            extent.widths[:, 1:] *= changes > 0
            parts.append(extent)
        return Codewords.side_by_side(parts)


def plan_groups(groups: Sequence[Sequence[UInt64s]]) -> Plans:
    """Choose how to write the series of several groups, all in one pass.

    Args:
        groups: uint64 arrays; signed values are taken as 64 bits two's complement.

    Returns:
        Plans of all series, group after group; none follows one of another group.
    """
    series = [each for group in groups for each in group]
    counts = np.array([len(each) for each in series], np.int64)
    sizes = [len(group) for group in groups]
    ends = list(accumulate(sizes))
    choices = _Choices(counts)
    present = np.flatnonzero(counts)
    if len(present):
        rows = Segments.of(np.concatenate(series), counts[present])
        choices.bases[present] = rows.words[rows.starts]
        changing = np.flatnonzero(rows.moving())
        if len(changing):
            moving = present[changing]
            led = np.zeros(len(series), np.bool_)
            led[1:] = counts[1:] == counts[:-1]
            led[[end - size for end, size in zip(ends, sizes, strict=True) if size]] = False
            following = moving[led[moving]]
            begins = np.cumsum(counts) - counts
            leaders = cut(rows.words, begins[following - 1], counts[following])
            _choose(choices, moving, _trials(rows.take(changing), leaders, led[moving]))
    return choices.plans()


class _Trials(NamedTuple):
    """Each series under each predictor.

    Attributes:
        codes: zigzag codes of the residuals, a row for each trial; where the predictor has none for the first
            value, the row has a 0 in its place.
        bases: the base of each trial, uint64 (S,).
        skipped: 1 where a row's first code is not to be written, (S,).
        places: the row of each predictor (first axis) and series (second); 0 where there is none.
        possible: whether there is one.
    """

    codes: Segments
    bases: UInt64s
    skipped: Int64s
    places: Int64s
    possible: npt.NDArray[np.bool_]


def _trials(rows: Segments, leaders: UInt64s, led: npt.NDArray[np.bool_]) -> _Trials:
    """Try all predictors.

    Args:
        rows: the series.
        leaders: the series before each of those that can follow it, end to end.
        led: which of them can, (S,).
    """
    count, cells = len(led), len(rows.words)
    level = rows
    if led.any():
        apart = rows.take(np.flatnonzero(led))
        level = Segments.of(
            np.concatenate([rows.words, apart.words - leaders]), np.concatenate([rows.lengths, apart.lengths])
        )
    medians = level.medians()
    centred = level.words - level.spread(medians)
    steps = _steps(rows.words, rows.starts)
    bends = _steps(steps, rows.starts)
    firsts = rows.words[rows.starts]
    possible = np.ones((len(Predictor), count), np.bool_)
    possible[Predictor.FOLLOW] = led
    return _Trials(
        Segments.of(
            zigzags(np.concatenate([centred[:cells], steps, bends, centred[cells:]])),
            np.concatenate([rows.lengths, rows.lengths, rows.lengths, level.lengths[count:]]),
        ),
        np.concatenate([medians[:count], firsts, firsts, medians[count:]]),
        np.repeat(_BASE_IS_FIRST_VALUE, possible.sum(axis=1)),
        (np.cumsum(possible) - 1).reshape(possible.shape),
        possible,
    )


def _steps(words: UInt64s, starts: Int64s) -> UInt64s:
    """What each number of a row has more than the one before; 0 for the first."""
    steps = np.empty_like(words)
    np.subtract(words[1:], words[:-1], out=steps[1:])
    steps[starts] = 0
    return steps


def _choose(choices: _Choices, moving: Int64s, trials: _Trials) -> None:
    """Choose for those series that are not constant.

    Args:
        choices: of all series; they are changed.
        moving: the places of those to choose for.
        trials: these, tried.
    """
    counts = trials.codes.lengths - trials.skipped
    zeros = trials.codes.zeros() - trials.skipped
    parameters, bits = best_parameters(trials.codes, counts)
    bits_tried = np.where(trials.possible, bits[trials.places], _IMPOSSIBLE)
    predictors = bits_tried.argmin(axis=0)
    rows = trials.places[predictors, np.arange(len(moving))]
    choices.bases[moving] = trials.bases[rows]
    choices.codings[moving] = np.minimum(parameters[rows], K_FOLLOWS)
    choices.predictors[moving] = predictors
    choices.starts[moving, 0] = trials.codes.starts[rows] + trials.skipped[rows]
    choices.lengths[moving, 0] = counts[rows]
    choices.parameters[moving, 0] = parameters[rows]
    choices.residual_bits[moving] = bits[rows] - _long_bits(parameters[rows])

    zeros_tried = np.where(trials.possible, zeros[trials.places], -1)
    predictors = zeros_tried.argmax(axis=0)
    rows = trials.places[predictors, np.arange(len(moving))]
    changes = counts[rows] - zeros[rows]
    sparse = np.flatnonzero(changes * _RUNS_FROM <= counts[rows])
    words = trials.codes.words
    choices.words = words
    if not len(sparse):
        return
    rows, changes = rows[sparse], changes[sparse]
    runs = _runs(
        cut(words, trials.codes.starts[rows] + trials.skipped[rows], counts[rows]), counts[rows], changes
    )
    better = np.flatnonzero(runs.bits < bits_tried.min(axis=0)[sparse])
    chosen = moving[sparse[better]]
    choices.bases[chosen] = trials.bases[rows[better]]
    choices.codings[chosen] = RUNS
    choices.predictors[chosen] = predictors[sparse[better]]
    choices.starts[chosen] = len(words) + runs.starts[better]
    choices.lengths[chosen] = changes[better, np.newaxis]
    choices.parameters[chosen] = runs.parameters[better]
    choices.residual_bits[chosen] = runs.residual_bits[better]
    choices.words = np.concatenate([words, runs.words])


def _long_bits(parameters: Int64s) -> Int64s:
    return (parameters > SHORT_K_MAX) * LONG_K_BITS


class _Runs(NamedTuple):
    """Series by the residuals that are not 0.

    Attributes:
        words: gaps and values.
        starts: where in `words` the gaps and the values of each series begin, (S, 2).
        parameters: their Rice parameters, (S, 2).
        residual_bits: what they take in a Rice group, (S,).
        bits: the same and about what they take in a head.
    """

    words: UInt64s
    starts: Int64s
    parameters: Int64s
    residual_bits: Int64s
    bits: Int64s


def _runs(codes: UInt64s, counts: Int64s, changes: Int64s) -> _Runs:
    """Write series as gaps and values.

    Args:
        codes: their residuals, end to end.
        counts: how many each has, (S,).
        changes: how many of these are not 0, (S,).
    """
    places = np.flatnonzero(codes)
    starts = np.cumsum(changes) - changes
    filled = np.flatnonzero(changes)
    table = np.zeros((2, 2, len(counts)), np.int64)
    words = _NOTHING
    if len(filled):
        gaps = np.diff(places, prepend=-1) - 1
        gaps[starts[filled]] = places[starts[filled]] - (np.cumsum(counts) - counts)[filled]
        words = np.concatenate([gaps.view(np.uint64), codes[places] - np.uint64(1)])
        lengths = np.concatenate([changes[filled], changes[filled]])
        best = best_parameters(Segments.of(words, lengths), lengths)
        table[:, :, filled] = np.stack(best).reshape(2, 2, -1)
    parameters, costs = table
    cost = costs.sum(axis=0)
    return _Runs(
        words,
        np.stack([starts, starts + len(places)], axis=1),
        parameters.T,
        cost - _long_bits(parameters).sum(axis=0),
        np.where(changes, cost + _RUNS_HEAD_BITS, 0),
    )
