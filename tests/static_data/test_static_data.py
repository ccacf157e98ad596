"""Static data: the tables are annex A's, each check has what fails it, and logins tell the codes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition
from edge.cli.program import program
from edge.errors import ConfigError
from edge.static_data.checks import CHECKS
from edge.static_data.login import login_codes
from edge.static_data.numbers import (
    VALUES,
    check_digit,
    iccid_fault,
    luhn,
    pack_code,
    pack_code_fault,
    vin_fault,
)
from edge.static_data.sheet import StaticData, read_static
from edge.static_data.table import battery_types, static_rows
from edge.wire.gbt.message import Message, Values, read_message

HERE = Path(__file__).parent
BEV_2025 = HERE / "bev_2025.toml"
PHEV_2016 = HERE / "phev_2016.toml"
VIN = "LNVGATE06XDEM0001"
CODE = "001PE010000001G210000001"
TIME = bytes((26, 3, 1, 8, 0, 0))


def changed(tmp_path: Path, file: Path, *pairs: tuple[str, str]) -> StaticData:
    """What a file says in which some words stand for others."""
    text = file.read_text("utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "one.toml").write_text(text, "utf-8")
    return read_static(tmp_path / "one.toml")


def test_the_tables_hold_what_annex_a_asks_for() -> None:
    for edition in Edition:
        there = {row.item.id: row.table for row in static_rows(edition)}
        once = {item.id: item.tables[edition] for item in builtin() if edition in item.tables}
        assert {item_id: there[item_id] for item_id in once} == once
        assert set(there) == set(once)
        assert {row.kind for row in static_rows(edition)} <= set(CHECKS)
    assert Counter(row.table for row in static_rows(Edition.Y2016)) == {"A.2": 10, "A.3": 5, "A.4": 13}
    counts = Counter(row.table for row in static_rows(Edition.Y2025))
    assert counts == {"A.2": 18, "A.3": 5, "A.4": 8, "A.5": 12, "A.6": 3}


def test_battery_types_of_2025_are_two_more() -> None:
    old, new = (set(battery_types(edition)) for edition in Edition)
    assert old == {1, 2, 3, 4, 5, 6, 7, 0xFC, 0xFF}
    assert new - old == {8, 9}


def test_a_check_digit_by_hand() -> None:
    # L3*8 N5*7 V5*6 G7*5 A1*4 T3*3 E5*2 0*10 [9th: weight 0] X7*9 D4*8 E5*7 M4*6 0 0 0 1*2
    # = 24 + 35 + 30 + 35 + 4 + 9 + 10 + 0 + 63 + 32 + 35 + 24 + 2 = 303 = 27 * 11 + 6
    assert check_digit(VIN) == "6"
    # A number that is published everywhere as an example, whose rest is 10.
    assert check_digit("1M8GDM9AXKP042788") == "X"
    assert check_digit("1" * 17) == "1"


@given(st.integers(0, 16), st.sampled_from(sorted(VALUES)))
def test_another_character_of_another_value_is_noticed(place: int, character: str) -> None:
    broken = VIN[:place] + character + VIN[place + 1 :]
    same = VALUES[character] == VALUES[VIN[place]] or (VALUES[character] - VALUES[VIN[place]]) % 11 == 0
    if place == 8:
        assert bool(vin_fault(broken)) == (character != "6")
    elif not same:
        assert vin_fault(broken)


@pytest.mark.parametrize(
    ("vin", "words"),
    [
        (VIN[:-1], "16 characters"),
        ("LNVGATE06XDEMO001", "'O' is in no VIN"),
        ("LNVGATE00XDEM0001", r"\(9th\) is 0, the others give 6"),
        ("LNVGATE060DEM0001", "give"),
        ("lnvgate06xdem0001", "'l' is in no VIN"),
    ],
)
def test_a_wrong_vin_is_told_why(vin: str, words: str) -> None:
    assert vin_fault(VIN) == ""
    assert re.search(words, vin_fault(vin))


def test_a_vin_without_model_year_or_serial_number() -> None:
    def mended(vin: str) -> str:
        return vin[:8] + check_digit(vin) + vin[9:]

    assert "model year" in vin_fault(mended("LNVGATE06UDEM0001"))
    assert "not digits" in vin_fault(mended("LNVGATE06XDEMA001"))


def test_luhn_by_hand() -> None:
    # 7992739871 from the right, every second doubled: 2+7+7+9+6+7+4+9+9+7 = 67, and 3 is 70.
    assert luhn("79927398713")
    assert [digit for digit in "0123456789" if luhn("7992739871" + digit)] == ["3"]
    # 8986 0000 0000 0000 0001: first and third are doubled, 8 * 2 = 16 -> 7: 7 + 9 + 7 + 6 + 1 = 30.
    assert iccid_fault("89860000000000000001") == ""
    assert "Luhn" in iccid_fault("89860000000000000002")
    assert "20 digits" in iccid_fault("8986000000000000000F")
    assert "89" in iccid_fault("00000000000000000000")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (CODE[:-1], "23 characters"),
        (CODE.replace("P", "C"), "cell"),
        (CODE.replace("PE", "PX"), "5th character is X"),
        (CODE.replace("G21", "GD1"), "16th"),
        (CODE.replace("001PE", "0O1PE"), "'O' is in no pack code"),
    ],
)
def test_a_wrong_pack_code_is_told_why(code: str, words: str) -> None:
    assert pack_code_fault(CODE) == ""
    taken = pack_code(CODE)
    assert (taken.maker, taken.battery_type, taken.specification) == ("001", "E", "01")
    assert (taken.trace, taken.made, taken.serial) == ("0000001", "G21", "0000001")
    assert words in pack_code_fault(code)


def test_whole_files_of_both_editions_are_right_and_counted() -> None:
    bev, phev = read_static(BEV_2025), read_static(PHEV_2016)
    assert bev.faults == phev.faults == ()
    # 18 + 8 + 12 + 3 = 41, of which the layout of motors and the rest are each one row; 10 + 5 + 13 = 28.
    assert (bev.distinct, phev.distinct) == (41, 28)
    assert "there is no [fuel_cell]" not in str(bev.beside)
    assert phev.value("engine", "fuel_grade") == "92"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('vin = "LNVGATE06XDEM0001"', 'vin = "LNVGATE00XDEM0001"', r"toml:5: vehicle, .*check digit \(9th\)"),
        ("max_speed = 180", 'max_speed = "180"', r"toml:10: vehicle, maximum speed 最高车速: is a number"),
        ("max_speed = 180", "max_speed = 501", "from 1 to 500 km/h"),
        ("max_speed = 180", "max_speed = nan", "is a number"),
        ("gear_ratios = [9.34]", "gear_ratios = [inf]", "every ratio is a number"),
        ("total_energy = 77.4", "total_energy = true", "is a number"),
        ("total_energy = 77.4", "total_energy = inf", "is a number"),
        ("energy = 77.4\ncooling", "energy = inf\ncooling", "is a number"),
        ("23 = ", f"{'9' * 5000} = ", "is no bit"),
        ('"SM2"', '["SM2"]', "one of SM2, RSA, ECC"),
        ("type = 0x04", 'type = "E"', "is one of 0x01"),
        ("type = 0x04", "", "is missing"),
        (f'"{CODE}"', '"001"', "pack 1, .*3 characters"),
        (f'"{CODE}"', "[]", "a list of at most"),
        ("gear_ratios = [9.34]", "gear_ratios = []", "1 to 12 ratios"),
        ("23 = ", "28 = ", "'28' is no bit of the general alarms, 0 to 27"),
        ("{ swap = false, range_extender = false }", "{ swap = 0 }", "swap = false"),
        ('"NVGCHIP000000001"', '"NVGCHIP0000000012"', "1 to 16 ASCII"),
        ('"SM2"', '"SM3"', "one of SM2, RSA, ECC"),
        ('"SM2"', '"RSA"', "public key does not fit"),
        ("52139f0a0", "52139f0a1", "public key does not fit"),
        ("52139f0a0", "52139f0a", "hex digits"),
        ("factory_date = 2026-02-14", 'factory_date = "2026"', "is a date"),
        ("pack_count = 2", "pack_count = 3", "pack_count is 3, and there are 2 codes"),
        ("G210000002", "G210000001", "one code is there twice"),
        ("G210000002", "G21000002", "pack 2, .*23 characters"),
        ("type = 0x04", "type = 0x01", "says battery type E"),
        ("type = 0x04", "type = 0x0A", "is one of 0x01"),
        ("energy = 77.4\ncooling", "energy = 70\ncooling", "all storage together has 70"),
        ("[terminal]", "[terminals]", r"toml:\d+: the edition of 2025 has no \[terminals\]"),
        ('brand = "nevgate"', 'band = "nevgate"', "unknown key 'band'"),
        ('brand = "nevgate"', "", "terminal, terminal brand 车载终端品牌: is missing"),
        ("[[motor]]", "[motor]", r"write \[\[motor\]\]"),
        ('kind = "bev"', 'kind = "phev"', r"there is no \[engine\]"),
        ('kind = "bev"', 'kind = "fcev"', r"\[fuel_cell\] is missing"),
    ],
)
def test_a_wrong_row_is_told_with_its_place(tmp_path: Path, before: str, after: str, words: str) -> None:
    faults = changed(tmp_path, BEV_2025, (before, after)).faults
    assert any(re.search(words, fault) for fault in faults), faults


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("battery_count = 2", "battery_count = 3", r"battery_count is 3, and there are 2 of \[\[storage\]\]"),
        ("motor_count = 1", "motor_count = 2", r"there are 1 of \[\[motor\]\]"),
        ('"PACK0002"', '"PACK02"', "have one length"),
        ('"PACK0002"', '"PACK0001"', "twice"),
        ("type = 0x01", "type = 0x08", "is one of 0x01"),
        ('18 = "4.25 V"', '19 = "4.25 V"', "0 to 18"),
        ("iccid = ", "number = ", "ICCID: is missing"),
    ],
)
def test_a_wrong_row_of_2016_is_told(tmp_path: Path, before: str, after: str, words: str) -> None:
    faults = changed(tmp_path, PHEV_2016, (before, after)).faults
    assert any(re.search(words, fault) for fault in faults), faults


def test_check_digits_can_be_left_out_by_name(tmp_path: Path) -> None:
    pair = ('vin = "LNVGATE06X', 'vin = "LNVGATE00X')
    assert changed(tmp_path, BEV_2025, pair).faults
    off = ("[vehicle]", "[checks]\nvin_check_digit = false\n\n[vehicle]")
    assert changed(tmp_path, BEV_2025, pair, off).faults == ()
    wrong = ("[vehicle]", "[checks]\nvin = false\n\n[vehicle]")
    assert "vin_check_digit" in changed(tmp_path, BEV_2025, wrong).faults[0]


def test_what_is_no_static_data_at_all(tmp_path: Path) -> None:
    for text, words in (('edition = "2024"', "2016 or 2025"), ('edition = "2016"', "bev, phev, fcev")):
        (tmp_path / "one.toml").write_text(text)
        with pytest.raises(ConfigError, match=words):
            read_static(tmp_path / "one.toml")


def test_a_login_tells_the_codes_of_the_file() -> None:
    new = login_codes(read_static(BEV_2025))
    assert new.systems == ((CODE, CODE[:-1] + "2"),)
    old = login_codes(read_static(PHEV_2016))
    assert old.systems == (("PACK0001",), ("PACK0002",))
    for codes in (new, old, login_codes(read_static(BEV_2025), Edition.Y2016)):
        content = Values("command 01", (TIME, 7, *codes.raws()))
        sent = Message(codes.edition, 0x01, 0xFE, VIN.encode(), content).write()
        assert read_message(sent).content == content
    assert old.raws()[1:3] == (2, 8)
    with pytest.raises(ConfigError, match="24 characters"):
        login_codes(read_static(PHEV_2016), Edition.Y2025)


def test_no_login_is_made_of_data_with_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="maximum speed"):
        login_codes(changed(tmp_path, BEV_2025, ("max_speed = 180", "max_speed = 0")))


def test_the_command_shows_both_languages_and_fails_on_faults(tmp_path: Path) -> None:
    ran = CliRunner().invoke(program, ["gbt", "static", str(BEV_2025)])
    assert ran.exit_code == 0
    assert "0x04 ternary NCM or NCA 三元材料电池" in ran.output
    assert "41 different values, all right" in ran.output
    told = json.loads(CliRunner().invoke(program, ["gbt", "static", str(PHEV_2016), "--json"]).output)
    assert (told["faults"], told["login"]) == ([], [["PACK0001"], ["PACK0002"]])
    (tmp_path / "one.toml").write_text(PHEV_2016.read_text("utf-8").replace("motor_count = 1", ""))
    broken = CliRunner().invoke(program, ["gbt", "static", str(tmp_path / "one.toml")])
    assert broken.exit_code == 1
    assert "number and parameters of motors 驱动电机数量及参数: is missing" in broken.output
