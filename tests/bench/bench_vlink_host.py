"""How many frames a second the host reads from a board's port: vlink, and slcan through python-can."""

from __future__ import annotations

import itertools
import os
import pty
import time
import tty
from collections.abc import Callable

import can

from edge.bus.vlink.board_report import Member
from edge.bus.vlink.ports import open_board
from edge.bus.vlink.source import VlinkSource
from edge.clock import SystemClock
from tests.bench.comparison import Comparison
from tests.vlink.board import Board

VLINK_FRAMES, SLCAN_FRAMES = 300_000, 30_000
FULL_BUS = 4505
ROUNDS = 3
_LINE = b"t1238%016X\r"


def measure() -> list[Comparison]:
    """Read from a process that writes as fast as it can; and tell what a full bus costs."""
    rates: dict[str, list[float]] = {"vlink": [], "slcan": []}
    costs = []
    for _ in range(ROUNDS):
        wall_s, cpu_s = _through(_blast_vlink, _read_vlink)
        rates["vlink"].append(VLINK_FRAMES / wall_s)
        costs.append(cpu_s / VLINK_FRAMES * FULL_BUS)
        wall_s, _ = _through(_blast_slcan, _read_slcan)
        rates["slcan"].append(SLCAN_FRAMES / wall_s)
    ours, peer = (sorted(found)[ROUNDS // 2] for found in (rates["vlink"], rates["slcan"]))
    return [
        Comparison(
            "read frames of a board through a pseudo terminal",
            ours,
            peer,
            "frames/s",
            "python-can slcan",
            ours / peer,
            "109,000 frames/s",
        ),
        Comparison(
            "a full bus of 500 kbit/s behind a board, 4,505 frames/s",
            100 * sorted(costs)[ROUNDS // 2],
            None,
            "% of a core",
            "",
            None,
            "",
        ),
    ]


def _through(write: Callable[[int], None], read: Callable[[str], tuple[float, float]]) -> tuple[float, float]:
    """Seconds, and those of the processor, that reading all took that another process writes."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    child = os.fork()
    if not child:
        try:
            os.close(slave)
            write(master)
        finally:
            os._exit(0)
    os.close(master)
    try:
        return read(os.ttyname(slave))
    finally:
        os.close(slave)
        os.kill(child, 9)
        os.waitpid(child, 0)


def _blast_vlink(master: int) -> None:
    clock = SystemClock()
    packed = Board(clock, ring_frames=VLINK_FRAMES)
    packed.session = True
    packed.offer(0, VLINK_FRAMES)
    data = packed.send()
    board = Board(clock)
    os.set_blocking(master, False)
    until = time.monotonic() + 0.5
    while not board.session or time.monotonic() < until:
        try:
            board.receive(os.read(master, 4096))
        except (BlockingIOError, OSError):
            time.sleep(0.001)
        os.write(master, board.send())
        if not board.session:
            until = time.monotonic() + 0.5
    os.set_blocking(master, True)
    _write_all(master, data)
    time.sleep(60)


def _read_vlink(port: str) -> tuple[float, float]:
    nonces = itertools.count()
    clock = SystemClock()
    with VlinkSource(
        [Member("pt")], lambda: open_board(port, 921_600), clock=clock, random_u32=lambda: next(nonces)
    ) as source:
        frames, begin = 0, (0.0, 0.0)
        while frames < VLINK_FRAMES:
            batch = source.read(0.05)
            if not frames:
                begin = time.perf_counter(), time.process_time()
            frames += 0 if batch is None else len(batch)
        assert source.hop().set_aside == {}
        return time.perf_counter() - begin[0], time.process_time() - begin[1]


def _blast_slcan(master: int) -> None:
    """Answer what python-can asks at its start, then write lines."""
    while b"O\r" not in os.read(master, 4096) + b"":
        os.write(master, b"\r")
    _write_all(master, b"".join(_LINE % number for number in range(SLCAN_FRAMES)))
    time.sleep(60)


def _read_slcan(port: str) -> tuple[float, float]:
    with can.Bus(
        interface="slcan", channel=port, bitrate=500_000, sleep_after_open=0.1, ignore_config=True
    ) as bus:
        begin = time.perf_counter(), time.process_time()
        for _ in range(SLCAN_FRAMES):
            assert bus.recv(5) is not None
        return time.perf_counter() - begin[0], time.process_time() - begin[1]


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
