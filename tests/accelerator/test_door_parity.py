"""The accelerator lets pass what the door lets pass in NumPy, and keeps to its buffers whatever they hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.database.load import load_database, parse_database
from edge.frames import FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.compiled_masks import SPECIAL, CompiledMasks
from edge.policy.door import Door
from edge.policy.gates import Gates
from tests.accelerator.with_and_without import native, needs_accelerator
from tests.policy.both_ways import assert_same, state_of, twin_of, using
from tests.policy.drawn import J1939_FORMAT, PREAMBLE

pytestmark = needs_accelerator

DATABASES = Path(__file__).parents[2] / "dbc"
WITHHELD = frozenset({DataClass.CABIN, DataClass.IDENTITY})
TRUCK = {0x18EF2700: "ToOne", 0x18FEF100: "ToAll"}
ODD_IDS = (
    0x18EF3027,
    0x18EF3028,
    0x0CFEF1EE,
    0x18FEF2EE,
    0,
    0x7FF,
    0x800,
    0x18EBFF27,
    0x18FEF127,
    0x1FFFFFFF,
    0x20000100,
    0xFFFFFFFF,
)


@cache
def buses() -> dict[str, list[ClassedDatabase]]:
    """The buses of the reference vehicle, with multiplexers, 29-bit ids and diagnostics."""
    found = {
        path.stem: [load_classes(path.with_suffix(".classes.toml"), load_database(path))]
        for path in sorted(DATABASES.glob("nev-*.dbc"))
    }
    return {**found, "truck": [truck()]}


def truck() -> ClassedDatabase:
    """Messages of J1939 that are matched by their group: one to an address, one to all."""
    text = PREAMBLE + J1939_FORMAT
    text += "".join(
        f'BO_ {identifier | 1 << 31} {name}: 8 Ecu\n SG_ {name}A : 4|30@1+ (1,0) [0|0] "" Ecu\n\n'
        for identifier, name in TRUCK.items()
    )
    text += "".join(f'BA_ "VFrameFormat" BO_ {identifier | 1 << 31} 3;\n' for identifier in TRUCK)
    database = parse_database(text.encode(), Path("truck.dbc"))
    classes = {(name, f"{name}A"): DataClass.OPERATION for name in TRUCK.values()}
    return ClassedDatabase(database, classes, ())


@cache
def known() -> tuple[tuple[int, int, bool, int], ...]:
    """Bus, id, whether it has 29 bits, and length, of all messages."""
    return tuple(
        (number, message.arbitration_id, message.extended, message.length)
        for number, classed in enumerate(buses().values())
        for message in classed[0].database.messages
    )


@cache
def unused(collect: frozenset[DataClass]) -> Door:
    return Door(buses(), collect, "a")


def new_door(collect: frozenset[DataClass] = frozenset(DataClass)) -> Door:
    return twin_of(unused(collect))


def batch_of(seed: int, count: int, width: int, odd: float) -> FrameBatch:
    """Frames of all messages with any payload; of `odd` of them something is not as it should be."""
    chance = np.random.default_rng(seed)
    picked = [known()[place] for place in chance.integers(0, len(known()), count)]
    bus, identifier, extended, length = (np.array(column) for column in zip(*picked, strict=True))
    flags = np.where(extended, int(FrameFlag.EXTENDED), 0).astype(np.uint16)
    length = np.minimum(length, width).astype(np.uint16)
    odd_id, odd_length, odd_bus, odd_flags = chance.random((4, count)) < odd
    identifier = np.where(odd_id, chance.choice(ODD_IDS, count), identifier).astype(np.uint32)
    length = np.where(odd_length, chance.integers(0, width + 1, count), length).astype(np.uint16)
    bus = np.where(odd_bus, chance.integers(0, len(buses()) + 1, count), bus).astype(np.uint8)
    flags ^= np.where(odd_flags, 1 << chance.integers(0, 8, count), 0).astype(np.uint16)
    data = chance.integers(0, 256, (count, width), np.uint8)
    few = chance.random(count) < 0.5
    data[few, :2] &= 7
    if seed % 2:
        # Otherwise bytes follow that the frame does not have: nothing may come of them.
        data[np.arange(width) >= length[:, None]] = 0
    t_ns = chance.integers(-(1 << 62), 1 << 62, count)
    return FrameBatch(t_ns, bus, identifier, flags, length, data, (*buses(), "elsewhere"))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    count=st.integers(1, 200),
    width=st.sampled_from((8, 64)),
    odd=st.sampled_from((0.0, 0.02, 0.3)),
    collect=st.sampled_from((frozenset(DataClass), frozenset(DataClass) - WITHHELD, WITHHELD)),
)
def test_any_frames(seed: int, count: int, width: int, odd: float, collect: frozenset[DataClass]) -> None:
    door, twin = new_door(collect), new_door(collect)
    batch = batch_of(seed, count, width, odd)
    for withhold in ((), (DataClass.POSITION,)):
        with using(None):
            left = door.admit(batch, withhold)
        with using(native()):
            assert_same(left, twin.admit(batch, withhold))
        assert state_of(door) == state_of(twin)


def test_columns_that_lie_apart_in_memory_and_are_read_only() -> None:
    batch = batch_of(1, 100, 8, 0.0)
    every_other = batch.take(slice(None, None, 2))
    for name in ("t_ns", "data", "flags"):
        getattr(batch, name).flags.writeable = False
    with using(native()):
        left = new_door().admit(every_other)
    with using(None):
        assert_same(left, new_door().admit(every_other))
    assert left.data.base is None


@cache
def tables() -> CompiledMasks:
    return CompiledMasks(Gates(buses()).of(frozenset(DataClass)).masks)


def compiled() -> tuple[CompiledMasks, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Tables of masks, the numbers that they have for the buses of batches, and counts of refused ids."""
    return tables(), np.array([*range(len(buses())), -1]), np.zeros(len(buses()) * 0x800, np.int64)


def with_segments(batch: FrameBatch, chance: np.random.Generator) -> FrameBatch:
    """The batch with segments of J1939 messages among its frames: of whole, torn and unknown ones."""
    segments: list[tuple[int, bytes]] = []
    for group in chance.choice((0xFEF1, 0xFEF1, 0xEF27, 0xFE00), 4).tolist():
        size = int(chance.integers(9, 30))
        packets = -(-size // 7)
        segments.append((0xEC, bytes([0x20, size, 0, packets, 0xFF, group & 0xFF, group >> 8, 0])))
        segments += [(0xEB, bytes([1 + nth, *chance.bytes(7)])) for nth in range(packets)]
        del segments[int(chance.integers(0, len(segments)))]
    segments = segments[: len(batch)]
    places = np.sort(chance.choice(len(batch), len(segments), replace=False))
    batch.arbitration_id[places] = [0x1C00FF27 | middle << 16 for middle, _ in segments]
    batch.flags[places] = int(FrameFlag.EXTENDED)
    batch.length[places] = 8
    batch.bus[places] = batch.buses.index("truck")
    batch.data[places, :8] = [list(data) for _, data in segments]
    batch.t_ns[:] = np.arange(len(batch)) * 1_000_000
    return batch


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 32), count=st.integers(1, 150), width=st.sampled_from((8, 64)))
def test_segments_of_messages_among_other_frames(seed: int, count: int, width: int) -> None:
    """They are taken by themselves; what they give stands in its place."""
    door, twin = new_door(), new_door()
    for turn in range(2):
        batch = with_segments(batch_of(seed + turn, count, width, 0.1), np.random.default_rng(seed + turn))
        with using(None):
            left = door.admit(batch)
        with using(native()):
            assert_same(left, twin.admit(batch))
        assert state_of(door) == state_of(twin)


def test_segments_are_left_to_numpy_and_other_frames_are_not() -> None:
    masks, numbers, refused = compiled()
    judged = masks.judge(native(), batch_of(1, 100, 8, 0.0), numbers, refused)
    assert judged is not None
    assert SPECIAL not in judged.rows
    batch = with_segments(batch_of(1, 100, 8, 0.0), np.random.default_rng(1))
    judged = masks.judge(native(), batch, numbers, refused)
    assert judged is not None
    assert 8 < np.count_nonzero(judged.rows == SPECIAL) < judged.kept


def test_batches_of_odd_widths_and_unknown_buses_are_left_to_numpy() -> None:
    masks, numbers, refused = compiled()
    before = refused.copy()
    assert masks.judge(native(), batch_of(1, 100, 12, 0.0), numbers, refused) is None
    # A bus beyond those that have a number is left to NumPy, which complains.
    strange = replace(batch_of(1, 100, 8, 0.0), bus=np.full(100, 200, np.uint8))
    assert masks.judge(native(), strange, numbers, refused) is None
    assert masks.judge(native(), batch_of(1, 100, 8, 0.0), numbers + 100, refused) is None
    assert (refused == before).all()


@pytest.mark.parametrize("place", range(9))
def test_a_judgement_of_buffers_that_do_not_fit_is_refused(place: int) -> None:
    masks, numbers, refused = compiled()
    batch = batch_of(1, 10, 8, 0.0)
    columns = (batch.t_ns, batch.bus, batch.arbitration_id, batch.flags, batch.length, batch.data)
    rows = len(masks._traits)
    arguments: Any = [
        masks._tables,
        numbers,
        columns,
        np.zeros(10, np.int32),
        np.zeros(11, np.int64),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        refused,
        np.zeros(10, np.int64),
    ]
    assert native().judge_frames(*arguments) == 0
    if place == 1:
        assert native().judge_frames(arguments[0], numbers[:0], *arguments[2:]) == -1
        return
    whole = arguments[place]
    if isinstance(whole, tuple):
        wrong = [(*whole[:at], one[:-1], *whole[at + 1 :]) for at, one in enumerate(whole) if len(one)]
    else:
        wrong = [whole[:-1], whole.astype(np.int16)]
    for one in wrong:
        arguments[place] = one
        with pytest.raises(ValueError, match=r"."):
            native().judge_frames(*arguments)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1 << 32), changes=st.integers(1, 40))
def test_damaged_tables_lead_nowhere(seed: int, changes: int) -> None:
    """Whatever tables say, what is read and written lies in the buffers; a sanitizer would tell otherwise."""
    chance = np.random.default_rng(seed)
    masks, numbers, refused = compiled()
    batch = batch_of(seed, 50, 8, 0.1)
    copies = [np.array(table) for table in masks._tables]
    layers, bits, rows = masks._layers.copy(), masks._bits[: chance.integers(0, 9)], len(masks._traits)
    for _ in range(changes):
        table = (*copies[:5], layers, layers, layers)[chance.integers(0, 8)]
        if len(table):
            far = int(chance.choice([-(1 << 31), -1, 0, 1, 3, 200, (1 << 31) - 1]))
            table[chance.integers(0, len(table))] = far
    found = np.zeros(50, np.int32)
    columns = (batch.t_ns, batch.bus, batch.arbitration_id, batch.flags, batch.length, batch.data)
    counts = np.zeros(11, np.int64)
    judged, kept = np.zeros((2, rows), np.int64)
    native().judge_frames(
        tuple(copies), numbers, columns, found, counts, judged, kept, refused, np.zeros(50, np.int64)
    )
    found[chance.integers(0, 50)] = chance.choice([-5, 0, rows - 1, rows, (1 << 31) - 1])
    out = [np.zeros((51, *column.shape[1:]), column.dtype) for column in columns]
    with pytest.raises(ValueError, match="outside"):
        # More places than frames that have a row, so that it is refused in any case.
        native().mask_frames(found, masks._traits, masks._base[8], layers, bits, columns, tuple(out))
