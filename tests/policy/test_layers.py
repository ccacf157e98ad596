"""Multiplexers of any shape: their raw values, and when they are there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.database.model import SignalRef
from edge.frames import Frame, FrameBatch
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.policy.layers import raw_values
from tests.policy.drawn import COLLECT
from tests.policy.test_door import OPERATION, classed, left, signal

WIDTH = 8


def plainly(data: bytes, bits: tuple[int, ...], *, signed: bool) -> int:
    """The raw value, bit by bit."""
    there = [data[bit // 8] >> bit % 8 & 1 if bit < 8 * len(data) else 0 for bit in bits]
    value = sum(bit << place for place, bit in enumerate(there))
    return value - (1 << len(bits)) if signed and there[-1] else value


@given(
    bits=st.lists(st.integers(0, 8 * WIDTH + 9), min_size=1, max_size=62, unique=True).map(tuple),
    signed=st.booleans(),
    data=st.lists(st.binary(min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=3),
)
@example(bits=tuple(range(3, 17)), signed=True, data=[b"\xff" * WIDTH, b"\x5a" * WIDTH])
@example(bits=tuple(range(7, -1, -1)), signed=True, data=[b"\x81" * WIDTH])
@example(bits=tuple(range(60, 70)), signed=False, data=[b"\xff" * WIDTH])
def test_raw_values_are_read_bit_by_bit(bits: tuple[int, ...], signed: bool, data: list[bytes]) -> None:
    frames = np.frombuffer(b"".join(data), np.uint8).reshape(-1, WIDTH)
    assert raw_values(frames, (bits, signed)).tolist() == [plainly(one, bits, signed=signed) for one in data]


@pytest.mark.parametrize("size", range(6, 12))
def test_a_multiplexer_is_there_where_all_of_its_bytes_are(size: int) -> None:
    layout = signal("A", 0, 8, "m1 ") + signal("Mux", 56, 16, "M ")
    database = classed(layout, {"A": OPERATION, "Mux": OPERATION}, length=12)
    data = (b"\xaa".ljust(7, b"\x00") + b"\x01\x00\x00\x00")[:size]
    assert left(data, database) == (data if size > 8 else b"\x00" + data[1:])


def test_values_that_select_nothing_together_select_nothing() -> None:
    layout = (
        signal("Outer", 0, 4, "M ")
        + signal("One", 4, 4, "m1M ")
        + signal("Two", 4, 4, "m2M ")
        + signal("A", 8, 8, "m3 ")
        + signal("B", 16, 8, "m2 ")
    )
    ranges = (
        "SG_MUL_VAL_ 256 One Outer 1-1;\nSG_MUL_VAL_ 256 Two Outer 2-2;\n"
        "SG_MUL_VAL_ 256 A One 3-3;\nSG_MUL_VAL_ 256 B Two 2-2;\n"
    )
    names = ("Outer", "One", "Two", "A", "B")
    database = classed(layout, dict.fromkeys(names, OPERATION), multiplexing=ranges)
    assert left(b"\x31\xaa\xbb\x00", database) == b"\x31\xaa\x00\x00"
    assert left(b"\x22\xaa\xbb\x00", database) == b"\x22\x00\xbb\x00"
    assert left(b"\x32\xaa\xbb\x00", database) == b"\x32\x00\x00\x00"
    assert left(b"\x21\xaa\xbb\x00", database) == b"\x21\x00\x00\x00"


def test_what_can_never_be_there_is_no_layer_and_disturbs_none() -> None:
    layout = (
        signal("Outer", 0, 4, "M ")
        + signal("Inner", 0, 4, "m1M ")
        + signal("Deep", 4, 4, "m2M ")
        + signal("A", 8, 8, "m3 ")
    )
    ranges = (
        "SG_MUL_VAL_ 256 Inner Outer 1-1;\nSG_MUL_VAL_ 256 Deep Inner 2-2;\nSG_MUL_VAL_ 256 A Deep 3-3;\n"
    )
    classes = {"Outer": OPERATION, "Inner": OPERATION, "Deep": OPERATION, "A": DataClass.HEALTH}
    door = Door({"bus": [classed(layout, classes, multiplexing=ranges)]}, COLLECT)
    assert door.collected(SignalRef("bus", "M", "A"))
    batch = door.admit(FrameBatch.from_frames([Frame(0, 256, b"\x31\xaa\x00\x00", "bus")]))
    assert batch.frame(0).data == b"\x01\x00\x00\x00"
    assert list(door.split(batch)) == [OPERATION]
