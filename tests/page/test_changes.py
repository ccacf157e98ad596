"""What a button asks of the gateway, and what the page says while the gateway is away or refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.page.pins import Role
from edge.page.state import UseTold
from edge.page.terms import chosen, offered
from tests.page.browser_like import Visitor
from tests.page.fake_gateway import given, use
from tests.page.served import Served, make, serving


@pytest.fixture
def driver(visitor: Visitor) -> Visitor:
    visitor.log_in(Role.DRIVER)
    return visitor


@pytest.mark.parametrize(
    ("form", "term_s", "keep"),
    [
        ({"term": "drive"}, 86_400, False),
        ({"term": "drive", "keep": "yes"}, 86_400, False),
        ({"term": "1-day"}, 86_400, False),
        ({"term": "7-days", "keep": "yes"}, 604_800, True),
        ({"term": "30-days"}, 2_592_000, False),
    ],
)
def test_agreeing_has_a_term(driver: Visitor, form: dict[str, str], term_s: int, keep: bool) -> None:
    assert driver.post("/grant/cabin/recording", form).place == "/"
    assert driver.served.gateway.changes() == [
        {
            "do": "grant",
            "class": "cabin",
            "purpose": "recording",
            "term_s": term_s,
            "keep": keep,
            "role": "driver",
        }
    ]


@pytest.mark.parametrize("term", ["", "always", "365-days", "-1", "1-day\n"])
def test_there_is_no_other_term(driver: Visitor, term: str) -> None:
    assert driver.post("/grant/cabin/recording", {"term": term}).status == 409
    assert driver.served.gateway.changes() == []


@pytest.mark.parametrize(
    ("longest_days", "names"),
    [
        (0.0, []),
        (0.5, ["drive"]),
        (1.0, ["drive", "1-day"]),
        (14.0, ["drive", "1-day", "7-days"]),
        (365.0, ["drive", "1-day", "7-days", "30-days"]),
    ],
)
def test_no_term_is_longer_than_the_policy_allows(longest_days: float, names: list[str]) -> None:
    one = UseTold.model_validate(use("cabin", "recording", longest_days=longest_days))
    assert [choice.name for choice in offered(one)] == names
    assert all(choice.term_s <= longest_days * 86_400 for choice in offered(one))
    assert chosen(one, "30-days", keep=False) is None or "30-days" in names


def test_what_the_law_requires_can_be_neither_agreed_to_nor_refused(driver: Visitor) -> None:
    driver.served.gateway.told["uses"][0]["longest_days"] = 30.0
    for path in ("/grant/operation/regulated", "/refuse/operation/regulated"):
        assert driver.post(path, {"term": "drive"}).status == 409
    assert driver.served.gateway.changes() == []


def test_what_no_rule_names_cannot_be_changed(driver: Visitor) -> None:
    for path in ("/grant/cabin/service", "/refuse/cabin/service", "/withdraw/x/y"):
        assert driver.post(path, {"term": "drive"}).status == 404
    assert driver.served.gateway.changes() == []


def test_refusing_and_withdrawing_need_nothing_but_themselves(driver: Visitor) -> None:
    driver.post("/refuse/cabin/recording")
    driver.post("/withdraw/position/service")
    assert driver.served.gateway.changes() == [
        {"do": "refuse", "class": "cabin", "purpose": "recording", "role": "driver"},
        {"do": "withdraw", "class": "position", "purpose": "service", "role": "driver"},
    ]


def test_the_owner_erases_a_class(visitor: Visitor) -> None:
    visitor.log_in(Role.OWNER)
    assert visitor.post("/erase/position").place == "/data"
    (change,) = visitor.served.gateway.changes()
    assert (change["do"], change["class"], change["role"]) == ("erase", "position", "owner")
    assert visitor.post("/erase/cabin").status == 404


def test_what_was_just_done_is_said_once(driver: Visitor) -> None:
    driver.get("/?language=en")
    driver.post("/refuse/cabin/recording")
    assert "Your refusal was noted." not in driver.get("/", X_Refresh="1").text
    assert "Your refusal was noted." in driver.get("/").text
    assert "Your refusal was noted." not in driver.get("/").text


def test_a_refusal_of_the_gateway_is_shown_with_its_advice(driver: Visitor) -> None:
    driver.served.gateway.refusal = {
        "ok": False,
        "what": "the clock is not trusted",
        "todo": "Wait for a fix",
    }
    answer = driver.post("/grant/cabin/recording", {"term": "drive"})
    assert answer.status == 409
    assert "the clock is not trusted. Wait for a fix" in answer.text


def test_without_a_gateway_the_page_says_so_and_goes_on_when_it_is_back(driver: Visitor) -> None:
    driver.get("/?language=en")
    driver.served.gateway.running = False
    answer = driver.get("/")
    assert answer.status == 503
    assert "The gateway is not running" in answer.text
    assert driver.post("/withdraw/position/service").status == 503
    driver.served.gateway.running = True
    assert "Position" in driver.get("/").text
    assert driver.served.gateway.changes() == []


def test_a_clock_that_is_not_trusted_is_shown_with_its_reason(visitor: Visitor) -> None:
    visitor.get("/?language=en")
    visitor.served.gateway.told["clock"].update(trusted=False, why="set back by 3 days")
    text = visitor.get("/").text
    assert "clock cannot be trusted" in text
    assert "set back by 3 days" in text


def test_a_place_and_a_refused_policy_are_shown(visitor: Visitor) -> None:
    visitor.get("/?language=en")
    visitor.served.gateway.told["place"] = {"name": "base", "withheld": ["position"]}
    visitor.served.gateway.told["policy"]["signature"] = "refused: wrong key"
    text = visitor.get("/").text
    assert "protected area (base). Not collected here: Position" in text
    assert "the strictest policy is in force. wrong key" in text


def test_the_notice_has_all_that_the_standard_asks_for(visitor: Visitor) -> None:
    visitor.get("/?language=en")
    visitor.served.gateway.told["uses"][2] = given(
        "position",
        "service",
        leaves=True,
        jurisdictions=["CN"],
        destinations=["maker"],
        precision="geohash 6",
    )
    text = visitor.get("/use/position/service").text
    for part in (
        "Where the vehicle is and has been",  # types
        "Records to the service platforms",  # purpose
        "While the vehicle is on and the agreement holds",  # scenario
        "collection ends within one second",  # how to stop
        "with the recipients: maker, in: China",  # storage place
        "At most 14 days, then deleted",  # storage period
        "the owner can take a copy along and erase",  # access, copy, delete
        "privacy@maker.example",  # contact
        "geohash 6",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("zh-CN,zh;q=0.9", "zh-CN"),
        ("en-GB", "en"),
        ("de,en;q=0.5", "en"),
        ("fr", "zh-CN"),
        ("", "zh-CN"),
        ("*", "zh-CN"),
    ],
)
def test_the_browsers_language_is_taken(visitor: Visitor, wanted: str, language: str) -> None:
    assert f'<html lang="{language}"' in visitor.get("/", Accept_Language=wanted).text


def test_the_chosen_language_and_theme_stay(visitor: Visitor) -> None:
    visitor.get("/left?language=en", Accept_Language="zh")
    visitor.get("/left?theme=dark")
    assert '<html lang="en" data-theme="dark">' in visitor.get("/", Accept_Language="zh").text


def test_many_browsers_ask_the_gateway_once(tmp_path: Path) -> None:
    served = make(tmp_path)
    assert isinstance(served, Served)
    served.clock.steps = False  # type: ignore[attr-defined] # the clock of these tests
    with serving(served):
        for _ in range(5):
            Visitor(served).get("/")
    assert len(served.gateway.asked) == 1
