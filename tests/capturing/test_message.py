"""The border's messages: whatever is sent arrives as it was, in any pieces; strange bytes are refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.account import Hop
from edge.capturing.border import Decoder, encode
from edge.capturing.columns import COLUMN_BYTES_MAX, ID_MAX, frame_bytes
from edge.capturing.message import (
    ABSENT,
    COUNT_MAX,
    TIME_MAX_NS,
    Adopt,
    Ask,
    BorderError,
    Close,
    Counts,
    Done,
    Ended,
    Failed,
    Message,
    Observed,
    Order,
    PowerAsk,
    PowerTold,
    Ready,
    Report,
    Told,
)
from edge.clock import Timebase, TimeQuality
from edge.frames import FrameBatch
from edge.policy.classes import DataClass
from edge.power.line import LONGEST_S, PowerAnswer, PowerCommand, PowerEvent, PowerSaid
from edge.power.supervisor import SupervisorEvent, SupervisorState, SupervisorStatus
from edge.records import Missing
from edge.sensors.observation import Observation

COUNTS = st.dictionaries(st.text(max_size=20), st.integers(0, 1 << 62), max_size=3)
TIMES = st.integers(-TIME_MAX_NS, TIME_MAX_NS)
CLASSES = st.lists(st.sampled_from(DataClass), max_size=3).map(tuple)
HOPS = st.builds(
    Hop, st.text(), st.text(), st.integers(0, 1 << 62), st.integers(0, 1 << 62), COUNTS, COUNTS, COUNTS
)
OBSERVATIONS = st.builds(
    Observation,
    st.text(max_size=30),
    TIMES,
    st.floats(allow_nan=False) | st.sampled_from(Missing),
)

SAID = st.builds(
    PowerSaid,
    st.lists(
        st.builds(
            PowerEvent,
            st.sampled_from(SupervisorEvent),
            st.integers(-(1 << 31), (1 << 31) - 1),
            st.text(max_size=30),
        ),
        max_size=3,
    ).map(tuple),
    st.lists(
        st.builds(PowerAnswer, st.sampled_from(PowerCommand), st.booleans(), st.text(max_size=30)), max_size=3
    ).map(tuple),
    st.none()
    | st.builds(
        SupervisorStatus,
        st.sampled_from(SupervisorState),
        st.none() | st.integers(0, 65_534),
        st.none() | st.booleans(),
    ),
)
ASKS = st.sampled_from(PowerCommand).flatmap(
    lambda command: st.builds(PowerAsk, st.just(command), st.integers(0, LONGEST_S[command]))
)


@st.composite
def batches(draw: st.DrawFn) -> FrameBatch:
    count = draw(st.integers(0, 20))
    width = draw(st.sampled_from([8, 64, 1785]))
    buses = tuple(draw(st.lists(st.text(max_size=10), min_size=1, max_size=4, unique=True)))
    chance = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    return FrameBatch(
        t_ns=chance.integers(-TIME_MAX_NS, TIME_MAX_NS, count, np.int64),
        bus=chance.integers(0, len(buses), count, np.uint8),
        arbitration_id=chance.integers(0, ID_MAX + 1, count, np.uint32),
        flags=chance.integers(0, 256, count, np.uint16),
        length=chance.integers(0, width + 1, count, np.uint16),
        data=chance.integers(0, 256, (count, width), np.uint8),
        buses=buses,
        timebase=Timebase(draw(st.integers(-(1 << 62), 1 << 62)), draw(st.sampled_from(TimeQuality))),
        mask=draw(st.text(min_size=1, max_size=50)),
    )


MESSAGES = st.one_of(
    st.builds(Order, st.text(), st.just({"a": [1, "b"]}), CLASSES, st.text(), st.integers(0)),
    st.builds(Ask, st.integers(0), st.integers(0)),
    st.builds(Adopt, st.integers(0), CLASSES, st.text()),
    st.just(Close()),
    ASKS,
    st.builds(PowerTold, SAID),
    st.builds(
        Ready, TIMES, st.booleans(), st.text(min_size=1), st.just(("gnss.lat",)), st.just(("no", "such"))
    ),
    st.builds(Report, TIMES, st.integers(0), st.lists(HOPS, max_size=3).map(tuple)),
    st.builds(
        Counts,
        TIMES,
        st.integers(0, COUNT_MAX),
        st.lists(st.integers(ABSENT, COUNT_MAX), max_size=10).map(tuple),
    ),
    st.builds(Observed, st.lists(OBSERVATIONS, max_size=5).map(tuple)),
    st.builds(Done, st.integers(0)),
    st.builds(Told, st.integers(0, 50), st.text(max_size=100)),
    st.builds(Failed, st.text(), st.text(), st.text(), st.text()),
    st.just(Ended()),
    batches(),
)


def same(one: Message, other: Message) -> bool:
    if isinstance(one, FrameBatch):
        return (
            isinstance(other, FrameBatch)
            and one.equals(other)
            and (one.buses, one.timebase, one.mask) == (other.buses, other.timebase, other.mask)
            and one.data.shape == other.data.shape
        )
    return one == other


@given(st.lists(MESSAGES, max_size=5), st.data())
def test_messages_arrive_as_they_were_in_whatever_pieces(messages: list[Message], data: Any) -> None:  # noqa: ANN401 - Hypothesis' own
    sent = b"".join(map(encode, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    decoder = Decoder()
    arrived: list[Message] = []
    for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        arrived += decoder.feed(sent[begin:end])
    assert len(arrived) == len(messages)
    assert all(map(same, messages, arrived))


@given(MESSAGES, st.data())
@settings(max_examples=150)
def test_changed_bytes_are_a_message_or_refused(message: Message, data: Any) -> None:  # noqa: ANN401 - Hypothesis' own
    sent = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    decoder = Decoder()
    try:
        for arrived in decoder.feed(bytes(sent)):
            if isinstance(arrived, FrameBatch):
                for place in range(len(arrived)):
                    arrived.frame(place)
                assert arrived.mask
    except BorderError:
        pass


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_refused(received: bytes) -> None:
    decoder = Decoder()
    with suppress(BorderError):
        list(decoder.feed(received))


def large(mask: str = "m/a") -> FrameBatch:
    count = 3 * COLUMN_BYTES_MAX // 25
    return FrameBatch(
        t_ns=np.arange(count, dtype=np.int64),
        bus=np.zeros(count, np.uint8),
        arbitration_id=np.zeros(count, np.uint32),
        flags=np.zeros(count, np.uint16),
        length=np.full(count, 8, np.uint16),
        data=np.ones((count, 8), np.uint8),
        buses=("pt",),
        mask=mask,
    )


def test_a_large_batch_goes_as_several_messages_in_order() -> None:
    batch = large()
    parts = [part for part in Decoder().feed(encode(batch)) if isinstance(part, FrameBatch)]
    assert len(parts) > 2
    assert all(len(part) * frame_bytes(part) <= COLUMN_BYTES_MAX for part in parts)
    assert np.array_equal(np.concatenate([part.t_ns for part in parts]), batch.t_ns)


def test_frames_that_went_through_no_mask_are_refused() -> None:
    with pytest.raises(BorderError, match="no mask"):
        list(Decoder().feed(encode(large(mask=""))))


def test_a_message_that_would_fill_the_memory_is_refused_before_it_is_there() -> None:
    with pytest.raises(BorderError, match="bytes"):
        list(Decoder().feed(b"\xff\xff\xff\x7f" + bytes([32, 0, 0, 0])))


@pytest.mark.parametrize(
    "body",
    [
        '{"command": 2, "seconds": 0}',
        '{"command": 3, "seconds": 1}',
        '{"command": 4, "seconds": 65536}',
        '{"command": 5, "seconds": -1}',
        '{"command": 5, "seconds": "300"}',
        '{"command": "KEEP_POWER", "seconds": 1}',
        '{"command": 4}',
    ],
)
def test_nothing_but_three_commands_in_their_bounds_is_ever_asked_of_a_supervisor(body: str) -> None:
    with pytest.raises(BorderError, match="POWER_ASK"):
        list(Decoder().feed(framed(5, body)))


@pytest.mark.parametrize(
    "said",
    [
        '{"events": [{"event": 518, "argument": 2147483648, "cause": ""}], "answers": []}',
        '{"events": [{"event": 513, "argument": 0, "cause": "' + 256 * "x" + '"}], "answers": []}',
        '{"events": [{"event": 257, "argument": 0, "cause": ""}], "answers": []}',
        '{"events": [{"event": "ON", "argument": 0, "cause": ""}], "answers": []}',
        '{"events": [], "answers": [{"command": 1, "done": true, "text": ""}]}',
        '{"events": [], "answers": [{"command": 3, "done": 1, "text": ""}]}',
        '{"events": [], "answers": [], "status": {"state": 8}}',
        '{"events": [], "answers": [], "status": {"state": 4, "supply_mv": 70000}}',
        '{"events": [' + ",".join(513 * ['{"event": 513, "argument": 0, "cause": ""}']) + '], "answers": []}',
    ],
)
def test_a_supervisor_is_heard_in_its_own_words_only(said: str) -> None:
    with pytest.raises(BorderError, match="POWER_TOLD"):
        list(Decoder().feed(framed(24, f'{{"said": {said}}}')))


def framed(kind: int, body: str) -> bytes:
    return len(body).to_bytes(4, "little") + bytes([kind, 0, 0, 0]) + body.encode()
