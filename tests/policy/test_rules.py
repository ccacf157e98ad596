"""What a policy and its rules say of themselves."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from edge.policy.classes import DataClass
from edge.policy.policyfile import profile
from edge.policy.rules import AllowedDestination, Area, Basis, Datum, Policy, Precision, Purpose, Rule

RULE = Rule(
    DataClass.POSITION,
    Purpose.SERVICE,
    Basis.CONSENT,
    jurisdictions=frozenset({"DE", "CN"}),
    destinations=frozenset({"fleet", "depot"}),
    precision=Precision(cell_m=1000.0),
    retention_days=7.0,
    longest_days=30.0,
    erase_within_s=3600.0,
    clause="a clause",
    recipients=("depot DE depot.example.org", "fleet CN data.example.cn"),
)
CORNERS = (0.0, 0.0), (1.0, 0.0), (1.0, 1.0)


@pytest.mark.parametrize(
    ("precision", "words"),
    [
        (Precision(), "full"),
        (Precision(cell_m=1000.0), "1000 m"),
        (Precision(cell_m=12.5), "12.5 m"),
        (Precision(geohash=5), "geohash 5"),
    ],
)
def test_a_precision_is_written_as_in_a_policy_file(precision: Precision, words: str) -> None:
    assert str(precision) == words
    assert precision.full is (words == "full")


def test_a_rule_that_names_nothing_more_lets_nothing_go_and_sets_no_term() -> None:
    bare = Rule(DataClass.OPERATION, Purpose.EVENT, Basis.LAW)
    assert bare.precision.full
    assert not bare.leaves
    assert (bare.retention_days, bare.longest_days, bare.erase_within_s) == (0, 0, 0)


class TestWhatAPersonAgreesTo:
    """Consents are given to the digest of a rule: they are asked for again where it is another."""

    def test_is_known_by_the_same_digest_in_every_release(self) -> None:
        assert RULE.digest == "b9c58ac96c51b67d"

    @pytest.mark.parametrize(
        "other",
        [
            replace(RULE, data_class=DataClass.CABIN),
            replace(RULE, purpose=Purpose.REGULATED),
            replace(RULE, jurisdictions=frozenset({"CN"})),
            replace(RULE, destinations=frozenset({"fleet"})),
            replace(RULE, precision=Precision()),
            replace(RULE, retention_days=8.0),
            replace(RULE, recipients=()),
        ],
    )
    def test_is_something_else_with_each_of_its_parts(self, other: Rule) -> None:
        assert other.digest != RULE.digest

    def test_does_not_hang_on_how_long_a_consent_may_last_or_why_it_is_asked(self) -> None:
        other = replace(RULE, longest_days=20.0, erase_within_s=60.0, clause="another")
        assert other.digest == RULE.digest


POLICY = Policy(
    "fleet north",
    3,
    "gdpr",
    {(RULE.data_class, RULE.purpose): RULE},
    {
        "fleet": AllowedDestination(
            "fleet", Purpose.SERVICE, "CN", ("data.example.cn",), (ip_network("203.0.113.0/24"),)
        )
    },
    (Area("yard", CORNERS, Datum.WGS84, frozenset({DataClass.CABIN, DataClass.EXTERIOR})),),
    "privacy@example.org",
)


class TestPolicy:
    @pytest.mark.parametrize(
        "other",
        [
            replace(POLICY, name="fleet south"),
            replace(POLICY, version=4),
            replace(POLICY, profile="strict"),
            replace(POLICY, rules={}),
            *(
                replace(POLICY, rules={(RULE.data_class, RULE.purpose): rule})
                for rule in (
                    replace(RULE, retention_days=8.0),
                    replace(RULE, basis=Basis.LAW),
                    replace(RULE, longest_days=20.0),
                    replace(RULE, erase_within_s=60.0),
                )
            ),
            replace(POLICY, destinations={}),
            replace(POLICY, areas=()),
            *(
                replace(POLICY, areas=(replace(POLICY.areas[0], **parts),))
                for parts in (
                    {"name": "other yard"},
                    {"corners": CORNERS[::-1]},
                    {"datum": Datum.GCJ02},
                    {"withhold": frozenset({DataClass.CABIN})},
                    {"margin_m": 50.0},
                )
            ),
        ],
    )
    def test_has_another_with_each_of_its_parts(self, other: Policy) -> None:
        assert other.digest != POLICY.digest

    def test_takes_its_areas_100_m_larger_unless_they_say_otherwise(self) -> None:
        said = replace(POLICY, areas=(replace(POLICY.areas[0], margin_m=100.0),))
        assert said.digest == POLICY.digest

    def test_is_called_by_name_version_and_digest(self) -> None:
        assert POLICY.title == f"fleet north version 3 ({POLICY.digest})"
        assert profile("strict").title == f"strict ({profile('strict').digest})"
