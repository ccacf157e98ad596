"""The checks of what was collected, and of what people agreed to."""

from __future__ import annotations

from collections.abc import Iterator

from edge.clock import NS_PER_DAY
from edge.consent.plain import iso_time
from edge.journal.block import BlockKind
from edge.policy.floor import LONGEST_CONSENT_DAYS
from edge.policy.policy_choice import BUILT_IN, GOOD, REFUSED
from edge.policy.rules import Basis
from edge.report.agreements import Agreement
from edge.report.check import Answer, Check
from edge.report.facts import Facts
from edge.report.judging import Verdicts

_NAMED = 5


def collecting_checks(facts: Facts) -> Iterator[Check]:
    """Judge what was collected."""
    yield _allowed(facts)
    yield _in_time(facts)
    yield _terms(facts)
    yield _separate(facts)
    yield _contact(facts)
    yield _precision(facts)
    yield _pictures(facts)
    yield _signed(facts)


def _allowed(facts: Facts) -> Check:
    answer = Answer("allowed", "5-1-1", "default", "41871-separate")
    _blocks(answer, facts.judging.allowed)
    _damage(answer, facts)
    return answer.check()


def _in_time(facts: Facts) -> Check:
    answer = Answer("in-time", "5-2", "easy-stop")
    verdicts = facts.judging.in_time
    _blocks(answer, verdicts)
    if not verdicts.right and not verdicts.wrong and not verdicts.undecided:
        answer.shows("no-blocks-under-consent")
    _damage(answer, facts)
    doubt_ledger(answer, facts)
    # Where the label of a key is not known, it is not known either whether a consent was needed.
    unknown = facts.judging.allowed.undecided.get("no-label", 0)
    if unknown:
        answer.doubts("undecided.no-label", blocks=unknown)
    return answer.check()


def _blocks(answer: Answer, verdicts: Verdicts) -> None:
    for what, blocks in sorted(verdicts.wrong.items()):
        numbers = [one.number for one in verdicts.faults if one.what == what]
        first = next(one for one in verdicts.faults if one.what == what) if numbers else None
        answer.fails(
            f"wrong.{what}",
            blocks=blocks,
            numbers=", ".join(map(str, numbers[:_NAMED])),
            **{
                "class": "" if first is None else first.data_class,
                "kind": "" if first is None else first.kind,
            },
        )
    for why, blocks in sorted(verdicts.undecided.items()):
        answer.doubts(f"undecided.{why}", blocks=blocks)
    if verdicts.right:
        answer.shows("blocks-right", blocks=verdicts.right)


def _damage(answer: Answer, facts: Facts) -> None:
    if facts.found.damaged:
        answer.doubts("damaged-headers", blocks=facts.found.damaged)
    if not facts.found.kept:
        answer.doubts("no-data")
    if facts.begins_unseen:
        answer.doubts("begins-unseen", first=iso_time(facts.found.oldest_ns))


def doubt_ledger(answer: Answer, facts: Facts) -> None:
    """Say where the ledger of consents cannot be read."""
    unreadable = facts.notes.unreadable.get(BlockKind.CONSENT, 0)
    if unreadable:
        answer.doubts("ledger-unreadable", entries=unreadable)
    if facts.agreements.unknown:
        answer.doubts("consents-unknown", numbers=", ".join(map(str, sorted(facts.agreements.unknown))))


def granted_in(facts: Facts) -> list[Agreement]:
    """The consents that were in force at some time of the period, or ended in it."""
    found = []
    for one in facts.agreements.of_number.values():
        end = one.end
        ended_ns = None if end is None else end.wall_ns
        if end is not None and end.at is not None and end.at.wall_ns is not None:
            ended_ns = max(ended_ns or 0, end.at.wall_ns)
        last_ns = facts.period.to_ns if end is None or ended_ns is None else ended_ns
        if facts.period.meets(one.granted.at.wall_ns, last_ns):
            found.append(one)
    return found


def _terms(facts: Facts) -> Check:
    answer = Answer("terms", "5-2", "41871-term", "term")
    grants = granted_in(facts)
    for one in grants:
        days = one.granted.term_ns / NS_PER_DAY
        policy = next((each for each in facts.policies if each.title == one.granted.policy), None)
        rule = None if policy is None else policy.rule(*one.granted.use)
        longest = LONGEST_CONSENT_DAYS if rule is None else rule.longest_days
        if days <= 0 or days > LONGEST_CONSENT_DAYS or days > longest:
            answer.fails("term-too-long", consent=one.number, days=round(days, 2), longest=longest)
    lengths = [one.granted.term_ns / NS_PER_DAY for one in grants]
    if grants:
        answer.shows("terms-end", consents=len(grants), longest=round(max(lengths), 2))
    else:
        answer.shows("no-consents")
    doubt_ledger(answer, facts)
    return answer.check()


def _separate(facts: Facts) -> Check:
    answer = Answer("separate", "5-2", "41871-separate", "separate")
    grants = granted_in(facts)
    without = [one.number for one in grants if not one.asked]
    if without:
        answer.doubts("notice-not-shown", numbers=", ".join(map(str, without)))
    if grants:
        answer.shows("one-use-each", consents=len(grants), noticed=len(grants) - len(without))
    else:
        answer.shows("no-consents")
    doubt_ledger(answer, facts)
    return answer.check()


def _contact(facts: Facts) -> Check:
    answer = Answer("contact", "5-2", "41871-contact")
    for one in facts.policies:
        if one.contact:
            answer.shows("contact", policy=one.title, contact=one.contact)
        elif any(rule.basis is Basis.CONSENT for rule in one.rules.values()):
            answer.doubts("no-contact", policy=one.title)
        else:
            answer.shows("nobody-asked", policy=one.title)
    _policies_missing(answer, facts)
    return answer.check()


def _policies_missing(answer: Answer, facts: Facts) -> None:
    if facts.policies_missing:
        answer.doubts("policies-missing", policies=facts.policies_missing)
    if not facts.in_force:
        answer.doubts("no-policy-noted")


def _precision(facts: Facts) -> Check:
    answer = Answer("precision", "precision")
    found = facts.positions.exactness
    numbers = ", ".join(map(str, found.numbers or ()))
    if found.too_exact:
        answer.fails("too-exact", records=found.too_exact, numbers=numbers)
    if found.inside:
        answer.fails("inside-area", records=found.inside, numbers=numbers)
    if found.undecided:
        answer.doubts("position-undecided", records=found.undecided)
    answer.shows("positions", records=found.records, coarse=found.coarse)
    return answer.check()


def _pictures(facts: Facts) -> Check:
    answer = Answer("pictures", "5-6-2")
    media = sum(one.blocks for (kind, _), one in facts.found.kept.items() if kind is BlockKind.MEDIA)
    if media:
        answer.doubts("pictures", blocks=media)
    else:
        answer.shows("no-pictures")
    _damage(answer, facts)
    return answer.check()


def _signed(facts: Facts) -> Check:
    answer = Answer("signed")
    for one in facts.in_force:
        note = one.note
        if note.signature == GOOD:
            answer.shows("signature-good", policy=note.name, version=note.version, key=note.key_id.hex())
        elif note.signature == BUILT_IN:
            answer.shows("signature-built-in", policy=note.name)
        elif note.signature.startswith(REFUSED):
            answer.shows("signature-refused", policy=note.name, why=note.signature.partition(": ")[2])
        else:
            answer.fails("signature-strange", policy=note.name, signature=note.signature)
    if not facts.in_force:
        answer.doubts("no-policy-noted")
    unreadable = facts.notes.unreadable.get(BlockKind.CONFIGURATION, 0)
    if unreadable:
        answer.doubts("policy-notes-unreadable", notes=unreadable)
    return answer.check()
