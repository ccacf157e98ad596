"""What waits for a slow core: bounded, the oldest batch goes first, and every frame is counted."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge.bus.source import WAITING
from edge.capture import Captured
from edge.capturing.buffer import CORE_TOO_SLOW, HandOverBuffer
from edge.clock import Timebase
from edge.frames import Frame, FrameBatch
from edge.sensors.observation import Observation

LIMIT = 2000


def captured(first: int, frames: int, mask: str, observations: int) -> Captured:
    batch = FrameBatch.from_frames(Frame(first + place, 1, b"") for place in range(frames))
    seen = tuple(Observation("made.up", first, 1.0) for _ in range(observations))
    return Captured((replace(batch, mask=mask),), seen)


STEPS = st.lists(
    st.none() | st.tuples(st.integers(0, 40), st.sampled_from(["m/a", "m/b"]), st.integers(0, 3)),
    max_size=60,
)


@given(STEPS)
def test_every_frame_is_handed_on_in_order_or_given_up_as_the_oldest(
    steps: list[tuple[int, str, int] | None],
) -> None:
    buffer = HandOverBuffer(LIMIT)
    entered = seen = 0
    taken: list[int] = []
    observed = 0
    for step in steps:
        if step is None:
            for item in buffer.take():
                if isinstance(item, FrameBatch):
                    taken += item.t_ns.tolist()
                else:
                    observed += len(item)
        else:
            frames, mask, observations = step
            buffer.add(captured(entered, frames, mask, observations))
            entered += frames
            seen += observations
            assert buffer.bytes_held <= LIMIT
    hops = {hop.unit: hop for hop in buffer.hops()}
    frames_hop = hops["frames"]
    assert all(hop.balanced for hop in hops.values())
    assert (frames_hop.entered, frames_hop.left) == (entered, len(taken))
    waiting = frames_hop.set_aside.get(WAITING, 0)
    assert frames_hop.set_aside.get(CORE_TOO_SLOW, 0) == entered - len(taken) - waiting
    assert taken == sorted(taken)
    if seen:
        assert hops["observations"].left == observed


def test_the_newest_stay() -> None:
    buffer = HandOverBuffer(LIMIT)
    for first in range(0, 1000, 10):
        buffer.add(captured(first, 10, "m/a", 0))
    kept = [t for item in buffer.take() if isinstance(item, FrameBatch) for t in item.t_ns.tolist()]
    assert kept == list(range(1000 - len(kept), 1000))
    assert len(kept) >= 20


def test_that_the_mask_has_changed_is_told_though_nothing_came_under_it() -> None:
    buffer = HandOverBuffer(LIMIT)
    buffer.add(captured(0, 1, "m/a", 0))
    buffer.add(captured(1, 0, "m/a", 0))
    buffer.add(captured(1, 0, "m/b", 0))
    items = buffer.take()
    assert [(len(item), item.mask) for item in items if isinstance(item, FrameBatch)] == [
        (1, "m/a"),
        (0, "m/b"),
    ]


def test_what_is_on_its_way_counts_against_the_limit() -> None:
    buffer = HandOverBuffer(LIMIT)
    buffer.add(captured(0, 1, "m/a", 0), beside_bytes=LIMIT)
    assert len(buffer) == 0
    buffer.add(captured(0, 1, "m/a", 0), beside_bytes=LIMIT, bounded=False)
    assert len(buffer) == 1


def test_what_waited_comes_as_one_batch_but_for_masks_and_a_clock_that_was_set() -> None:
    buffer = HandOverBuffer(1 << 20)
    for first, mask, offset_ns in ((0, "m/a", 5), (1, "m/a", 9), (2, "m/b", 9), (3, "m/b", 2_000_000)):
        (batch,) = captured(first, 1, mask, 0).batches
        buffer.add(Captured((replace(batch, timebase=Timebase(offset_ns)),)))
    items = [item for item in buffer.take() if isinstance(item, FrameBatch)]
    assert [item.t_ns.tolist() for item in items] == [[0, 1], [2], [3]]
    assert [item.mask for item in items] == ["m/a", "m/b", "m/b"]
    assert [item.timebase.wall_offset_ns for item in items] == [5, 9, 2_000_000]
