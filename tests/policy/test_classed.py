"""Which diagnostic messages a rule means, and what a database with classes says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.database.load import parse_database
from edge.policy.classed import ClassedDatabase, DiagnosticRule
from edge.policy.classes import DataClass
from tests.policy.drawn import PREAMBLE
from tests.policy.test_transport import DATABASE as J1939

RANGED = DiagnosticRule(DataClass.HEALTH, 0x62, ((0x0102, 0x0104), (0xF190, 0xF190)), 2, 3)
ANY_IDENTIFIER = DiagnosticRule(DataClass.HEALTH, 0x62, (), 2, 3)
ANY_LENGTH = DiagnosticRule(DataClass.HEALTH, 0x62, ((0x0102, 0x0102),), 2, None)
NO_IDENTIFIER = DiagnosticRule(DataClass.HEALTH, 0x50, (), 0, 0)


@pytest.mark.parametrize(
    ("rule", "message", "matched"),
    [
        (RANGED, "62 0101 aabbcc", False),
        (RANGED, "62 0102 aabbcc", True),
        (RANGED, "62 0104 aabbcc", True),
        (RANGED, "62 0105 aabbcc", False),
        (RANGED, "62 0201 aabbcc", False),
        (RANGED, "62 f190 aabbcc", True),
        (RANGED, "63 0102 aabbcc", False),
        (RANGED, "62 0102 aabb", False),
        (RANGED, "62 0102 aabbccdd", False),
        (RANGED, "62 0102", False),
        (RANGED, "62 01", False),
        (RANGED, "62", False),
        (RANGED, "", False),
        (ANY_IDENTIFIER, "62 ffff aabbcc", True),
        (ANY_IDENTIFIER, "62 ffff aabb", False),
        (ANY_LENGTH, "62 0102", True),
        (ANY_LENGTH, "62 0102 aabbccddeeff", True),
        (ANY_LENGTH, "62 0103 aabbccddeeff", False),
        (ANY_LENGTH, "62 01", False),
        (NO_IDENTIFIER, "50", True),
        (NO_IDENTIFIER, "50 00", False),
        (NO_IDENTIFIER, "", False),
    ],
)
def test_a_rule_means_messages_of_its_service_identifiers_and_length(
    rule: DiagnosticRule, message: str, matched: bool
) -> None:
    assert rule.matches(bytes.fromhex(message)) is matched


PLAIN = parse_database(
    f'{PREAMBLE}BO_ 1 Plain: 1 Ecu\n SG_ A : 0|8@1+ (1,0) [0|0] "" Ecu\n\n'.encode(), Path("plain.dbc")
)


@pytest.mark.parametrize(("says", "plain", "j1939"), [(None, False, True), (True, True, True), (False,) * 3])
def test_a_bus_speaks_j1939_if_a_message_does_unless_the_file_says_otherwise(
    says: bool | None, plain: bool, j1939: bool
) -> None:
    assert ClassedDatabase(PLAIN, {}, j1939=says).speaks_j1939 is plain
    mixed = replace(PLAIN, messages=(*PLAIN.messages, *J1939.database.messages))
    assert ClassedDatabase(mixed, {}, j1939=says).speaks_j1939 is j1939


def test_classes_are_what_they_were_when_it_was_made() -> None:
    classes = {("Plain", "A"): DataClass.HEALTH}
    classed = ClassedDatabase(PLAIN, classes)
    classes["Plain", "A"] = DataClass.CABIN
    assert classed.class_of("Plain", "A") is DataClass.HEALTH
    assert classed.class_of("Plain", "B") is None
    assert classed.unclassified() == ()
    assert ClassedDatabase(PLAIN, {}).unclassified() == (("Plain", "A"),)
