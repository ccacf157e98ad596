"""The ring holds the newest frames as they were, within its bounds, in as few pieces as may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.clock import Timebase, TimeQuality
from edge.frames import ALIKE_NS, Frame, FrameBatch
from edge.vehicle.frame_ring import FRAME_BYTES, FrameRing

MS = 1_000_000
S = 1_000 * MS
NOTHING = FrameBatch.empty(["pt"])


def ring(most_bytes: int = 10_000_000, span_s: float = 10) -> FrameRing:
    return FrameRing(span_ns=round(span_s * S), most_bytes=most_bytes)


def batch(frames: Sequence[Frame], offset_ns: int = 0) -> FrameBatch:
    made = FrameBatch.from_frames(frames, buses=["pt"], timebase=Timebase(offset_ns, TimeQuality.NTP))
    return replace(made, mask="m")


def listed(batches: Sequence[FrameBatch]) -> list[Frame]:
    return [each.frame(place) for each in batches for place in range(len(each))]


def frame(at_ms: int, length: int = 8) -> Frame:
    return Frame(at_ms * MS, at_ms % 2048, bytes(range(length)), "pt")


FRAMES = st.lists(
    st.builds(frame, st.integers(0, 20_000), st.sampled_from([0, 1, 8, 12, 64, 100])), min_size=1, max_size=40
)


@settings(max_examples=50, deadline=None)
@example(frames=[frame(0, 0)] * 5 + [frame(0, 64), frame(0, 0)], cuts={1, 6}, from_ms=0, most_bytes=34)
@given(
    frames=FRAMES,
    cuts=st.sets(st.integers(1, 39)),
    from_ms=st.integers(0, 20_000),
    most_bytes=st.integers(20, 3_000),
)
def test_it_gives_the_last_frames_that_fit_however_they_came(
    frames: list[Frame], cuts: set[int], from_ms: int, most_bytes: int
) -> None:
    held = ring(most_bytes, span_s=100)
    places = [0, *sorted(cut for cut in cuts if cut < len(frames)), len(frames)]
    parts = [frames[begin:end] for begin, end in pairwise(places)]
    for part in parts[:-1]:
        held.push(batch(part), 20 * S)
    past = held.since(from_ms * MS, batch(parts[-1]))
    room = most_bytes
    fitting: list[Frame] = []
    for each in reversed(frames):
        room -= FRAME_BYTES + len(each.data)
        if room < 0:
            break
        fitting.insert(0, each)
    assert listed(past.batches) == [each for each in fitting if each.t_ns >= from_ms * MS]
    lost = [each.t_ns + 1 for each in frames[: len(frames) - len(fitting)]]
    assert past.complete_from_ns == max([from_ms * MS, frames[0].t_ns, *lost])


def test_what_is_older_than_asked_for_is_forgotten() -> None:
    held = ring(span_s=2)
    for at_ms in range(0, 10_000, 10):
        held.push(batch([frame(at_ms)]), at_ms * MS)
    assert 200 * 25 <= held.bytes <= 310 * 25
    past = held.since(8_000 * MS, NOTHING)
    assert [each.t_ns // MS for each in listed(past.batches)] == list(range(8_000, 10_000, 10))
    assert past.complete_from_ns == 8_000 * MS


def test_many_small_batches_of_one_clock_are_few_pieces() -> None:
    held = ring()
    for at_ms in range(0, 5_000, 5):
        held.push(batch([frame(at_ms)], offset_ns=at_ms), at_ms * MS)
    (piece,) = held.since(0, NOTHING).batches
    assert len(piece) == 1_000
    assert piece.mask == "m"
    assert piece.timebase == Timebase(0, TimeQuality.NTP)


def test_a_step_of_the_wall_clock_parts_the_frames() -> None:
    held = ring()
    held.push(batch([frame(1)]), MS)
    held.push(batch([frame(2)], offset_ns=ALIKE_NS), 2 * MS)
    held.push(batch([frame(3)], offset_ns=ALIKE_NS), 3 * MS)
    pieces = held.since(0, NOTHING).batches
    assert [(len(piece), piece.timebase.wall_offset_ns) for piece in pieces] == [(1, 0), (2, ALIKE_NS)]


def test_the_bound_holds_for_batches_of_any_size() -> None:
    held = ring(most_bytes=25 * 100)
    held.push(batch([frame(at) for at in range(10_000)]), 10 * S)
    assert held.bytes <= 25 * 100
    for at in range(10_000, 10_400):
        held.push(batch([frame(at)]), at * MS)
        assert held.bytes <= 2 * 25 * 100
    assert len(listed(held.since(0, NOTHING).batches)) == 100
