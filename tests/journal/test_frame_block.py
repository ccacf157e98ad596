"""Raw frames as blocks: everything comes back, in order of arrival; bad bytes give one error and no other."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, cast

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from edge.bus.recording import open_recording
from edge.clock import Timebase, TimeQuality
from edge.errors import JournalError
from edge.frames import Frame, FrameBatch, FrameFlag, Int64s, concatenate
from edge.journal.frames.frame_block import FrameBlock, FrameLimits, decode_frames, encode_frames
from edge.wire.strict_cbor import CborValue, read_cbor, write_cbor
from simulator.vehicle.vehicle import ReferenceVehicle

US_NS = 1_000
MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SMALL = FrameLimits(block_bytes=1 << 16, frames=1 << 12, data_bytes=1 << 20)
FLAGS = [*FrameFlag, FrameFlag(0), FrameFlag.FD | FrameFlag.BITRATE_SWITCH, FrameFlag(0xFF)]
TIMES = {
    "rising": st.integers(0, 10**7),
    "any": st.integers(-(2**63), 2**63 - 1),
    "near": st.integers(0, 3),
}


@st.composite
def batches(draw: st.DrawFn) -> FrameBatch:
    """A few ids on a few buses, lengths from 0 up; times that rise, tie, run backwards or lie far apart."""
    chance = Random(draw(st.integers(0, 1 << 32)))  # noqa: S311 - a test repeats its seed
    longest = draw(st.sampled_from([0, 1, 8, 64, 100, 1785]))
    known = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["can0", "can1", "body"]),
                st.sampled_from([0, 1, 0x7FF, 0x18FF0027, 0x1FFFFFFF]),
                st.sampled_from(FLAGS),
                st.integers(0, longest),
            ),
            min_size=1,
            max_size=5,
        )
    )
    times = TIMES[draw(st.sampled_from(sorted(TIMES)))]
    frames: list[Frame] = []
    for t_ns in draw(st.lists(times, max_size=40)):
        bus, identifier, flags, length = chance.choice(known)
        data = bytearray(length)
        for place in range(0, length, chance.choice([1, 3, 50])):
            data[place] = chance.choice([0, len(frames) & 0xFF, chance.getrandbits(8)])
        frames.append(Frame(t_ns, identifier, bytes(data), bus, flags))
    if draw(st.booleans()):
        frames.sort(key=lambda frame: frame.t_ns)
    timebase = Timebase(draw(st.integers(-(2**63), 2**63 - 1)), draw(st.sampled_from(TimeQuality)))
    batch = FrameBatch.from_frames(frames, ["spare"], timebase)
    return replace(batch, mask=draw(st.sampled_from(["", "m-0123456789abcdef", "门"])))


def rounded(batch: FrameBatch, resolution_ns: int) -> FrameBatch:
    return replace(batch, t_ns=batch.t_ns // resolution_ns * resolution_ns)


def same(one: FrameBatch, other: FrameBatch) -> bool:
    return (
        one.equals(other)
        and (one.buses, one.timebase, one.mask) == (other.buses, other.timebase, other.mask)
        and all(
            getattr(one, column).dtype == getattr(other, column).dtype
            for column in ("t_ns", "bus", "arbitration_id", "flags", "length", "data")
        )
    )


@MANY
@given(batch=batches(), level=st.sampled_from([1, 3, 9]))
def test_a_batch_comes_back_to_the_nanosecond_and_in_order(batch: FrameBatch, level: int) -> None:
    block = decode_frames(encode_frames(batch, resolution_ns=1, level=level))
    assert same(block.batch, batch)
    assert block.batch.data.shape[1] == batch.data.shape[1]
    assert block.places.tolist() == list(range(len(batch)))
    event(f"in order of time: {bool((np.diff(batch.t_ns) >= 0).all())}")


@MANY
@given(batch=batches(), resolution_ns=st.sampled_from([1_000, 7, 10**9]))
def test_times_are_rounded_down_and_order_stays(batch: FrameBatch, resolution_ns: int) -> None:
    if len(batch) and int(batch.t_ns.min()) // resolution_ns * resolution_ns < -(2**63):
        with pytest.raises(ValueError, match="out of range"):
            encode_frames(batch, resolution_ns=resolution_ns)
        return
    block = decode_frames(encode_frames(batch, resolution_ns=resolution_ns))
    assert same(block.batch, rounded(batch, resolution_ns))


@MANY
@given(batch=batches(), gaps=st.lists(st.sampled_from([0, 0, 0, 1, 1000]), min_size=40, max_size=40))
def test_places_come_back(batch: FrameBatch, gaps: list[int]) -> None:
    places: Int64s = (np.cumsum(np.array(gaps, np.int64) + 1) - 1)[: len(batch)]
    block = decode_frames(encode_frames(batch, places=places, resolution_ns=1))
    assert block.places.tolist() == places.tolist()


def test_places_cost_nothing_where_no_frame_is_missing_and_little_where_few_are() -> None:
    batch = vehicle_second()
    whole = len(encode_frames(batch))
    assert len(encode_frames(batch, places=np.arange(len(batch)))) == whole
    places = np.arange(len(batch))
    places[1000:] += 1
    assert len(encode_frames(batch, places=places)) < whole + 40


@pytest.mark.parametrize("places", [[1, 0], [0, 0], [-1, 0], [0], [0, 1 << 32]])
def test_places_that_do_not_rise_or_fit_are_refused(places: list[int]) -> None:
    batch = FrameBatch.from_frames([Frame(0, 1, b"a"), Frame(1, 1, b"b")])
    with pytest.raises(ValueError, match="places"):
        encode_frames(batch, places=np.array(places, np.int64))


def test_a_batch_that_breaks_its_promise_is_refused_not_written_wrong() -> None:
    batch = FrameBatch.from_frames([Frame(0, 1, b"12345678")])
    for broken in (
        replace(batch, length=np.array([9], np.uint16)),
        replace(batch, flags=np.array([0x800], np.uint16)),
        replace(batch, bus=np.array([1], np.uint8)),
        replace(batch, mask="m" * 2_000),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each says something else
            encode_frames(broken)


@MANY
@given(batch=batches(), data=st.data())
def test_changed_bytes_give_frames_or_the_one_error(batch: FrameBatch, data: st.DataObject) -> None:
    block = bytearray(encode_frames(batch, resolution_ns=1))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(block) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert", "remove"])):
            case "change":
                block[place] ^= data.draw(st.integers(1, 255))
            case "cut":
                del block[max(place, 1) :]
            case "insert":
                block[place:place] = data.draw(st.binary(min_size=1, max_size=4))
            case _ if len(block) > 1:
                del block[place]
    decodes_or_refuses(bytes(block))


@MANY
@given(batch=batches(), data=st.data())
def test_well_packed_nonsense_gives_frames_or_the_one_error(batch: FrameBatch, data: st.DataObject) -> None:
    fields = read_cbor(encode_frames(batch, resolution_ns=1), 1)
    assert isinstance(fields, list)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(fields) - 1))
        fields[place] = spoilt(fields[place], data)
    decodes_or_refuses(b"\x01" + write_cbor(fields))


def spoilt(value: CborValue, data: st.DataObject) -> CborValue:
    """Another value of the same kind, or of another; what is inside a section is changed and packed again."""
    if data.draw(st.integers(0, 9)) == 0:
        others: list[CborValue] = [0, -1, 2**63 - 1, b"", "", [], {}, [b"", b"", b""]]
        return data.draw(st.sampled_from(others))
    if isinstance(value, int):
        return value + data.draw(st.sampled_from([-1, 1, 2**31, -(2**62)]))
    if isinstance(value, list) and value:
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], spoilt(value[place], data), *value[place + 1 :]]
    if isinstance(value, bytes) and value:
        plain = bytearray(zstandard.ZstdDecompressor().decompress(value))
        place = data.draw(st.integers(0, len(plain) - 1))
        plain[place] = data.draw(st.integers(0, 255))
        return zstandard.ZstdCompressor().compress(bytes(plain))
    return value


def decodes_or_refuses(block: bytes) -> None:
    try:
        found = decode_frames(block, SMALL)
    except JournalError:
        event("refused")
        return
    event("decoded")
    batch = found.batch
    assert len(batch) <= SMALL.frames
    assert (batch.bus < max(len(batch.buses), 1)).all()
    assert not batch.data[np.arange(batch.data.shape[1]) >= batch.length[:, None]].any()
    assert same(decode_frames(encode_frames(batch, places=found.places, resolution_ns=1)).batch, batch)


@pytest.mark.parametrize("block", [b"", b"\x01", b"\x02\x80", b"\x01\x80", b"\x01\x8f" + b"\x00" * 15])
def test_what_is_no_block_is_refused(block: bytes) -> None:
    with pytest.raises(JournalError):
        decode_frames(block)


@pytest.mark.parametrize(
    "limits", [FrameLimits(frames=99), FrameLimits(data_bytes=799), FrameLimits(block_bytes=60)]
)
def test_limits_are_kept(limits: FrameLimits) -> None:
    batch = FrameBatch.from_frames(Frame(number, number, bytes([number] * 8)) for number in range(100))
    assert not limits.admits(batch)
    with pytest.raises(JournalError):
        decode_frames(encode_frames(batch), limits)
    assert FrameLimits().admits(batch)
    assert len(decode_frames(encode_frames(batch)).batch) == 100


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    fields = read_cbor(encode_frames(FrameBatch.from_frames([Frame(0, 1, b"12345678")])), 1)
    assert isinstance(fields, list)
    fields[9] = zstandard.ZstdCompressor().compress(bytes(1 << 26))
    with pytest.raises(JournalError, match="67108864 bytes, not 8"):
        decode_frames(b"\x01" + write_cbor(fields))


def packed(plain: list[int]) -> bytes:
    return zstandard.ZstdCompressor().compress(bytes(plain))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        pytest.param(10, packed([1, 1]), "unknown kind", id="a column of one frame moves"),
        pytest.param(10, packed([0, 7]), "unknown kind", id="a kind that there is not"),
        pytest.param(13, [packed([2, 0])], "in one place", id="two frames in one place"),
        pytest.param(13, [packed([2, 2])], "leads out", id="a frame after the last"),
        pytest.param(
            14, [packed([0, 0])] * 4 + [packed([0, 1])], "impossible place", id="a place past 32 bits"
        ),
        pytest.param(5, [], "unknown bus", id="a bus without a name"),
        pytest.param(6, 2**63 - 1, "out of range", id="a time past 64 bits"),
        pytest.param(7, 1, "table of frame groups", id="fewer groups than their table has"),
    ],
)
def test_a_block_that_contradicts_itself_is_refused(field: int, value: CborValue, message: str) -> None:
    frames = [Frame(0, 1, b"a"), Frame(1000, 2, b"b")]
    fields = read_cbor(encode_frames(FrameBatch.from_frames(frames)), 1)
    assert isinstance(fields, list)
    fields[field] = value
    with pytest.raises(JournalError, match=message):
        decode_frames(b"\x01" + write_cbor(fields))


def test_frames_that_only_pack_well_are_bounded_too() -> None:
    batch = FrameBatch.from_frames(Frame(number, number, bytes(64)) for number in range(100))
    block = encode_frames(batch)
    limits = FrameLimits(block_bytes=len(block), data_bytes=6_400)
    with pytest.raises(JournalError, match="would need 6,400 bytes"):
        decode_frames(block, limits)


def vehicle_second() -> FrameBatch:
    vehicle = ReferenceVehicle(1)
    return concatenate(list(vehicle.frames(1.0)))


def test_a_second_of_four_buses_takes_under_five_bytes_a_frame() -> None:
    batch = vehicle_second()
    written = encode_frames(batch)
    assert same(decode_frames(written).batch, rounded(batch, US_NS))
    assert len(written) <= 5 * len(batch)


@pytest.mark.parametrize(
    ("pattern", "most_bytes"),
    [
        ("kona-ev/230112-7-*.csv", 2.5),
        ("css-drive/gnss-obd2-*.MF4", 2.5),
        ("css-drive/j1939-*.MF4", 2.5),
        ("savvycan/*.log", 5.0),
    ],
)
def test_recordings_come_back_in_their_order(shared_data: Path, pattern: str, most_bytes: float) -> None:
    with open_recording(next(iter(sorted(shared_data.glob(pattern))))) as source:
        batch = concatenate(list(iter(lambda: source.read(0), None)))
    exact = decode_frames(encode_frames(batch, resolution_ns=1))
    assert same(exact.batch, batch)
    written = encode_frames(batch)
    block: FrameBlock = decode_frames(written)
    assert same(block.batch, rounded(batch, US_NS))
    assert len(written) <= most_bytes * len(batch)


WRITTEN = (
    "018f041903e81b17979cfe362a000003636d2d308264626f64796463616e30190fa002582428b52ffd201bd900000104"
    "0801000104000002e000fd003101000901030102e800030000581928b52ffd2010810000010203000001020304050607"
    "08090a0b5428b52ffd20105d0000280000000200010006d002834b28b52ffd20021100000101404080814d28b52ffd20"
    "0421000006010101814d28b52ffd200421000000010005"
)


def test_a_block_of_format_1_stays_readable() -> None:
    block = decode_frames(bytes.fromhex(WRITTEN))
    frames = [Frame(5_000_000, 0x100, bytes([1, 2, 3, number]), "body") for number in range(3)]
    flags = FrameFlag.EXTENDED | FrameFlag.FD
    frames.append(Frame(4_000_000, 0x18FEF100, bytes(range(12)), "can0", flags))
    timebase = Timebase(1_700_000_000_000_000_000, TimeQuality.GNSS)
    expected = replace(FrameBatch.from_frames(frames, timebase=timebase), mask="m-0")
    assert same(block.batch, expected)
    assert block.places.tolist() == [0, 2, 3, 9]


def test_a_reader_that_knows_the_documented_layout_alone_reads_the_same() -> None:
    batch = vehicle_second().take(slice(0, 400))
    swapped = np.arange(400)
    swapped[[10, 11, 300, 301]] = [11, 10, 301, 300]
    batch = batch.take(swapped)
    assert by_the_book(encode_frames(batch, resolution_ns=1)) == [batch.frame(place) for place in range(400)]


def by_the_book(block: bytes) -> list[Frame]:
    """Read a block as docs/journal-format.md says, number by number."""
    fields = cast("list[Any]", read_cbor(block, 1))
    groups = fields[7]
    unpack = zstandard.ZstdDecompressor().decompress
    plain = unpack(fields[8])
    table: list[list[int]] = []
    for _ in range(7):
        width, plain = plain[0], plain[1:]
        planes = [plain[groups * place : groups * (place + 1)] for place in range(width)]
        table.append([sum(plane[at] << 8 * n for n, plane in enumerate(planes)) for at in range(groups)])
        plain = plain[width * groups :]
    lengths = list(accumulate(table[0]))
    identifiers = list(accumulate(map(unfold, table[2])))
    steps = iter(series(fields[12], fields[0] - groups))
    rows: list[tuple[int, int]] = []
    for group, (count, first, period) in enumerate(zip(table[4], table[5], table[6], strict=True)):
        time = first
        rows.append((time, group))
        for _ in range(count - 1):
            time += unfold(period) + unfold(next(steps))
            rows.append((time, group))
    data = [bytearray(lengths[group]) for _, group in rows]
    firsts, kinds = iter(unpack(fields[9])), iter(unpack(fields[10]))
    drawers = [iter(unpack(section) if section else b"") for section in fields[11]]
    for length in sorted(set(lengths)):
        for place in range(length):
            for group in (group for group in range(groups) if lengths[group] == length):
                kind, byte = next(kinds), next(firsts)
                for number, row in enumerate(row for row, (_, own) in enumerate(rows) if own == group):
                    if kind and number:
                        change = next(drawers[(kind - 1) // 2])
                        byte = byte ^ change if kind % 2 else (byte + change) & 0xFF
                    data[row][place] = byte
    by_time = sorted(range(len(rows)), key=lambda row: rows[row][0])
    arrived: list[int] = [0] * len(rows)
    for rank, (row, moved) in enumerate(zip(by_time, series(fields[13], fields[0]), strict=True)):
        arrived[rank + unfold(moved)] = row
    return [
        Frame(
            (fields[6] + rows[row][0]) * fields[1],
            identifiers[rows[row][1]],
            bytes(data[row]),
            fields[5][table[1][rows[row][1]]],
            FrameFlag(table[3][rows[row][1]]),
        )
        for row in arrived
    ]


def series(sections: list[bytes], count: int) -> list[int]:
    planes = [zstandard.ZstdDecompressor().decompress(section) for section in sections]
    return [sum(plane[at] << 8 * place for place, plane in enumerate(planes)) for at in range(count)]


def unfold(number: int) -> int:
    return -(number + 1) // 2 if number % 2 else number // 2
