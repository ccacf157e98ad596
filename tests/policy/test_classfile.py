"""Class files: what wins, and what a writer is told when something does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.database.load import load_database, parse_database
from edge.errors import PolicyError
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from tests.policy.drawn import PREAMBLE

DBC = "".join(
    f"BO_ {identifier} {name}: 8 Ecu\n"
    + "".join(
        f' SG_ {signal} : {8 * place}|8@1+ (1,0) [0|0] "" Ecu\n' for place, signal in enumerate(signals)
    )
    + "\n"
    for identifier, name, signals in (
        (256, "Brake", ("Pressure", "Pedal", "Alive", "Crc")),
        (257, "Door", ("Left", "Right", "Ignition")),
        (2024, "Answer", ("Size", "Service")),
    )
)
RULE = '[[isotp]]\nids = [1]\n[[isotp.allow]]\nclass = "cabin"\n'
ISOTP = '[[isotp]]\nmessages = ["Answer"]\n'


def load(tmp_path: Path, text: str) -> ClassedDatabase:
    path = tmp_path / "body.classes.toml"
    path.write_text(text, encoding="utf-8")
    return load_classes(path, parse_database((PREAMBLE + DBC).encode(), tmp_path / "body.dbc"))


def test_exact_names_beat_unclassified_patterns_which_beat_other_patterns(tmp_path: Path) -> None:
    classed = load(
        tmp_path,
        f"""
        [operation]
        signals = ["Brake.*", "Door.Ignition"]
        [[integrity]]
        signal = "Brake.Crc"
        covers = []
        [cabin]
        signals = ["Door.*"]
        [unclassified]
        signals = ["*.P*", "Door.L*"]
        [health]
        signals = ["Brake.Pedal"]
        {ISOTP}""",
    )
    assert classed.class_of("Brake", "Alive") is DataClass.OPERATION
    assert classed.class_of("Brake", "Pressure") is None
    assert classed.class_of("Brake", "Pedal") is DataClass.HEALTH
    assert classed.class_of("Door", "Left") is None
    assert classed.class_of("Door", "Right") is DataClass.CABIN
    assert classed.class_of("Door", "Ignition") is DataClass.OPERATION
    assert classed.unclassified() == (
        ("Brake", "Pressure"),
        ("Door", "Left"),
        ("Answer", "Size"),
        ("Answer", "Service"),
    )


def test_integrity_covers_its_message_or_the_named_signals(tmp_path: Path) -> None:
    classed = load(
        tmp_path,
        f"""
        [[integrity]]
        signal = "Brake.C*"
        covers = "message"
        [[integrity]]
        signal = "Brake.Alive"
        covers = ["P*", "Brake.Crc"]
        {ISOTP}""",
    )
    found = {declared.signal[1]: declared.covers for declared in classed.integrity}
    assert found == {
        "Crc": None,
        "Alive": frozenset({("Brake", "Pressure"), ("Brake", "Pedal"), ("Brake", "Crc")}),
    }


def test_diagnostic_rules_know_the_width_of_their_identifiers(tmp_path: Path) -> None:
    classed = load(
        tmp_path,
        """
        [[isotp]]
        messages = ["Answer"]
        ids = [0x7E9]
        [[isotp.allow]]
        class = "operation"
        service = 0x62
        identifiers = [0x0101, "0x0200-0x02FF"]
        bytes = 2
        [[isotp.allow]]
        class = "health"
        service = 0x59
        bytes = "any"
        """,
    )
    described, bare = classed.channels
    assert (described.message, bare.message) == ("Answer", "")
    data, codes = described.rules
    assert data.matches(b"\x62\x02\x80ab")
    assert not data.matches(b"\x62\x03\x80ab")
    assert not data.matches(b"\x62\x02\x80abc")
    assert not data.matches(b"\x62\x02")
    assert codes.matches(b"\x59\x02\xff\x01\x02\x03")
    assert not codes.matches(b"")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(
            '[cabin]\nsignals = [\n  "Door.Left",\n  "Door.Rihgt",\n]\n',
            4,
            "Did you mean 'Door.Right'?",
            id="name",
        ),
        pytest.param('[cabin]\nsignals = ["Dor.*"]\n', 2, "Did you mean 'Door.", id="message"),
        pytest.param('[cabin]\nsignals = ["Door"]\n', 2, "Message.*", id="no signal"),
        pytest.param(
            '[cabin]\nsignals = ["*.Left"]\n[health]\nsignals = ["Door.*"]\n',
            4,
            "'*.Left' (",
            id="two patterns disagree",
        ),
        pytest.param(
            '[cabin]\nsignals = ["Door.Left"]\n[health]\nsignals = ["Door.Left"]\n',
            4,
            "falls into two classes",
            id="two names disagree",
        ),
        pytest.param('[cabinn]\nsignals = ["Door.*"]\n', 1, "did you mean 'cabin'?", id="section"),
        pytest.param("[cabin]\nsignals = []\n", 2, "at least 1", id="empty"),
        pytest.param("[cabin\n", 1, "not valid TOML", id="syntax"),
        pytest.param('database = "other.dbc"\n', 1, "other.dbc", id="another database"),
        pytest.param(
            'complete = true\n[cabin]\nsignals = ["Door.*"]\n', 1, "Brake.Pressure", id="incomplete"
        ),
        pytest.param('[health]\nsignals = ["Brake.*"]\n', 2, "called a checksum", id="undeclared checksum"),
        pytest.param(
            '[[integrity]]\nsignal = "Brake.Src"\ncovers = "message"\n', 2, "Brake.Crc", id="integrity"
        ),
        pytest.param(
            '[[integrity]]\nsignal = "Brake.Crc"\ncovers = ["Door.Left"]\n',
            3,
            "another message",
            id="stranger",
        ),
        pytest.param(
            '[[integrity]]\nsignal = "*.Crc"\ncovers = []\n[[integrity]]\nsignal = "Brake.C*"\ncovers = []\n',
            5,
            "declared twice",
            id="integrity twice",
        ),
        pytest.param('[[isotp]]\nmessages = ["Anser"]\n', 2, "'Answer'", id="isotp message"),
        pytest.param("[[isotp]]\n", 1, "Name at least one", id="isotp without ids"),
        pytest.param(
            '[[isotp]]\nmessages = ["Answer"]\nids = [0x7E8]\n', 1, "declared twice", id="isotp twice"
        ),
        pytest.param(
            f'{RULE}service = 1\nidentifiers = ["9-1"]\nbytes = 1\n',
            6,
            "range",
            id="range",
        ),
        pytest.param(
            f"{RULE}service = 0x19\nidentifiers = [1]\nbytes = 1\n",
            3,
            "identifier_bytes",
            id="identifiers without width",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line_and_the_right_name(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, text if "isotp" in text else text + ISOTP)
    assert caught.value.where == f"{tmp_path / 'body.classes.toml'}:{line}"
    assert words in str(caught.value)


def test_diagnostic_ids_must_be_declared_or_excused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="'Answer' has an id of diagnostics"):
        load(tmp_path, '[cabin]\nsignals = ["Door.*"]\n')
    assert not load(tmp_path, 'not_isotp = ["Answer"]\n').channels


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no such file"):
        load_classes(tmp_path / "none.toml", parse_database((PREAMBLE + DBC).encode(), Path("body.dbc")))


OWN = sorted((Path(__file__).parents[2] / "dbc").glob("*.dbc"))


@pytest.mark.parametrize("path", OWN, ids=[path.stem for path in OWN])
def test_every_signal_of_our_own_databases_has_a_class(path: Path) -> None:
    classed = load_classes(path.with_suffix(".classes.toml"), load_database(path))
    assert not classed.unclassified()
