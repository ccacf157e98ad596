"""What a policy says, in words for people."""

from __future__ import annotations

from collections.abc import Iterable

from edge.policy.jurisdictions import REGIONS
from edge.policy.rules import ANYWHERE, Basis, Rule

_DAY_S = 86_400
_HOUR_S = 3_600


def rule_words(rule: Rule | None) -> str:
    """One line about a rule; that nothing is collected where there is none."""
    if rule is None:
        return "not collected"
    return "; ".join(filter(None, (_ground(rule), _way(rule), _precision(rule), _kept(rule), rule.clause)))


def places_words(jurisdictions: Iterable[str]) -> str:
    """Jurisdictions, a region in place of all its countries."""
    rest = set(jurisdictions)
    if ANYWHERE in rest:
        return "any country that a destination states"
    named = []
    for region, codes in REGIONS.items():
        if codes <= rest:
            named.append(region)
            rest -= codes
    return ", ".join([*named, *sorted(rest)])


def span_words(seconds: float) -> str:
    """A stretch of time in the largest unit that divides it."""
    for unit_s, unit in ((_DAY_S, "days"), (_HOUR_S, "hours"), (60, "minutes")):
        if seconds >= unit_s and not seconds % unit_s:
            count = seconds / unit_s
            return f"{count:g} {unit if count != 1 else unit.removesuffix('s')}"
    return f"{seconds:g} s"


def _ground(rule: Rule) -> str:
    if rule.basis is Basis.LAW:
        return "by law"
    return (
        f"by consent for at most {span_words(rule.longest_days * _DAY_S)}, "
        f"erased within {span_words(rule.erase_within_s)} of its withdrawal"
    )


def _way(rule: Rule) -> str:
    if not rule.leaves:
        return "stays in the vehicle"
    destinations = f" to {', '.join(sorted(rule.destinations))}" if rule.destinations else ""
    return f"may leave{destinations}: {places_words(rule.jurisdictions)}"


def _precision(rule: Rule) -> str:
    return "" if rule.precision.full else f"precision {rule.precision}"


def _kept(rule: Rule) -> str:
    return f"kept {span_words(rule.retention_days * _DAY_S)}" if rule.retention_days else ""
