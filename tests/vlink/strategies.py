"""Hypothesis strategies of vlink's messages, and the way from packet type to reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hypothesis import strategies as st

from edge.wire import vlink, vlink_frames, vlink_messages
from edge.wire.vlink_frames import (
    KIND_ERROR,
    KIND_EXTENDED,
    KIND_FD,
    KIND_REMOTE,
    data_length,
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


HEAD = 9


def told_by(octets: bytes, *, fd: bool) -> tuple[Told, ...]:
    """Make frames out of any bytes: one draw for many frames, and still smaller bytes are smaller frames."""
    told: list[Told] = []
    at = 0
    while at + HEAD <= len(octets) and len(told) < 255:
        choice, kind = octets[at], octets[at + 1]
        delta_us = int.from_bytes(octets[at + 2 : at + 4], "little") if told else 0
        can_id = int.from_bytes(octets[at + 4 : at + 8], "little")
        if not fd or choice & 1:
            kind &= ~KIND_FD
            kind &= ~(KIND_REMOTE if kind & KIND_ERROR else 0)
            kind = kind if choice & 2 else (kind & ~0x0F) | 8
        length = data_length(kind)
        data = octets[at + HEAD : at + HEAD + length].ljust(length, b"\xa5")
        told.append((delta_us, kind, can_id & (0x1FFFFFFF if kind & KIND_EXTENDED else 0x7FF), data))
        at += HEAD + length
    return tuple(told)


def frames_messages(*, fd: bool = True) -> st.SearchStrategy[vlink_frames.Frames]:
    """FRAMES that fit a packet."""
    told = st.binary(max_size=300).map(lambda octets: told_by(octets, fd=fd))
    return st.builds(vlink_frames.Frames, u8, u32, u64, told)


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
