"""What the report says of the simulated week, against what was done in it."""

from __future__ import annotations

import json
from dataclasses import replace
from html import escape
from typing import Any

import pytest

from edge.clock import NS_PER_DAY, NS_PER_S
from edge.report.check import Outcome
from edge.report.clauses import clauses
from edge.report.page import Seal, page_of
from edge.report.words import LANGUAGES, words
from tests.report.forging import Copy, copy_of
from tests.report.week import DRIVE_S, MONDAY_NS, VIN, Week, day

A_SECOND = 10
"""Frames of a second: five of the motion, five of the place."""

Report = dict[str, Any]


@pytest.fixture(scope="module")
def vehicle(week: Week, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return copy_of(week.folder, tmp_path_factory.mktemp("vehicle") / "copy")


@pytest.fixture(scope="module")
def report(vehicle: Copy) -> Report:
    return vehicle.report()


def of_days(vehicle: Copy, first: int, last: int) -> Report:
    """The report of these days, from Monday 0, the last included."""
    asked = replace(
        vehicle.asked(),
        from_ns=MONDAY_NS + first * NS_PER_DAY,
        to_ns=MONDAY_NS + (last + 1) * NS_PER_DAY,
    )
    return vehicle.report(asked)


def classes(report: Report) -> dict[str, tuple[int, int]]:
    return {one["class"]: (one["kept"], one["removed"]) for one in report["counts"]["classes"]}


def test_all_passes_but_what_nothing_shows(report: Report) -> None:
    assert {one["check"]: one["outcome"] for one in report["checks"] if one["outcome"] != "passed"} == {
        "egress": "not proven",
        "counted": "not proven",
    }
    assert report["verdict"] == {"outcome": "not proven", "passed": 17, "failed": 0, "not_proven": 2}


def test_several_runs_are_summed_and_the_crash_makes_it_a_lower_bound(report: Report) -> None:
    counts = report["counts"]
    assert len(counts["runs"]) == 11
    assert [one["exact"] for one in counts["runs"]] == [True] * 9 + [False, True]
    assert not counts["exact"]
    assert counts["frames"]["entered"] == 10 * DRIVE_S * A_SECOND
    kept, removed = classes(report)["cabin"]
    assert kept + removed == 10 * DRIVE_S * A_SECOND // 2
    # Ten seconds each on Tuesday and on Thursday.
    assert abs(kept - 5 * 20) <= 10


def test_days_without_a_crash_are_exact(vehicle: Copy) -> None:
    tuesday = of_days(vehicle, 1, 1)
    assert tuesday["counts"]["exact"]
    assert tuesday["counts"]["frames"]["entered"] == 2 * DRIVE_S * A_SECOND
    assert tuesday["coverage"]["boots"] == 2
    assert [one["number"] for one in tuesday["consents"]] == [1, 2]
    assert [one["reason"] for one in tuesday["erasures"]] == ["consent 2 is over"]
    assert [(one["name"], one["starts"]) for one in tuesday["policies"]] == [("fleet north", 2)]


def test_a_period_amid_a_run_counts_at_least_what_is_surely_in_it(vehicle: Copy) -> None:
    amid = MONDAY_NS + day(0, 7.5) * NS_PER_S + 10 * NS_PER_S
    found = vehicle.report(replace(vehicle.asked(), from_ns=amid, to_ns=amid + 60 * NS_PER_S))
    assert not found["counts"]["exact"]
    assert found["counts"]["frames"]["entered"] <= DRIVE_S * A_SECOND


def test_a_strict_day_collects_no_position(vehicle: Copy) -> None:
    friday = of_days(vehicle, 4, 4)
    assert [(one["name"], one["signature"].partition(":")[0]) for one in friday["policies"]] == [
        ("fleet north", "good"),
        ("strict", "refused"),
        ("fleet north", "good"),
    ]
    assert {one["version"] for one in friday["policies"] if one["name"] == "fleet north"} == {1, 2}


def test_consents_with_their_ends_and_their_data(report: Report) -> None:
    told = [
        (one["number"], one["class"], one["keep"], one["notice"], one["end"] and one["end"]["how"])
        for one in report["consents"]
    ]
    assert told == [
        (1, "position", True, True, "withdrawn"),
        (2, "cabin", False, True, "expired"),
        (3, "cabin", False, True, "expired"),
        (4, "position", True, True, None),
    ]
    ended = {one["label"]: one for one in report["ended_data"]}
    assert ended.keys() == {"consent 1", "consent 2", "consent 3"}
    assert ended["consent 1"]["took_s"] < 2
    # It ended while the vehicle stood, an hour after it was given, and the next start erased its data.
    assert ended["consent 2"]["took_s"] == pytest.approx(9.5 * 3600, abs=120)
    assert all(one["keys_there"] == 0 for one in ended.values())
    assert [(one["class"], one["purpose"]) for one in report["refusals"]] == [("position", "service")]


def test_each_mask_is_traced_to_the_consents_in_force(report: Report) -> None:
    assert {tuple(one["consents"]) for one in report["masks"]} == {(), (1,), (1, 2), (3,), (4,)}


def test_the_owners_erasure_is_shown(report: Report) -> None:
    last = report["erasures"][-1]
    assert (last["class"], last["label"]) == ("position", "consent 4")
    assert last["reason"] == "asked for by the owner: the vehicle is sold"
    assert last["keys"] > last["keys_there"] == 0


def test_what_was_sent_where(report: Report) -> None:
    (platform,) = report["destinations"]
    assert platform["jurisdictions"] == ["CN"]
    assert platform["may_have_by_law"] == ["health", "identity", "operation", "position"]
    assert platform["may_have_by_consent"] == []
    assert platform["acknowledged"]["records"] > 9 * (DRIVE_S - 3)


def test_retention_is_that_of_the_newest_policy_and_of_the_journal(report: Report) -> None:
    limits = {(one["kind"], one["class"]): one["limit_days"] for one in report["retention"]}
    assert limits == {
        ("frames", "operation"): 7.0,
        ("frames", "position"): 5.0,
        ("records", "operation"): 30.0,
        ("records", "position"): 14.0,
    }


def test_it_covers_what_was_driven_and_no_more(report: Report) -> None:
    coverage = report["coverage"]
    assert coverage["seconds"]["NTP"] == pytest.approx(11 * DRIVE_S, abs=11)
    assert coverage["seconds"]["NONE"] == 0
    assert coverage["stretches"] == 11


def test_the_same_journal_gives_the_same_report(vehicle: Copy, report: Report) -> None:
    assert vehicle.report() == report
    assert json.loads(json.dumps(report)) == report


def test_the_page_has_nothing_from_elsewhere_and_no_script(report: Report) -> None:
    page = page_of(report, Seal("00", "11"))
    for word in ("<script", "http://", "https://", "<img", "<link", "url(", "@import", "javascript:"):
        assert word not in page
    assert VIN in page
    for check in report["checks"]:
        assert check["title_zh"] in page
        for sentence in check["evidence"]:
            assert escape(sentence["zh"]) in page


def test_one_language_has_nothing_of_the_other(report: Report) -> None:
    english, chinese = page_of(report, Seal("00", ""), "en"), page_of(report, Seal("00", ""), "zh")
    assert not any("\u4e00" <= character <= "\u9fff" for character in english)
    assert words("en")("check.allowed") not in chinese
    assert "未签名" in chinese


def test_what_somebody_wrote_into_the_journal_stays_text(report: Report) -> None:
    hostile = json.loads(json.dumps(report).replace("the vehicle is sold", "<script>alert(1)</script>"))
    page = page_of(hostile, Seal("00", ""))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_words_and_clauses_are_there_in_both_languages(report: Report) -> None:
    english, chinese = words("en").texts, words("zh").texts
    assert english.keys() == chinese.keys()
    used = {clause for one in report["checks"] for clause in one["clauses"] for clause in [clause["en"]]}
    assert used <= {one.en for one in clauses().values()}
    assert {one.number for one in clauses().values() if one.number} == {
        "5.1.1", "5.1.3", "5.2", "5.4", "5.6.1", "5.6.2", "5.7", "5.8", "D.8",
    }  # fmt: skip
    assert set(LANGUAGES) == {"zh", "en"}
    assert {str(one) for one in Outcome} == {"passed", "failed", "not proven"}
