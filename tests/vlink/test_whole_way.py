"""Firmware on real MicroPython, line, source, journal: each frame is there, or accounted for.

`NEVGATE_FIRMWARE_LONG` names for how many rounds of it all; without it there is one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.account import Hop
from edge.archive.exporting import Format
from edge.bus.condition import Conditions, Listening
from edge.bus.source import WAITING, FrameSource
from edge.bus.vlink import source as naming
from edge.bus.vlink.session import DAMAGED, SESSIONS
from edge.bus.vlink.stamped_frames import UNCOUNTED_MS
from edge.clock import SystemClock
from edge.config.configuration import Config
from edge.devices import open_buses
from edge.frames import FrameBatch
from simulator.board import traffic
from simulator.board.behind_port import PlayedBus
from tests.archive.kept import MASK, KeptRig
from tests.archive.test_frame_exports import exported
from tests.firmware.bench import SATURATED, Bench, bench

ROUNDS = int(os.environ.get("NEVGATE_FIRMWARE_LONG") or 1)


@dataclass
class Way:
    """From the board to the journal."""

    running: Bench
    source: FrameSource
    rig: KeptRig
    conditions: Conditions
    batches: list[FrameBatch] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return sum(map(len, self.batches))

    def read(self) -> None:
        batch = self.source.read(0.05)
        if batch is not None and len(batch):
            self.batches.append(batch)
            self.rig.open.journal.add_frames(replace(batch, mask=MASK))

    def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        end_s = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end_s, "it did not come about"
            self.read()
        assert self.rig.open.journal.commit()

    def more(self, count: int) -> None:
        """Go on until so many further frames have come."""
        wanted = self.frames + count
        self.until(lambda: self.frames >= wanted)

    def quiet(self) -> Mapping[str, Any]:
        """Let the bus fall silent and all that waits come; tells the board's counters."""
        self.running.command("rate 0 0")
        while True:
            told = self.running.report()
            self.read()
            (counted,) = told["buses"]
            if not counted["in_hand"] and not counted["in_ring"]:
                break
        for _ in range(2):
            # One may have been on its way before all had come.
            self.until(self._told_since(self.health()))
        self.until(lambda: not self.source.hop().set_aside.get(WAITING))
        return told

    def _told_since(self, last: object) -> Callable[[], bool]:
        return lambda: self.health() is not last

    def health(self) -> object:
        """What the last STATUS said; another object with each."""
        return self.conditions.of("pt").board


def numbers(batches: list[FrameBatch]) -> list[int]:
    """What the frames say that they are."""
    data = np.concatenate([batch.data[:, :4] for batch in batches])
    found: list[int] = np.ascontiguousarray(data).view("<u4")[:, 0].tolist()
    return found


End = tuple[Way, Hop, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]
"""What there was, the account, and the board's counters: when it was quiet, at its reset, in the end."""


@pytest.fixture(scope="module")
def way_and_end(
    tmp_path_factory: pytest.TempPathFactory,
) -> End:
    """A full bus through storms of collections, a stall, damage, and a reset."""
    folder = tmp_path_factory.mktemp("way")
    rig = KeptRig(folder / "journal")
    rig.start()
    clock = SystemClock()
    conditions = Conditions()
    with bench(folder, PlayedBus(style=traffic.EIGHT_BYTES)) as running:
        config = Config.model_validate(
            {
                "vehicle": {"vin": "LNVTEST0000000001"},
                "bus": [
                    {"name": "pt", "interface": "vlink", "channel": running.board.port, "bitrate": 500_000}
                ],
                "uplink": {"host": "127.0.0.1", "acknowledge": "puback", "tls": {"enabled": False}},
                "signing": {"key": "none.pem"},
            }
        )
        with open_buses(config, clock, conditions) as source:
            way = Way(running, source, rig, conditions)
            way.until(way.health)
            for _ in range(ROUNDS):
                running.command(f"rate 0 {SATURATED}")
                way.more(SATURATED)
                running.command("gc 60")
                running.command("lose 0 17")
                way.more(SATURATED)
                time.sleep(3)
                way.more(SATURATED)
                running.command("corrupt 8")
                way.more(SATURATED)
            before = way.quiet()
            running.command(f"rate 0 {SATURATED}")
            way.more(500)
            running.command("reset")
            ended = running.wait_for("reset")
            way.more(SATURATED)
            final = way.quiet()
            hop = source.hop()
    rig.stop()
    return way, hop, *[told["buses"][0] for told in (before, ended, final)]


def test_the_account_balances_against_the_boards_counters(way_and_end: End) -> None:
    way, hop, before, ended, final = way_and_end
    assert hop.balanced
    assert hop.left == way.frames
    # What the controller lost between the last status and the reset, nobody was told.
    overruns = hop.set_aside[naming.OVERRUN]
    untold = ended["overrun"] - before["overrun"]
    assert 17 * ROUNDS <= final["overrun"] - untold <= overruns <= final["overrun"]
    assert hop.set_aside[naming.IN_RING] == ended["dropped"] + final["dropped"] > SATURATED
    assert hop.set_aside[naming.ON_LINE] > 0
    assert hop.facts[DAMAGED] > 0
    assert naming.RING_OR_LINE not in hop.set_aside
    assert naming.STEPS_BACK not in hop.facts
    # All but what went with the reset, of which an interval is told.
    unknown = ended["accepted"] + final["accepted"] + overruns - hop.entered
    interval_ms = hop.facts.get(UNCOUNTED_MS, 0) + 1
    # A player that was not scheduled for a while makes up for it, faster than any bus.
    made_up_ms = 10
    assert hop.at_least.get(naming.IN_RESETS, 0) <= unknown <= SATURATED * (interval_ms + made_up_ms) / 1000
    assert (hop.facts[naming.RESETS], hop.facts[SESSIONS]) == (1, 2)


def test_each_frame_comes_once_and_in_order(way_and_end: End) -> None:
    way, *_ = way_and_end
    found = numbers(way.batches)
    assert found == sorted(set(found))
    times = np.concatenate([batch.t_ns for batch in way.batches])
    assert (np.diff(times) >= 0).all()


def test_times_are_told_with_what_they_are_worth(way_and_end: End) -> None:
    way, *_ = way_and_end
    condition = way.conditions.of("pt")
    assert condition.listening is Listening.ONLY
    assert condition.alarms == ()
    assert condition.board is not None
    assert condition.board.clock_error_us is not None
    assert condition.board.clock_error_us < 1000


def test_the_journal_has_them_all(way_and_end: End, tmp_path: Path) -> None:
    way, hop, *_ = way_and_end
    exported(way.rig, tmp_path / "frames.log", Format.CANDUMP)
    lines = (tmp_path / "frames.log").read_text(encoding="ascii").splitlines()
    data = [int.from_bytes(bytes.fromhex(line.rpartition("#")[2][:8]), "little") for line in lines]
    assert len(lines) == hop.left
    assert sorted(data) == numbers(way.batches)
