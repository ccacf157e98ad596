"""Both languages have the same words, with the same values in them, for all that can be shown."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import edge.page
from edge.page.pins import Role
from edge.page.words import LANGUAGES, words
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose

FOLDER = Path(edge.page.__file__).parent


def values_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_languages_have_the_same_words() -> None:
    one, other = (words(language).texts for language in LANGUAGES)
    assert one.keys() == other.keys()
    assert [name for name in one if values_in(one[name]) != values_in(other[name])] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_purpose_role_and_state_has_words(language: str) -> None:
    texts = words(language).texts
    wanted = [f"class.{one}.{part}" for one in DataClass for part in ("name", "what")]
    wanted += [f"purpose.{one}.{part}" for one in Purpose for part in ("name", "why", "when")]
    wanted += [f"role.{one}" for one in Role]
    states = ("by law", "given", "refused", "withdrawn", "expired", "not asked", "changed")
    wanted += [f"state.{one.replace(' ', '-')}" for one in states]
    assert [name for name in wanted if not texts.get(name)] == []


def test_every_word_is_used_and_there() -> None:
    sources = "\n".join(
        path.read_text("utf-8") for path in (*FOLDER.glob("*.py"), *FOLDER.glob("templates/*.html"))
    )
    texts = words("en").texts
    called = set(re.findall(r"""\b(?:w|words|_words)\(["']([a-z.-]+)["']""", sources))
    assert called - texts.keys() == {"nav.", "role.", "consent.term-"}
    begun = (
        *("class.", "purpose.", "state.", "role.", "place.", "said.", "nav.", "consent.term-", "time."),
        *("alarm.", "listening."),
    )
    assert [name for name in texts if name not in called and not name.startswith(begun)] == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a minute"),
        (59.9, "less than a minute"),
        (60, "1 minute"),
        (3_720, "1 hour 2 minutes"),
        (93_600, "1 day 2 hours"),
    ],
)
def test_spans_have_two_units(seconds: float, text: str) -> None:
    assert words("en").span(seconds) == text


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "9999-12-31T23:59:59+00:00x", "2026-03-01T08:00:00"])
def test_what_is_no_time_is_shown_as_it_is(text: str) -> None:
    assert words("en").moment(text) == text
