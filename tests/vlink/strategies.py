"""Hypothesis strategies of vlink's messages, and the way from packet type to reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hypothesis import strategies as st

from edge.wire import vlink, vlink_frames, vlink_messages
from edge.wire.vlink_frames import (
    FD_LENGTHS,
    KIND_BITRATE_SWITCH,
    KIND_ERROR,
    KIND_ERROR_STATE,
    KIND_EXTENDED,
    KIND_FD,
    KIND_REMOTE,
)


class Message(Protocol):
    """Whatever a packet carries."""

    def write(self, buffer: bytearray, at: int) -> int: ...


READERS: dict[int, Callable[[bytes], Message]] = {
    vlink.HELLO: vlink_messages.read_hello,
    vlink.FRAMES: vlink_frames.read_frames,
    vlink.STATUS: vlink_messages.read_status,
    vlink.EVENT: vlink_messages.read_event,
    vlink.TIME: vlink_messages.read_time_answer,
    vlink.ACK: vlink_messages.read_ack,
    vlink.HOST_HELLO: vlink_messages.read_host_hello,
    vlink.HOST_TIME: vlink_messages.read_time_question,
    vlink.COMMAND: vlink_messages.read_command,
}


def unsigned(bits: int) -> st.SearchStrategy[int]:
    """Numbers of a field, its ends and what 31-bit small integers trip over among them."""
    edges = [0, 1, 2**30 - 1, 2**30, 2**31 - 1, 2**31, 2**32 - 1, 2**bits - 1]
    return st.integers(0, 2**bits - 1) | st.sampled_from([edge for edge in edges if edge < 2**bits])


u8, u16, u32, u64 = unsigned(8), unsigned(16), unsigned(32), unsigned(64)
texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)

buses = st.builds(vlink_messages.Bus, u32, u32, u16, u8, texts)
hellos = st.builds(
    vlink_messages.Hello,
    u8,
    u32,
    u32,
    st.lists(buses, max_size=6).map(tuple),
    texts,
    texts,
    st.binary(min_size=8, max_size=8),
    u32,
    u64,
)
bus_statuses = st.builds(vlink_messages.BusStatus, u32, u32, u32, u32, u32, u8, u8, u8, u8)
statuses = st.builds(
    vlink_messages.Status,
    u64,
    st.lists(bus_statuses, max_size=6).map(tuple),
    u32,
    u32,
    u32,
    u32,
    st.integers(-32768, 32767),
    u16,
    u8,
    u8,
    u32,
    u32,
    u8,
)
events = st.builds(vlink_messages.Event, u64, u16, st.integers(-(2**31), 2**31 - 1), texts)
time_questions = st.builds(vlink_messages.TimeQuestion, u32, u64)
time_answers = st.builds(vlink_messages.TimeAnswer, u32, u64, u64, u64)
commands = st.builds(vlink_messages.Command, u32, u8, st.binary(max_size=40))
acks = st.builds(vlink_messages.Ack, u32, u8, texts)
host_hellos = st.builds(vlink_messages.HostHello, u8, u32)

Told = tuple[int, int, int, bytes]


@st.composite
def frames(draw: st.DrawFn, *, fd: bool = True) -> Told:
    """One frame: microseconds since the one before, kind, id, data."""
    extended = draw(st.booleans())
    can_id = draw(st.integers(0, 0x1FFFFFFF if extended else 0x7FF))
    kind = KIND_EXTENDED if extended else 0
    length = 0
    if fd and draw(st.booleans()):
        code = draw(st.integers(0, 15))
        kind |= KIND_FD | code
        kind |= draw(
            st.sampled_from(
                [0, KIND_ERROR_STATE, KIND_BITRATE_SWITCH, KIND_ERROR_STATE | KIND_BITRATE_SWITCH]
            )
        )
        length = FD_LENGTHS[code]
    else:
        code = draw(st.integers(0, 8) | st.integers(0, 15))
        special = draw(st.sampled_from([0, 0, 0, KIND_REMOTE, KIND_ERROR]))
        kind |= special | code
        length = 0 if special == KIND_REMOTE else min(code, 8)
    return draw(u16), kind, can_id, draw(st.binary(min_size=length, max_size=length))


@st.composite
def frames_messages(draw: st.DrawFn, *, fd: bool = True) -> vlink_frames.Frames:
    """FRAMES that fit a packet."""
    told = draw(st.lists(frames(fd=fd), max_size=12))
    first = [(0, *frame[1:]) if n == 0 else frame for n, frame in enumerate(told)]
    return vlink_frames.Frames(draw(u8), draw(u32), draw(u64), tuple(first))


messages: st.SearchStrategy[tuple[int, Message]] = st.one_of(
    st.tuples(st.just(vlink.HELLO), hellos),
    st.tuples(st.just(vlink.FRAMES), frames_messages()),
    st.tuples(st.just(vlink.STATUS), statuses),
    st.tuples(st.just(vlink.EVENT), events),
    st.tuples(st.just(vlink.TIME), time_answers),
    st.tuples(st.just(vlink.ACK), acks),
    st.tuples(st.just(vlink.HOST_HELLO), host_hellos),
    st.tuples(st.just(vlink.HOST_TIME), time_questions),
    st.tuples(st.just(vlink.COMMAND), commands),
)


def payload_of(message: Message) -> bytes:
    """Write a message's payload."""
    buffer = bytearray(4096)
    return bytes(buffer[: message.write(buffer, 0)])
