"""Makes the HTML of a report from the values that its JSON holds, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from edge.report.check import Outcome
from edge.report.page_sections import sections
from edge.report.tables import BOTH, DASH, Html, Speech, element
from edge.report.texts import Values, badge, day_text, hours_text, outcome_class, time_text, version_text
from edge.report.words import LANGUAGES

_ORDER = {Outcome.FAILED: 0, Outcome.NOT_PROVEN: 1, Outcome.PASSED: 2}
_SHORT_STANDARDS = {
    "Provisions on the Management of Automotive Data Security (trial)": {
        "en": "Provisions",
        "zh": "《若干规定》",
    }
}


_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Seal:
    """What binds the page to its JSON.

    Attributes:
        sha256: of the JSON file, hexadecimal.
        key_id: of the key that signed it, hexadecimal; empty where nobody did.
    """

    sha256: str
    key_id: str


def page_of(report: Values, seal: Seal, language: str = BOTH) -> str:
    """The whole page: no script, no picture, nothing from elsewhere.

    Args:
        report: as the JSON holds it.
        seal: of that.
        language: ``zh``, ``en`` or ``both``.
    """
    say = Speech.of(language)
    style = files("edge.report").joinpath("report.css").read_text("utf-8")
    title = (
        f"{report['vehicle']} {day_text(report['period']['from'])} {DASH} {day_text(report['period']['to'])}"
    )
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        element("style", Html(style)),
    )
    body = element("body", _first_page(report, seal, say), *sections(report, say), _foot(report, say))
    return f'<!DOCTYPE html>\n<html lang="{LANGUAGES[say.languages[0]]}">\n{head}\n{body}\n</html>\n'


def _first_page(report: Values, seal: Seal, say: Speech) -> Html:
    verdict = report["verdict"]
    sums = {one: verdict[one] for one in ("passed", "failed", "not_proven")}
    headline = say(f"verdict.{verdict['outcome']}", all=sum(sums.values()), **sums)
    checks = sorted(report["checks"], key=lambda one: _ORDER[Outcome(one["outcome"])])
    return element(
        "section",
        element(
            "header",
            element("h1", say("title")),
            element("p", say("subtitle"), Html(" "), say("utc"), kind="subtitle"),
        ),
        _facts(report, seal, say),
        element("p", headline, kind=f"verdict {outcome_class(verdict['outcome'])}"),
        say.table(
            ("head.outcome", "head.check", "head.clauses"),
            ([badge(one, say), _question(one, say), _clauses(one, say)] for one in checks),
            kind="checks",
        ),
        kind="first",
    )


def _facts(report: Values, seal: Seal, say: Speech) -> Html:
    coverage = report["coverage"]
    period = report["period"]
    quality = ", ".join(
        f"{DASH if name == 'NONE' else name} {hours_text(seconds)}"
        for name, seconds in coverage["seconds"].items()
        if seconds
    )
    signed = (
        Html.of(say("signed-by"), f" {seal.key_id}") if seal.key_id else element("strong", say("not-signed"))
    )
    policies = "; ".join(
        dict.fromkeys(f"{one['name']}{version_text(one)} ({one['digest'][:8]})" for one in report["policies"])
    )
    rows = [
        ("head.vehicle", Html.of(element("strong", report["vehicle"]))),
        (
            "head.period",
            element("strong", _from_to(period)),
        ),
        ("head.covers", _from_to(coverage)),
        (
            "head.awake",
            Html.of(
                f"{quality or DASH}; {coverage['stretches']} ",
                say("head.spans"),
                f", {coverage['boots']} ",
                say("head.boots"),
            ),
        ),
        ("section.policies", Html.of(policies or DASH)),
        ("head.made", Html.of(time_text(report["made"]), "; ", signed)),
        ("digest", Html.of(element("code", seal.sha256))),
    ]
    return element(
        "table",
        element(
            "tbody",
            *(
                element("tr", element("th", say(name), scope="row"), element("td", value))
                for name, value in rows
            ),
        ),
        kind="facts",
    )


def _from_to(times: Values) -> Html:
    return Html.of(time_text(times["from"]), f" {DASH} ", time_text(times["to"]))


def _question(check: Values, say: Speech) -> Html:
    title = say.either({one: check[f"title_{one}"] for one in say.languages})
    if check["outcome"] == Outcome.PASSED:
        return title
    first = check["evidence"][0]
    return Html.of(title, element("div", say.either({one: first[one] for one in say.languages}), kind="why"))


def _clauses(check: Values, say: Speech) -> Html:
    """The standards with the numbers of their clauses; the words of each stand on a later page."""
    standards: dict[str, list[str]] = {}
    for one in check["clauses"]:
        short = _SHORT_STANDARDS.get(one["standard"], {})
        name = say.either({key: short.get(key, one["standard"]) for key in say.languages})
        numbers = standards.setdefault(name, [])
        if one["clause"]:
            numbers.append(one["clause"])
    if not standards:
        return element("span", say("head.foundation"), kind="foundation")
    shown = [
        Html.of(Html(name), f" {', '.join(numbers)}" if numbers else "")
        for name, numbers in standards.items()
    ]
    return Html(" · ".join(shown))


def _foot(report: Values, say: Speech) -> Html:
    version = report["made_by"].removeprefix("nevgate ")
    return element("footer", say("footer", version=version, format=report["format"]))
