"""The accelerator makes the journal's blocks of frames as NumPy does, and keeps to its buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.frames import FrameBatch
from edge.journal.frames.frame_block import decode_frames, encode_frames
from tests.accelerator.with_and_without import both, native, needs_accelerator

pytestmark = needs_accelerator

FAR = 1 << 62
TIMES = ("steady", "equal", "any", "far")


def batch_of(seed: int, count: int, width: int, groups: int, times: str) -> FrameBatch:
    """Frames of some groups: counters, bits that flip, and noise, in each byte something else."""
    chance = np.random.default_rng(seed)
    length = chance.integers(0, width + 1, groups)
    group = chance.integers(0, groups, count)
    data = np.zeros((count, width), np.uint8)
    for column in range(width):
        steps = chance.choice([0, 1, 255, 7, 128], groups)[group]
        noise = chance.integers(0, 256, count) * (chance.integers(0, 3, groups) == 0)[group]
        data[:, column] = np.arange(count) * steps + noise
    data[np.arange(width) >= length[group, None]] = 0
    t_ns = {
        "steady": np.cumsum(chance.integers(0, 3, count)) * 1_000_000 + chance.integers(0, 900, count),
        "equal": np.arange(count) // 5 * 1_000,
        "any": chance.integers(0, 1 << 40, count),
        "far": chance.integers(-FAR, FAR, count),
    }[times]
    return FrameBatch(
        t_ns=t_ns.astype(np.int64),
        bus=chance.integers(0, 3, groups)[group].astype(np.uint8),
        arbitration_id=chance.integers(0, 1 << 32, groups)[group].astype(np.uint32),
        flags=chance.integers(0, 1 << 11, groups)[group].astype(np.uint16),
        length=length[group].astype(np.uint16),
        data=data,
        buses=("a", "b", "c"),
    )


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    count=st.integers(0, 300),
    width=st.sampled_from((8, 64, 13)),
    groups=st.sampled_from((1, 3, 40, 2000)),
    times=st.sampled_from(TIMES),
    resolution_ns=st.sampled_from((1, 1_000, 300_000, 1_000_000_000)),
)
def test_any_frames(seed: int, count: int, width: int, groups: int, times: str, resolution_ns: int) -> None:
    batch = batch_of(seed, count, width, groups, times)
    places = np.cumsum(np.random.default_rng(seed).integers(1, 3, count)) - 1
    mine, numpys = both(lambda: encode_frames(batch, places=places, resolution_ns=resolution_ns))
    assert mine == numpys
    if resolution_ns == 1:
        found = decode_frames(mine)
        assert found.batch.equals(batch)
        assert (found.places == places).all()


def test_columns_that_lie_apart_in_memory() -> None:
    batch = batch_of(1, 200, 8, 5, "steady").take(slice(None, None, 3))
    mine, numpys = both(lambda: encode_frames(batch))
    assert mine == numpys


def refused(function: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        function(*arguments)


def test_buffers_that_do_not_fit_are_refused() -> None:
    words, column = np.zeros(4, np.uint64), np.zeros(4, np.uint16)
    grouped: list[Any] = [column, np.zeros(4, np.uint8), np.zeros(4, np.uint32), column, words, words, words]
    assert native().group_frames(*grouped) == 1
    for place, one in enumerate(grouped):
        refused(native().group_frames, *grouped[:place], one[:3], *grouped[place + 1 :])
    four, ones = np.arange(4), np.ones(4, np.int64)
    assert native().payload_changes(np.zeros((4, 8), np.uint8), 8, four, ones, ones)[1] == bytes(4)
    for width, order, lengths, counts in (
        (0, four, ones, ones),
        (1 << 20, four, ones, ones),
        (5, four, ones, ones),
        (8, four[:3], ones, ones),
        (8, four + 1, ones, ones),
        (8, four - 1, ones, ones),
        (8, four, ones * 9, ones),
        (8, four, -ones, ones),
        (8, four, ones, ones * 2),
        (8, four, ones, ones * 0),
        (8, four, ones, ones[:3]),
        (8, four, ones[:3], ones[:3]),
    ):
        refused(native().payload_changes, np.zeros((4, 8), np.uint8), width, order, lengths, counts)
    first, rest = np.zeros(2, np.uint64), np.zeros(2, np.uint64)
    timed: list[Any] = [words, four, ones[:2] * 2, 1000, first, first.astype(np.int64), rest]
    native().take_times(*timed)
    for place, wrong in (
        (0, words[:3]),
        (1, four[:3]),
        (1, four + 1),
        (1, four - 1),
        (2, ones),
        (2, ones[:2]),
        (2, np.array([5, -1])),
        (4, first[:1]),
        (5, four[:1]),
        (6, rest[:1]),
    ):
        refused(native().take_times, *timed[:place], wrong, *timed[place + 1 :])
    assert native().displacements(words, four, words) is False
    for since, order, moved in ((words[:3], four, words), (words, four + 1, words), (words, four, words[:3])):
        refused(native().displacements, since, order, moved)
