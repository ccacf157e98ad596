"""Error frames become states, changes and counts, as linux/can/error.h has them."""

from __future__ import annotations

import pytest

from edge.bus.socketcan.bus_state import BusState, ControllerState, Side, StateChange
from edge.frames import Frame, FrameBatch, FrameFlag

UNKNOWN, ACTIVE, WARNING, PASSIVE, OFF = ControllerState


def error(t_ns: int, error_class: int, **data: int) -> Frame:
    """An error frame; ``d1=0x10`` sets byte 1 of its data."""
    content = bytearray(8)
    for place, value in data.items():
        content[int(place[1:])] = value
    return Frame(t_ns, error_class, bytes(content), flags=FrameFlag.ERROR)


def follow(*frames: Frame, state: BusState | None = None) -> tuple[BusState, tuple[StateChange, ...]]:
    state = state or BusState()
    return state, state.follow(FrameBatch.from_frames(frames))


@pytest.mark.parametrize(
    ("frame", "expected", "side"),
    [
        (error(1, 0x004, d1=0x04), WARNING, Side.RECEIVE),
        (error(1, 0x004, d1=0x08), WARNING, Side.TRANSMIT),
        (error(1, 0x004, d1=0x10), PASSIVE, Side.RECEIVE),
        (error(1, 0x004, d1=0x20), PASSIVE, Side.TRANSMIT),
        (error(1, 0x004, d1=0x30), PASSIVE, Side.BOTH),
        (error(1, 0x004, d1=0x14), PASSIVE, Side.RECEIVE),
        (error(1, 0x004, d1=0x40), ACTIVE, Side.NOT_SAID),
        (error(1, 0x040), OFF, Side.NOT_SAID),
        (error(1, 0x044, d1=0x20), OFF, Side.TRANSMIT),
    ],
)
def test_a_state_is_told_with_the_side_whose_errors_led_to_it(
    frame: Frame, expected: ControllerState, side: Side
) -> None:
    state, changes = follow(frame)
    assert changes == (StateChange(1, UNKNOWN, expected, side),)
    assert state.state == expected


def test_the_way_to_bus_off_and_back_is_told_change_by_change_and_not_by_frame() -> None:
    frames = [
        error(1, 0x004, d1=0x08),
        error(2, 0x004, d1=0x08),
        error(3, 0x004, d1=0x20),
        error(4, 0x008, d2=0x04, d3=0x0A),
        error(5, 0x040),
        error(6, 0x040),
        error(7, 0x100),
        error(8, 0x004, d1=0x40),
    ]
    state, changes = follow(*frames)
    assert [(change.t_ns, change.before, change.state, change.restarted) for change in changes] == [
        (1, UNKNOWN, WARNING, False),
        (3, WARNING, PASSIVE, False),
        (5, PASSIVE, OFF, False),
        (7, OFF, ACTIVE, True),
    ]
    assert state.facts == {
        "transmit error warning": 2,
        "transmit error passive": 1,
        "protocol violation": 1,
        "stuff error": 1,
        "bus-off": 2,
        "controller restarted": 1,
        "error active again": 1,
    }


def test_batches_continue_one_another() -> None:
    state, _ = follow(error(1, 0x040))
    assert follow(error(2, 0x040), state=state)[1] == ()
    (change,) = follow(error(3, 0x100), state=state)[1]
    assert (change.before, change.state, change.restarted) == (OFF, ACTIVE, True)


def test_a_restart_is_told_even_where_the_bus_off_before_it_was_not_seen() -> None:
    state, _ = follow(error(1, 0x004, d1=0x40))
    (change,) = follow(error(2, 0x100), state=state)[1]
    assert (change.before, change.state, change.restarted) == (ACTIVE, ACTIVE, True)


def test_bytes_count_only_under_their_class() -> None:
    garbage = {f"d{place}": 0xFF for place in range(8)}
    state, changes = follow(error(1, 0x020, **garbage))
    assert changes == ()
    assert state.facts == {"no acknowledgement": 1}
    assert (state.state, state.overflows, state.transmit_errors) == (UNKNOWN, 0, None)


def test_each_kind_is_counted() -> None:
    state, changes = follow(
        error(1, 0x001),
        error(2, 0x002, d0=5),
        error(3, 0x002, d0=5),
        error(4, 0x002),
        error(5, 0x004, d1=0x01),
        error(6, 0x004, d1=0x02),
        error(7, 0x088, d2=0x93),
        error(8, 0x008, d2=0x6C),
        error(9, 0x010, d4=0x04),
    )
    assert changes == ()
    assert state.overflows == 1
    assert state.arbitration_lost_bits == {5: 2, 0: 1}
    assert state.facts == {
        "transmit timeout": 1,
        "arbitration lost": 3,
        "controller transmit overflow": 1,
        "bus error": 1,
        "protocol violation": 2,
        "bit error": 1,
        "form error": 1,
        "recessive bit not sent": 1,
        "error on transmission": 1,
        "stuff error": 1,
        "dominant bit not sent": 1,
        "overload frame": 1,
        "active error announced": 1,
        "transceiver fault": 1,
    }


def test_error_counters_are_told_where_the_driver_has_them() -> None:
    state, (change,) = follow(error(1, 0x204, d1=0x20, d6=128, d7=3))
    assert (change.transmit_errors, change.receive_errors) == (128, 3)
    assert str(change) == (
        "controller is passive for errors of transmit (error counters: transmit 128, receive 3)"
    )
    follow(error(2, 0x204, d1=0x20, d6=136, d7=0), error(3, 0x080), state=state)
    assert (state.transmit_errors, state.receive_errors) == (136, 0)


@pytest.mark.parametrize(
    ("transmit", "receive", "expected"),
    [(0, 95, ACTIVE), (96, 0, WARNING), (0, 127, WARNING), (128, 0, PASSIVE), (0, 255, PASSIVE)],
)
def test_before_any_state_was_said_the_first_counters_tell_it(
    transmit: int, receive: int, expected: ControllerState
) -> None:
    state, (change,) = follow(error(1, 0x280, d6=transmit, d7=receive))
    assert (change.state, state.state) == (expected, expected)


def test_counters_that_end_at_127_do_not_end_a_state_that_was_said() -> None:
    state, changes = follow(error(1, 0x004, d1=0x10), error(2, 0x280, d7=127))
    assert [change.state for change in changes] == [PASSIVE]
    assert follow(error(3, 0x280, d7=127), state=state)[1] == ()


def test_frames_that_are_no_error_frames_say_nothing() -> None:
    state, changes = follow(Frame(1, 0x040, b"\xff" * 8), Frame(2, 0x100, b"\x10" * 8))
    assert (changes, dict(state.facts), state.state) == ((), {}, UNKNOWN)


def test_only_error_frames_of_a_mixed_batch_of_fd_width_are_read() -> None:
    frames = [
        Frame(1, 0x040, bytes(64), flags=FrameFlag.FD),
        error(2, 0x040),
        Frame(3, 0x100, bytes(64), flags=FrameFlag.FD),
    ]
    state, changes = follow(*frames)
    assert [(change.t_ns, change.state) for change in changes] == [(2, OFF)]
    assert state.facts == {"bus-off": 1}
