"""Times of grouped frames as steps off each group's period, and the order of arrival that they leave open."""

from __future__ import annotations

import numpy as np

from edge import accelerated
from edge.errors import JournalError
from edge.frames import Int64s
from edge.journal.frames.frame_numbers import UInt64s, folded, rising_order, unfolded
from edge.journal.frames.frame_payloads import Grouping

_SAMPLES = 9
_NEAR = 64


def take_apart(
    since: UInt64s, order: Int64s, grouping: Grouping, millisecond: int
) -> tuple[UInt64s, Int64s, UInt64s]:
    """Take the times of frames apart, see `take_times_apart`.

    Args:
        since: times in order of arrival.
        order: the place of arrival of each grouped row.
        grouping: the groups.
        millisecond: how many ticks it has.
    """
    native = accelerated.native
    if native is None:
        return take_times_apart(since[order], grouping, millisecond)
    groups = len(grouping.counts)
    first, periods = np.empty(groups, np.uint64), np.empty(groups, np.int64)
    rest = np.empty(len(order) - groups, np.uint64)
    native.take_times(since, order, grouping.counts, millisecond, first, periods, rest)
    return first, periods, rest


def take_times_apart(since: UInt64s, grouping: Grouping, millisecond: int) -> tuple[UInt64s, Int64s, UInt64s]:
    """Take the times of grouped rows apart.

    A group's period is the median of a few steps; near a whole number of milliseconds it is that, since
    senders have it so. All arithmetic is modulo 2^64: times of any distance come back.

    Args:
        since: times of the grouped rows, in ticks from the block's first.
        grouping: the groups.
        millisecond: how many ticks it has; 0 or 1 if ticks are too long to tell.

    Returns:
        The first time of each group, its period, and by how much each further step differs from it, folded.
    """
    counts, starts = grouping.counts, grouping.starts
    if not len(counts):
        return since, starts, since
    ticks = since.view(np.int64)
    steps = np.empty_like(ticks)
    steps[0] = 0
    np.subtract(ticks[1:], ticks[:-1], out=steps[1:])
    samples = starts[:, None] + 1 + np.arange(_SAMPLES) * (counts[:, None] - 1) // _SAMPLES
    periods = np.sort(steps.take(samples, mode="clip"), axis=1)[:, _SAMPLES // 2]
    if millisecond > 1:
        whole = (periods + millisecond // 2) // millisecond * millisecond
        periods = np.where(np.abs(whole - periods) <= np.abs(periods) // _NEAR, whole, periods)
    periods[counts == 1] = 0
    steps -= np.repeat(periods, counts)
    return since[starts], periods, folded(steps)[_later(grouping)]


def put_times_together(grouping: Grouping, first: UInt64s, periods: Int64s, rest: UInt64s) -> UInt64s:
    """The times that `take_times_apart` took apart."""
    counts, starts = grouping.counts, grouping.starts
    steps = np.repeat(periods, counts)
    steps[_later(grouping)] += unfolded(rest)
    steps[starts] = first.view(np.int64)
    total = np.cumsum(steps)
    total -= np.repeat(total[starts] - steps[starts], counts)
    return total.view(np.uint64)


def displacements(since: UInt64s, order: Int64s) -> UInt64s:
    """How far each frame arrived from where its time and, among equal times, its group put it, folded.

    Args:
        since: times in order of arrival.
        order: the place of arrival of each grouped row.

    Returns:
        One number a frame in order of time; none at all if every frame arrived where its time puts it.
    """
    if (since[1:] > since[:-1]).all():
        return np.zeros(0, np.uint64)
    native = accelerated.native
    if native is not None:
        found = np.empty(len(since), np.uint64)
        any_moved = native.displacements(since, order, found)
        if any_moved is not None:
            return found if any_moved else np.zeros(0, np.uint64)
    moved = order[rising_order(since[order])] - np.arange(len(order))
    return folded(moved) if moved.any() else np.zeros(0, np.uint64)


def rows_by_arrival(since: UInt64s, moved: UInt64s) -> Int64s:
    """The grouped row of each frame in order of arrival.

    Args:
        since: times of the grouped rows.
        moved: what `displacements` gave, or as many zeros.

    Raises:
        JournalError: two frames would have arrived in one place.
    """
    by_time = rising_order(since)
    if not moved.any():
        return by_time
    count = len(since)
    arrival = np.arange(count) + unfolded(moved)
    if not ((arrival >= 0) & (arrival < count)).all():
        raise JournalError("the order of arrival in a block of frames leads out of it")
    rows = np.full(count, -1, np.int64)
    rows[arrival] = by_time
    if (rows < 0).any():
        raise JournalError("two frames of a block arrived in one place")
    return rows


def _later(grouping: Grouping) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows are not the first of their group."""
    later = np.ones(int(grouping.counts.sum()), np.bool_)
    later[grouping.starts] = False
    return later
