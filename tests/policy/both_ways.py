"""Lets every batch through a door twice, in NumPy and compiled, and holds one against the other."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from edge import accelerated
from edge.accelerated import Accelerator
from edge.frames import FrameBatch
from edge.policy.classes import DataClass
from edge.policy.door import Door

_SHARED = ("_gates", "_gate", "_standing", "_numbers", "_compiled")
"""What a door never changes, or what does not matter if it is changed twice."""

COLUMNS = ("t_ns", "bus", "arbitration_id", "flags", "length", "data")


@contextmanager
def every_door_both_ways() -> Iterator[None]:
    """Have `Door.admit` do so meanwhile; where there is no accelerator, all is as it was."""
    native, _ = accelerated.load()
    by_numpy = Door.admit

    def admit(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
        twin = twin_of(door)
        with using(None):
            left = by_numpy(door, batch, withhold)
        with using(native):
            assert_same(left, by_numpy(twin, batch, withhold))
        assert state_of(door) == state_of(twin)
        return left

    if native is None:
        yield
        return
    Door.admit = admit  # type: ignore[method-assign,assignment] # put back below
    try:
        yield
    finally:
        Door.admit = by_numpy  # type: ignore[method-assign] # as it was


@contextmanager
def using(native: Accelerator | None) -> Iterator[None]:
    """Work with this accelerator, or with none."""
    before = accelerated.native
    accelerated.native = native
    try:
        yield
    finally:
        accelerated.native = before


def twin_of(door: Door) -> Door:
    """A door in the same state, which goes its own way from now on."""
    twin = copy.copy(door)
    for name, value in vars(door).items():
        if name not in _SHARED:
            setattr(twin, name, copy.deepcopy(value))
    return twin


def state_of(door: Door) -> object:
    """All that a door says of what it has seen."""
    return door.mask, door.hop(), door.refused_ids()


def assert_same(one: FrameBatch, other: FrameBatch) -> None:
    """Both are the same batch to the bit."""
    assert (one.buses, one.timebase, one.mask) == (other.buses, other.timebase, other.mask)
    for name in COLUMNS:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (name, mine.dtype, mine.shape) == (name, theirs.dtype, theirs.shape)
        assert mine.tobytes() == theirs.tobytes(), name
