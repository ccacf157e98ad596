"""How the page writes times, spans, versions and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.report.check import Outcome
from edge.report.tables import DASH, Html, Speech, element

Values = Mapping[str, Any]
"""What an object of the JSON holds."""

_MARKS = {Outcome.FAILED: "✕", Outcome.NOT_PROVEN: "?", Outcome.PASSED: "✓"}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def version_text(policy: Values) -> str:
    """The version of a policy; empty for a built-in profile."""
    return f" v{policy['version']}" if policy["version"] else ""


def badge(check: Values, say: Speech) -> Html:
    """The outcome of a check."""
    outcome = Outcome(check["outcome"])
    return element(
        "span", f"{_MARKS[outcome]} ", say(f"outcome.{outcome}"), kind=f"badge {outcome_class(outcome)}"
    )


def outcome_class(outcome: str) -> str:
    """An outcome as a class of the style sheet."""
    return outcome.replace(" ", "-")


def time_text(text: str) -> Html:
    """A time of the JSON as a person reads it."""
    return element("time", text[:19].replace("T", " "), datetime=text) if text else Html(DASH)


def day_text(text: str) -> str:
    """The day of a time."""
    return text[:10]


def span_text(seconds: float | None) -> str:
    """A stretch of time in a unit that suits it."""
    if seconds is None:
        return DASH
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.3g} {unit}"
    return f"{seconds:.3g} s"


def hours_text(seconds: float) -> str:
    """A long stretch of time in hours, a short one in minutes."""
    return f"{seconds / _HOUR_S:,.1f} h" if seconds >= _HOUR_S else f"{seconds / _MINUTE_S:,.1f} min"
