"""What each key of a policy file takes, up to its bounds and past them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import PolicyError
from edge.policy.classes import DataClass
from edge.policy.policyfile import read_policy
from edge.policy.rules import Basis, Policy, Purpose
from tests.policy.policy_text import AREA, HEAD, changed

HOSTS = '["data.example.cn", "*.fleet.example.cn"]'
NETWORKS = '["203.0.113.0/24"]'
PLACE = f'jurisdiction = "CN"\nhosts = {HOSTS}'
BY_LAW = "\n[[rule]]\nclass = 'operation'\npurposes = ['service']\nbasis = 'law'\n"


def read(text: str) -> Policy:
    return read_policy(text.encode(), Path("policy.toml")).policy


def complaint(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "taken", "refused", "words"),
    [
        ("version = 3", "version = 1", "version = 0", "'version': should be a whole number, 1 to 1000000000"),
        (
            "version = 3",
            "version = 1000000000",
            "version = 1000000001",
            "'version': should be a whole number, 1 to 1000000000",
        ),
        ("fleet north", "n" * 64, "n" * 65, "'name': should be 1 to 64 printable characters"),
        ("privacy@example.org", "p" * 200, "p" * 201, "'contact': should be 0 to 200 printable characters"),
        ("GB/T 44464-2024, 5.2", "", " 5.2", "'rule[0].clause': should be 0 to 200 printable characters"),
        ("geohash 5", "1 m", "0.9 m", "a cell such as '1000 m' (1 to 100000)"),
        ("geohash 5", "100000 m", "100000.5 m", "a cell such as '1000 m' (1 to 100000)"),
        ("geohash 5", "geohash 1", "geohash 0", "'geohash 1' to 'geohash 12'"),
        ("retention_days = 7", "retention_days = 0", "retention_days = -0.1", "a number of days, 0 to 3650"),
        (
            "retention_days = 7",
            "retention_days = 3650",
            "retention_days = 3651",
            "a number of days, 0 to 3650",
        ),
        (
            "longest_days = 30",
            "longest_days = 0.0006945",
            "longest_days = 0.0006944",
            "a number of days, at most 365: a consent has a term",
        ),
        (
            "erase_within_s = 3600",
            "erase_within_s = 1",
            "erase_within_s = 0.9",
            "a number of seconds, 1 to 1209600",
        ),
        ("margin_m = 50", "margin_m = 0", "margin_m = -0.1", "a number of metres, 0 to 10000"),
        ("margin_m = 50", "margin_m = 10000", "margin_m = 10001", "a number of metres, 0 to 10000"),
    ],
)
def test_what_is_between_its_bounds_is_taken(old: str, taken: str, refused: str, words: str) -> None:
    read(changed(old, taken))
    assert words in complaint(changed(old, refused))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 1", "format = true", "reads format 1"),
        ("version = 3", "version = '3'", "whole number, 1 to"),
        ("fleet north", " fleet north", "without spaces around"),
        ('name = "fleet north"', "name = 1", "'name': should be a text in quotes"),
        ('"geohash 5"', "5", "'rule[0].precision': should be 'full'"),
        ('"geohash 5"', "'5 geohash'", "'rule[0].precision': should be 'full'"),
        ("longest_days = 30", "longest_days = []", "a consent has a term"),
        ("margin_m = 50", "margin_m = '50'", "a number of metres"),
        ("margin_m = 50", "margin_m = true", "a number of metres"),
        ("[[116.30, 39.90]", "[['116.30', 39.90]", "a number of degrees"),
        ("[[116.30, 39.90]", "[[-1e400, 39.90]", "a number of degrees"),
        ("[[116.30, 39.90]", "[116.30", "such as [116.3913, 39.9075], longitude first"),
        ('jurisdictions = ["CN"]', "jurisdictions = ['CN', 'CN']", "names something twice"),
        ('jurisdictions = ["CN"]', "jurisdictions = [86]", "should be a text such as 'CN'"),
        ('destinations = ["fleet"]', "destinations = ['fleet', 'fleet']", "names something twice"),
        ('jurisdiction = "CN"', "jurisdiction = 86", "should be a text such as 'CN'"),
        ('jurisdiction = "CN"', "jurisdiction = 'EEA'", "machines stand in one country"),
        ('name = "fleet"', "name = 'Fleet'", "a destination's name as the configuration has it"),
        ('name = "fleet"', "name = 1", "a destination's name as the configuration has it"),
        (HOSTS, "[1]", "a host's name or address"),
        (HOSTS, "['']", "a host's name or address"),
        (HOSTS, "['-a.cn']", "a host's name or address"),
        (HOSTS, "['a.cn', 'A.CN.']", "names something twice"),
        (NETWORKS, "[5]", "should be a network such as '203.0.113.0/24'"),
        (NETWORKS, "['nowhere']", "write it such as '203.0.113.0/24'"),
        (NETWORKS, "['203.0.113.0/24', '203.0.113.0/24']", "names something twice"),
        ('"media"', "'exterior'", "or a list of classes"),
        ('"media"', "['cabin', 'cabins']", "or a list of classes"),
        ('"media"', "[[]]", "or a list of classes"),
        ('"media"', "7", "or a list of classes"),
    ],
)
def test_what_a_key_does_not_take(old: str, new: str, words: str) -> None:
    assert words in complaint(changed(old, new))


def test_a_host_has_253_characters_at_most() -> None:
    longest = ".".join(["a" * 63] * 3 + ["a" * 61])
    assert read(changed(HOSTS, f"['{longest}.']")).destinations["fleet"].hosts == (longest,)
    assert "a host's name or address" in complaint(changed(HOSTS, f"['{longest}a']"))


def test_hosts_are_kept_as_they_are_compared() -> None:
    found = read(changed(HOSTS, "['Data.Example.CN.', '2001:DB8::1', '*.A.cn']")).destinations["fleet"]
    assert found.hosts == ("data.example.cn", "2001:db8::1", "*.a.cn")


def test_a_list_has_a_thousand_entries_at_most() -> None:
    hosts = [f"'host{number}.example.cn',\n" for number in range(1_001)]
    found = read(changed(HOSTS, f"[{''.join(hosts[1:])}]")).destinations["fleet"]
    assert len(found.hosts) == 1_000
    assert "there is room for 1000" in complaint(changed(HOSTS, f"[{''.join(hosts)}]"))


def test_there_are_a_hundred_tables_of_a_kind_at_most() -> None:
    areas = [AREA.replace("yard", f"yard {number}") for number in range(101)]
    assert len(read(HEAD + "".join(areas[1:])).areas) == 100
    assert "'area': Tuple should have at most 100 items" in complaint(HEAD + "".join(areas))


def test_what_a_table_leaves_away_is_nothing() -> None:
    rule = read(HEAD + BY_LAW).rule(DataClass.OPERATION, Purpose.SERVICE)
    assert rule is not None
    assert (rule.retention_days, rule.longest_days, rule.erase_within_s) == (0, 0, 0)
    assert rule.basis is Basis.LAW
    assert not rule.leaves
    assert read(changed("margin_m = 50\n", "")).areas[0].margin_m == 100


@pytest.mark.parametrize("key", ["jurisdictions", "destinations"])
def test_lists_of_what_is_allowed_may_be_empty(key: str) -> None:
    assert read(f"{HEAD}{BY_LAW}{key} = []\n") == read(HEAD + BY_LAW)


def test_networks_may_be_empty() -> None:
    assert read(changed(NETWORKS, "[]")).destinations["fleet"].networks == ()


@pytest.mark.parametrize(
    ("hosts", "needed"),
    [
        ("['localhost']", False),
        ("['127.0.0.1', '::1']", False),
        ("['localhost', 'data.example.cn']", True),
        ("['192.0.2.1']", True),
        ("['local.example.cn']", True),
    ],
)
def test_a_jurisdiction_is_needed_unless_all_hosts_are_the_gateway(hosts: str, needed: bool) -> None:
    text = changed(PLACE, f"hosts = {hosts}")
    if needed:
        assert "say where its machines stand" in complaint(text)
    else:
        assert read(text).destinations["fleet"].jurisdiction == ""
