"""Runs over many recordings: the same whatever does them, resumed after any end, nothing missing untold."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.bus.formats.base import Span
from edge.bus.formats.lines import BLOCK_BYTES
from edge.errors import NevgateError
from edge.offline import engines
from edge.offline.bulk import BulkDecode
from edge.offline.engines import Engine, HereEngine, Outcome, PieceFailure, ProcessEngine
from edge.offline.inputs import find_inputs
from edge.offline.job import DecodeJob
from edge.offline.piece import DecodePiece
from edge.offline.processes import Begun, Processes, Tell
from edge.offline.target import Target
from tests.offline.bulk_runs import content, make_job, run
from tests.offline.recordings import candump, write_all


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three recordings, of which one has three pieces."""
    folder = tmp_path_factory.mktemp("fleet")
    write_all(folder, logs=2)
    once = candump(2000)
    (folder / "trips" / "long.log").write_bytes(once * (1 + 2 * BLOCK_BYTES // len(once)))
    (folder / "trips" / "notes.md").write_text("no recording")
    return folder / "trips"


@pytest.fixture(scope="module")
def expected(trips: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes of them."""
    out = tmp_path_factory.mktemp("here")
    run(trips, out, HereEngine())
    return content(out)


class Counted(Engine):
    """Decodes here, and remembers what; ends as a kill would after some pieces."""

    def __init__(self, most: int = 1000) -> None:
        self.pieces: list[DecodePiece] = []
        self._most = most

    def outcomes(self, pieces: Iterable[DecodePiece], job: DecodeJob, tell: Tell) -> Iterator[Outcome]:
        for piece, result in HereEngine().outcomes(pieces, job, tell):
            self.pieces.append(piece)
            if len(self.pieces) == self._most:
                raise KeyboardInterrupt
            yield piece, result


def test_several_processes_write_the_same_bytes(
    trips: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    outcomes = run(trips, tmp_path / "out", ProcessEngine(2))
    assert [outcome.recording.name for outcome in outcomes] == ["0.log", "1.log", "long.log"]
    assert content(tmp_path / "out") == expected
    assert len(outcomes[2].pieces) == 3


@pytest.mark.parametrize("most", range(1, 6))
def test_a_run_that_was_killed_goes_on_with_what_is_missing(
    trips: Path, expected: dict[str, bytes], tmp_path: Path, most: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(trips, tmp_path / "out", Counted(most))
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["state"] == "running"
    rest = Counted()
    outcomes = run(trips, tmp_path / "out", rest, resume=True)
    assert len(rest.pieces) == 5 - most
    assert not any(outcome.failure for outcome in outcomes)
    assert content(tmp_path / "out") == expected


def test_what_changed_since_is_decoded_anew(tmp_path: Path) -> None:
    log = tmp_path / "trips" / "0.log"
    log.parent.mkdir()
    log.write_bytes(candump(100))
    run(log.parent, tmp_path / "out", HereEngine())
    log.write_bytes(candump(50, seed=7))
    again = Counted()
    (outcome,) = run(log.parent, tmp_path / "out", again, resume=True)
    assert len(again.pieces) == 1
    assert outcome.summary is not None
    assert outcome.account is not None
    assert outcome.account["entered"] == 50


def one_table(log: Path, out: Path, engine: Engine, patterns: tuple[str, ...] = ()) -> bytes:
    """Decode `log` into one table, going on with what is there."""
    job = replace(make_job(".csv"), patterns=patterns)
    bulk = BulkDecode(
        find_inputs([str(log)]).recordings,
        job,
        Target(str(out), False, job.ending, job.fingerprint()),
        engine,
        tell=pytest.fail,
        advance=lambda _: None,
        piece_bytes=BLOCK_BYTES,
    )
    assert [outcome.failure for outcome in bulk.run(resume=True)] == [""]
    return out.read_bytes()


def test_pieces_of_another_recording_or_job_are_not_taken_over(tmp_path: Path) -> None:
    once = candump(2000)
    log = tmp_path / "drive.log"
    log.write_bytes(once * (1 + 2 * BLOCK_BYTES // len(once)))
    with pytest.raises(KeyboardInterrupt):
        one_table(log, tmp_path / "out.csv", Counted(2), ("*.Low",))
    high = one_table(log, tmp_path / "out.csv", HereEngine(), ("*.High",))
    assert high == one_table(log, tmp_path / "fresh.csv", HereEngine(), ("*.High",))
    with pytest.raises(KeyboardInterrupt):
        one_table(log, tmp_path / "out.csv", Counted(2), ("*.Low",))
    log.write_bytes(log.read_bytes().replace(b"#01", b"#02"))
    os.utime(log, ns=(1, 1))
    low = one_table(log, tmp_path / "out.csv", HereEngine(), ("*.Low",))
    assert low == one_table(log, tmp_path / "fresh.csv", HereEngine(), ("*.Low",))


def test_a_folder_that_holds_a_run_is_not_written_over(trips: Path, tmp_path: Path) -> None:
    run(trips, tmp_path / "out", HereEngine())
    before = content(tmp_path / "out")
    with pytest.raises(NevgateError, match="--resume"):
        run(trips, tmp_path / "out", HereEngine())
    assert content(tmp_path / "out") == before


def test_one_that_fails_is_named_and_costs_no_other(tmp_path: Path) -> None:
    folder = write_all(tmp_path, logs=2)[0].parent
    (folder / "broken.blf").write_bytes(b"LOGG")
    failed = run(folder, tmp_path / "out", HereEngine())
    assert [bool(outcome.failure) for outcome in failed] == [False, False, True]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["state"] == "incomplete"
    assert [one["state"] for one in manifest["recordings"]] == ["done", "done", "failed"]
    assert "cut short" in manifest["recordings"][2]["failure"]


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has processes killed, as often as told, that have just been given the second piece of a recording."""

    def arm(times: int) -> None:
        left = iter(range(times))

        class Killing(Processes[DecodePiece, Any]):
            def _give(self, begun: Begun[DecodePiece]) -> int:
                pid = super()._give(begun)
                if begun.task.number == 1 and next(left, None) is not None:
                    os.kill(pid, signal.SIGKILL)
                return pid

        monkeypatch.setattr(engines, "Processes", Killing)

    return arm


def test_a_process_that_dies_is_told_and_its_piece_tried_again(
    trips: Path, expected: dict[str, bytes], tmp_path: Path, killing: Callable[[int], None]
) -> None:
    told: list[str] = []
    killing(1)
    run(trips, tmp_path / "out", ProcessEngine(2), tell=told.append)
    assert content(tmp_path / "out") == expected
    (words,) = told
    assert "long.log" in words
    assert "SIGKILL" in words
    assert "tried again" in words


def test_a_piece_that_kills_twice_is_given_up_and_the_others_go_on(
    trips: Path, expected: dict[str, bytes], tmp_path: Path, killing: Callable[[int], None]
) -> None:
    told: list[str] = []
    killing(2)
    outcomes = run(trips, tmp_path / "out", ProcessEngine(1), tell=told.append)
    assert [outcome.failure for outcome in outcomes] == ["", "", "the processes that decoded it died"]
    assert "given up" in told[-1]
    assert not any(outcome.failure for outcome in run(trips, tmp_path / "out", HereEngine(), resume=True))
    assert content(tmp_path / "out") == expected


def test_processes_end_with_the_one_that_asks(trips: Path) -> None:
    engine = ProcessEngine(2)
    pieces = [DecodePiece(str(trips / f"{n}.log"), n, 0, Span(), "") for n in (0, 1)]
    outcomes = engine.outcomes(pieces, make_job(""), pytest.fail)
    assert not isinstance(next(outcomes)[1], PieceFailure)
    pids = engine.pids
    outcomes.close()  # type: ignore[attr-defined]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
