"""Signals decoded by several processes: the bytes of one, whoever dies; nothing is left where it fails."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from edge.archive import signal_export, signal_parts
from edge.archive.export_file import ExportError
from edge.archive.exporting import ExportRequest, Format, What, export
from edge.archive.selection import Selection
from edge.archive.signal_parts import PartFailure, SignalPiece
from edge.archive.signals import Rules
from edge.database.load import load_database
from edge.journal.block import BlockKind
from edge.offline.processes import Begun, Died, Processes
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from tests.archive.kept import archive
from tests.archive.test_signals import CLASSES, DoorRig, frames
from tests.gateway.rig import MADE_UP
from tests.journal.journal_rig import CATALOGUE

PERIODS = 9
PATIENCE_S = 60.0


def rules_of(folder: Path) -> Rules:
    return Rules({"pt": [load_classes(folder / "classes.toml", load_database(MADE_UP))]})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of classes and a journal: periods under two masks and a strange one, one of them damaged."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "classes.toml").write_text(CLASSES)
    classed = load_classes(folder / "classes.toml", load_database(MADE_UP))
    door = Door({"pt": [classed]}, {DataClass.OPERATION, DataClass.POSITION})
    rig = DoorRig(folder / "journal", door, rules_of(folder))
    rig.start()
    for number in range(PERIODS):
        if number == PERIODS // 2:
            door.adopt({DataClass.OPERATION}, "later")
        batch = door.admit(frames(rig, classed))
        if number == PERIODS - 1:
            # What stands last has no value: its part is empty.
            batch = replace(batch, mask="of another door")
        rig.open.journal.add_frames(batch)
        rig.open.journal.commit()
    rig.rows("UPDATE block SET ciphertext = zeroblob(length(ciphertext)) WHERE number = 3")
    rig.stop()
    return folder


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_parts, "PIECE_FRAMES", 1)


def exported(kept: Path, out: Path, jobs: int, told: list[str] | None = None) -> Mapping[str, object]:
    """Export, and hand on what the export says of itself."""
    selection = Selection(kinds=frozenset({BlockKind.FRAMES}))
    with archive(kept / "journal") as opened:
        request = ExportRequest(out, What.SIGNALS, Format(out.suffix[1:]), selection)
        tell = pytest.fail if told is None else told.append
        about = export(opened, request, CATALOGUE, rules=rules_of(kept), jobs=jobs, tell=tell)
    return about.as_json()


def travelled(one: Any) -> Any:  # noqa: ANN401 - whatever travels
    """What another process gets."""
    return pickle.loads(pickle.dumps(one))  # noqa: S301 - the test's own


class Backwards(Processes[SignalPiece, Any]):
    """Does here what processes would do, the last piece first; all travels as it would to them."""

    def outcomes(self, tasks: Iterable[SignalPiece]) -> Generator[tuple[SignalPiece, Any], None, None]:
        """See `Processes.outcomes`."""
        work = travelled(self._work)
        for task in reversed(travelled(list(tasks))):
            yield task, travelled(work(task))


class Full(Backwards):
    """Has no room for parts."""

    def outcomes(self, tasks: Iterable[SignalPiece]) -> Generator[tuple[SignalPiece, Any], None, None]:
        """See `Processes.outcomes`."""
        for task, _ in super().outcomes(tasks):
            yield task, PartFailure(os.strerror(ENOSPC), ENOSPC)


def kill(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Have processes killed, as often as told, that have just been given the second piece."""
    left = iter(range(times))

    class Killing(Processes[SignalPiece, Any]):
        def _give(self, begun: Begun[SignalPiece]) -> int:
            pid = super()._give(begun)
            if begun.task.number == 1 and next(left, None) is not None:
                os.kill(pid, signal.SIGKILL)
            return pid

    monkeypatch.setattr(signal_export, "Processes", Killing)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_the_file_is_that_of_one_process_in_whatever_order_parts_come(
    kept: Path, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal_export, "Processes", Backwards)
    alone, together = tmp_path / f"alone{ending}", tmp_path / f"together{ending}"
    said = exported(kept, alone, 1)
    assert list(said.items()) == list(exported(kept, together, 3).items())
    assert together.read_bytes() == alone.read_bytes()
    assert sorted(tmp_path.iterdir()) == [alone, together]
    assert said["written"]
    assert said["not_collected_at_times"]
    assert {"position": 1}.items() <= dict(said["not_at_hand"]).items()  # type: ignore[call-overload]
    assert any("blocks:" in cause for cause in said["left_out"])  # type: ignore[attr-defined]


def test_a_process_that_dies_is_told_and_the_file_is_the_same(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = exported(kept, tmp_path / "alone.jsonl", 1)
    kill(monkeypatch, 1)
    told: list[str] = []
    assert exported(kept, tmp_path / "together.jsonl", 2, told) == said
    assert (tmp_path / "together.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()
    (words,) = told
    assert "blocks 3 to 4 of the journal died (SIGKILL); it is tried again" in words


def test_a_piece_that_kills_twice_ends_the_export_and_leaves_nothing(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(monkeypatch, 2)
    told: list[str] = []
    with pytest.raises(ExportError, match=r"blocks 3 to 4 of the journal died.*--jobs 1"):
        exported(kept, tmp_path / "out.csv", 2, told)
    assert "given up" in told[-1]
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_of_the_export_and_leaves_nothing(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal_export, "Processes", Full)
    with pytest.raises(ExportError, match=r"out\.csv: cannot be written \(No space left"):
        exported(kept, tmp_path / "out.csv", 2)
    assert not list(tmp_path.iterdir())


def test_few_frames_are_decoded_without_processes(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal_parts, "PIECE_FRAMES", 1_000)
    monkeypatch.setattr(signal_export, "Processes", Died)
    assert exported(kept, tmp_path / "out.csv", 2)["written"]


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from edge.archive import signal_export, signal_parts
from edge.offline.processes import Processes
from tests.archive.test_signal_export import exported

class Interrupted(Processes):
    def _give(self, begun):
        pid = super()._give(begun)
        print(pid, flush=True)
        if begun.task.number == 1:
            os.killpg(0, signal.SIGINT)
        return pid

if __name__ == "__main__":
    # Whoever began the tests may have had them ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal_parts.PIECE_FRAMES = 1
    signal_export.Processes = Interrupted
    try:
        exported(Path(sys.argv[1]), Path(sys.argv[2], "out.csv"), 2)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_ctrl_c_ends_all_processes_in_silence_and_leaves_nothing(kept: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(kept), str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        start_new_session=True,
    )
    assert (ended.returncode, ended.stderr) == (130, "")
    pids = [int(line) for line in ended.stdout.split()]
    assert len(set(pids)) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not list(tmp_path.iterdir())
