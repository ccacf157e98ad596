"""A frame is taken apart bit by bit, and the commands say so to people and to programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli.dbc import command
from edge.database.explain import State, explain, matching, parse_data, parse_frame
from edge.database.lint import lint
from edge.database.load import parse_database
from edge.database.model import Database
from edge.database.near import nearest
from edge.errors import DatabaseError

TEXT = """VERSION ""
BS_:
BU_:
BO_ 256 Door: 4 A
 SG_ Page M : 0|4@1+ (1,0) [0|15] "" A
 SG_ Level m0 : 8|8@1- (0.5,10) [0|100] "mm" A
 SG_ Part m1 : 15|4@0+ (1,0) [0|15] "" A
 SG_ Late : 24|8@1+ (1,0) [0|300] "" A
VAL_ 256 Late 2 "soon" ;
"""


@pytest.fixture
def database() -> Database:
    return parse_database(TEXT.encode(), Path("door.dbc"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "door.dbc"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("100#00F60002",), (0x100, False, bytes.fromhex("00F60002"))),
        (("18FEF1FE##1AABB",), (0x18FEF1FE, True, b"\xaa\xbb")),
        (("7E8", "03", "41"), (0x7E8, False, b"\x03\x41")),
        (("0x7e8", "0341"), (0x7E8, False, b"\x03\x41")),
        (("00000100#",), (0x100, True, b"")),
    ],
)
def test_frames_are_read_in_both_forms(words: tuple[str, ...], expected: tuple[int, bool, bytes]) -> None:
    assert parse_frame(words) == expected


@pytest.mark.parametrize("words", [("100",), ("xyz", "00"), ("100", "0"), ("3FFFFFFF#00",), ("100#0G",)])
def test_what_is_no_frame_is_refused_in_one_line(words: tuple[str, ...]) -> None:
    with pytest.raises(DatabaseError) as refused:
        parse_frame(words)
    assert refused.value.todo


def test_present_absent_and_undescribed(database: Database) -> None:
    found = explain(database.by_name["Door"], parse_data("00 F6 00 02"))
    readings = {reading.signal.name: reading for reading in found.readings}
    assert (readings["Level"].raw, readings["Level"].value) == (-10, 5.0)
    assert readings["Late"].choice == "soon"
    assert readings["Part"].state is State.ABSENT
    assert readings["Part"].why == "Page is 0"
    assert found.undescribed_bits == (4, 5, 6, 7, *range(16, 24))


def test_short_frames_and_unknown_multiplexer_values(database: Database) -> None:
    found = explain(database.by_name["Door"], b"\x05\x00")
    assert found.unknown == (("Page", 5),)
    assert {reading.signal.name: reading.state for reading in found.readings}["Late"] is State.TOO_SHORT


def test_an_unknown_id_names_the_nearest(database: Database) -> None:
    with pytest.raises(DatabaseError, match="0x100 Door"):
        matching(database, 0x101, extended=False)


def test_the_nearest_name_ignores_case() -> None:
    assert nearest("doorlevel", ["DoorLevel", "Window"]) == "DoorLevel"
    assert nearest("qqqq", ["DoorLevel"]) is None


def test_lint_remarks_on_ranges(database: Database) -> None:
    assert [(remark.code, remark.line) for remark in lint(database)] == [
        ("range-beyond-raw", 6),
        ("range-beyond-raw", 8),
    ]


def test_explain_command_shows_and_emits(file: Path) -> None:
    shown = CliRunner().invoke(command, ["explain", str(file), "100#00F60002"])
    assert shown.exit_code == 0
    assert "Level" in shown.output
    assert "12 bits are described by no signal" in shown.output
    emitted = CliRunner().invoke(command, ["explain", str(file), "--message", "Door", "00F60002", "--json"])
    signals = {one["name"]: one for one in json.loads(emitted.output)[0]["signals"]}
    assert signals["Level"]["value"] == 5.0
    assert signals["Part"]["state"] == "absent"


def test_lint_command_fails_only_for_refused_files(file: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(command, ["lint", str(file)]).exit_code == 0
    broken = tmp_path / "broken.dbc"
    broken.write_text(TEXT.replace("(1,0)", "(1 0)", 1))
    result = CliRunner().invoke(command, ["lint", str(file), str(broken), "--json"])
    assert result.exit_code == 1
    reports = json.loads(result.output)
    assert reports[0]["refused"] is None
    assert "broken.dbc:5" in reports[1]["refused"]
