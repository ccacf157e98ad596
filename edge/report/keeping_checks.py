"""The checks of what is kept, erased and sent, and of the journal itself."""

from __future__ import annotations

from collections.abc import Iterator

from edge.clock import NS_PER_S
from edge.consent.plain import iso_time
from edge.policy.classes import DataClass
from edge.policy.floor import LATEST_ERASURE_S, SENSITIVE
from edge.report.agreements import Rest
from edge.report.check import Answer, Check, Plain
from edge.report.collecting_checks import doubt_ledger
from edge.report.facts import Facts
from edge.report.sending import Sent


def keeping_checks(facts: Facts) -> Iterator[Check]:
    """Judge what was kept."""
    yield _erased(facts)
    yield _gone(facts)
    yield _retention(facts)
    yield _sealed(facts)


def sending_checks(facts: Facts) -> Iterator[Check]:
    """Judge what left."""
    yield _cabin(facts)
    yield _destinations(facts)
    yield _encrypted(facts)
    yield _egress(facts)


def journal_checks(facts: Facts) -> Iterator[Check]:
    """Judge what the others rest on."""
    yield _chain(facts)
    yield _countersigned(facts)
    yield _counted(facts)


def _erased(facts: Facts) -> Check:
    answer = Answer("erased-in-time", "5-7", "41871-delete", "ten-days")
    in_time = 0
    longest_ns = 0
    rests = rests_in(facts)
    for rest in rests:
        if _rest_is_right(answer, rest, facts):
            in_time += 1
            longest_ns = max(longest_ns, rest.took_ns or 0)
    if in_time:
        answer.shows("erased-in-time", labels=in_time, longest_s=round(longest_ns / NS_PER_S, 1))
    elif not rests:
        answer.shows("nothing-to-erase")
    doubt_ledger(answer, facts)
    late = [
        one.number
        for one in facts.agreements.of_number.values()
        if one.granted.erase_within_ns > LATEST_ERASURE_S * NS_PER_S
    ]
    if late:
        answer.fails("promised-too-late", numbers=", ".join(map(str, late)))
    return answer.check()


def rests_in(facts: Facts) -> list[Rest]:
    """Data of consents that ended in the period or before, and were not gone before it."""
    found = []
    for one in facts.agreements.rests:
        gone_ns = facts.newest_ns if one.erased is None else one.erased.wall_ns
        untimed = one.ended_ns is None or gone_ns is None
        if untimed or one.kept_keys or facts.period.meets(one.ended_ns or 0, gone_ns or 0):
            found.append(one)
    return found


def _rest_is_right(answer: Answer, rest: Rest, facts: Facts) -> bool:
    """Whether the data of a label were gone in time; says so where not."""
    label, deadline_ns = rest.label, rest.deadline_ns
    deadline = iso_time(deadline_ns or 0)
    if rest.kept_keys and (rest.erased is not None or deadline_ns is None):
        answer.fails("erased-and-there", label=label, keys=rest.kept_keys)
    elif rest.kept_keys and deadline_ns is not None and deadline_ns < facts.newest_ns:
        answer.fails("not-erased", label=label, keys=rest.kept_keys, deadline=deadline)
    elif rest.kept_keys and deadline_ns is not None and deadline_ns < facts.now_ns:
        answer.doubts("not-erased-since", label=label, keys=rest.kept_keys, deadline=deadline)
    elif rest.kept_keys:
        answer.shows("erasure-due", label=label, keys=rest.kept_keys, deadline=deadline)
    elif rest.erased is None:
        answer.doubts("gone-unsaid", label=label)
    elif rest.took_ns is None or rest.ended_ns is None or deadline_ns is None:
        answer.doubts("erased-no-time", label=label)
    elif rest.took_ns > deadline_ns - rest.ended_ns:
        answer.fails("erased-late", label=label, took_s=round(rest.took_ns / NS_PER_S), deadline=deadline)
    else:
        return True
    return False


def _gone(facts: Facts) -> Check:
    answer = Answer("not-retrievable", "5-7")
    left = facts.unfinished
    if left.keys:
        answer.fails("key-there", keys=left.keys)
    if left.condemned or left.wrapping:
        answer.doubts("erasure-under-way", keys=left.condemned, wrapping=left.wrapping)
    erasures = facts.notes.erasures
    answer.shows("keys-destroyed", erasures=len(erasures), keys=sum(len(one.keys) for one in erasures))
    return answer.check()


def _retention(facts: Facts) -> Check:
    answer = Answer("retention", "5-2")
    for (kind, data_class), shelf in sorted(facts.keeping.shelves.items()):
        if shelf.limit_days is None:
            continue
        named: dict[str, Plain] = {
            "class": data_class,
            "kind": kind.name.lower().replace("_", " "),
            "days": shelf.limit_days,
        }
        oldest = iso_time(shelf.oldest_ns or 0)
        if shelf.overdue:
            answer.fails("overdue", blocks=shelf.overdue, oldest=oldest, **named)
        if shelf.overdue_by_now:
            answer.doubts("overdue-since", blocks=shelf.overdue_by_now, oldest=oldest, **named)
        if shelf.locked_overdue:
            answer.doubts("locked-overdue", blocks=shelf.locked_overdue, **named)
        if shelf.untimed:
            answer.doubts("untimed", blocks=shelf.untimed, **named)
        if shelf.spared:
            answer.shows("spared", blocks=shelf.spared, **named)
    answer.shows("retention-looked", shelves=len(facts.keeping.shelves))
    if facts.policies_missing:
        answer.doubts("policies-missing", policies=facts.policies_missing)
    if facts.found.damaged:
        answer.doubts("damaged-headers", blocks=facts.found.damaged)
    return answer.check()


def _sealed(facts: Facts) -> Check:
    answer = Answer("sealed", "5-4")
    sealing = facts.keeping.sealing
    if sealing.wrong:
        answer.fails("sealed-wrong", blocks=sealing.wrong, numbers=", ".join(map(str, sealing.numbers)))
    if sealing.no_key:
        answer.shows("sealed-for-good", blocks=sealing.no_key)
    if facts.verified is None:
        answer.doubts("no-vehicle-key")
    elif not facts.verified.holds:
        answer.doubts("chain-broken", faults=facts.verified.fault_count)
    answer.shows("sealed", blocks=sealing.blocks)
    section = facts.config.journal
    if section is not None:
        beside = section.wrapping.kind == "file" and section.wrapping.folder in {None, section.folder}
        answer.shows("wrapped-beside" if beside else "wrapped", kind=section.wrapping.kind)
    return answer.check()


def _cabin(facts: Facts) -> Check:
    answer = Answer("cabin-stays", "5-1-3")
    may = False
    for one in facts.sent:
        if one.in_vehicle:
            continue
        if DataClass.CABIN in one.by_law:
            answer.fails("cabin-by-law", destination=one.name)
        elif DataClass.CABIN in one.by_consent:
            may = True
            answer.shows("cabin-by-consent", destination=one.name)
        if not one.configured and one.records:
            answer.doubts("destination-unknown", destination=one.name, records=one.records)
    if not may:
        answer.shows("cabin-nowhere", destinations=len(facts.sent))
    _policies_missing(answer, facts)
    answer.shows("by-present-configuration")
    return answer.check()


def _policies_missing(answer: Answer, facts: Facts) -> None:
    if facts.policies_missing:
        answer.doubts("policies-missing", policies=facts.policies_missing)
    if not facts.in_force:
        answer.doubts("no-policy-noted")


def _destinations(facts: Facts) -> Check:
    answer = Answer("destinations", "5-8", "in-china")
    for one in facts.sent:
        _judge_destination(answer, one, facts)
    _policies_missing(answer, facts)
    if not facts.counts.exact or not facts.counts.runs:
        answer.shows("sent-at-least")
    answer.shows("by-present-configuration")
    return answer.check()


def _judge_destination(answer: Answer, one: Sent, facts: Facts) -> None:
    named: dict[str, Plain] = {"destination": one.name, "records": one.records}
    stands = ", ".join(one.jurisdictions)
    if not one.configured:
        if one.records or one.messages:
            answer.doubts("destination-unknown", **named)
        return
    if one.in_vehicle:
        answer.shows("destination-inside", host=one.host, **named)
        return
    abroad = set(one.jurisdictions) - facts.home - {""}
    if one.records and not one.may_have and not facts.policies_missing and facts.policies:
        answer.fails("sent-not-allowed", **named)
    elif abroad and (one.may_have or one.records):
        answer.fails("destination-abroad", jurisdiction=", ".join(sorted(abroad)), **named)
    elif "" in one.jurisdictions and (one.may_have or one.records):
        answer.doubts("destination-nowhere", **named)
    elif one.may_have:
        answer.shows(
            "destination-home", jurisdiction=stands, classes=", ".join(sorted(one.may_have)), **named
        )
    else:
        answer.shows("destination-nothing", jurisdiction=stands, **named)


def _encrypted(facts: Facts) -> Check:
    answer = Answer("encrypted", "5-6-1")
    for one in facts.sent:
        sensitive = ", ".join(sorted(one.may_have & SENSITIVE))
        if not one.configured:
            if one.records:
                answer.doubts("destination-unknown", destination=one.name, records=one.records)
        elif one.in_vehicle:
            answer.shows("not-outside", destination=one.name)
        elif one.encrypted:
            answer.shows("by-tls", destination=one.name, classes=sensitive or "-")
        elif sensitive:
            answer.fails("in-clear", destination=one.name, classes=sensitive)
    answer.shows("by-present-configuration")
    return answer.check()


def _egress(facts: Facts) -> Check:
    answer = Answer("egress", "5-8", "d-8")
    found = facts.egress
    if found is None:
        answer.doubts("no-egress")
        return answer.check()
    if found.verdict == "fail":
        answer.fails("egress-failed", addresses=found.counts.get("not allowed", 0), started=found.started)
    elif found.verdict == "not proven":
        for reason in found.reasons:
            answer.doubts("egress-reason", reason=reason)
        answer.doubts("egress-not-proven", started=found.started)
    else:
        lasted_s = min((one.lasted_s for one in found.phases), default=0.0)
        answer.shows(
            "egress-passed", started=found.started, lasted_s=round(lasted_s), phases=len(found.phases)
        )
    if found.policy not in {one.title for one in facts.policies}:
        answer.doubts("egress-other-policy", policy=found.policy)
    if set(found.home) != set(facts.home):
        answer.doubts("egress-other-home", home=", ".join(found.home))
    if found.started_ns is None or not facts.period.holds(found.started_ns):
        answer.shows("egress-other-time", started=found.started)
    return answer.check()


def _chain(facts: Facts) -> Check:
    answer = Answer("chain")
    report = facts.verified
    if report is None:
        answer.doubts("no-vehicle-key")
        return answer.check()
    if not report.holds:
        first = report.faults[0] if report.faults else None
        answer.fails("chain-broken-at", faults=report.fault_count, first="" if first is None else str(first))
    if not report.covered:
        answer.doubts("nothing-signed")
    answer.shows("chain", blocks=report.blocks, opened=report.opened, last=report.last)
    if report.covered:
        answer.shows("signed-to", covered=report.covered, checkpoints=report.checkpoints)
    if report.covered < report.last:
        answer.shows("signed-not-yet", blocks=report.last - report.covered)
    if report.gone:
        answer.shows("rows-gone", blocks=sum(last - first + 1 for first, last in report.gone))
    return answer.check()


def _countersigned(facts: Facts) -> Check:
    answer = Answer("countersigned")
    report = facts.verified
    if report is None:
        answer.doubts("no-vehicle-key")
    elif report.countersigned:
        answer.shows("countersigned", block=report.countersigned, last=report.last)
    elif not facts.platform_known:
        answer.doubts("no-platform-key")
    else:
        answer.doubts("not-countersigned")
    return answer.check()


def _counted(facts: Facts) -> Check:
    answer = Answer("counted")
    runs = facts.counts.runs
    unbalanced = sum(not one.balanced for one in runs)
    if unbalanced:
        answer.fails("unbalanced", runs=unbalanced)
    lacking = [one for one in runs if not one.complete]
    if lacking:
        seconds = sum(one.uncounted_s for one in lacking)
        answer.doubts("counted-at-least", runs=len(lacking), of=len(runs), seconds=round(seconds))
    if len(lacking) < len(runs):
        answer.shows("counted", runs=len(runs) - len(lacking))
    if not runs:
        answer.doubts("no-runs")
    return answer.check()
