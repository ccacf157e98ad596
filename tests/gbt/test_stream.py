"""The streaming decoder finds every frame whatever lies between, and tells every other byte as skipped."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.wire.gbt.frame import Command, Frame, Response, check_code
from edge.wire.gbt.stream import Skipped, StreamDecoder
from tests.gbt.grammar import VIN, editions, examples

frames = st.builds(
    Frame,
    editions,
    st.sampled_from(Command),
    st.just(Response.COMMAND),
    st.just(VIN),
    st.sampled_from([1, 3]),
    st.binary(max_size=40) | st.just(b"##") | st.just(b"$$" * 20),
)
STARTS = (b"##", b"$$")


def taken(decoder: StreamDecoder, data: bytes, cuts: list[int]) -> list[Frame | Skipped]:
    found: list[Frame | Skipped] = []
    before = 0
    for cut in sorted({*(cut % (len(data) + 1) for cut in cuts), len(data)}):
        found += decoder.feed(data[before:cut])
        before = cut
    return found + decoder.flush()


@given(
    st.lists(
        st.tuples(st.binary(max_size=12).filter(lambda one: not set(one) & {0x23, 0x24}), frames), max_size=5
    ),
    st.lists(st.integers(0, 400), max_size=8),
)
@settings(max_examples=examples(80), deadline=None)
def test_frames_between_garbage_come_out_in_order_however_they_are_cut(
    pieces: list[tuple[bytes, Frame]], cuts: list[int]
) -> None:
    data = b"".join(garbage + frame.write() for garbage, frame in pieces)
    found = taken(StreamDecoder(), data, cuts)
    assert [one for one in found if isinstance(one, Frame)] == [frame for _, frame in pieces]
    assert sum(one.length for one in found if isinstance(one, Skipped)) == sum(len(one) for one, _ in pieces)


@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from([*STARTS, b"##\x02\xfe" + VIN + b"\x01\x00\x04"]),
        max_size=12,
    )
)
@settings(max_examples=examples(150), deadline=None)
def test_any_bytes_are_frames_or_skipped_to_the_last(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    found = taken(StreamDecoder(), data, [len(one) for one in pieces])
    rebuilt = bytearray()
    for one in found:
        if isinstance(one, Frame):
            rebuilt += one.write()
        else:
            assert one.offset == len(rebuilt)
            assert one.sample == data[one.offset : one.offset + min(16, one.length)]
            rebuilt += data[one.offset : one.offset + one.length]
    assert bytes(rebuilt) == data


def test_a_frame_within_what_a_broken_one_claimed_is_found() -> None:
    inner = Frame(Edition.Y2016, Command.HEARTBEAT, Response.COMMAND, VIN, 1, b"").write()
    broken = bytearray(
        Frame(Edition.Y2025, Command.REAL_TIME, Response.COMMAND, VIN, 1, b"x" + inner).write()
    )
    broken[-1] ^= 1
    found = StreamDecoder().feed(bytes(broken) + inner)
    assert [type(one) for one in found] == [Skipped, Frame, Skipped, Frame]
    assert found[0] == Skipped(
        0, 25, found[0].why if isinstance(found[0], Skipped) else "", bytes(broken[:16])
    )
    assert isinstance(found[0], Skipped)
    assert "check code" in found[0].why


def test_memory_is_bounded_by_the_longest_unit_whatever_comes() -> None:
    decoder = StreamDecoder(unit_bytes=100)
    header = b"##\x02\xfe" + VIN + b"\x01\x00\x64"
    for chunk in (b"\x00" * 5000, b"#$" * 2500, header * 200, b"##" * 2500):
        decoder.feed(chunk)
        assert decoder.pending <= 125


def test_a_start_waits_for_the_bytes_that_it_asks_for() -> None:
    data = Frame(Edition.Y2016, 2, 0xFE, VIN, 1, bytes(50)).write()
    decoder = StreamDecoder()
    assert decoder.feed(data[:-1]) == []
    assert decoder.pending == len(data) - 1
    (frame,) = decoder.feed(data[-1:])
    assert isinstance(frame, Frame)
    assert check_code(data[2:-1]) == data[-1]
    assert decoder.feed(data[:30]) == []
    (skipped,) = decoder.flush()
    assert isinstance(skipped, Skipped)
    assert (skipped.offset, skipped.length, skipped.why) == (75, 30, "the stream ends within the frame")
