"""`nevgate gbt`: what is explained can be written again, and bad input is one line with its place."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.wire.gbt.frame import Frame
from edge.wire.gbt.message import read_message
from edge.wire.gbt.profile import BUILT_IN, load_profile
from edge.wire.gbt.recording import RecordCodec, reports_of
from tests.cli.running import Program
from tests.gbt.grammar import VIN, record_of
from tests.gbt.test_golden import MESSAGE_2016, MESSAGE_2025

BEAT = "232307fe4c4e564741544530305844454d30303031010000ae"


@pytest.fixture
def nevgate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    monkeypatch.chdir(tmp_path)
    return Program(monkeypatch, capsys)


@pytest.mark.parametrize(("edition", "data"), [(2016, MESSAGE_2016), (2025, MESSAGE_2025)])
def test_decode_says_the_record_that_encode_takes(nevgate: Program, edition: int, data: bytes) -> None:
    shown = nevgate("gbt", "decode", data.hex(), "--json")
    assert shown.code == 0
    (told,) = json.loads(shown.out)
    assert (told["edition"], told["vin"], told["error"], told["told"]) == (edition, VIN.decode(), None, [])
    Path("record.json").write_text(json.dumps(told["record"]), "utf-8")
    command = ("gbt", "encode", "record.json", "--edition", str(edition), "--vin", VIN.decode())
    written = nevgate(*command, *(["--reissue"] if data[2] == 3 else []))
    assert (written.code, written.out.strip(), written.err) == (0, data.hex(), "")


def test_decode_names_each_byte_in_two_languages_with_its_clause(nevgate: Program) -> None:
    shown = nevgate("gbt", "decode", MESSAGE_2016.hex(" "), "--record")
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["34", "04", "d2", "speed", "车速", "123.4", "km/h", "chapter", "7,", "table", "9"] in lines
    assert [
        "bit",
        "5",
        "drive",
        "force",
        "present",
        "有驱动力",
        "1",
        "yes",
        "chapter",
        "7,",
        "table",
        "9",
    ] in lines
    assert ["hv.current", "-15.3", "A"] in lines
    assert any("-40 210 degC" in line for line in shown.out.splitlines())
    assert "invalid" in shown.out
    assert shown.err == ""


def test_a_file_of_many_messages_tells_what_it_skips(nevgate: Program) -> None:
    Path("capture.bin").write_bytes(b"noise" + bytes.fromhex(BEAT) + b"\x00" + MESSAGE_2025)
    shown = nevgate("gbt", "decode", "capture.bin")
    assert shown.code == 1
    assert shown.err.splitlines() == [
        "nevgate: byte 0: 5 bytes skipped: no start of a frame",
        "nevgate: byte 30: 1 bytes skipped: no start of a frame",
    ]
    assert "heartbeat" in shown.out
    told = json.loads(nevgate("gbt", "decode", "capture.bin", "--json").out)
    assert [one.get("skipped") for one in told] == [5, None, 1, None]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (BEAT[:-2] + "ad", "nevgate: byte 24: check code is AD, the bytes give AE"),
        (BEAT[:-2], "nevgate: byte 24: ends without its check code"),
        ("2323", "nevgate: byte 2: ends within the frame's header of 24 bytes"),
        ("0102030405", "nevgate: byte 0: begins with '0102', not 2323 (2016) or 2424 (2025)"),
        (MESSAGE_2016[:50].hex(), "nevgate: byte 50: has 50 bytes where its length field asks for 102"),
    ],
)
def test_a_broken_message_is_one_line_with_the_byte(nevgate: Program, given: str, said: str) -> None:
    shown = nevgate("gbt", "decode", given)
    assert (shown.code, shown.err.strip()) == (1, said)


def test_no_file_and_no_bytes_are_one_line(nevgate: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No such file" in nevgate("gbt", "decode", "nowhere.hex").err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "holds no bytes" in nevgate("gbt", "decode", "-").err
    assert "No such file" in nevgate("gbt", "encode", "nowhere.json", "--vin", VIN.decode()).err


def test_a_message_longer_than_any_file_name_is_taken_as_hex(nevgate: Program) -> None:
    data = Frame(Edition.Y2016, 0xC0, 0xFE, VIN, 1, bytes(3000)).write()
    assert nevgate("gbt", "decode", data.hex()).code == 0


def test_encode_tells_what_the_edition_cannot_say(nevgate: Program) -> None:
    values = {"vehicle.speed": 300.5, "gnss.datum": "GCJ02", "gnss.valid": 1}
    record = {"time": "2026-03-01T00:00:00Z", "values": values}
    Path("record.json").write_text(json.dumps(record), "utf-8")
    shown = nevgate("gbt", "encode", "record.json", "--edition", "2016", "--vin", VIN.decode(), "--json")
    told = json.loads(shown.out)["told"]
    assert "vehicle.speed: beyond the edition's range; said as abnormal" in told
    assert "gnss.datum: the edition has no such item" in told
    assert "gnss.lon: the record has no entry, the body has a field; said as invalid" in told


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"vehicle.sped": 1}, "Did you mean 'vehicle.speed'?"),
        ({"vehicle.speed": 1.23}, "in steps of 0.1"),
        ({"vehicle.state": "flying"}, "one of invalid, abnormal, started"),
        ({"pack[1].cells": 3.9}, "pack[1].cells is a list"),
        ({"vehicle.speed": [1]}, "vehicle.speed is no list"),
        ({"vehicle.speed": None}, "None is no value"),
        ({"vehicle.speed": True}, "True is no value"),
    ],
)
def test_a_record_that_cannot_be_is_one_line(nevgate: Program, values: dict[str, object], said: str) -> None:
    Path("record.json").write_text(json.dumps({"time": "2026-03-01T00:00:00Z", "values": values}), "utf-8")
    shown = nevgate("gbt", "encode", "record.json", "--vin", VIN.decode())
    assert shown.code == 1
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1


def test_encode_wants_one_record_and_a_whole_vin(nevgate: Program) -> None:
    assert "17 characters" in nevgate("gbt", "encode", "record.json", "--vin", "SHORT").err
    assert "names no record" in nevgate("gbt", "encode", "--vin", VIN.decode()).err
    Path("record.json").write_text("{", "utf-8")
    assert "no JSON" in nevgate("gbt", "encode", "record.json", "--vin", VIN.decode()).err
    Path("record.json").write_text("[" * 100_000, "utf-8")
    assert "no JSON" in nevgate("gbt", "encode", "record.json", "--vin", VIN.decode()).err


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "1.00000000000000000000000000000000001"])
def test_a_number_that_cannot_be_reckoned_with_is_one_line(nevgate: Program, number: str) -> None:
    text = f'{{"time": "2026-03-01T00:00:00Z", "values": {{"vehicle.speed": {number}}}}}'
    Path("record.json").write_text(text, "utf-8")
    shown = nevgate("gbt", "encode", "record.json", "--vin", VIN.decode())
    assert shown.code == 1
    assert len(shown.err.splitlines()) == 1


def test_names_in_no_encoding_are_taken(nevgate: Program) -> None:
    name = os.fsdecode(b"\xff.hex")
    assert "No such file" in nevgate("gbt", "decode", name).err
    Path(name).write_text(MESSAGE_2016.hex(), "utf-8")
    assert nevgate("gbt", "decode", name, "--sm2-id", os.fsdecode(b"\xfe")).code == 0


PROFILE = """
name = "maker"
edition = "2025"
bodies = [0x01, 0x05]

[[block]]
id = 0x90
en = "receiver"
cn = "接收机"

[[block.field]]
name = "satellites"
en = "satellites used"
cn = "使用卫星数"
item = "gnss.satellites"
width = 1
resolution = 1
least = 0
most = 250

[[block.field]]
name = "length"
en = "length of the name"
kind = "count"
width = 1
missing = false

[[block.field]]
name = "maker"
en = "its maker"
kind = "text"
size = "length"
"""


def test_a_profile_is_a_file_that_gives_a_block_its_meaning(nevgate: Program) -> None:
    Path("maker.toml").write_text(PROFILE[: PROFILE.index('[[block.field]]\nname = "length"')], "utf-8")
    codec = RecordCodec(Edition.Y2025, profile=load_profile("maker.toml"))
    (message,), told = codec.messages(record_of({"gnss.satellites": 12, "vehicle.speed": 5}), VIN)
    assert "gnss.satellites" not in {one.item_id for one in told}
    assert message.frame().unit.endswith(bytes.fromhex("90 0001 0c"))
    assert codec.hear(reports_of([message])).record.values["gnss.satellites"] == 12
    Path("maker.toml").write_text(PROFILE, "utf-8")
    unit = bytes.fromhex("1a0301080000 90 0004 0c 02 4142")
    data = Frame(Edition.Y2025, 2, 0xFE, VIN, 1, unit).write()
    shown = nevgate("gbt", "decode", data.hex(), "--profile", "maker.toml")
    assert "使用卫星数" in shown.out
    assert "its maker" in shown.out
    assert "AB" in shown.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("width = 1\nresolution", "width = 3\nresolution"), "maker.toml:"),
        (('item = "gnss.satellites"', 'item = "gnss.satelites"'), "Did you mean"),
        (('size = "length"', 'size = "nothing"'), "names no field before it"),
        (("id = 0x90", "id = 0x20"), "maker.toml:"),
    ],
)
def test_a_profile_that_cannot_be_is_refused(nevgate: Program, change: tuple[str, str], said: str) -> None:
    Path("maker.toml").write_text(PROFILE.replace(*change), "utf-8")
    shown = nevgate("gbt", "decode", BEAT, "--profile", "maker.toml")
    assert shown.code == 2
    assert said in shown.err


def test_the_profiles_that_come_with_nevgate_say_what_they_ask_for() -> None:
    reports = reports_of([read_message(MESSAGE_2016)])
    lacking = {name: load_profile(name).lacking(reports) for name in BUILT_IN}
    assert lacking == {"shanghai": (6, 7), "chengdu": (6, 7)}
