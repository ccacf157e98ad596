"""A raw socket gives every frame as it was, with its stamp, or counts it as lost."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from edge.bus.socketcan.message_vectors import MessageVector, Received
from edge.bus.socketcan.raw import RawReception, decode
from edge.bus.socketcan.reception import Cells
from edge.clock import SystemClock
from tests.socketcan.cable_socket import cable_socket
from tests.socketcan.veth import NEAR, Cable, cable, classic, flexible

LOCAL, OWN, CUT = 0x04, 0x800, 0x20


def vector(*datagrams: tuple[bytes, int], stamps: tuple[tuple[int, int], ...] = ()) -> Received:
    """Datagrams with their flags as a receiving of 64-bit Linux leaves them."""
    count = len(datagrams)
    payload = np.full((count, 72), 0xA5, np.uint8)
    control = np.full((count, 128), 0xA5, np.uint8)
    for place, (data, _) in enumerate(datagrams):
        payload[place, : len(data)] = np.frombuffer(data[:72], np.uint8)
    for place, (software_ns, hardware_ns) in enumerate(stamps):
        times = (*divmod(software_ns, 10**9), 0, 0, *divmod(hardware_ns, 10**9))
        said = struct.pack("=Qii6q", 64, 1, 37, *times)
        control[place, :64] = np.frombuffer(said, np.uint8)
    return Received(
        payload=payload,
        length=np.array([min(len(data), 72) for data, _ in datagrams], np.uint32),
        flags=np.array([flags for _, flags in datagrams], np.int32),
        control=control,
        control_length=np.full(count, 64 if stamps else 0, np.uint64),
    )


def read(received: Received, *, hardware: bool = False) -> tuple[Cells, dict[str, int]]:
    cells, _, malformed = decode(received, hardware=hardware, long_bytes=8)
    return cells, dict(malformed)


def test_frames_of_this_machine_are_marked_and_no_others() -> None:
    frame = classic(0x123, b"ab")[1]
    cells, malformed = read(vector((frame, 0), (frame, LOCAL), (frame, LOCAL | OWN), (frame, 0)))
    assert cells.local.tolist() == [False, True, True, False]
    assert malformed == {}


def test_classic_and_fd_frames_keep_apart_what_stands_past_their_end() -> None:
    cells, malformed = read(
        vector(
            (flexible(0x18DAF110 | 0x80000000, bytes(range(64)), flags=0x03)[1], 0),
            (classic(0x7FF, b"\xff" * 8)[1], 0),
            (struct.pack("=IB3x8s", 0x1, 2, b"\x01\x02garbag"), 0),
        )
    )
    assert malformed == {}
    assert cells.fd.tolist() == [True, False, False]
    assert cells.fd_flags.tolist() == [3, 0, 0]
    assert cells.length.tolist() == [64, 8, 2]
    assert cells.data[0].tolist() == list(range(64))
    assert cells.data[1].tolist() == [0xFF] * 8 + [0] * 56
    assert cells.data[2].tolist() == [1, 2] + [0] * 62


def test_what_is_no_frame_is_named_and_the_others_are_kept() -> None:
    xl = struct.pack("=IBBHI", 0x123, 0x80, 0, 48, 0) + bytes(48)
    assert len(xl) == 60
    cells, malformed = read(
        vector(
            (classic(0x1, b"a")[1], 0),
            (xl, 0),
            (struct.pack("=IBBHI", 0x123, 0x80, 0, 4, 0) + bytes(4), 0),
            (struct.pack("=IBBHI", 0x123, 0x80, 0, 60, 0) + bytes(60), 0),
            (struct.pack("=IBBHI", 0x123, 0x80, 0, 2048, 0) + bytes(60), CUT),
            (flexible(0x3, bytes(64))[1], CUT),
            (b"x" * 15, 0),
            (b"", 0),
            (classic(0x2, b"b")[1], 0),
        )
    )
    assert cells.can_id.tolist() == [1, 2]
    assert malformed == {"CAN XL frame": 4, "of a size that no such frame has": 3}


WALL_NS = 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("software_ns", "hardware_ns", "expected", "by_hardware"),
    [
        (WALL_NS, 0, WALL_NS, False),
        (WALL_NS, WALL_NS - 50_000, WALL_NS - 50_000, True),
        (WALL_NS, WALL_NS - 2 * 10**8, WALL_NS, False),
        (WALL_NS, 5_000_000_000, WALL_NS, False),
        (0, WALL_NS, WALL_NS, True),
        (0, 0, 0, False),
    ],
)
def test_a_controllers_stamp_is_taken_where_its_clock_goes_right(
    software_ns: int, hardware_ns: int, expected: int, by_hardware: bool
) -> None:
    received = vector((classic(0x1, b"a")[1], 0), stamps=((software_ns, hardware_ns),))
    cells, _ = read(received, hardware=True)
    assert (cells.wall_ns.tolist(), cells.hardware.tolist()) == ([expected], [by_hardware])
    cells, _ = read(received)
    assert (cells.wall_ns.tolist(), cells.hardware.tolist()) == ([software_ns], [False])


def test_a_vector_takes_what_is_there_in_order_and_begins_anew() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        far.setblocking(False)
        memory = MessageVector(4, 16, 64)
        assert memory.receive(near.fileno()) == 0
        for round_number in range(3):
            sent = [f"{round_number} {number}".encode() for number in range(6)]
            for datagram in sent:
                far.send(datagram)
            far_more = memory.receive(near.fileno())
            assert far_more == 4
            first = memory.received(4)
            got = [row[:size].tobytes() for row, size in zip(first.payload, first.length, strict=True)]
            assert memory.receive(near.fileno()) == 2
            rest = memory.received(2)
            got += [row[:size].tobytes() for row, size in zip(rest.payload, rest.length, strict=True)]
            assert got == sent
            assert memory.receive(near.fileno()) == 0


def test_a_vector_says_what_is_wrong_with_its_socket() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    near.close()
    far.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        MessageVector(4, 16, 64).receive(near.fileno())


@pytest.fixture(scope="module")
def wire() -> Iterator[Cable]:
    with cable() as made:
        yield made


def reception(
    wire: Cable, *, buffer_bytes: int = 1 << 20, frames_at_once: int = 64, ask_for_drops: bool = True
) -> RawReception:
    return RawReception(
        wire.namespace.call(lambda: cable_socket(NEAR)),
        buffer_bytes=buffer_bytes,
        frames_at_once=frames_at_once,
        ask_for_drops=ask_for_drops,
    )


def drained(source: RawReception) -> list[int]:
    """Ids of all the frames that wait."""
    ids: list[int] = []
    while len(cells := source.take(0)):
        ids += cells.can_id.tolist()
    return ids


def until_stamped(wire: Cable, source: RawReception) -> None:
    """Wait until the kernel stamps: it begins a moment after it was asked to."""
    for _ in range(1000):
        wire.send([classic(0x1)])
        if source.take(1.0).wall_ns.all():
            return


def test_frames_come_with_the_kernels_stamp_through_the_real_call(wire: Cable) -> None:
    clock = SystemClock()
    with reception(wire) as source:
        assert source.stamps == "software"
        until_stamped(wire, source)
        before_ns = clock.wall_ns()
        wire.send([classic(number, bytes([number])) for number in range(50)] + [flexible(0x7, bytes(64))])
        after_ns = clock.wall_ns()
        first = source.take(1.0)
        assert len(first) == 51
        assert first.can_id.tolist() == [*range(50), 7]
        assert first.data[:50, 0].tolist() == list(range(50))
        assert first.fd.tolist() == [False] * 50 + [True]
        assert not first.hardware.any()
        assert not first.local.any()
        assert (np.diff(first.wall_ns) >= 0).all()
        assert before_ns - 10**6 <= first.wall_ns[0] <= first.wall_ns[-1] <= after_ns + 10**6
        assert len(source.take(0)) == 0
        assert source.lost() == 0
        assert source.malformed() == {}


@pytest.mark.parametrize("asked", [True, False])
def test_sent_is_received_and_lost_to_the_frame(wire: Cable, asked: bool) -> None:
    sent, received, lost = 0, 0, 0
    with reception(wire, buffer_bytes=1, ask_for_drops=asked) as source:
        for _ in range(5):
            wire.send([classic(number) for number in range(500)])
            sent += 500
            ids = drained(source)
            received += len(ids)
            assert ids == sorted(ids)
            lost += source.lost()
        if not asked:
            # It is told beside the next frame only.
            assert received + lost < sent
            wire.send([classic(1)])
            sent += 1
            received += len(drained(source))
            lost += source.lost()
        assert lost > 2000
        assert received + lost == sent
        assert source.lost() == 0


def test_a_loss_at_the_very_end_is_known_after_the_close(wire: Cable) -> None:
    with reception(wire, buffer_bytes=1) as source:
        wire.send([classic(number) for number in range(500)])
        received = len(drained(source))
    assert received + source.lost() == 500
    assert source.lost() == 0
    source.close()


def test_the_count_of_drops_may_go_round() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with far, RawReception(near, ask_for_drops=False) as source:
        source._dropped = 0xFFFFFFFE
        assert source.lost() == 0xFFFFFFFE
        source._dropped = 3
        assert source.lost() == 5


def test_what_was_received_before_the_link_went_down_is_taken_before_that_is_said(wire: Cable) -> None:
    with reception(wire) as source:
        wire.send([classic(number) for number in range(150)])
        wire.down()
        try:
            assert [len(source.take(0)) for _ in range(3)] == [64, 64, 22]
            with pytest.raises(OSError, match="down") as caught:
                source.take(0)
            assert caught.value.errno == errno.ENETDOWN
        finally:
            wire.up()


def test_after_the_end_nothing_more_comes_in_and_nothing_is_lost_of_what_did(wire: Cable) -> None:
    with reception(wire) as source:
        wire.send([classic(number) for number in range(10)])
        source.finish()
        wire.send([classic(number) for number in range(10)])
        assert drained(source) == list(range(10))
        assert source.lost() == 0


def test_a_datagram_that_is_no_frame_is_counted_once(wire: Cable) -> None:
    with reception(wire) as source:
        wire.send([classic(0x1), (0x000C, b"x" * 20), classic(0x2)])
        assert drained(source) == [1, 2]
        assert source.malformed() == {"of a size that no such frame has": 1}
        assert source.malformed() == {}


def test_the_wait_ends_with_a_frame_or_with_its_time(wire: Cable) -> None:
    clock = SystemClock()
    with reception(wire) as source:
        start_ns = clock.boot_ns()
        assert len(source.take(0.05)) == 0
        assert clock.boot_ns() - start_ns >= 45_000_000
        wire.send([classic(0x1)])
        assert len(source.take(10.0)) == 1
        assert clock.boot_ns() - start_ns < 5_000_000_000


def test_the_buffer_is_as_large_as_the_kernel_says(wire: Cable) -> None:
    with reception(wire, buffer_bytes=8 << 20) as source:
        assert source.buffer_bytes == 16 << 20


def test_a_kernel_without_can_is_told_by_its_number() -> None:
    with suppress(OSError):
        socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW).close()
        pytest.skip("this kernel has CAN")
    with pytest.raises(OSError, match="not supported") as caught:
        RawReception.open("can0")
    assert caught.value.errno == errno.EAFNOSUPPORT
