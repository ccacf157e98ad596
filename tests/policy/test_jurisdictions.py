"""Words for jurisdictions: each country by its code, the one region, and what another word meant."""

from __future__ import annotations

import pytest

from edge.policy.jurisdictions import CODES, REGIONS, jurisdiction_fault, spelled_out
from edge.policy.rules import ANYWHERE


def test_the_codes_are_those_of_iso_3166_1() -> None:
    assert len(CODES) == 249
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in CODES)
    assert {"CN", "DE", "GB", "HK", "MO", "TW", "US"} <= CODES
    assert CODES.isdisjoint({"UK", "EU", "EL", "XX", "SU"})


def test_the_economic_area_is_the_union_and_three_more() -> None:
    assert REGIONS.keys() == {"EEA"}
    assert len(REGIONS["EEA"]) == 30
    assert {"IS", "LI", "NO", "DE", "HR"} <= REGIONS["EEA"] <= CODES
    assert REGIONS["EEA"].isdisjoint({"CH", "GB"})


@pytest.mark.parametrize("word", ["CN", "DE", "EEA", ANYWHERE])
def test_a_code_a_region_and_anywhere_are_right(word: str) -> None:
    assert jurisdiction_fault(word) is None


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("cn", "did you mean 'CN'?"),
        ("eea", "did you mean 'EEA'?"),
        ("UK", "did you mean 'GB'?"),
        ("eu", "did you mean 'EEA'?"),
        ("el", "did you mean 'GR'?"),
        ("XX", "write it as ISO 3166-1 does, such as 'CN' or 'DE'"),
        ("China", "write it as ISO 3166-1 does, such as 'CN' or 'DE'"),
        ("", "write it as ISO 3166-1 does, such as 'CN' or 'DE'"),
    ],
)
def test_another_word_is_none_and_the_right_one_is_said(word: str, advice: str) -> None:
    assert jurisdiction_fault(word) == f"'{word}' is no country; {advice}"


def test_a_region_stands_for_its_countries() -> None:
    assert spelled_out(["CN", "EEA"]) == {"CN", *REGIONS["EEA"]}
    assert spelled_out(["DE", "EEA"]) == REGIONS["EEA"]
    assert spelled_out([ANYWHERE]) == {ANYWHERE}
    assert spelled_out([]) == frozenset()
