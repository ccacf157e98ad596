"""Loading mends what can be mended, names it with its line, and refuses the rest with one kind of error."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge.database.layout import bit_numbers, pgn_of
from edge.database.load import load_database, parse_database
from edge.database.model import Database
from edge.errors import DatabaseError

SOUND = """VERSION ""
NS_ :
  NS_DESC_

BS_:
BU_: A

BO_ 256 Speed: 8 A
 SG_ Velocity : 0|16@1+ (0.1,0) [0|6553.5] "km/h" A
 SG_ Torque : 23|16@0- (1,0) [0|0] "Nm" A

BO_ 2365587454 EEC: 8 A
 SG_ Rpm : 24|16@1+ (0.125,0) [0|8031.875] "rpm" A

CM_ SG_ 256 Velocity "how fast";
VAL_ 256 Velocity 0 "still" 1 "creeping" ;
"""


def parse(text: str) -> Database:
    return parse_database(text.encode(), Path("car.dbc"))


def codes(database: Database) -> list[tuple[str, int]]:
    return [(defect.code, defect.line) for defect in database.defects]


def test_a_sound_file_has_no_defects() -> None:
    database = parse(SOUND)
    assert codes(database) == []
    assert [message.name for message in database.messages] == ["Speed", "EEC"]
    torque = database.by_name["Speed"].signal("Torque")
    assert torque.line == 10
    assert torque.bits == (24, 25, 26, 27, 28, 29, 30, 31, 16, 17, 18, 19, 20, 21, 22, 23)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (SOUND.replace("BS_:\n", "\n"), [("missing-bs", 8)]),
        (SOUND.replace("BU_: A\n", "\n"), [("missing-bu", 8)]),
        (SOUND.replace("VAL_ 256 Velocity", "VAL_ 256 Velocty"), [("stray-value-names", 16)]),
        (SOUND.replace("VAL_ 256 Velocity", "VAL_ 257 Velocity"), [("stray-value-names", 16)]),
        (SOUND.replace("CM_ SG_ 256 Velocity", "CM_ SG_ 256 Speed"), [("stray-comment", 15)]),
        (SOUND.replace("CM_ SG_ 256 Velocity", "CM_ SG_ 255 Velocity"), [("stray-comment", 15)]),
        (SOUND + "SIG_VALTYPE_ 256 Nix : 1;\n", [("stray-value-type", 17)]),
        (SOUND.replace("BO_ 2365587454", "BO_ 218103806"), [("id-without-extended-flag", 12)]),
        (SOUND.replace("Torque : 23|16", "Torque : 15|16"), [("signals-overlap", 10)]),
        (SOUND.replace("Torque : 23|16", "Torque : 63|16"), [("signal-outside-message", 10)]),
        (SOUND.replace("Torque : 23", "Velocity : 23"), [("signal-name-twice", 10)]),
        (SOUND.replace("BO_ 2365587454 EEC", "BO_ 2365587454 Speed"), [("message-name-twice", 12)]),
        (SOUND.replace("BO_ 2365587454 EEC", "BO_ 256 EEC"), [("id-twice", 12)]),
        (SOUND.replace("Torque :", "Torque m1 :"), [("multiplexer-missing", 10)]),
        (SOUND.replace('"how fast";', '"how fast"'), [("missing-semicolon", 15)]),
        (SOUND.replace('"still" 1', '"still" one'), [("unreadable-statement", 16)]),
    ],
)
def test_each_slip_is_mended_and_named_once_with_its_line(
    broken: str, expected: list[tuple[str, int]]
) -> None:
    database = parse(broken)
    assert codes(database) == expected
    assert sum(len(message.signals) for message in database.messages) == 3


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (SOUND.replace("SG_ Velocity : 0|16@1+", "SG_ Velocity : 0|16@1"), 9),
        (SOUND.replace("BO_ 256", "BO_ 1073741824"), 8),
        (SOUND.replace("Speed: 8", "Speed: 80000"), 8),
        (SOUND.replace("0|16@1+ (0.1", "0|160000@1+ (0.1"), 9),
        (SOUND + "SG_MUL_VAL_ 256 Velocity Torque 0-4294967295;\n", 17),
    ],
)
def test_what_would_need_guessing_is_refused_with_its_line(broken: str, line: int) -> None:
    with pytest.raises(DatabaseError) as refused:
        parse(broken)
    assert refused.value.where == f"car.dbc:{line}"
    assert refused.value.todo


def test_an_id_without_flag_keeps_what_is_said_about_it() -> None:
    text = SOUND.replace("2365587454", "218103806") + 'VAL_ 218103806 Rpm 0 "off" ;\n'
    message = parse(text).by_name["EEC"]
    assert message.extended
    assert message.arbitration_id == 0xCFFFFFE
    assert message.signal("Rpm").choices == {0: "off"}


def test_units_are_read_in_either_encoding() -> None:
    text = SOUND.replace("km/h", "°C")
    for encoding in ("utf-8", "utf-8-sig", "cp1252"):
        database = parse_database(text.encode(encoding), Path("car.dbc"))
        assert database.by_name["Speed"].signal("Velocity").unit == "°C"


def test_j1939_only_where_the_file_says_so() -> None:
    assert parse(SOUND).by_name["EEC"].pgn is None
    definition = 'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";\n'
    said = SOUND + definition + 'BA_ "VFrameFormat" BO_ 2365587454 3;\n'
    assert parse(said).by_name["EEC"].pgn == pgn_of(2365587454 & 0x1FFFFFFF)
    assert parse(said).by_name["Speed"].pgn is None
    protocol = SOUND + 'BA_DEF_ "ProtocolType" STRING ;\nBA_ "ProtocolType" "J1939";\n'
    assert parse(protocol).by_name["EEC"].pgn is not None


def test_pgn_leaves_the_destination_out_of_pdu1() -> None:
    assert pgn_of(0x18EA2103) == 0xEA00
    assert pgn_of(0x0CF00400) == 0xF004
    assert pgn_of(0x19F11223) == 0x1F112


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="cannot be read"):
        load_database(tmp_path / "none.dbc")


def test_every_real_database_loads(shared_data: Path) -> None:
    files = sorted(
        path for path in shared_data.rglob("*") if path.suffix in {".dbc", ".kcd", ".arxml", ".sym"}
    )
    assert len(files) == 31
    for path in files:
        database = load_database(path)
        assert database.messages, path
        lines = path.read_bytes().count(b"\n") + 1
        assert all(0 <= defect.line <= lines for defect in database.defects)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kona-ev/ccan.dbc", {("missing-bs", 6), ("missing-bu", 6)}),
        ("databases/opendbc/tesla_can.dbc", {("stray-value-names", 783)}),
    ],
)
def test_refused_databases_load_with_named_defects(
    shared_data: Path, name: str, expected: set[tuple[str, int]]
) -> None:
    assert set(codes(load_database(shared_data / name))) == expected


def test_a_long_multiplexer_name_does_not_lose_its_signals(shared_data: Path) -> None:
    database = load_database(shared_data / "databases/model3dbc/Model3CAN.dbc")
    message = database.by_name["ID201VCFRONT_loggingAndVitals10Hz"]
    multiplexed = [signal for signal in message.signals if signal.conditions]
    assert len(multiplexed) == 47
    assert sum(len(message.signals) for message in database.messages) == 3172


def test_canonical_bits_agree_with_cantools() -> None:
    assert bit_numbers(2, 9, little_endian=True) == (2, 3, 4, 5, 6, 7, 8, 9, 10)
    assert bit_numbers(2, 5, little_endian=False) == (14, 15, 0, 1, 2)


def mutations(text: bytes, source: random.Random) -> bytes:
    content = bytearray(text)
    for _ in range(source.randint(1, 3)):
        place = source.randrange(len(content))
        match source.randrange(5):
            case 0:
                content[place] = source.randrange(256)
            case 1:
                del content[place : place + source.randint(1, 30)]
            case 2:
                content[place:place] = bytes(source.choice(b'0123456789";:|@()[]-+mM ') for _ in range(3))
            case 3:
                other = source.randrange(len(content))
                content[place:place] = content[other : other + 40]
            case _:
                content[place:place] = source.choice(
                    [b"-1", b"999999999999", b"1e400", b" SG_ ", b"\nBO_ 1 "]
                )
    return bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        "databases/cantools/dbc/multiplex_2.dbc",
        "databases/cantools/dbc/floating_point.dbc",
        "databases/cantools/dbc/issue_184_extended_mux_cascaded.dbc",
        "databases/cantools/dbc/long_names.dbc",
        "databases/cantools/sym/jopp-6.0.sym",
        "databases/cantools/kcd/the_homer.kcd",
    ],
)
def test_mutated_files_load_or_are_refused(shared_data: Path, name: str) -> None:
    path = shared_data / name
    text = path.read_bytes()
    source = random.Random(name)  # noqa: S311 - to be repeated, not secret
    loaded = 0
    for _ in range(80):
        try:
            parse_database(mutations(text, source), path)
            loaded += 1
        except DatabaseError:
            pass
    assert loaded
