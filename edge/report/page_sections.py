"""The sections of the page behind the first: evidence, and what was found, table by table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.policy.policy_choice import REFUSED
from edge.report.check import Outcome
from edge.report.tables import DASH, Html, Speech, element
from edge.report.texts import Values, badge, span_text, time_text, version_text

_ROWS = 200


def sections(report: Values, say: Speech) -> Iterator[Html]:
    """All sections behind the first page, in order."""
    yield element("section", element("h2", say("page-two")), *_evidence(report, say), kind="evidence")
    yield _section(say, "policies", _policies(report, say))
    yield _section(say, "counts", _counts(report, say))
    yield _section(say, "kept", _kept(report, say))
    yield _section(say, "consents", _consents(report, say))
    yield _section(say, "refusals", _refusals(report, say))
    yield _section(say, "erasures", _erasures(report, say))
    yield _section(say, "destinations", _destinations(report, say))
    yield _section(say, "retention", _retention(report, say))
    yield _section(say, "masks", _masks(report, say))
    yield _section(say, "runs", _runs(report, say))
    yield _section(say, "coverage", _spans(report, say))
    yield _section(say, "integrity", _integrity(report, say))
    yield _section(say, "egress", _egress(report, say))


def _section(say: Speech, name: str, *parts: Html) -> Html:
    return element("section", element("h2", say(f"section.{name}")), *parts)


def _evidence(report: Values, say: Speech) -> Iterator[Html]:
    for check in report["checks"]:
        title = say.either({one: check[f"title_{one}"] for one in say.languages})
        sentences = [
            element("li", say.either({one: sentence[one] for one in say.languages}))
            for sentence in check["evidence"]
        ]
        clauses = [
            element(
                "li",
                say.either(
                    {
                        "en": f"{one['standard']} {one['clause']}".strip() + f": {one['en']}",
                        "zh": f"{one['standard_zh']} {one['clause']}".strip() + f": {one['zh']}",
                    }
                ),
            )
            for one in check["clauses"]
        ]
        yield element(
            "article",
            element("h3", badge(check, say), Html(" "), title),
            element("ul", *sentences),
            element("ul", *clauses, kind="clauses") if clauses else Html(""),
        )


def _policies(report: Values, say: Speech) -> Html:
    def row(one: Values) -> list[str]:
        signature = one["signature"]
        words: str = signature
        if signature.startswith(REFUSED):
            words = say("line.refused-policy", why=signature.partition(": ")[2])
        elif one["key"]:
            words = f"{signature} ({one['key']})"
        name = Html.of(f"{one['name']}{version_text(one)} ", element("code", one["digest"]))
        return [name, words, time_text(one["from"]), time_text(one["until"]), str(one["starts"])]

    return say.table(("policy", "signature", "from", "until", "starts"), map(row, report["policies"]))


def _counts(report: Values, say: Speech) -> Html:
    counted = report["counts"]
    runs = len(counted["runs"])
    name = "counts-none" if not runs else "counts-exact" if counted["exact"] else "counts-at-least"
    frames = counted["frames"]
    line = say(
        "line.door",
        entered=f"{frames['entered']:,}",
        left=f"{frames['left']:,}",
        aside=f"{frames['nothing_allowed']:,}",
        unknown=f"{frames['unknown_id']:,}",
    )
    more = "" if counted["exact"] else "≥ "
    rows = [
        [say.known("class", one["class"]), f"{more}{one['kept']:,}", f"{more}{one['removed']:,}"]
        for one in counted["classes"]
        if one["kept"] or one["removed"]
    ]
    return Html.of(
        element("p", say(f"line.{name}", runs=runs)),
        element("p", line),
        say.table(("class", "kept", "removed"), rows, kind="numbers"),
    )


def _kept(report: Values, say: Speech) -> Html:
    return say.table(
        ("kind", "class", "blocks", "count", "emptied", "first", "last"),
        (
            [
                say.known("kind", one["kind"]),
                say.known("class", one["class"]),
                f"{one['blocks']:,}",
                f"{one['count']:,}",
                f"{one['emptied']:,}",
                time_text(one["first"]),
                time_text(one["last"]),
            ]
            for one in report["kept"]
        ),
    )


def _consents(report: Values, say: Speech) -> Html:
    of_label = {one["label"]: one for one in report["ended_data"]}

    def row(one: Values) -> list[str]:
        end = one["end"]
        rests = [of_label[label] for label in one["labels"] if label in of_label]
        ended = Html.of(say.known("end", end["how"]), " ", time_text(end["when"])) if end else Html(DASH)
        erased = Html("; ".join(time_text(rest["erased"]) for rest in rests if rest["erased"]) or DASH)
        took = "; ".join(span_text(rest["took_s"]) for rest in rests) or DASH
        return [
            str(one["number"]),
            Html.of(say.known("class", one["class"]), Html("<br>"), one["purpose"]),
            one["role"],
            Html.of(time_text(one["granted"]), Html("<br>"), time_text(one["until"])),
            say("yes" if one["notice"] else "no"),
            ended,
            erased,
            f"{took} / {span_text(one['erase_within_s'])}",
        ]

    columns = ("number", "class", "role", "granted", "notice", "end", "erased", "took")
    return say.table(columns, map(row, report["consents"]))


def _refusals(report: Values, say: Speech) -> Html:
    return say.table(
        ("when", "class", "purpose", "role"),
        (
            [time_text(one["when"]), say.known("class", one["class"]), one["purpose"], one["role"]]
            for one in report["refusals"]
        ),
    )


def _erasures(report: Values, say: Speech) -> Html:
    return say.table(
        ("when", "class", "reason", "blocks", "keys"),
        (
            [
                time_text(one["when"]),
                say.known("class", one["class"]),
                one["reason"],
                f"{one['blocks']:,}",
                str(one["keys"] - one["keys_there"]),
            ]
            for one in report["erasures"]
        ),
    )


def _destinations(report: Values, say: Speech) -> Html:
    def row(one: Values) -> list[str]:
        gone = one["acknowledged"]
        return [
            Html.of(one["name"], Html("<br>"), one["host"]),
            ", ".join(one["jurisdictions"]) or DASH,
            say.each("class", one["may_have_by_law"]),
            say.each("class", one["may_have_by_consent"]),
            say("line.acknowledged", records=f"{gone['records']:,}", messages=f"{gone['messages']:,}"),
            DASH if one["now"] is None else f"{one['now']['unsent_records']:,}",
        ]

    columns = ("destination", "jurisdiction", "may-law", "may-consent", "sent", "waiting")
    return say.table(columns, map(row, report["destinations"]))


def _retention(report: Values, say: Speech) -> Html:
    return say.table(
        ("kind", "class", "limit", "oldest", "blocks", "overdue", "locked"),
        (
            [
                say.known("kind", one["kind"]),
                say.known("class", one["class"]),
                DASH if one["limit_days"] is None else f"{one['limit_days']:g}",
                time_text(one["oldest"]),
                f"{one['blocks']:,}",
                f"{one['overdue'] + one['overdue_since']:,}",
                f"{one['locked']:,}",
            ]
            for one in report["retention"]
        ),
    )


def _masks(report: Values, say: Speech) -> Html:
    def row(one: Values) -> list[str]:
        consents = one["consents"]
        shown: str = say("unknown") if consents is None else ", ".join(map(str, consents)) or say("law")
        name = Html.of(element("code", f"{one['mask']}/{one['admission']}"))
        return [
            name,
            one["policy"],
            shown,
            f"{one['blocks']:,}",
            time_text(one["first"]),
            time_text(one["last"]),
        ]

    rows = [row(one) for one in report["masks"][:_ROWS]]
    return Html.of(
        say.table(("mask", "policy", "consents", "blocks", "first", "last"), rows),
        _more(report["masks"], say),
    )


def _runs(report: Values, say: Speech) -> Html:
    runs = report["counts"]["runs"]
    rows = [
        [
            element("code", one["boot"][:8]),
            time_text(one["last_account"]),
            say("exact" if one["exact"] else "at-least"),
            f"{one['uncounted_s']:,}",
        ]
        for one in runs[:_ROWS]
    ]
    return Html.of(say.table(("boot", "last", "counts", "uncounted"), rows), _more(runs, say))


def _spans(report: Values, say: Speech) -> Html:
    spans = report["coverage"]["spans"]
    rows = [
        [
            element("code", one["boot"][:8]),
            time_text(one["from"]),
            time_text(one["to"]),
            span_text(one["seconds"]),
            one["quality"],
        ]
        for one in spans[:_ROWS]
    ]
    return Html.of(say.table(("boot", "from", "until", "took", "quality"), rows), _more(spans, say))


def _more(rows: Sequence[object], say: Speech) -> Html:
    return element("p", say("line.more", count=len(rows) - _ROWS)) if len(rows) > _ROWS else Html("")


def _integrity(report: Values, say: Speech) -> Html:
    found = report["integrity"]
    if found is None:
        return element("p", say("unknown"))
    names = ("blocks", "last", "covered", "countersigned")
    line = say("line.chain", **{name: f"{found[name]:,}" for name in names})
    faults = [element("li", f"{one['where']}: {one['what']}") for one in found["faults"]]
    return Html.of(element("p", line), element("ul", *faults) if faults else Html(""))


def _egress(report: Values, say: Speech) -> Html:
    found = report["egress"]
    if found is None:
        return element("p", say("line.no-egress"))
    outcome = {"pass": Outcome.PASSED, "fail": Outcome.FAILED}.get(found["verdict"], Outcome.NOT_PROVEN)
    rows = [
        [one["phase"], span_text(one["lasted_s"]), one["basis"], f"{one['packets']:,}"]
        for one in found["phases"]
    ]
    return Html.of(
        element(
            "p",
            badge({"outcome": outcome}, say),
            f" {found['test']}; ",
            time_text(found["started"]),
            f"; {found['policy']}",
        ),
        say.table(("what", "took", "quality", "count"), rows),
    )
