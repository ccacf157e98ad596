"""`nevgate decode` of many recordings: what it says, where it writes, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli.decode import command
from edge.errors import NevgateError
from tests.offline.recordings import write_all


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    write_all(tmp_path, logs=3)
    (tmp_path / "trips" / "notes.md").write_text("no recording")
    return tmp_path


def run(fleet: Path, *words: str) -> Result:
    result = CliRunner().invoke(command, [*words, "--dbc", str(fleet / "car.dbc")])
    if isinstance(result.exception, NevgateError):
        raise result.exception
    return result


def test_a_folder_becomes_tables_and_a_manifest(fleet: Path) -> None:
    out = fleet / "out"
    result = run(fleet, str(fleet / "trips"), "--out", str(out), "--format", "csv")
    assert result.exit_code == 0
    assert "3 recordings: 1,200 frames" in result.output
    assert "1 file passed over" in result.stderr
    assert "notes.md" in result.stderr
    assert sorted(path.name for path in out.glob("*.csv")) == ["0.log.csv", "1.log.csv", "2.log.csv"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["state"] == "complete"
    assert [one["table"] for one in manifest["recordings"]] == ["0.log.csv", "1.log.csv", "2.log.csv"]
    assert not (out / ".parts").exists()


def test_a_recording_has_one_table_however_it_is_named(fleet: Path) -> None:
    run(fleet, str(fleet / "trips"), "--out", str(fleet / "all"), "--format", "csv")
    run(fleet, str(fleet / "trips" / "0.log"), "--out", str(fleet / "one.csv"))
    run(fleet, str(fleet / "trips" / "[0]*"), "--out", str(fleet / "some"), "--format", "csv")
    assert (fleet / "one.csv").read_bytes() == (fleet / "all" / "0.log.csv").read_bytes()
    assert (fleet / "one.csv").read_bytes() == (fleet / "some" / "0.log.csv").read_bytes()


def test_recordings_of_one_name_are_kept_apart(fleet: Path) -> None:
    other = fleet / "other" / "0.log"
    other.parent.mkdir()
    other.write_bytes((fleet / "trips" / "1.log").read_bytes())
    first = fleet / "trips" / "0.log"
    run(fleet, str(first), str(other), "--out", str(fleet / "out"), "--format", "csv")
    tables = {path.read_bytes() for path in (fleet / "out").glob("*-0.log.csv")}
    run(fleet, str(first), "--out", str(fleet / "first.csv"))
    run(fleet, str(other), "--out", str(fleet / "other.csv"))
    assert tables == {(fleet / "first.csv").read_bytes(), (fleet / "other.csv").read_bytes()}


def test_the_summary_is_that_of_all(fleet: Path) -> None:
    together = json.loads(run(fleet, str(fleet / "trips"), "--json").stdout)
    single = [json.loads(run(fleet, str(fleet / "trips" / f"{n}.log"), "--json").stdout) for n in range(3)]
    assert together["decoded"] == sum(one["decoded"] for one in single)
    assert together["complete"] is True
    assert [one["state"] for one in together["recordings"]] == ["done"] * 3
    low = "can0:Plain.Low"
    assert together["signals"][low]["count"] == sum(one["signals"][low]["count"] for one in single)
    assert together["signals"][low]["last"] == single[2]["signals"][low]["last"]


def test_what_is_missing_ends_in_an_exit_status_and_is_resumed(fleet: Path) -> None:
    broken = fleet / "trips" / "broken.blf"
    broken.write_bytes(b"LOGG")
    words = (str(fleet / "trips"), "--out", str(fleet / "out"))
    result = run(fleet, *words)
    assert result.exit_code == 1
    assert "broken.blf: is missing" in result.stderr
    assert "1 of 4 recordings are missing" in result.stderr
    broken.unlink()
    assert run(fleet, *words, "--resume").exit_code == 0


def test_another_job_does_not_resume(fleet: Path) -> None:
    words = (str(fleet / "trips"), "--out", str(fleet / "out"))
    run(fleet, *words)
    with pytest.raises(NevgateError, match="other databases or options"):
        run(fleet, *words, "--resume", "--signals", "*.Low")


def test_urls_of_files_are_their_paths(fleet: Path) -> None:
    run(fleet, f"file://{fleet}/trips", "--out", f"file://{fleet}/far", "--format", "csv")
    run(fleet, str(fleet / "trips"), "--out", str(fleet / "near"), "--format", "csv")
    assert (fleet / "far" / "0.log.csv").read_bytes() == (fleet / "near" / "0.log.csv").read_bytes()
    manifest = json.loads((fleet / "far" / "manifest.json").read_text())
    assert manifest["recordings"][0]["recording"] == str(fleet / "trips" / "0.log")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trips", "--out", "all.csv"), "several recordings need a folder"),
        (("trips/0.log", "--out", "table.xlsx"), "no table that nevgate writes"),
        (("nowhere", "--json"), "no such file or folder"),
        (("trips/notes.md", "--json"), "no recording of a known format"),
        (("trips/*.blf", "--json"), "no such file or folder"),
        (("trips/0.log", "--out", "nowhere/table.csv"), "no such folder"),
        (("trips/0.log", "--out", "folder.csv"), "is a folder"),
    ],
)
def test_what_cannot_be_done_is_said(fleet: Path, words: tuple[str, ...], said: str) -> None:
    (fleet / "folder.csv").mkdir()
    plain = [word if word.startswith("--") else str(fleet / word) for word in words]
    with pytest.raises(NevgateError, match=said):
        run(fleet, *plain)


@pytest.mark.parametrize(
    "words", [("--resume",), ("--engine", "dask"), ("--scheduler", "tcp://h:1"), ("--jobs", "0")]
)
def test_options_that_do_not_go_together(fleet: Path, words: tuple[str, ...]) -> None:
    assert run(fleet, str(fleet / "trips"), *words).exit_code == 2
