"""What a policy file may say, and how it is told what it may not."""

import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.errors import PolicyError
from edge.policy.classes import DataClass
from edge.policy.floor import LATEST_ERASURE_S, LONGEST_CONSENT_DAYS, SENSITIVE, USUAL_ERASURE_S, rule_faults
from edge.policy.jurisdictions import REGIONS
from edge.policy.policyfile import PROFILES, load_policy, profile, read_policy
from edge.policy.polygon import polygon_fault
from edge.policy.rules import (
    ANYWHERE,
    RECORD_PURPOSES,
    AllowedDestination,
    Area,
    Basis,
    Datum,
    Policy,
    Precision,
    Purpose,
    Rule,
)
from tests.policy.policy_text import AREA, DESTINATION, HEAD, RULE, WHOLE, changed, line_of, written

HERE = Path("policy.toml")


def read(text: str) -> Policy:
    return read_policy(text.encode(), HERE).policy


def complaint(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        read_policy(text.encode(), HERE)
    return str(caught.value)


def test_all_keys_arrive_in_the_policy(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, WHOLE))
    assert (policy.name, policy.version, policy.profile) == ("fleet north", 3, "gbt44464")
    assert policy.contact == "privacy@example.org"
    assert policy.rule(DataClass.POSITION, Purpose.SERVICE) == Rule(
        DataClass.POSITION,
        Purpose.SERVICE,
        Basis.CONSENT,
        jurisdictions=frozenset({"CN"}),
        destinations=frozenset({"fleet"}),
        precision=Precision(geohash=5),
        retention_days=7,
        longest_days=30,
        erase_within_s=3600,
        clause="GB/T 44464-2024, 5.2",
        recipients=("fleet CN data.example.cn *.fleet.example.cn",),
    )
    assert policy.destinations == {
        "fleet": AllowedDestination(
            "fleet",
            Purpose.SERVICE,
            "CN",
            ("data.example.cn", "*.fleet.example.cn"),
            (ip_network("203.0.113.0/24"),),
        )
    }
    assert policy.areas == (
        Area(
            "yard",
            ((116.30, 39.90), (116.40, 39.90), (116.40, 39.95), (116.30, 39.95)),
            Datum.WGS84,
            frozenset({DataClass.CABIN, DataClass.EXTERIOR}),
            50,
        ),
    )


def test_begin_and_end_are_read_with_their_offset() -> None:
    text = HEAD + "issued = 2026-03-01T08:00:00+08:00\nexpires = 2027-03-01T00:00:00Z\n"
    found = read_policy(text.encode(), HERE)
    assert found.issued == datetime(2026, 3, 1, tzinfo=UTC)
    assert found.expires == datetime(2027, 3, 1, tzinfo=UTC)
    for line in text.splitlines()[-2:]:
        one = read_policy(f"{HEAD}{line}\n".encode(), HERE)
        assert (one.issued, one.expires) in {(found.issued, None), (None, found.expires)}


def test_what_the_file_does_not_name_is_as_the_profile_has_it() -> None:
    base = profile("gbt44464")
    rules = {use: replace(rule, recipients=()) for use, rule in read(WHOLE).rules.items()}
    assert rules.pop((DataClass.POSITION, Purpose.SERVICE)) != base.rule(DataClass.POSITION, Purpose.SERVICE)
    assert rules.items() < base.rules.items()
    assert len(rules) == len(base.rules) - 1


def test_people_are_asked_again_when_the_data_would_go_elsewhere() -> None:
    old, new = ', "*.fleet.example.cn"', ""
    use = (DataClass.POSITION, Purpose.SERVICE)
    before, after = read(WHOLE).rule(*use), read(changed(old, new)).rule(*use)
    assert before is not None
    assert after is not None
    assert before.digest != after.digest
    staying = (DataClass.CABIN, Purpose.RECORDING)
    kept = [read(text).rule(*staying) for text in (WHOLE, changed(old, new))]
    assert len({rule.digest for rule in kept if rule is not None}) == 1


OTHERS = """
[[destination]]
name = "depot"
purpose = "service"
jurisdiction = "CN"
hosts = ["depot.example.cn"]

[[destination]]
name = "platform"
purpose = "regulated"
jurisdiction = "CN"
hosts = ["platform.example.cn", "192.0.2.1"]
"""
DEPOT = "depot CN depot.example.cn"
FLEET = "fleet CN data.example.cn *.fleet.example.cn"


def test_a_rule_knows_who_gets_the_data() -> None:
    def recipients(text: str, data_class: DataClass, purpose: Purpose) -> tuple[str, ...] | None:
        rule = read(text + OTHERS).rule(data_class, purpose)
        return None if rule is None else rule.recipients

    assert recipients(WHOLE, DataClass.POSITION, Purpose.SERVICE) == (FLEET,)
    assert recipients(WHOLE, DataClass.OPERATION, Purpose.SERVICE) == (DEPOT, FLEET)
    duty = recipients(WHOLE, DataClass.POSITION, Purpose.REGULATED)
    assert duty == ("platform CN platform.example.cn 192.0.2.1",)
    assert recipients(WHOLE, DataClass.OPERATION, Purpose.RECORDING) == ()
    staying = changed('jurisdictions = ["CN"]\ndestinations = ["fleet"]\n', "")
    assert recipients(staying, DataClass.POSITION, Purpose.SERVICE) == ()


def test_who_gets_pictures_is_part_of_what_is_agreed_to() -> None:
    pictures = """
[[rule]]
class = "exterior"
purposes = ["service"]
basis = "consent"
jurisdictions = ["CN"]
longest_days = 7
"""
    rule = read(WHOLE + OTHERS + pictures).rule(DataClass.EXTERIOR, Purpose.SERVICE)
    assert rule is not None
    assert rule.recipients == (DEPOT, FLEET)
    fewer = read(WHOLE + pictures).rule(DataClass.EXTERIOR, Purpose.SERVICE)
    assert fewer is not None
    assert fewer.digest != rule.digest, "who agreed to fewer is asked again"


def test_a_destination_on_this_machine_is_a_recipient_too() -> None:
    here = """
[[destination]]
name = "forwarder"
purpose = "service"
hosts = ["127.0.0.1"]
"""
    before = read(WHOLE + OTHERS).rule(DataClass.OPERATION, Purpose.SERVICE)
    rule = read(WHOLE + OTHERS + here).rule(DataClass.OPERATION, Purpose.SERVICE)
    assert rule is not None
    assert before is not None
    assert any(one.startswith("forwarder ") for one in rule.recipients)
    assert rule.digest != before.digest, "who agreed before it was there is asked again"


def test_a_rule_inherits_nothing_from_the_one_it_replaces() -> None:
    short = changed('jurisdictions = ["CN"]\ndestinations = ["fleet"]\nprecision = "geohash 5"\n', "")
    short = changed("retention_days = 7\n", "", changed("erase_within_s = 3600\n", "", short))
    rule = read(short).rule(DataClass.POSITION, Purpose.SERVICE)
    assert rule is not None
    assert (rule.leaves, rule.precision.full, rule.retention_days) == (False, True, 0)
    assert rule.erase_within_s == USUAL_ERASURE_S == 10 * 24 * 3600


def test_deny_takes_a_rule_of_the_profile_away() -> None:
    one = read(HEAD + "[[deny]]\nclass = 'position'\npurposes = ['service']\n")
    assert one.rules.keys() == profile("gbt44464").rules.keys() - {(DataClass.POSITION, Purpose.SERVICE)}
    whole = read(HEAD + "[[deny]]\nclass = 'position'\n")
    assert whole.rules.keys() == {
        use for use in profile("gbt44464").rules if use[0] is not DataClass.POSITION
    }


def test_some_are_denied_and_others_ruled_anew() -> None:
    deny = "[[deny]]\nclass = 'identity'\n[[deny]]\nclass = 'cabin'\npurposes = ['event']\n"
    policy = read(WHOLE + deny)
    assert policy.rule(DataClass.POSITION, Purpose.SERVICE) == read(WHOLE).rule(
        DataClass.POSITION, Purpose.SERVICE
    )
    assert policy.rules.keys() == {
        use
        for use in profile("gbt44464").rules
        if use[0] is not DataClass.IDENTITY and use != (DataClass.CABIN, Purpose.EVENT)
    }


def test_what_is_denied_and_ruled_is_told_once_whatever_the_profile_says() -> None:
    use = "class = 'identity'\npurposes = ['event']\n"
    said = complaint(f"{HEAD}[[rule]]\n{use}basis = 'law'\nclause = 'a law'\n[[deny]]\n{use}")
    assert "is denied here and has a [[rule]] as well" in said
    assert said.count("policy.toml") == 1


def test_the_digest_does_not_hang_on_the_order_of_tables() -> None:
    other = RULE.replace("position", "identity").replace('precision = "geohash 5"\n', "")
    head = changed("gbt44464", "strict", HEAD)
    one, two = read(head + RULE + other + DESTINATION), read(head + other + RULE + DESTINATION)
    assert one.digest == two.digest
    assert one.digest != read(head + RULE + DESTINATION).digest


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        ("full", Precision()),
        ("1000 m", Precision(cell_m=1000)),
        ("250m", Precision(cell_m=250)),
        ("12.5 m", Precision(cell_m=12.5)),
        ("geohash 12", Precision(geohash=12)),
    ],
)
def test_precisions(written_as: str, meant: Precision) -> None:
    rule = read(changed("geohash 5", written_as)).rule(DataClass.POSITION, Purpose.SERVICE)
    assert rule is not None
    assert rule.precision == meant


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        ("'position'", {DataClass.POSITION}),
        ("'everything'", set(DataClass)),
        ("['cabin', 'identity']", {DataClass.CABIN, DataClass.IDENTITY}),
    ],
)
def test_what_an_area_withholds(written_as: str, meant: set[DataClass]) -> None:
    assert read(changed('"media"', written_as)).areas[0].withhold == meant


def test_an_area_may_be_closed_by_repeating_its_first_corner() -> None:
    closed = changed("[116.30, 39.95]]", "[116.30, 39.95], [116.30, 39.90]]")
    assert read(closed).areas == read(WHOLE).areas


def test_a_line_has_two_thousand_bytes_and_fifty_dots_at_most() -> None:
    for most in ("#" * 2_000, "#" + "." * 50):
        assert read(f"{WHOLE}\n{most}\n") == read(WHOLE)
        said = complaint(f"{WHOLE}\n{most}{most[-1]}\n")
        assert said.startswith(f"policy.toml:{len(WHOLE.splitlines()) + 2}: has ")
        assert " on one line. Break it into " in said


def test_a_line_may_hold_many_corners() -> None:
    corners = ", ".join(f"[{116 + step / 1000:.3f}, {39 + step**2 / 1e6:.6f}]" for step in range(60))
    assert (
        len(read(HEAD + AREA.replace(AREA.splitlines()[3], f"corners = [{corners}]")).areas[0].corners) == 60
    )


def test_a_destination_on_this_machine_needs_no_jurisdiction() -> None:
    local = changed(
        'jurisdiction = "CN"\nhosts = ["data.example.cn", "*.fleet.example.cn"]', "hosts = ['::1']"
    )
    assert read(local).destinations["fleet"].jurisdiction == ""


def test_a_region_stands_for_its_countries() -> None:
    rule = "[[rule]]\nclass = 'operation'\npurposes = ['service']\nbasis = 'law'\n"
    rule += "jurisdictions = ['EEA', 'CH']\n"
    found = read(changed("gbt44464", "gdpr", HEAD) + rule).rule(DataClass.OPERATION, Purpose.SERVICE)
    assert found is not None
    assert found.jurisdictions == REGIONS["EEA"] | {"CH"}
    assert len(REGIONS["EEA"]) == 30


RULES = {
    "cabin leaves by law": (
        "class = 'cabin'\npurposes = ['regulated']\nbasis = 'law'\nclause = 'x'\njurisdictions = ['CN']",
        "basis",
        "cabin data leave the vehicle by consent alone",
    ),
    "position for service by law": (
        "class = 'position'\npurposes = ['service']\nbasis = 'law'\nclause = 'x'",
        "basis",
        "no rule obliges anybody to collect class position for purpose service",
    ),
    "cabin recorded by law": (
        "class = 'cabin'\npurposes = ['recording']\nbasis = 'law'\nclause = 'x'",
        "basis",
        "no rule obliges anybody to collect class cabin for purpose recording",
    ),
    "sensitive by law without a clause": (
        "class = 'exterior'\npurposes = ['event']\nbasis = 'law'",
        "[[rule]]",
        "collected by law only where a clause says so",
    ),
    "consent without a term": (
        "class = 'cabin'\npurposes = ['event']\nbasis = 'consent'",
        "[[rule]]",
        "'longest_days': is missing: a consent has a term, never 'always'",
    ),
    "consent for more than a year": (
        "class = 'cabin'\npurposes = ['event']\nbasis = 'consent'\nlongest_days = 366",
        "longest_days",
        "366 days are as good as for ever",
    ),
    "a term without a consent": (
        "class = 'health'\npurposes = ['event']\nbasis = 'law'\nlongest_days = 3",
        "longest_days",
        "is the term of a consent",
    ),
    "erasure without a consent": (
        "class = 'health'\npurposes = ['event']\nbasis = 'law'\nerase_within_s = 60",
        "erase_within_s",
        "is about a withdrawn consent",
    ),
    "erasure after ten working days": (
        "class='cabin'\npurposes=['event']\nbasis='consent'\nlongest_days=1\nerase_within_s=1209601",
        "erase_within_s",
        "longer than ten working days",
    ),
    "rounded raw frames": (
        "class = 'position'\npurposes = ['event']\nbasis = 'consent'\nlongest_days = 1\nprecision = '100 m'",
        "precision",
        "raw frames, which cannot be rounded",
    ),
    "precision of another class": (
        "class = 'operation'\npurposes = ['service']\nbasis = 'law'\nprecision = '100 m'",
        "precision",
        "is of positions",
    ),
    "raw frames that leave": (
        "class = 'operation'\npurposes = ['recording']\nbasis = 'law'\njurisdictions = ['CN']",
        "jurisdictions",
        "keeps raw frames in the vehicle",
    ),
    "destinations of what stays": (
        "class = 'operation'\npurposes = ['service']\nbasis = 'law'\ndestinations = ['fleet']",
        "destinations",
        "without jurisdictions the class stays in the vehicle",
    ),
    "everywhere and here": (
        "class = 'operation'\npurposes = ['service']\nbasis = 'law'\njurisdictions = ['*', 'CN']",
        "jurisdictions",
        "'*' stands for all",
    ),
    "abroad": (
        "class = 'operation'\npurposes = ['service']\nbasis = 'law'\njurisdictions = ['CN', 'US']",
        "jurisdictions",
        "'US' is outside of what the profile allows; it allows CN",
    ),
    "anywhere": (
        "class = 'operation'\npurposes = ['service']\nbasis = 'law'\njurisdictions = ['*']",
        "jurisdictions",
        "'*' is outside of what the profile allows",
    ),
    "no such country": (
        "class = 'operation'\npurposes = ['service']\nbasis = 'law'\njurisdictions = ['UK']",
        "jurisdictions",
        "'UK' is no country; did you mean 'GB'?",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_what_no_signature_makes_right(name: str) -> None:
    rule, key, words = RULES[name]
    text = f"{HEAD}{DESTINATION}\n[[rule]]\n{rule}\n"
    said = complaint(text)
    assert words in said
    assert said.startswith(f"policy.toml:{line_of(text, key)}: ")
    assert said.count("policy.toml:") == 1, "one thing is wrong, and told once"


def test_the_longest_terms_that_are_no_fault() -> None:
    rule = "class='cabin'\npurposes=['event']\nbasis='consent'\nlongest_days=365\nerase_within_s=1209600"
    found = read(f"{HEAD}\n[[rule]]\n{rule}\n").rule(DataClass.CABIN, Purpose.EVENT)
    assert found is not None
    assert (found.longest_days, found.erase_within_s) == (365, 14 * 24 * 3600)


CHANGES = {
    "unknown key": ("clause =", "reason =", "unknown key 'rule[0].reason'"),
    "unknown key nearby": ("longest_days", "longest_day", "did you mean 'longest_days'?"),
    "unknown table": ("[[area]]", "[[areas]]", "did you mean 'area'?"),
    "floor of its own": ("[[area]]", "[floor]\njurisdictions = []\n[[area]]", "unknown key 'floor'"),
    "another format": ("format = 1", "format = 2", "reads format 1"),
    "no format": ("format = 1\n", "", "'format' is missing"),
    "no version": ("version = 3\n", "", "'version' is missing"),
    "version nought": ("version = 3", "version = 0", "whole number, 1 to"),
    "version true": ("version = 3", "version = true", "whole number, 1 to"),
    "version with a point": ("version = 3", "version = 3.0", "whole number, 1 to"),
    "no such profile": ("gbt44464", "lax", "'strict', 'gbt44464' or 'gdpr'"),
    "name of a profile": ("fleet north", "GDPR", "is the name of a built-in profile"),
    "name of nothing": ("fleet north", "", "1 to 64 printable characters"),
    "name of two lines": ("fleet north", "fleet\\nnorth", "1 to 64 printable characters"),
    "nobody to ask": ('contact = "privacy@example.org"\n', "", "whoever is asked for consent is told whom"),
    "time without offset": ("[[rule]]", "[[rule]]\nissued = 1", "unknown key 'rule[0].issued'"),
    "no such class": ('"position"', '"location"', "'rule[0].class'"),
    "no such purpose": ('["service"]', '["services"]', "'rule[0].purposes[0]'"),
    "purpose twice": ('["service"]', '["service", "service"]', "names something twice"),
    "purpose without brackets": ('["service"]', '"service"', "should be a list, such as ['service']"),
    "no purpose": ('["service"]', "[]", "should be a list, such as ['service']"),
    "no such basis": ('"consent"', '"interest"', "'law' or 'consent'"),
    "finer than fine": ("geohash 5", "geohash 13", "'geohash 1' to 'geohash 12'"),
    "cells of nothing": ("geohash 5", "0 m", "a cell such as '1000 m'"),
    "term for ever": (
        "longest_days = 30",
        "longest_days = 'forever'",
        "a consent has a term, never 'always'",
    ),
    "term without end": ("longest_days = 30", "longest_days = inf", "a consent has a term, never 'always'"),
    "term of no number": ("longest_days = 30", "longest_days = nan", "a consent has a term, never 'always'"),
    "term of nothing": ("longest_days = 30", "longest_days = 0", "a consent has a term, never 'always'"),
    "term below nothing": ("longest_days = 30", "longest_days = -1", "a consent has a term, never 'always'"),
    "term true": ("longest_days = 30", "longest_days = true", "a consent has a term, never 'always'"),
    "erasure never": ("erase_within_s = 3600", "erase_within_s = inf", "ten working days"),
    "kept for ever": ("retention_days = 7", "retention_days = inf", "a number of days, 0 to 3650"),
    "destination unknown": (
        '["fleet"]',
        '["fleets"]',
        "no destination of this policy; did you mean 'fleet'?",
    ),
    "destination of another purpose": (
        'purpose = "service"',
        'purpose = "regulated"',
        "'fleet' is for purpose regulated",
    ),
    "destination of no such purpose": (
        'purpose = "service"',
        'purpose = "recording"',
        "'destination[0].purpose'",
    ),
    "destination nowhere": ('jurisdiction = "CN"\n', "", "say where its machines stand"),
    "destination abroad": (
        'jurisdiction = "CN"',
        'jurisdiction = "US"',
        "outside of what the profile allows",
    ),
    "destination everywhere": ('jurisdiction = "CN"', 'jurisdiction = "*"', "machines stand in one country"),
    "host with a scheme": (
        '"data.example.cn"',
        '"https://data.example.cn/"',
        "without scheme, port and path",
    ),
    "host below everything": ('"data.example.cn"', '"*.cn"', "'*.example.cn' for all below it"),
    "no host": ('["data.example.cn", "*.fleet.example.cn"]', "[]", "should be a list"),
    "network of everything": ("203.0.113.0/24", "0.0.0.0/0", "should be a network such as"),
    "network of bits": ("203.0.113.0/24", "203.0.113.1/24", "has host bits set"),
    "no datum": ('datum = "wgs84"\n', "", "'area[0].datum' is missing"),
    "withholds nothing": ('"media"', "[]", "a list of classes"),
    "withholds the unknown": ('"media"', "['cabins']", "a list of classes"),
    "margin of a country": ("margin_m = 50", "margin_m = 1e6", "a number of metres, 0 to 10000"),
    "latitude first": ("[[116.30, 39.90]", "[[39.90, 116.30]", "longitude (-180 to 180), then latitude"),
    "corner of nowhere": ("[[116.30, 39.90]", "[[nan, 39.90]", "a number of degrees"),
    "corner of three": ("[[116.30, 39.90]", "[[116.30, 39.90, 12.0]", "'area[0].corners[0]"),
    "two corners": (", [116.40, 39.95], [116.30, 39.95]]", "]", "has 2 corners"),
    "crossing": (
        "[116.40, 39.95], [116.30, 39.95]]",
        "[116.30, 39.95], [116.40, 39.95]]",
        "crosses itself: the side from corner 2 meets that from corner 4",
    ),
    "one corner twice": ("[116.40, 39.95],", "[116.40, 39.95], [116.40, 39.95],", "the same place"),
    "turning back": (
        "[116.40, 39.90],",
        "[116.45, 39.90], [116.40, 39.90],",
        "turns back on itself at corner 2",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_complaint_names_line_fault_and_remedy(name: str) -> None:
    old, new, words = CHANGES[name]
    text = changed(old, new)
    said = complaint(text)
    assert words in said
    place = re.match(r"policy\.toml(?::(\d+))?: ", said)
    assert place is not None
    last = len(text.splitlines())
    assert 1 <= int(place[1] or 1) <= last


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (RULE, "class position for purpose service has a rule already, at line 7; keep one of the two"),
        (
            "[[deny]]\nclass = 'position'\npurposes = ['service']\n",
            "class position for purpose service is denied here and has a [[rule]] as well",
        ),
        (
            "[[deny]]\nclass = 'identity'\npurposes = ['event']\n",
            "the profile 'gbt44464' does not collect class identity for purpose event",
        ),
        (
            "[[deny]]\nclass = 'identity'\npurposes = ['event', 'recording', 'regulated']\n",
            "the profile 'gbt44464' does not collect class identity for purpose event",
        ),
        (DESTINATION, "'fleet' is declared twice"),
        (AREA, "'yard' is declared twice"),
    ],
)
def test_contradictions_within_a_file(more: str, words: str) -> None:
    said = complaint(WHOLE + "\n" + more)
    assert words in said
    assert int(said.split(":")[1]) >= len(WHOLE.splitlines())


def test_a_class_that_is_not_collected_at_all_needs_no_deny() -> None:
    said = complaint(changed("gbt44464", "strict", HEAD) + "[[deny]]\nclass = 'cabin'\n")
    assert "the profile 'strict' does not collect class cabin, so there is nothing to deny" in said
    assert said.count("policy.toml") == 1


def test_a_rule_that_cannot_be_found_in_the_file_is_named_all_the_same() -> None:
    rule = "{class = 'operation', purposes = ['event'], basis = 'law'}"
    said = complaint(f'"r\\u0075le" = [{rule}, {rule}]\n{HEAD}')
    assert said == (
        "policy.toml: class operation for purpose event has a rule already, elsewhere in the file; "
        "keep one of the two"
    )


def test_one_fault_of_a_rule_is_told_once_for_all_its_purposes() -> None:
    rule = "class = 'cabin'\npurposes = ['event', 'recording']\nbasis = 'consent'\nprecision = '100 m'\n"
    said = complaint(f"{HEAD}[[rule]]\n{rule}")
    assert said.count("'longest_days': is missing") == 1
    assert said.count("is of positions") == 1
    assert said.count("which cannot be rounded") == 2, "each purpose has words of its own"


def test_each_destination_of_a_rule_is_judged() -> None:
    said = complaint(changed('["fleet"]', '["nowhere", "fleat", "fleet"]'))
    assert "'nowhere' is no destination of this policy; declare it in a [[destination]]" in said
    assert "'fleat' is no destination of this policy; did you mean 'fleet'?" in said
    assert said.count("policy.toml") == 2


def test_a_rule_for_anywhere_lets_data_go_to_each_destination() -> None:
    text = changed("gbt44464", "strict", changed('jurisdictions = ["CN"]', "jurisdictions = ['*']"))
    assert (
        read(changed('jurisdiction = "CN"', "jurisdiction = 'AU'", text)).destinations["fleet"].jurisdiction
        == "AU"
    )


def test_nobody_need_be_named_where_nobody_is_asked() -> None:
    head = changed('contact = "privacy@example.org"\n', "", HEAD)
    assert read(changed("gbt44464", "strict", head)).contact == ""
    assert "whoever is asked for consent is told whom" in complaint(head)


def test_a_destination_that_stands_where_the_rule_lets_nothing_go() -> None:
    text = changed("gbt44464", "gdpr", changed('jurisdictions = ["CN"]', 'jurisdictions = ["EEA"]'))
    text = changed('jurisdiction = "CN"', 'jurisdiction = "CH"', text)
    assert "'fleet' stands in CH, which the rule's jurisdictions do not name" in complaint(text)
    assert read(changed('"EEA"', '"EEA", "CH"', text)).destinations["fleet"].jurisdiction == "CH"


def test_an_end_before_the_beginning() -> None:
    times = "issued = 2026-03-02T00:00:00Z\nexpires = 2026-03-01T00:00:00Z\n"
    assert "'expires': is not after 'issued'" in complaint(HEAD + times)
    assert "'expires': is not after 'issued'" in complaint(HEAD + times.replace("03-02", "03-01"))
    for wrong in ("2026-03-01", "2026-03-01T00:00:00", "'2026-03-01T00:00:00Z'", "1"):
        assert "should be a time with its offset" in complaint(f"{HEAD}issued = {wrong}\n")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = changed("longest_days = 30", "longest_days = 999")
    text = changed("[116.40, 39.95], [116.30, 39.95]]", "[116.30, 39.95], [116.40, 39.95]]", text)
    said = complaint(changed('["fleet"]', '["north"]', text))
    assert [line_of(text, "longest_days"), line_of(text, "destinations"), line_of(text, "corners")] == [
        int(number) for number in re.findall(r"^policy\.toml:(\d+): ", said, re.MULTILINE)
    ]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"\xff\xfe", "is no text in UTF-8"),
        (b"format = ", "is not valid TOML"),
        (b"format = 1\nformat = 1\n", "is not valid TOML"),
        (b"", "'format' is missing"),
        (b"a = " + b"[" * 1_900, "is nested too deeply"),
        (b"a = " + b"{b = " * 380, "is nested too deeply"),
        (b"a = " + b"[\n" * 5_000, "is nested too deeply"),
        (b"a" + b".a" * 5_000 + b" = 1", "has 10005 bytes on one line"),
        (b"a" + b".a" * 51 + b" = 1", "has more than 50 dots on one line"),
        (b"x = {1" + b".1 .1" * 26 + b" = 1}", "has more than 50 dots on one line"),
        (b"[1" + b". 1" * 51 + b"]", "has more than 50 dots on one line"),
        (b"".join(b"k%d = 1\n" % number for number in range(60)), "policy.toml:46: unknown key 'k45'"),
        (b"".join(b"k%d = 1\n" % number for number in range(60)), "\nand 14 more"),
        (b"version = " + b"\n".join([b"9" * 1_990] * 3), "is not valid TOML"),
        (b"version = 0x" + b"f" * 1_900, "whole number, 1 to"),
    ],
)
def test_what_is_no_policy_at_all(bad: bytes, words: str) -> None:
    with pytest.raises(PolicyError, match=re.escape(words)):
        read_policy(bad, HERE)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_policy_or_a_complaint(content: bytes) -> None:
    with pytest.raises(PolicyError):
        read_policy(content, HERE)


VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "0",
        "nan",
        "-inf",
        "1e400",
        "true",
        "''",
        "'x'",
        "[]",
        "[[]]",
        "{}",
        "{a=1}",
        "[1,'a',[2]]",
        "['*']",
        "2026-01-01",
        "'\\u202e'",
        '"\\u0000"',
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
    ]
)


@given(st.integers(0, WHOLE.count(" = ") - 1), VALUES)
@example(1, "'x'")
def test_any_value_at_any_key_gives_a_policy_or_a_complaint(place: int, value: str) -> None:
    lines = WHOLE.splitlines()
    keys = [number for number, line in enumerate(lines) if " = " in line]
    key = lines[keys[place]].split(" = ")[0]
    lines[keys[place]] = f"{key} = {value}"
    text = "\n".join(lines)
    with suppress(PolicyError):
        assert read_policy(text.encode(), HERE).policy.version


class TestProfiles:
    def test_the_strictest_collects_what_is_about_nobody(self) -> None:
        strict = profile("strict")
        assert strict.rules.keys() == {
            (DataClass.OPERATION, purpose)
            for purpose in (Purpose.REGULATED, Purpose.RECORDING, Purpose.EVENT)
        }
        assert all(rule.basis is Basis.LAW for rule in strict.rules.values())

    @pytest.mark.parametrize("name", PROFILES)
    def test_each_has_version_nought_and_stands_on_the_floor(self, name: str) -> None:
        found = profile(name)
        assert (found.name, found.version, found.profile) == (name, 0, name)
        for rule in found.rules.values():
            assert not list(rule_faults(rule))
            assert rule.clause
        assert not found.destinations
        assert not found.areas

    @pytest.mark.parametrize("name", PROFILES)
    def test_nothing_of_people_leaves_without_being_asked(self, name: str) -> None:
        by_law = {
            (rule.data_class, rule.purpose)
            for rule in profile(name).rules.values()
            if rule.data_class in SENSITIVE and rule.basis is Basis.LAW
        }
        duty = {(DataClass.POSITION, Purpose.REGULATED), (DataClass.IDENTITY, Purpose.REGULATED)}
        assert by_law == (duty if name == "gbt44464" else set())
        for rule in profile(name).rules.values():
            if rule.data_class in {DataClass.CABIN, DataClass.EXTERIOR}:
                assert not rule.leaves

    def test_nothing_goes_abroad_by_the_chinese_one(self) -> None:
        places = {place for rule in profile("gbt44464").rules.values() for place in rule.jurisdictions}
        assert places == {"CN"}

    def test_the_european_one_stays_within_the_european_economic_area(self) -> None:
        places = {place for rule in profile("gdpr").rules.values() for place in rule.jurisdictions}
        assert places == REGIONS["EEA"]

    def test_there_is_no_other(self) -> None:
        with pytest.raises(PolicyError, match="Did you mean 'gdpr'"):
            profile("gdpr2")
        with pytest.raises(PolicyError, match="there is no profile"):
            profile("../../etc/passwd")
        with pytest.raises(PolicyError, match="There are strict, gbt44464, gdpr"):
            profile("lax")


RULE_STRATEGY = st.builds(
    Rule,
    data_class=st.sampled_from(DataClass),
    purpose=st.sampled_from(Purpose),
    basis=st.sampled_from(Basis),
    jurisdictions=st.sampled_from([frozenset[str](), frozenset({"CN"}), frozenset({ANYWHERE})]),
    precision=st.sampled_from([Precision(), Precision(cell_m=500), Precision(geohash=4)]),
    longest_days=st.sampled_from([0.0, 1.0, LONGEST_CONSENT_DAYS, 365.1, 1e9]),
    erase_within_s=st.sampled_from([0.0, 1.0, LATEST_ERASURE_S, LATEST_ERASURE_S + 1]),
    clause=st.sampled_from(["", "a clause"]),
)


@given(RULE_STRATEGY)
def test_a_rule_without_fault_keeps_every_promise(rule: Rule) -> None:
    if list(rule_faults(rule)):
        return
    if rule.basis is Basis.CONSENT:
        assert 0 < rule.longest_days <= 365
        assert rule.erase_within_s <= 14 * 86_400
    else:
        assert rule.longest_days == 0
        assert rule.purpose is not Purpose.SERVICE or rule.data_class not in SENSITIVE
        assert not (rule.data_class is DataClass.CABIN and rule.leaves)
    assert rule.precision.full or (rule.data_class is DataClass.POSITION and rule.purpose in RECORD_PURPOSES)
    assert rule.purpose in RECORD_PURPOSES or not rule.leaves


def test_raw_frames_for_somebody_are_one_fault() -> None:
    rule = Rule(DataClass.OPERATION, Purpose.EVENT, Basis.LAW, destinations=frozenset({"fleet"}))
    assert [fault.key for fault in rule_faults(rule)] == ["destinations"]


TOUCHING = [(0, 0), (6, 0), (6, 6), (3, 0), (0, 6)]
TOUCHING_AT_A_CORNER = [(0, 0), (3, 3), (6, 0), (6, 6), (3, 3), (0, 6)]
OVERLAPPING = [(0, 0), (6, 0), (6, 3), (4, 3), (4, 0), (2, 0), (2, 3), (0, 3)]
NEAR = [(0, 0), (6, 0), (6, 1), (5, 1), (5, 5), (0, 5), (4, 4)]
A_CROSS = [(0, 0), (4, 0), (4, 4), (2, -2), (0, 4)]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=3, max_size=7, unique=True))
@example(TOUCHING)
@example(TOUCHING_AT_A_CORNER)
@example(OVERLAPPING)
@example(NEAR)
@example(A_CROSS)
def test_polygons_are_judged_as_by_exact_arithmetic(corners: list[tuple[int, int]]) -> None:
    places = [(116 + x / 1000, 39 + y / 1000) for x, y in corners]
    assert (polygon_fault(places) is None) == _simple(corners)


def _simple(corners: list[tuple[int, int]]) -> bool:
    """Whether no two sides share a point but neighbours their corner; by brute force over whole numbers."""
    count = len(corners)
    sides = [(corners[place], corners[(place + 1) % count]) for place in range(count)]
    if any(start == end for start, end in sides):
        return False
    for one in range(count):
        for other in range(one + 1, count):
            shared = {*sides[one]} & {*sides[other]}
            if _between(one, other, count):
                (corner,) = shared if len(shared) == 1 else (None,)
                if corner is None or any(
                    _on(point, sides[two])
                    for point, two in (
                        *((point, other) for point in sides[one] if point != corner),
                        *((point, one) for point in sides[other] if point != corner),
                    )
                ):
                    return False
            elif _meet(*sides[one], *sides[other]):
                return False
    return True


def _between(one: int, other: int, count: int) -> bool:
    return other - one in {1, count - 1}


Point = tuple[int, int]


def _turn(a: Point, b: Point, c: Point) -> int:
    value = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (value > 0) - (value < 0)


def _on(point: Point, side: tuple[Point, Point]) -> bool:
    (ax, ay), (bx, by) = side
    inside = min(ax, bx) <= point[0] <= max(ax, bx) and min(ay, by) <= point[1] <= max(ay, by)
    return inside and not _turn(*side, point)


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    if any((_on(a, (c, d)), _on(b, (c, d)), _on(c, (a, b)), _on(d, (a, b)))):
        return True
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0
