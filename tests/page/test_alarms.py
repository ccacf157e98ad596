"""An alarm of a bus is the first thing on the page, in both languages, and the inspector sees each bus."""

from __future__ import annotations

import pytest

from edge.bus.condition import AlarmKind, Listening
from edge.page.pins import Role
from edge.page.words import LANGUAGES, words
from tests.page.browser_like import Visitor

ALARM = {"bus": "pt", "kind": "not listen-only", "words": "can0 <is> not listen-only", "for_s": 3}
BUS = {"bus": "pt", "interface": "socketcan can0", "way": "ring", "listening": "not listen-only", "away": ""}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_alarm_has_words(language: str) -> None:
    texts = words(language).texts
    wanted = [f"alarm.{one.replace(' ', '-')}" for one in AlarmKind]
    wanted += [f"listening.{one.replace(' ', '-')}" for one in Listening]
    assert [name for name in wanted if not texts.get(name)] == []


@pytest.mark.parametrize("path", ["/", "/inspection"])
@pytest.mark.parametrize(("language", "line"), [("en", "the connection to it"), ("zh", "连接未处于只听模式")])
def test_an_alarm_stands_on_the_page(visitor: Visitor, path: str, language: str, line: str) -> None:
    visitor.log_in(Role.INSPECTOR)
    assert "alarm-1" not in visitor.get(path).text
    visitor.served.gateway.told |= {"alarms": [ALARM], "buses": [BUS]}
    visitor.get(f"/?language={language}")
    text = visitor.get(path).text
    assert 'id="alarm-1"' in text
    assert line in text
    assert "can0 &lt;is&gt; not listen-only" in text
    assert ("socketcan can0, ring" in text) == (path == "/inspection")
