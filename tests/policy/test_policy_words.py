"""What people are told of a rule."""

from dataclasses import replace

import pytest

from edge.policy.classes import DataClass
from edge.policy.jurisdictions import REGIONS
from edge.policy.policy_words import places_words, rule_words, span_words
from edge.policy.rules import ANYWHERE, Basis, Precision, Purpose, Rule

BY_LAW = Rule(DataClass.OPERATION, Purpose.EVENT, Basis.LAW)
BY_CONSENT = Rule(
    DataClass.POSITION,
    Purpose.SERVICE,
    Basis.CONSENT,
    jurisdictions=frozenset({"CN"}),
    destinations=frozenset({"fleet", "depot"}),
    precision=Precision(geohash=5),
    retention_days=7.0,
    longest_days=30.0,
    erase_within_s=3600.0,
    clause="a clause",
)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (None, "not collected"),
        (BY_LAW, "by law; stays in the vehicle"),
        (replace(BY_LAW, jurisdictions=frozenset({ANYWHERE})), f"by law; may leave: {places_words('*')}"),
        (
            BY_CONSENT,
            (
                "by consent for at most 30 days, erased within 1 hour of its withdrawal; may leave to depot, "
                "fleet: CN; precision geohash 5; kept 7 days; a clause"
            ),
        ),
    ],
)
def test_a_rule_in_words(rule: Rule | None, words: str) -> None:
    assert rule_words(rule) == words


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ({"DE", "CN"}, "CN, DE"),
        (REGIONS["EEA"], "EEA"),
        (REGIONS["EEA"] | {"CH", "AU"}, "EEA, AU, CH"),
        (REGIONS["EEA"] - {"AT"}, ", ".join(sorted(REGIONS["EEA"] - {"AT"}))),
        ({ANYWHERE}, "any country that a destination states"),
    ],
)
def test_places_in_words(places: set[str], words: str) -> None:
    assert places_words(places) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.5, "0.5 s"),
        (59, "59 s"),
        (60, "1 minute"),
        (61, "61 s"),
        (5_400, "90 minutes"),
        (3_600, "1 hour"),
        (7_200, "2 hours"),
        (86_400, "1 day"),
        (129_600, "36 hours"),
        (2_592_000, "30 days"),
    ],
)
def test_a_span_in_words(seconds: float, words: str) -> None:
    assert span_words(seconds) == words
