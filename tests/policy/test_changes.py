"""What is collected changes from one batch to the next: consents come and go, places are entered and left."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from edge.frames import Frame, FrameBatch
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.policy.masks import admission_of, mask_set_of
from tests.policy.drawn import COLLECT
from tests.policy.test_door_properties import (
    BUS,
    MANY,
    Road,
    drawn_length,
    forbidden_bits,
    frame,
    frames_of,
    roads,
    sent,
)
from tests.policy.test_transport import DATABASE, LOST, broadcast

collects = st.frozensets(st.sampled_from(DataClass))
CHANGES = 6


@MANY
@given(
    road=roads(),
    changes=st.lists(st.tuples(collects, collects), min_size=1, max_size=CHANGES),
    seed=st.integers(0, 1 << 32),
)
def test_each_batch_passes_as_through_a_door_that_never_changed(
    road: Road, changes: list[tuple[frozenset[DataClass], frozenset[DataClass]]], seed: int
) -> None:
    databases, identifiers, flags = road
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    door = Door({BUS: databases}, COLLECT)
    for number, (collect, withhold) in enumerate(changes):
        door.adopt(collect, f"a{number}")
        frames = []
        for _ in range(8):
            identifier = chance.choice(identifiers)
            length = drawn_length(chance, databases, identifier)
            frames.append(frame(identifier, chance.getrandbits(8 * length), length, flags))
        steady = Door({BUS: databases}, collect - withhold)
        left = door.admit(FrameBatch.from_frames(frames), withhold)
        assert frames_of(left) == frames_of(steady.admit(FrameBatch.from_frames(frames)))
        assert left.mask == f"{steady.mask}/a{number}"
        assert door.withheld() == steady.withheld()
        parts, expected = door.split(left), steady.split(steady.admit(FrameBatch.from_frames(frames)))
        assert {one: frames_of(part.batch) for one, part in parts.items()} == {
            one: frames_of(part.batch) for one, part in expected.items()
        }
    assert door.hop().balanced


@MANY
@given(road=roads(), changes=st.lists(collects, min_size=1, max_size=CHANGES), seed=st.integers(0, 1 << 32))
def test_forbidden_bits_change_nothing_under_any_policy(
    road: Road, changes: list[frozenset[DataClass]], seed: int
) -> None:
    databases, identifiers, flags = road
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    first, second = Door({BUS: databases}, ()), Door({BUS: databases}, ())
    differed = False
    for collect in changes:
        first.adopt(collect)
        second.adopt(collect)
        one: list[Frame] = []
        two: list[Frame] = []
        for _ in range(10):
            identifier = chance.choice(identifiers)
            length = drawn_length(chance, databases, identifier)
            payload = sent(databases, identifier, chance.getrandbits(8 * length), length)
            other = payload
            for bit in forbidden_bits(databases, identifier, payload, length, collect):
                other ^= chance.getrandbits(1) << bit
            other = sent(databases, identifier, other, length)
            one.append(frame(identifier, payload, length, flags))
            two.append(frame(identifier, other, length, flags))
        assert frames_of(first.admit(FrameBatch.from_frames(one))) == frames_of(
            second.admit(FrameBatch.from_frames(two))
        )
        differed |= one != two
    assert first.hop() == second.hop()
    event(f"something differed: {differed}")


def test_a_batch_of_a_mask_that_is_no_longer_in_force_can_still_be_split() -> None:
    door = Door({"bus": [DATABASE]}, COLLECT, "first")
    left = door.admit(FrameBatch.from_frames(broadcast(bytes(range(1, 41)), 1)))
    assert admission_of(left.mask) == "first"
    door.adopt({DataClass.CABIN}, "second")
    assert list(door.split(left)) == [DataClass.OPERATION]
    gate = door.gate_of(left.mask)
    assert gate is not None
    assert gate.collect == COLLECT
    assert mask_set_of(left.mask) == gate.name != mask_set_of(door.mask)


def test_a_mask_of_other_databases_is_not_known() -> None:
    door = Door({"bus": [DATABASE]}, COLLECT)
    stranger = Door({"other": [DATABASE]}, COLLECT)
    assert door.gate_of(stranger.mask) is None
    with pytest.raises(ValueError, match="none of this door's"):
        door.split(stranger.admit(FrameBatch.from_frames(broadcast(bytes(40), 1))))


def test_what_began_under_another_policy_is_not_made_whole() -> None:
    frames = broadcast(bytes(range(1, 41)), 1)
    door = Door({"bus": [DATABASE]}, {DataClass.OPERATION})
    door.admit(FrameBatch.from_frames(frames[:3]))
    door.adopt({DataClass.OPERATION, DataClass.CABIN})
    left = door.admit(FrameBatch.from_frames(frames[3:]))
    assert not len(left)
    assert door.hop().set_aside[LOST] == len(frames)
    assert door.hop().balanced
    assert door.hop().facts["changes of the mask"] == 1


def test_what_is_withheld_is_withheld_for_its_batch_alone() -> None:
    batch = FrameBatch.from_frames(broadcast(bytes(range(1, 41)), 1))
    door = Door({"bus": [DATABASE]}, {DataClass.OPERATION, DataClass.CABIN})
    counts = [
        np.count_nonzero(door.admit(batch, withhold).data)
        for withhold in ((), {DataClass.CABIN}, (), set(DataClass))
    ]
    assert counts == [40, 27, 40, 0]
    assert door.hop().facts["changes of the mask"] == 3


def test_the_same_policy_under_another_name_interrupts_nothing() -> None:
    frames = broadcast(bytes(range(1, 41)), 1)
    door = Door({"bus": [DATABASE]}, COLLECT, "one")
    door.admit(FrameBatch.from_frames(frames[:3]))
    door.adopt(COLLECT, "two")
    left = door.admit(FrameBatch.from_frames(frames[3:]))
    assert len(left) == 1
    assert admission_of(left.mask) == "two"


def test_what_is_kept_is_counted_by_class() -> None:
    door = Door({"bus": [DATABASE]}, {DataClass.OPERATION, DataClass.CABIN})
    door.admit(FrameBatch.from_frames(broadcast(bytes(range(1, 41)), 1)))
    door.adopt({DataClass.OPERATION})
    door.admit(FrameBatch.from_frames(broadcast(bytes(range(1, 41)), 1)))
    facts = door.hop().facts
    assert (facts["frames with operation kept"], facts["frames with cabin kept"]) == (2, 1)
    assert facts["frames with cabin removed"] == 1
