"""Messages: what is written is read, and what is no payload is told as that."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.wire import vlink, vlink_frames, vlink_messages
from tests.vlink.strategies import READERS, Message, frames_messages, messages, payload_of


@given(messages)
def test_what_is_written_is_read(sent: tuple[int, Message]) -> None:
    kind, message = sent
    payload = payload_of(message)
    again = READERS[kind](payload)
    assert payload_of(again) == payload
    assert vars(again).keys() == vars(message).keys()
    if kind != vlink.FRAMES:
        assert again == message


@given(frames_messages())
def test_frames_are_read_as_they_were(message: vlink_frames.Frames) -> None:
    again = vlink_frames.read_frames(payload_of(message))
    assert (again.bus, again.first, again.t_us, again.frames) == (
        message.bus,
        message.first,
        message.t_us,
        message.frames,
    )


@given(messages, st.data())
def test_a_truncated_payload_is_told(sent: tuple[int, Message], data: st.DataObject) -> None:
    kind, message = sent
    payload = payload_of(message)
    with pytest.raises(ValueError, match="shorter than its"):
        READERS[kind](payload[: data.draw(st.integers(0, len(payload) - 1))])


@given(messages, st.binary(min_size=1, max_size=20))
def test_fields_of_a_later_version_are_no_harm(sent: tuple[int, Message], more: bytes) -> None:
    kind, message = sent
    payload = payload_of(message)
    if kind == vlink.FRAMES:
        with pytest.raises(ValueError, match="behind the last frame"):
            READERS[kind](payload + more)
    else:
        assert payload_of(READERS[kind](payload + more)) == payload


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=1024))
def test_any_bytes_are_read_or_told(kind: int, payload: bytes) -> None:
    try:
        again = READERS[kind](payload)
    except ValueError:
        return
    assert payload.startswith(payload_of(again))


@given(messages)
def test_messages_say_when_a_packet_is_too_short_for_them(sent: tuple[int, Message]) -> None:
    _, message = sent
    with pytest.raises((ValueError, struct.error)):
        message.write(bytearray(len(payload_of(message)) - 1), 0)


def test_texts_are_printable_ascii_whatever_the_program_says() -> None:
    event = vlink_messages.Event(1, 2, -3, "größe\n\x7f\U0001f600" + "x" * 300)
    text = vlink_messages.read_event(payload_of(event)).text
    assert text.startswith("gr??e???xx")
    assert len(text) == 255
    with pytest.raises(ValueError, match="printable ASCII"):
        vlink_messages.read_event(struct.pack("<QHiB", 1, 2, 3, 1) + b"\n")


@pytest.mark.parametrize(
    ("kind", "length"),
    [
        (8, 8),
        (0, 0),
        (0x0F, 8),
        (0x28, 0),
        (0x88, 8),
        (0x18, 8),
        (0x48, 8),
        (0x49, 12),
        (0xFF, 64),
        (0x6F, 64),
    ],
)
def test_data_are_as_long_as_the_kind_says(kind: int, length: int) -> None:
    assert vlink_frames.data_length(kind) == length


@pytest.mark.parametrize(("kind", "can_id"), [(0x00, b"\x00\x08"), (0x10, b"\x00\x00\x00\x20")])
def test_an_id_of_too_many_bits_is_told(kind: int, can_id: bytes) -> None:
    with pytest.raises(ValueError, match="too many bits"):
        vlink_frames.read_frames(struct.pack("<BIQB", 0, 0, 0, 1) + struct.pack("<HB", 0, kind) + can_id)
