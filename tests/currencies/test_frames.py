"""`FrameBatch` keeps frames as they were, whatever is done with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import Timebase
from edge.frames import Frame, FrameBatch, FrameFlag, concatenate

FRAMES = st.builds(
    Frame,
    t_ns=st.integers(0, 2**62),
    arbitration_id=st.integers(0, 2**29 - 1),
    data=st.binary(max_size=64),
    bus=st.sampled_from(["pt", "body", "chassis"]),
    flags=st.sampled_from([FrameFlag(0), FrameFlag.EXTENDED, FrameFlag.FD | FrameFlag.BITRATE_SWITCH]),
)


@given(st.lists(FRAMES, max_size=20))
def test_frames_come_back_as_they_went_in(frames: list[Frame]) -> None:
    batch = FrameBatch.from_frames(frames)
    assert [batch.frame(place) for place in range(len(batch))] == frames


@given(st.lists(st.lists(FRAMES, max_size=6), max_size=5))
def test_concatenation_unites_bus_names_and_keeps_order(parts: list[list[Frame]]) -> None:
    whole = concatenate([FrameBatch.from_frames(part) for part in parts])
    assert [whole.frame(place) for place in range(len(whole))] == [frame for part in parts for frame in part]


@given(st.lists(FRAMES, max_size=20), st.data())
def test_some_frames_are_those_at_their_places(frames: list[Frame], data: st.DataObject) -> None:
    batch = FrameBatch.from_frames(frames).take(
        slice(data.draw(st.integers(0, 3)), None, data.draw(st.integers(1, 2)))
    )
    chosen = data.draw(st.lists(st.booleans(), min_size=len(batch), max_size=len(batch)))
    places = [place for place, one in enumerate(chosen) if one]
    for part in (batch.take(np.array(chosen, np.bool_)), batch.take(np.array(places, np.intp))):
        assert [part.frame(place) for place in range(len(part))] == [batch.frame(place) for place in places]
        assert part.data.dtype == np.uint8
        assert part.data.shape == (len(places), batch.data.shape[1])


def test_batches_of_different_masks_do_not_mix() -> None:
    one = FrameBatch.from_frames([Frame(1, 2, b"")])
    other = FrameBatch.from_frames([Frame(1, 2, b"")], timebase=Timebase(5))
    with pytest.raises(ValueError, match="do not mix"):
        concatenate([one, other])


def test_equality_goes_by_bus_name_not_by_number() -> None:
    frame = Frame(1, 2, b"\x01", bus="body")
    assert FrameBatch.from_frames([frame]).equals(FrameBatch.from_frames([frame], buses=("pt", "body")))
    assert not FrameBatch.from_frames([frame]).equals(
        FrameBatch.from_frames([Frame(1, 2, b"\x01", bus="pt")])
    )


def test_a_batch_does_not_show_its_payloads() -> None:
    batch = FrameBatch.from_frames([Frame(1, 2, b"\xab\xcd")])
    assert "171" not in repr(batch)
    assert "205" not in repr(batch)
