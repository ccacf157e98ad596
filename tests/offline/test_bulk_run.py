"""`make bench-bulk` in small: the whole command, killed in part and altogether, writes the same bytes."""

from __future__ import annotations

import importlib.util
import io
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import can
import pytest
from rich.console import Console

from edge.bus.formats.lines import BLOCK_BYTES
from tests.bench import bulk_recording
from tests.bench.bulk_decoding import BulkRun, BulkRunError, Outcome, Recording
from tests.bench.bulk_recording import BLOCK_LINES, BUSES, write_database, write_log
from tests.bench.bulk_run import KILLED, ONE, RESUMED, disagreements, peer_rates, show

PROGRAM = (sys.executable, "-m", "tests.offline.small_pieces")
SIZE = 6 * BLOCK_BYTES


def make_run(folder: Path) -> tuple[BulkRun, Recording]:
    write_database(folder)
    path = folder / "long.log"
    frames = write_log(path, SIZE)
    return BulkRun(folder, PROGRAM, BLOCK_BYTES), Recording(path, path.stat().st_size, frames)


def test_whatever_is_killed_the_outcome_is_the_same(tmp_path: Path) -> None:
    run, recording = make_run(tmp_path)
    outcomes = [run.outcome(variant, recording) for variant in (ONE, KILLED, RESUMED)]
    assert "(SIGKILL); it is tried again" in outcomes[1].said
    assert disagreements(outcomes) == []
    assert all(one.sha256 for one in outcomes)
    assert all(one.cpu_s > 0.1 and one.worst_megabytes > 20 for one in outcomes)
    assert disagreements([outcomes[0], replace(outcomes[1], sha256="another")]) == [
        "2 processes, one killed of long.log"
    ]


def test_a_command_that_fails_is_said(tmp_path: Path) -> None:
    run, recording = make_run(tmp_path)
    recording.path.write_bytes(b"LOGG")
    with pytest.raises(BulkRunError, match="cut short"):
        run.outcome(ONE, recording)
    with pytest.raises(BulkRunError, match="ended before its middle"):
        run.outcome(KILLED, recording)


def test_the_log_is_one_of_frames_whose_times_go_on(tmp_path: Path) -> None:
    frames = write_log(tmp_path / "long.log", 2_500_000)
    messages = list(can.LogReader(tmp_path / "long.log"))
    assert len(messages) == frames == 2 * BLOCK_LINES
    assert {message.channel for message in messages} == set(BUSES)
    steps = {round((b.timestamp - a.timestamp) * 1e6) for a, b in pairwise(messages)}
    assert steps == {31}
    assert bytes(messages[0].data) == bytes(messages[BLOCK_LINES].data)


def test_peers_decode_a_sample_and_the_table_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_recording, "BLOCK_LINES", 400)
    write_database(tmp_path)
    rates = peer_rates(tmp_path, 1)
    assert len(rates) == 1 + (importlib.util.find_spec("asammdf") is not None)
    made = Outcome("1 process", "long.log", 100, 10_000_000, 5, 5, 150, 120, "", 36, "a", "b")
    out = io.StringIO()
    Console(file=out, width=200).print(show([made], rates))
    assert "2,000,000" in out.getvalue()
    assert all(name in out.getvalue() for name in rates)
