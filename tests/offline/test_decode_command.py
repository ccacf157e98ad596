"""`nevgate decode` writes what was in a recording, and says what it left out."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli.decode import command

DBC = """VERSION ""
BS_:
BU_:
BO_ 256 Plain: 8 A
 SG_ Low : 0|16@1+ (0.1,0) [0|0] "" A
 SG_ Big : 0|64@1+ (1,0) [0|0] "" A
BO_ 257 Other: 8 A
 SG_ Float : 0|32@1- (1,0) [0|0] "" A
SIG_VALTYPE_ 257 Float : 1;
"""
LOG = """(1.000000) can0 100#FFFFFFFFFFFFFFFF
(1.000100) can1 100#0100000000000000
(1.000200) can0 101#0000C07F00000000
(1.000300) can0 123#00
"""
CLASSES = """[operation]
signals = ["Plain.Big"]

[cabin]
signals = ["Plain.Low", "Other.Float"]
"""
EXPECTED = [
    (1_000_000_000, "can0", "Plain", "Low", 6553.5),
    (1_000_000_000, "can0", "Plain", "Big", 2**64 - 1),
    (1_000_100_000, "can1", "Plain", "Low", 0.1),
    (1_000_100_000, "can1", "Plain", "Big", 1),
    (1_000_200_000, "can0", "Other", "Float", math.nan),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "car.dbc").write_text(DBC)
    (tmp_path / "drive.log").write_text(LOG)
    (tmp_path / "car.classes.toml").write_text(CLASSES)
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    result = CliRunner().invoke(
        command, [str(folder / "drive.log"), "--dbc", str(folder / "car.dbc"), *words]
    )
    assert result.exception is None, result.output
    return result


def rows_of(path: Path) -> list[tuple[int, str, str, str, int | float]]:
    rows: list[tuple[int, str, str, str, int | float]] = []
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            for line in csv.DictReader(file):
                number = line["value"]
                value = int(number) if number.isdigit() else float(number)
                rows.append((int(line["t_ns"]), line["bus"], line["message"], line["signal"], value))
    elif path.suffix == ".jsonl":
        for text in path.read_text().splitlines():
            one = json.loads(text)
            value = float(one["value"]) if isinstance(one["value"], str) else one["value"]
            rows.append((one["t_ns"], one["bus"], one["message"], one["signal"], value))
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        for one in parquet.read_table(path).to_pylist():
            value = one["value"] if one["exact"] is None else int(one["exact"])
            rows.append((one["t_ns"], one["bus"], one["message"], one["signal"], value))
    return rows


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_every_format_holds_every_value_exactly(folder: Path, ending: str) -> None:
    out = folder / f"table.{ending}"
    result = run(folder, "--out", str(out))
    assert "5 values of 5 signals" in result.output
    assert "no policy was applied" in result.output
    assert "1 of unknown ids" in result.output
    found = rows_of(out)
    # Parquet keeps numbers as doubles unless that would lose digits.
    as_double = ending == "parquet"
    expected = [(*row[:4], float(row[4])) if as_double and row[4] < 1 << 53 else row for row in EXPECTED]
    expected = [(*row[:4], math.nan) if math.isnan(row[4]) else row for row in expected]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert [row[0] for row in found if row[1] == "can0"] == sorted(
        row[0] for row in found if row[1] == "can0"
    )


def test_the_summary_as_json(folder: Path) -> None:
    summary = json.loads(run(folder, "--json").stdout)
    assert (summary["frames"], summary["decoded"], summary["unknown_id"]) == (4, 3, 1)
    assert summary["policy"] is None
    assert summary["signals"]["can0:Plain.Big"]["max"] == 2**64 - 1
    assert summary["signals"]["can0:Other.Float"]["last"] == "nan"


def test_a_policy_is_named_and_what_it_removes_is_not_collected(folder: Path) -> None:
    out = folder / "table.csv"
    words = ("--policy", str(folder / "car.classes.toml"), "--collect", "cabin", "--out", str(out), "--json")
    summary = json.loads(run(folder, *words).stdout)
    assert "can0:Plain.Big" in summary["policy"]["not_collected"]
    assert "can0:Plain.Big" not in summary["signals"]
    assert summary["policy"]["masks"]
    assert "can0,Plain,Big,not collected" in out.read_text()


def test_signals_by_pattern_and_buses_by_name(folder: Path) -> None:
    words = ("--signals", "*.Low", "--bus-map", "can1=body", "--json")
    summary = json.loads(run(folder, *words).stdout)
    assert sorted(summary["signals"]) == ["body:Plain.Low", "can0:Plain.Low"]


def test_a_pattern_without_match_names_the_nearest(folder: Path) -> None:
    result = CliRunner().invoke(
        command, [str(folder / "drive.log"), "--dbc", str(folder / "car.dbc"), "--signals", "Plain.Lo"]
    )
    assert "Did you mean 'Plain.Low'?" in str(result.exception)
