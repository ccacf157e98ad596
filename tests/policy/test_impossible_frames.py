"""Frames that no controller can have sent: a door that stands first trusts no reader to keep them away."""

from __future__ import annotations

import pytest

from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.door import Door
from tests.policy.drawn import COLLECT
from tests.policy.test_door import CABIN, ONES, OPERATION, classed, signal
from tests.policy.test_transport import DATABASE

IN_A_FILE = 0x80000000
EXTENDED = FrameFlag.EXTENDED


def out_of(door: Door, identifier: int, bus: str, flags: FrameFlag = EXTENDED) -> bytes | None:
    frame = Frame(0, identifier, ONES, bus, flags)
    out = door.admit(FrameBatch.from_frames([frame], ["a", "b"]))
    assert door.hop().balanced
    return out.frame(0).data if len(out) else None


@pytest.fixture
def door() -> Door:
    mine = classed(
        signal("A", 0, 8) + signal("B", 8, 8), {"A": CABIN, "B": OPERATION}, identifier=IN_A_FILE | 0x123456
    )
    theirs = classed(
        signal("A", 0, 8) + signal("B", 8, 8), {"A": OPERATION, "B": CABIN}, identifier=IN_A_FILE | 0x123456
    )
    return Door({"a": [mine], "b": [theirs]}, COLLECT)


def test_each_bus_has_its_own_mask(door: Door) -> None:
    assert out_of(door, 0x123456, "a") == b"\x00\xff\x00\x00"
    assert out_of(door, 0x123456, "b") == b"\xff\x00\x00\x00"


@pytest.mark.parametrize("beyond", [1 << 29, 1 << 30, 1 << 31])
def test_a_number_beyond_29_bits_is_not_taken_for_one_of_another_bus(door: Door, beyond: int) -> None:
    assert out_of(door, beyond | 0x123456, "a") is None
    assert out_of(door, beyond | 0x123456, "b") is None
    assert door.hop().set_aside == {"unknown id": 2}


def test_the_first_number_beyond_29_bits_is_not_the_first_of_the_next_bus() -> None:
    first = classed(signal("A", 0, 8), {"A": OPERATION}, identifier=IN_A_FILE)
    door = Door({"a": [], "b": [first]}, COLLECT)
    assert out_of(door, 0, "b") == b"\xff\x00\x00\x00"
    assert out_of(door, 1 << 29, "a") is None


def test_a_number_beyond_11_bits_without_its_flag_is_unknown(door: Door) -> None:
    assert out_of(door, 0x123456, "a", FrameFlag(0)) is None
    assert door.hop().set_aside == {"unknown id": 1}


def test_a_number_of_transport_without_its_flag_is_unknown() -> None:
    door = Door({"a": [DATABASE], "b": []}, COLLECT)
    assert out_of(door, 0x18ECFF21, "a", FrameFlag(0)) is None
    assert door.hop().set_aside == {"unknown id": 1}
