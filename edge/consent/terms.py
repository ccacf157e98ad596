"""What may be agreed to: a use that rests on consent, for a term that ends."""

from __future__ import annotations

import math

from edge.clock import NS_PER_DAY, NS_PER_S
from edge.errors import ConsentError
from edge.policy.admission import Use
from edge.policy.rules import Basis, Policy, Rule

SHORTEST_S = 1.0


def rule_by_consent(policy: Policy, use: Use) -> Rule:
    """The rule of a use that rests on consent.

    Raises:
        ConsentError: it has no rule, or needs no consent.
    """
    rule = policy.rule(*use)
    named = f"{use[0]} for {use[1]}"
    if rule is None:
        raise ConsentError(
            f"the policy does not collect {named}, with consent or without",
            todo="See what it collects by 'nevgate policy explain'",
        )
    if rule.basis is not Basis.CONSENT:
        raise ConsentError(f"{named} rests on law, not on consent: {rule.clause or 'a mandatory rule'}")
    return rule


def term_ns(term_s: float, rule: Rule) -> int:
    """A term in nanoseconds.

    Raises:
        ConsentError: there is none, or none that may be (GB/T 44464-2024 5.2: never "always").
    """
    advice = f"Give a term of up to {rule.longest_days:g} days"
    if isinstance(term_s, bool) or not math.isfinite(term_s):
        raise ConsentError("a consent has an end: its term is a number of seconds", todo=advice)
    if term_s < SHORTEST_S:
        raise ConsentError(f"a term lasts at least a second, not {term_s:g} s", todo=advice)
    if not math.isfinite(rule.longest_days) or term_s * NS_PER_S > rule.longest_days * NS_PER_DAY:
        raise ConsentError(
            f"{term_s / 86_400:g} days are longer than the policy allows for {rule.data_class}", todo=advice
        )
    return round(term_s * NS_PER_S)


def within_ns(rule: Rule) -> int:
    """How soon after its end the data of a consent are gone, nanoseconds."""
    return round(rule.erase_within_s * NS_PER_S)
