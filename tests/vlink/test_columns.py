"""Columns: many packets at once say what their frames say one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.bus.vlink.frames_columns import FrameColumns, frame_columns
from edge.frames import FrameFlag
from edge.wire import vlink_frames
from edge.wire.vlink_frames import KIND_ERROR, KIND_EXTENDED, KIND_FD, KIND_REMOTE
from tests.vlink.strategies import frames_messages, payload_of


def flags_of(kind: int) -> FrameFlag:
    flags = FrameFlag.EXTENDED if kind & KIND_EXTENDED else FrameFlag(0)
    if kind & KIND_FD:
        flags |= FrameFlag.FD
        high, low = FrameFlag.BITRATE_SWITCH, FrameFlag.ERROR_STATE
    else:
        high, low = FrameFlag.ERROR, FrameFlag.REMOTE
    return (
        flags | (high if kind & KIND_ERROR else FrameFlag(0)) | (low if kind & KIND_REMOTE else FrameFlag(0))
    )


def one_by_one(payloads: list[bytes]) -> tuple[list[tuple[int, int, int, int, int, bytes]], int]:
    rows, malformed = [], 0
    for payload in payloads:
        try:
            message = vlink_frames.read_frames(payload)
        except ValueError:
            malformed += 1
            continue
        t_us = message.t_us
        for n, (delta_us, kind, can_id, data) in enumerate(message.frames):
            t_us += delta_us if n else 0
            number = (message.first + n) % 2**32
            rows.append((message.bus, number, t_us % 2**64, can_id, int(flags_of(kind)), data))
    return rows, malformed


def rows_of(columns: FrameColumns) -> list[tuple[int, int, int, int, int, bytes]]:
    for n, length in enumerate(columns.length.tolist()):
        assert not columns.data[n, length:].any()
    return [
        (
            int(columns.bus[n]),
            int(columns.number[n]),
            int(columns.t_us[n]) % 2**64,
            int(columns.arbitration_id[n]),
            int(columns.flags[n]),
            columns.data[n, : columns.length[n]].tobytes(),
        )
        for n in range(len(columns))
    ]


@given(st.lists(frames_messages().map(payload_of) | frames_messages(fd=False).map(payload_of), max_size=6))
def test_columns_say_what_frames_say_one_by_one(payloads: list[bytes]) -> None:
    columns = frame_columns(payloads)
    rows, _ = one_by_one(payloads)
    assert rows_of(columns) == rows
    assert columns.malformed == 0
    assert columns.packet_frames.tolist() == [payload[13] for payload in payloads]
    assert columns.packet_first.tolist() == [int.from_bytes(payload[1:5], "little") for payload in payloads]
    assert columns.packet_bus.tolist() == [payload[0] for payload in payloads]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    payload = bytearray(payload_of(draw(frames_messages())))
    for _ in range(draw(st.integers(0, 3))):
        payload[draw(st.integers(13, len(payload) - 1))] = draw(st.integers(0, 255))
    behind = draw(st.sampled_from([b"", b"\0", bytes(13)]))
    return bytes(payload[: draw(st.integers(0, len(payload)) | st.just(len(payload)))]) + behind


@given(st.lists(damaged() | st.binary(max_size=60), max_size=5))
def test_a_malformed_payload_is_set_aside_whole_and_no_other(payloads: list[bytes]) -> None:
    columns = frame_columns(payloads)
    rows, malformed = one_by_one(payloads)
    assert rows_of(columns) == rows
    assert columns.malformed == malformed


def test_bytes_behind_frames_of_several_kinds_make_a_payload_malformed() -> None:
    message = vlink_frames.Frames(0, 0, 0, ((0, 3, 1, b"abc"), (1, 8, 1, bytes(8))))
    assert frame_columns([payload_of(message) + b"\0"]).malformed == 1


def test_frames_that_no_door_has_seen_are_not_shown() -> None:
    message = vlink_frames.Frames(0, 0, 0, ((0, 3, 1, b"\xee\xee\xee"),))
    assert "238" not in repr(frame_columns([payload_of(message)]))
