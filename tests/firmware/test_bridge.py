"""The bridge on real MicroPython behind a port: each frame of a bus is sent, or counted where it was lost."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import can
import pytest
import serial

from edge.wire import vlink, vlink_messages
from simulator.board import traffic
from simulator.board.behind_port import PlayedBus, write_list
from tests.firmware.bench import SATURATED, Bench, Host, bench, right

PART = 2_500
"""Frames of a part of the campaign, half a second."""

SLOW = 200
"""Frames per second that no machine's board loses to a full ring."""


def account(told: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Check that a board's counters balance to the frame; those of a boot by what was told at its reset."""
    (counted,) = told["buses"]
    then = before["buses"][0] if before else {"offered": 0, "overrun": 0}
    offered = counted["offered"] - then["offered"]
    assert offered == counted["accepted"] + counted["overrun"] - then["overrun"]
    assert counted["accepted"] == sum(
        counted[name] for name in ("sent", "dropped", "in_hand", "in_ring", "skipped")
    )
    assert counted["frame"] == counted["offered"] + counted["missed"]
    return {**counted, "offered": offered}


def lost_between(frames: list[tuple[int, int, int, int, int, bytes]]) -> int:
    """Tell how many frames the numbers show as missing, from number 0 to the last that came."""
    return frames[-1][1] + 1 - len(frames)


def told_of(host: Host) -> vlink_messages.BusStatus:
    """Ask for a STATUS: the one behind the answer, and all frames that were sent before it have come."""
    number = 1_000 + len(host.acks)
    host.say(vlink.COMMAND, vlink_messages.Command(number, vlink_messages.COMMAND_STATUS, b""))
    host.until(lambda: host.acks and host.acks[-1].number == number)
    host.until(lambda: len(host.statuses) > host.statuses_at_ack)
    return host.statuses[-1].buses[0]


def more(host: Host, frames: int) -> None:
    """Read until so many frames more have come."""
    wanted = len(host.frames) + frames
    host.until(lambda: len(host.frames) >= wanted)


def quiet(running: Bench, host: Host) -> Mapping[str, Any]:
    """Let the bus fall silent and all that waits go out.

    A few frames more come by an empty ring, so that the numbers show also what was lost last.
    """
    running.command("rate 0 0")
    before = emptied(running, host)["buses"][0]["frame"]
    running.command(f"rate 0 {SLOW}")
    while running.report()["buses"][0]["frame"] < before + 3:
        host.read()
    running.command("rate 0 0")
    return emptied(running, host)


def emptied(running: Bench, host: Host) -> Mapping[str, Any]:
    """Read until nothing waits on the board."""
    while True:
        told = running.report()
        while host.read():
            pass
        (counted,) = told["buses"]
        if not counted["in_hand"] and not counted["in_ring"]:
            return told


def test_a_full_bus_through_storms_stalls_damage_and_a_reset(  # noqa: PLR0915 - one board, one account
    tmp_path: Path,
) -> None:
    with (
        bench(tmp_path, PlayedBus(SATURATED, style=traffic.EIGHT_BYTES), cells=4_000) as running,
        serial.Serial(running.board.port, timeout=0.02) as port,
    ):
        host = Host(port)
        hello = host.begin()
        assert [each.mode for each in hello.buses] == [vlink_messages.MODE_LISTEN_ONLY]
        assert hello.capabilities & vlink_messages.OVERRUN_COUNTED

        more(host, PART)
        assert host.line_bytes / len(host.frames) < 16
        running.command("gc 60")
        running.command("lose 0 17")
        more(host, PART)
        counted = account(quiet(running, host))
        status = told_of(host)
        assert status.accepted == counted["accepted"]
        assert status.overrun_counted == counted["overrun"] >= 17
        assert status.ring_dropped == counted["dropped"] == lost_between(host.frames)
        assert len(host.frames) == counted["sent"]

        # A host that takes nothing for some seconds: the ring fills, what finds it full is counted.
        running.command(f"rate 0 {SATURATED}")
        lost, stalled_ms = counted["dropped"], running.report()["stalled_ms"]
        while True:
            told = running.report()
            if told["buses"][0]["dropped"] > lost + PART and told["stalled_ms"] >= stalled_ms + 1_500:
                break
        more(host, PART)
        counted = account(quiet(running, host))
        status = told_of(host)
        assert status.ring_dropped == counted["dropped"] > lost + PART
        assert lost_between(host.frames) == counted["dropped"]
        assert host.statuses[-1].stalls >= 1
        assert host.statuses[-1].stalled_ms >= 1_500

        # Turned bits: packets are lost, and exactly their frames are missing.
        running.command(f"rate 0 {SATURATED}")
        running.command("corrupt 8")
        while running.report()["turned"] < 8:
            host.read()
        more(host, PART)
        told = quiet(running, host)
        counted = account(told)
        told_of(host)
        assert told["turned"] == 8
        # A bit may end a packet early, or join two.
        assert 1 <= host.decoder.bad_cobs + host.decoder.bad_crc + host.decoder.too_long <= 16
        assert 1 <= host.gaps <= 16
        on_the_line = counted["sent"] - len(host.frames)
        assert on_the_line > 0
        assert lost_between(host.frames) == counted["dropped"] + on_the_line
        right(host.frames, traffic.EIGHT_BYTES)
        assert host.hellos == 1

        # A reset under load: the next boot counts from 0, and says that it is another.
        running.command(f"rate 0 {SATURATED}")
        more(host, 1_000)
        running.command("reset")
        ended = running.wait_for("reset")
        account(ended)
        running.wait_for("ready", 2)
        old = host.frames
        host.frames = []
        again = host.begin()
        assert again.boot == hello.boot + 1
        host.until(lambda: len(host.frames) >= 1_000)
        counted = account(quiet(running, host), ended)
        assert told_of(host).accepted == counted["accepted"]
        assert host.frames[0][1] == 0
        assert lost_between(host.frames) == counted["dropped"]
        right(host.frames, traffic.EIGHT_BYTES)
        assert int.from_bytes(host.frames[0][5][:4], "little") > int.from_bytes(old[-1][5][:4], "little")


def test_frames_move_without_memory(tmp_path: Path) -> None:
    with (
        bench(tmp_path, PlayedBus(2 * SATURATED)) as running,
        serial.Serial(running.board.port, timeout=0.02) as port,
    ):
        host = Host(port)
        host.begin()
        running.command("lock 3000")
        host.until(lambda: running.told("locked"))
        locked = running.wait_for("locked")
        assert locked["packets"] > 5
        account(quiet(running, host))


def test_a_recording_is_played_as_it_is(tmp_path: Path) -> None:
    sent = [
        can.Message(
            timestamp=1_000 + n * 0.002,
            arbitration_id=0x18F00000 + n if n % 3 else 0x7FF,
            is_extended_id=bool(n % 3),
            is_remote_frame=n == 54,
            dlc=n % 9,
            data=None if n == 54 else bytes(range(n % 9)),
        )
        for n in range(60)
    ]
    with can.Logger(tmp_path / "drive.log") as logger:
        for message in sent:
            logger.on_message_received(message)
    assert write_list(tmp_path / "drive.log", tmp_path / "list") == (60, 0)
    board = tmp_path / "board"
    board.mkdir()
    with (
        bench(board, PlayedBus(1, list=str(tmp_path / "list"))) as running,
        serial.Serial(running.board.port, timeout=0.02) as port,
    ):
        host = Host(port)
        host.begin()
        host.until(lambda: host.frames and host.frames[-1][4] == sent[-1].arbitration_id)
        assert running.report()["buses"][0]["frame"] == 60
    # Those before the board was ready were heard by nobody.
    for message, (_, _, _, kind, can_id, data) in zip(sent[-len(host.frames) :], host.frames, strict=True):
        assert can_id == message.arbitration_id
        assert bool(kind & traffic.EXTENDED) == message.is_extended_id
        assert bool(kind & traffic.REMOTE) == message.is_remote_frame
        assert (kind & 15, data) == (message.dlc, bytes(message.data))
    assert 2_000 * (len(host.frames) - 1) == host.frames[-1][2] - host.frames[0][2]
    assert len(host.frames) >= 50


@pytest.fixture(scope="module")
def two_buses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("board"), PlayedBus(500), PlayedBus(300), power=True) as running:
        yield running


@pytest.fixture
def host(two_buses: Bench) -> Iterator[Host]:
    with serial.Serial(two_buses.board.port, timeout=0.02) as port:
        made = Host(port, nonce=time.monotonic_ns() & 0xFFFFFF)
        made.begin()
        yield made


def test_two_buses_each_with_numbers_of_its_own(host: Host) -> None:
    host.until(lambda: len({frame[0] for frame in host.frames}) == 2 and len(host.frames) > 400)
    right(host.frames, traffic.MIXED)
    for number in (0, 1):
        numbers = [frame[1] for frame in host.frames if frame[0] == number]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_clocks_are_told(host: Host) -> None:
    for number in range(5):
        asked_ns = time.monotonic_ns()
        host.say(vlink.HOST_TIME, vlink_messages.TimeQuestion(number, asked_ns))
        host.until(lambda number=number: len(host.times) > number)
        answer = host.times[-1]
        assert (answer.number, answer.host_ns) == (number, asked_ns)
        assert 0 <= answer.tx_us - answer.rx_us <= (time.monotonic_ns() - asked_ns) / 1_000


def ask(host: Host, number: int, code: int, argument: bytes = b"") -> vlink_messages.Ack:
    count = len(host.acks)
    host.say(vlink.COMMAND, vlink_messages.Command(number, code, argument))
    host.until(lambda: len(host.acks) > count)
    assert host.acks[-1].number == number
    return host.acks[-1]


def test_commands_are_answered_and_a_repeated_one_is_not_done_twice(host: Host) -> None:
    done, refused, unknown = (
        vlink_messages.ACK_DONE,
        vlink_messages.ACK_REFUSED,
        vlink_messages.ACK_UNKNOWN,
    )
    assert ask(host, 1, vlink_messages.COMMAND_LOADER).result == refused
    assert ask(host, 2, 99).result == unknown
    assert ask(host, 3, vlink_messages.COMMAND_SHUTDOWN_DONE).result == refused
    assert ask(host, 4, vlink_messages.COMMAND_WAKE_TIMER, struct.pack("<I", 0)).result == done
    assert ask(host, 5, vlink_messages.COMMAND_KEEP_POWER, b"1").result == refused
    count = len(host.statuses)
    first = ask(host, 6, vlink_messages.COMMAND_STATUS)
    host.until(lambda: len(host.statuses) > count)
    # The same number with another command: the answer is that of the first.
    assert ask(host, 6, 99) == first
    assert ask(host, 7, 99).result == unknown


def test_power_is_switched_told_and_given_up(two_buses: Bench, host: Host) -> None:
    host.until(lambda: host.statuses and host.statuses[-1].supervisor == 4)
    assert two_buses.report()["powered"]
    assert 0x201 in {event.code for event in host.events}
    assert host.statuses[-1].ignition == 1
    assert host.statuses[-1].supply_mv == 12_600
    two_buses.command("supply 5000")
    host.until(lambda: 0x202 in {event.code for event in host.events})
    assert not two_buses.report()["powered"]
    falling = next(event for event in host.events if event.code == 0x204)
    assert falling.argument == 5_000
    assert falling.text == "supply critical"


def test_a_controller_that_leaves_listen_only_is_told_and_started_anew(two_buses: Bench, host: Host) -> None:
    starts = two_buses.report()["buses"][1]["starts"]
    two_buses.command("mode 1 2")
    host.until(lambda: 0x102 in {event.code for event in host.events})
    assert two_buses.report()["buses"][1]["starts"] == starts + 1
    host.until(lambda: host.statuses[-1].buses[1].mode == vlink_messages.MODE_LISTEN_ONLY)
    two_buses.command("dead 1 1")
    host.until(lambda: 0x101 in {event.code for event in host.events})
    assert host.events[-1].argument >> 8 == 1
    host.until(lambda: host.statuses[-1].buses[1].state == vlink_messages.BUS_STOPPED)
    two_buses.command("dead 1 0")
    host.until(lambda: [event.code for event in host.events].count(0x102) == 2)
    count = len(host.frames)
    host.until(lambda: 1 in {frame[0] for frame in host.frames[count:]})


def test_an_unknown_version_is_refused_and_changes_nothing(host: Host) -> None:
    count = len(host.acks)
    nonce = host.nonce + 1
    host.say(vlink.HOST_HELLO, vlink_messages.HostHello(0, nonce))
    host.until(lambda: len(host.acks) > count)
    assert host.acks[-1].number == nonce
    assert host.acks[-1].result == vlink_messages.ACK_UNKNOWN
    frames = len(host.frames)
    host.until(lambda: len(host.frames) > frames + 50)
    assert host.gaps == 0
