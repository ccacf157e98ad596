"""Class files: what wins, and what a writer is told when something does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.database.load import load_database, parse_database
from edge.errors import PolicyError
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from tests.policy.drawn import J1939_FORMAT, PREAMBLE

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
NO_ANSWER = 'not_isotp = ["Answer"]\n'
KCD = (
    '<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0"><Document name="Body"/><Bus name="Body">'
    '<Message id="0x100" length="2" name="Cells">{signals}</Message></Bus></NetworkDefinition>'
)
KCD_NAMES = tuple(enumerate(("Volt[0]", "Volt0")))


def load(tmp_path: Path, text: str, dbc: str = DBC) -> ClassedDatabase:
    path = tmp_path / "body.classes.toml"
    path.write_text(text, encoding="utf-8")
    return load_classes(path, parse_database((PREAMBLE + dbc).encode(), tmp_path / "body.dbc"))


def rules_of(tmp_path: Path, text: str) -> tuple[DiagnosticRule, ...]:
    """The rules of a file of one channel."""
    (channel,) = load(tmp_path, f"{NO_ANSWER}[[isotp]]\nids = [1]\n{text}").channels
    return channel.rules


def extended(identifier: int, *, j1939: bool = False) -> str:
    """A database of one message with a 29-bit id."""
    number = identifier | 0x80000000
    text = f'BO_ {number} Long: 8 Ecu\n SG_ A : 0|8@1+ (1,0) [0|0] "" Ecu\n\n'
    return text + (f'{J1939_FORMAT}BA_ "VFrameFormat" BO_ {number} 3;\n' if j1939 else "")


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


def test_a_checksum_does_not_cover_itself(tmp_path: Path) -> None:
    (declared,) = load(
        tmp_path, f'{NO_ANSWER}[[integrity]]\nsignal = "Brake.Crc"\ncovers = ["*"]\n'
    ).integrity
    assert declared.covers == frozenset(("Brake", name) for name in ("Pressure", "Pedal", "Alive"))


def test_a_checksum_that_is_never_collected_needs_no_declaration(tmp_path: Path) -> None:
    classed = load(tmp_path, f'{NO_ANSWER}[unclassified]\nsignals = ["Brake.*"]\n')
    assert classed.class_of("Brake", "Crc") is None


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


def test_the_services_of_the_standards_have_identifiers_of_their_width_and_no_others_do(
    tmp_path: Path,
) -> None:
    """SAE J1979 services 1, 2, 5, 6, 8, 9 and ISO 14229-1 services 0x22, 0x2E, 0x2F, requests and answers."""
    rules = rules_of(
        tmp_path,
        "".join(
            f'[[isotp.allow]]\nclass = "health"\nservice = {service}\nbytes = 1\n' for service in range(256)
        ),
    )
    widths = {rule.service: rule.identifier_bytes for rule in rules if rule.identifier_bytes}
    obd, uds = (1, 2, 5, 6, 8, 9), (0x22, 0x2E, 0x2F)
    assert len(rules) == 256
    assert widths == {
        **{service + answer: 1 for service in obd for answer in (0, 0x40)},
        **{service + answer: 2 for service in uds for answer in (0, 0x40)},
    }


@pytest.mark.parametrize("service", [-1, 256])
def test_a_service_is_one_byte(tmp_path: Path, service: int) -> None:
    with pytest.raises(PolicyError, match=r"'isotp.*service'"):
        rules_of(tmp_path, f'[[isotp.allow]]\nclass = "health"\nservice = {service}\nbytes = 1\n')


def test_a_width_that_is_stated_takes_the_place_of_the_standards(tmp_path: Path) -> None:
    begin = '[[isotp.allow]]\nclass = "health"\nbytes = 1\n'
    whole, quarter = rules_of(
        tmp_path,
        f"{begin}service = 0x22\nidentifier_bytes = 0\n"
        f"{begin}service = 0x59\nidentifier_bytes = 4\nidentifiers = [0x01020304]\n",
    )
    assert whole.matches(b"\x22\xf1")
    assert not whole.matches(b"\x22\xf1\x90\x00")
    assert quarter.matches(b"\x59\x01\x02\x03\x04\xff")
    assert not quarter.matches(b"\x59\x01\x02\x03\x05\xff")
    for width in (-1, 5):
        with pytest.raises(PolicyError, match="identifier_bytes"):
            rules_of(tmp_path, f"{begin}service = 0x59\nidentifier_bytes = {width}\n")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("12", (12, 12)),
        ("0x0C", (12, 12)),
        ("'12-12'", (12, 12)),
        ("'0x0A-0X0c'", (10, 12)),
        ("' 10 - 0x0C '", (10, 12)),
    ],
)
def test_identifiers_are_numbers_and_ranges(tmp_path: Path, written: str, meant: tuple[int, int]) -> None:
    (rule,) = rules_of(
        tmp_path,
        f'[[isotp.allow]]\nclass = "health"\nservice = 1\nbytes = 1\nidentifiers = [{written}]\n',
    )
    assert rule.identifiers == (meant,)


@pytest.mark.parametrize("written", ["true", "1.0", "'12'", "'12-'", "'2-1'", "'a-b'", "'1-2-3'", "[1, 2]"])
def test_nothing_else_is_an_identifier(tmp_path: Path, written: str) -> None:
    with pytest.raises(PolicyError, match="should be a number such as 0x0C, or a range") as caught:
        rules_of(
            tmp_path,
            f'[[isotp.allow]]\nclass = "health"\nservice = 1\nbytes = 1\nidentifiers = [{written}]\n',
        )
    assert caught.value.where == f"{tmp_path / 'body.classes.toml'}:8"


def test_an_empty_list_of_identifiers_is_not_taken_for_all(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"identifiers.*at least 1"):
        rules_of(
            tmp_path, '[[isotp.allow]]\nclass = "health"\nservice = 1\nbytes = "any"\nidentifiers = []\n'
        )


def test_channels_are_the_ids_that_are_listed_and_know_their_message(tmp_path: Path) -> None:
    channels = load(
        tmp_path, "[[isotp]]\nids = [0x7E8, 0x123]\nextended_ids = [0x7E8, 0x1FFFFFFF]\n"
    ).channels
    assert [(one.arbitration_id, one.extended, one.message, one.pgn) for one in channels] == [
        (0x7E8, False, "Answer", None),
        (0x123, False, "", None),
        (0x7E8, True, "", None),
        (0x1FFFFFFF, True, "", None),
    ]


@pytest.mark.parametrize("listed", ['messages = ["Long"]', "extended_ids = [0x18DAF110]"])
@pytest.mark.parametrize(("j1939", "pgn"), [(True, 0xDA00), (False, None)])
def test_a_channel_is_matched_as_its_message_is(
    tmp_path: Path, listed: str, j1939: bool, pgn: int | None
) -> None:
    (channel,) = load(tmp_path, f"[[isotp]]\n{listed}\n", extended(0x18DAF110, j1939=j1939)).channels
    assert channel == DiagnosticChannel(0x18DAF110, True, "Long", (), pgn)


@pytest.mark.parametrize("listed", ["ids = [0x800]", "ids = [-1]", "extended_ids = [0x20000000]"])
def test_an_id_that_does_not_fit_a_frame_is_refused(tmp_path: Path, listed: str) -> None:
    with pytest.raises(PolicyError, match="ids"):
        load(tmp_path, f"{NO_ANSWER}[[isotp]]\n{listed}\n")


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


@pytest.mark.parametrize(
    ("entry", "todo"),
    [
        ("Door.Rihgt", "Did you mean 'Door.Right'?"),
        ("Dor.Left", "Did you mean 'Door.Left'?"),
        ("Dor.*", "Did you mean 'Door.*'?"),
        ("Door", "Did you mean 'Door.*'?"),
        ("Dor", "Did you mean 'Door.*'?"),
        ("Engine.Torque", "Look the name up in the database"),
        ("Engine", "Look the name up in the database"),
    ],
)
def test_the_right_name_is_suggested_where_there_is_one_like_it(
    tmp_path: Path, entry: str, todo: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, f'{NO_ANSWER}[cabin]\nsignals = ["{entry}"]\n')
    assert caught.value.todo == todo


def test_a_message_like_no_other_is_to_be_looked_up(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, 'not_isotp = ["Engine"]\n')
    assert caught.value.what == "'Engine' is no message of body.dbc"
    assert caught.value.todo == "Look the name up in the database"


def test_five_signals_without_a_class_are_named_and_of_more_it_is_said_that_there_are(
    tmp_path: Path,
) -> None:
    names = "Brake.Pressure, Brake.Pedal, Brake.Alive, Brake.Crc, Door.Left"
    for more, complaint in (
        ('"Door.Right", ', f"for 5 signals: {names}"),
        ("", f"for 6 signals: {names}, ..."),
    ):
        with pytest.raises(PolicyError) as caught:
            load(
                tmp_path,
                f'complete = true\n[health]\nsignals = [{more}"Door.Ignition", "Answer.*"]\n{ISOTP}',
            )
        assert caught.value.what == f"says that it is complete, but names no class {complaint}"


def test_a_class_may_name_a_signal_more_than_once(tmp_path: Path) -> None:
    text = '[cabin]\nsignals = ["Door.*", "Door.L*", "Door.Left", "Door.Left"]\n'
    assert load(tmp_path, NO_ANSWER + text).class_of("Door", "Left") is DataClass.CABIN


def test_a_name_with_brackets_names_its_signal_although_it_is_a_pattern_too(tmp_path: Path) -> None:
    signals = "".join(f'<Signal name="{name}" offset="{8 * place}" length="8"/>' for place, name in KCD_NAMES)
    database = parse_database(KCD.format(signals=signals).encode(), tmp_path / "body.kcd")
    path = tmp_path / "body.classes.toml"
    path.write_text('[health]\nsignals = ["Cells.Volt[0]"]\n[operation]\nsignals = ["Cells.Volt*"]\n')
    classed = load_classes(path, database)
    assert classed.class_of("Cells", "Volt[0]") is DataClass.HEALTH
    assert classed.class_of("Cells", "Volt0") is DataClass.OPERATION


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[cabin]\nsignals = [\n  "Door.*",\n  "Door.Lef",\n]\n', 5),
        ("[cabin]\nsignals = [\n  'Door.*',\n  'Door.Lef', ]\n", 5),
        ('[cabin]\nsignals = ["Door.L\\u0065f"]\n[health]\nsignals = ["Door.Lef"]\n', 3),
        ('cabin.signals = ["Door.Lef"]\nhealth.signals = ["Door.Lef"]\n', 2),
        ('[[integrity]]\nsignal = "Brake.Crc"\ncovers = [\n  "Pedal",\n  "Pdal",\n]\n', 6),
        ('database = "body.dbc"\n[[isotp]]\nmessages = [\n  "Answer",\n  "Anser",\n]\n', 6),
    ],
)
def test_the_line_is_that_of_the_entry_itself(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, NO_ANSWER + text)
    assert caught.value.where == f"{tmp_path / 'body.classes.toml'}:{line}"


def test_diagnostic_ids_must_be_declared_or_excused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="'Answer' has an id of diagnostics"):
        load(tmp_path, '[cabin]\nsignals = ["Door.*"]\n')
    assert not load(tmp_path, 'not_isotp = ["Answer"]\n').channels


@pytest.mark.parametrize(
    ("identifier", "diagnostic"),
    [(0x7DE, False), (0x7DF, True), (0x7E0, True), (0x7EF, True), (0x7F0, False)],
)
def test_the_ids_of_legislated_diagnostics_are_those_of_iso_15765_4(
    tmp_path: Path, identifier: int, diagnostic: bool
) -> None:
    text = f'BO_ {identifier} Plain: 8 Ecu\n SG_ A : 0|8@1+ (1,0) [0|0] "" Ecu\n\n'
    assert refused_as_diagnostics(tmp_path, text) is diagnostic


@pytest.mark.parametrize(
    ("identifier", "diagnostic"),
    [
        (0x18DAF110, True),
        (0x18DB33F1, True),
        (0x0CDA10F1, True),
        (0x18D9F110, False),
        (0x18DCF110, False),
        (0x19DAF110, False),
        (0x1ADBF110, False),
        (0x18FEDA00, False),
        (0x000007E0, False),
    ],
)
@pytest.mark.parametrize("j1939", [True, False])
def test_the_long_ids_of_diagnostics_are_those_of_iso_15765_2(
    tmp_path: Path, identifier: int, diagnostic: bool, j1939: bool
) -> None:
    assert refused_as_diagnostics(tmp_path, extended(identifier, j1939=j1939)) is diagnostic


def refused_as_diagnostics(tmp_path: Path, dbc: str) -> bool:
    """Whether a message has to be declared or excused."""
    try:
        load(tmp_path, "", dbc)
    except PolicyError as error:
        return "has an id of diagnostics" in str(error)
    return False


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no such file"):
        load_classes(tmp_path / "none.toml", parse_database((PREAMBLE + DBC).encode(), Path("body.dbc")))


OWN = sorted((Path(__file__).parents[2] / "dbc").glob("*.dbc"))


@pytest.mark.parametrize("path", OWN, ids=[path.stem for path in OWN])
def test_every_signal_of_our_own_databases_has_a_class(path: Path) -> None:
    classed = load_classes(path.with_suffix(".classes.toml"), load_database(path))
    assert not classed.unclassified()
