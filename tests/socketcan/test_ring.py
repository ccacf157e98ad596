"""The ring gives every frame that an interface received, as it was, or counts it as lost."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.bus.socketcan.reception import Cells
from edge.bus.socketcan.ring import RingReception
from tests.socketcan.veth import FAR, NEAR, XL, Cable, cable, classic, flexible, tunnel

WAIT_S = 10.0


@pytest.fixture(scope="module")
def wire() -> Iterator[Cable]:
    with cable() as made:
        yield made


def taken(ring: RingReception, count: int) -> list[Cells]:
    """Take until `count` frames have come."""
    parts: list[Cells] = []
    end_s = time.monotonic() + WAIT_S
    while sum(map(len, parts)) < count and time.monotonic() < end_s:
        parts.append(ring.take(0.1))
    return [part for part in parts if len(part)]


def payloads(parts: list[Cells]) -> list[tuple[int, bytes]]:
    return [
        (int(can_id), row[:length].tobytes())
        for part in parts
        for can_id, length, row in zip(part.can_id, part.length, part.data, strict=True)
    ]


def numbers(parts: list[Cells]) -> list[int]:
    if not parts:
        return []
    found = [np.ascontiguousarray(part.data[:, :8]).view(np.uint64)[:, 0] for part in parts]
    return [int(number) for number in np.concatenate(found)]


SENT = [
    classic(0x123, b"\x01\x02\x03"),
    flexible(0x18DAF110 | 0x80000000, bytes(range(64)), flags=0x05),
    (0x0800, b"not of CAN"),
    classic(0x40000456, length=5),
    classic(0x20000004, b"\x00\x01\x00\x00\x00\x00\x00\x00"),
    (XL, b"\x80" * 200),
    classic(0xFFFFFFFF, b"12345678"),
    flexible(0x1, b"abcdefghijkl"),
    (0x000C, b"x" * 20),
    classic(0x2, b"123", length=9),
]
RECEIVED = [
    (0x123, b"\x01\x02\x03"),
    (0x18DAF110 | 0x80000000, bytes(range(64))),
    (0x40000456, bytes(5)),
    (0x20000004, b"\x00\x01\x00\x00\x00\x00\x00\x00"),
    (0xFFFFFFFF, b"12345678"),
    (0x1, b"abcdefghijkl"),
]
MALFORMED = {"CAN XL frame": 1, "of a size that no such frame has": 1, "data longer than a frame": 1}


def test_every_kind_of_frame_in_its_order(wire: Cable) -> None:
    with wire.ring() as ring:
        wire.send(SENT)
        _took_what_was_sent(ring)


def test_every_kind_of_frame_of_an_interface_of_can(wire: Cable) -> None:
    with (
        tunnel(wire) as interface,
        wire.namespace.call(lambda: RingReception(interface.name)) as ring,
    ):
        wire.send([classic(0x1, b"sent")], link=interface.name)
        interface.receive([*SENT[:5], (0x0004, SENT[0][1]), *SENT[5:]])
        _took_what_was_sent(ring)


def _took_what_was_sent(ring: RingReception) -> None:
    parts = taken(ring, 6)
    ring.finish()
    parts += taken_to_the_end(ring)
    assert payloads(parts) == RECEIVED
    assert [int(flags) for part in parts for flags in part.fd_flags] == [0, 5, 0, 0, 0, 0]
    assert ring.malformed() == MALFORMED
    assert not ring.malformed()
    assert not ring.lost()


def test_thousands_of_frames_round_the_ring(wire: Cable) -> None:
    received: list[Cells] = []
    with wire.ring(ring_bytes=1 << 16) as ring:
        for start in range(0, 5000, 250):
            frames = [
                (flexible if number % 3 == 0 else classic)(number % 0x800, number.to_bytes(8, "little"))
                for number in range(start, start + 250)
            ]
            wire.send(frames)
            received += taken(ring, 250)
        assert not ring.lost()
    assert numbers(received) == list(range(5000))


def test_one_taking_goes_over_the_end_of_the_ring(wire: Cable) -> None:
    in_a_block = 36
    with wire.ring(ring_bytes=8 << 12, block_timeout_ms=10_000) as ring:
        for blocks in (6, 4, 7):
            wire.send([classic(1)] * (blocks * in_a_block + 1))
            assert len(ring.take(WAIT_S)) >= blocks * in_a_block
        assert not ring.lost()


def test_what_this_machine_sends_is_not_seen_twice(wire: Cable) -> None:
    with wire.ring() as ring:
        wire.send([classic(0x1, b"sent")], link=NEAR)
        wire.send([classic(0x2, b"received")], link=FAR)
        assert payloads(taken(ring, 1)) == [(0x2, b"received")]


def test_stamps_are_the_kernels_and_in_order(wire: Cable) -> None:
    with wire.ring() as ring:
        before_ns = time.time_ns()
        wire.send([classic(number, b"") for number in range(100)])
        after_ns = time.time_ns()
        time.sleep(0.02)
        parts = taken(ring, 100)
    wall_ns = np.concatenate([part.wall_ns for part in parts])
    assert before_ns <= wall_ns[0]
    assert wall_ns[-1] <= after_ns + 1_000_000
    assert (np.diff(wall_ns) >= 0).all()
    assert not any(part.hardware.any() for part in parts)


@pytest.mark.parametrize("mixed", [False, True], ids=["classic", "classic and fd"])
def test_received_and_lost_are_offered_to_the_frame(wire: Cable, *, mixed: bool) -> None:
    dropped = wire.dropped()
    with wire.ring(ring_bytes=1 << 15) as ring:
        with wire.flood(50_000, 0.3, mixed=mixed) as sender:
            received = taken(ring, 1)
            sent = int(sender.communicate(timeout=WAIT_S)[0])
        ring.finish()
        received += taken_to_the_end(ring)
        lost = ring.lost()
    offered = sent - (wire.dropped() - dropped)
    assert lost > 0
    assert sum(map(len, received)) + lost == offered
    found = numbers(received)
    assert found == sorted(set(found))


def taken_to_the_end(ring: RingReception) -> list[Cells]:
    return list(iter(lambda: ring.take(0) or None, None))


def test_reader_that_keeps_up_loses_nothing(wire: Cable) -> None:
    received: list[Cells] = []
    dropped = wire.dropped()
    with wire.ring(ring_bytes=8 << 20) as ring:
        with wire.flood(20_000, 0.3, mixed=True) as sender:
            while sender.poll() is None:
                received.append(ring.take(0.02))
            sent = int(sender.communicate(timeout=WAIT_S)[0])
        ring.finish()
        received += taken_to_the_end(ring)
        assert (ring.lost(), ring.malformed()) == (0, {})
    assert wire.dropped() == dropped
    assert numbers(received) == list(range(sent))


def test_what_waits_at_the_end_is_handed_over_and_nothing_later(wire: Cable) -> None:
    with wire.ring(block_timeout_ms=200) as ring:
        wire.send([classic(1, b"before")])
        ring.finish()
        wire.send([classic(2, b"after")])
        assert payloads(taken_to_the_end(ring)) == [(1, b"before")]
        assert not ring.lost()


def test_losses_are_told_after_closing_too(wire: Cable) -> None:
    ring = wire.ring(ring_bytes=1 << 15, block_timeout_ms=10_000)
    wire.send([classic(number % 0x800, b"") for number in range(400)])
    ring.close()
    ring.close()
    assert ring.lost() == 400 - 8 * 36
    assert ring.lost() == 0
    assert ring.malformed() == {"unread when closed": 8 * 36}


def test_interface_that_goes_down_gives_frames_again_when_it_is_up(wire: Cable) -> None:
    with wire.ring() as ring:
        wire.send([classic(1, b"before")])
        wire.down()
        assert payloads(taken(ring, 1)) == [(1, b"before")]
        with pytest.raises(OSError, match="down") as raised:
            ring.take(WAIT_S)
        assert raised.value.errno == errno.ENETDOWN
        assert not len(ring.take(0))
        wire.up()
        wire.send([classic(2, b"after")])
        assert payloads(taken(ring, 1)) == [(2, b"after")]


def test_interface_may_be_down_at_first(wire: Cable) -> None:
    wire.down()
    with wire.ring() as ring:
        with pytest.raises(OSError, match="down"):
            ring.take(0)
        wire.up()
        wire.send([classic(2, b"after")])
        assert payloads(taken(ring, 1)) == [(2, b"after")]


@pytest.mark.parametrize("down_first", [True, False])
def test_interface_that_is_gone_is_told_from_one_that_is_down(wire: Cable, *, down_first: bool) -> None:
    waiting: list[tuple[int, bytes]] = []
    with wire.ring(block_timeout_ms=400) as ring:
        if down_first:
            wire.down()
            with pytest.raises(OSError, match="down"):
                ring.take(WAIT_S)
        else:
            wire.send([classic(1, b"last")])
            waiting = [(1, b"last")]
        wire.unplug()
        try:
            with pytest.raises(OSError, match="device") as raised:
                ring.take(WAIT_S)
            assert raised.value.errno == errno.ENODEV
            ring.finish()
            assert payloads(taken_to_the_end(ring)) == waiting
        finally:
            wire.plug()


def test_renamed_interface_goes_on(wire: Cable) -> None:
    with wire.ring() as ring:
        wire.down()
        wire.namespace.ip("link", "set", NEAR, "name", "can9")
        try:
            wire.up("can9")
            with pytest.raises(OSError, match="down"):
                ring.take(0)
            wire.send([classic(2, b"after")])
            assert payloads(taken(ring, 1)) == [(2, b"after")]
        finally:
            wire.down("can9")
            wire.namespace.ip("link", "set", "can9", "name", NEAR)
            wire.up()


def test_only_an_interface_of_can_unless_asked(wire: Cable) -> None:
    with pytest.raises(OSError, match="no CAN interface") as raised:
        wire.ring(any_link=False)
    assert raised.value.errno == errno.EMEDIUMTYPE


def test_no_such_interface(wire: Cable) -> None:
    with pytest.raises(OSError, match="No such device"):
        wire.namespace.call(lambda: RingReception("can7", any_link=True))


def test_ring_is_in_no_core_dump_and_in_no_child(wire: Cable) -> None:
    with wire.ring(ring_bytes=1 << 20):
        kept = _flags_of_rings()
        assert kept
        assert all({"dd", "dc"} <= flags for flags in kept)
    assert not _flags_of_rings()


def _flags_of_rings() -> list[set[str]]:
    """Flags of each mapping of a packet socket: ``dd`` is left out of dumps, ``dc`` of children."""
    found, ours = [], False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            ours = words[-1].startswith("socket:")
        elif words[0] == "VmFlags:" and ours:
            found.append(set(words[1:]))
    return found
