"""What no policy may allow, whoever signs it: the floor under all rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.policy.classes import DataClass
from edge.policy.rules import ANYWHERE, RECORD_PURPOSES, Basis, Purpose, Rule

LONGEST_CONSENT_DAYS = 365.0
"""A term can be set and is never permanent (GB/T 44464-2024, 5.2); more than a year counts as permanent."""

USUAL_ERASURE_S = 10 * 86_400.0
"""Where a policy says nothing: ten days, which are never more than ten working days."""

LATEST_ERASURE_S = 14 * 86_400.0
"""Ten working days (GB/T 44464-2024, 5.7): two weeks where no holiday lies between."""

SENSITIVE = frozenset({DataClass.POSITION, DataClass.CABIN, DataClass.EXTERIOR, DataClass.IDENTITY})
"""Classes that are about people."""

_OF_CHOICE = frozenset({Purpose.SERVICE, Purpose.RECORDING})
"""Purposes that no mandatory rule asks for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a table.

    Attributes:
        key: in the table; empty for the table as a whole.
        words: what is wrong, and what would be right.
    """

    key: str
    words: str


def rule_faults(rule: Rule, within: frozenset[str] = frozenset()) -> Iterator[Fault]:
    """What is wrong with a rule by itself.

    Args:
        rule: the rule.
        within: the jurisdictions that the profile lets data go to; empty for any.
    """
    yield from _of_basis(rule)
    yield from _of_way_out(rule, within)
    if rule.precision.full:
        return
    if rule.data_class is not DataClass.POSITION:
        yield Fault("precision", f"is of positions; class {rule.data_class} has none, leave it away")
    if rule.purpose not in RECORD_PURPOSES:
        yield Fault(
            "precision",
            f"purpose {rule.purpose} keeps raw frames, which cannot be rounded; say 'full', or deny the use",
        )


def _of_basis(rule: Rule) -> Iterator[Fault]:
    if rule.basis is Basis.CONSENT:
        yield from _of_consent(rule)
        return
    if rule.longest_days:
        yield Fault("longest_days", "is the term of a consent; leave it away where the basis is law")
    if rule.erase_within_s:
        yield Fault("erase_within_s", "is about a withdrawn consent; leave it away where the basis is law")
    if rule.data_class not in SENSITIVE:
        return
    if rule.purpose in _OF_CHOICE:
        yield Fault(
            "basis",
            f"no rule obliges anybody to collect class {rule.data_class} for purpose {rule.purpose}; "
            "say 'consent' (GB/T 44464-2024, 5.1.1 and 5.2)",
        )
    elif not rule.clause:
        yield Fault(
            "clause",
            f"class {rule.data_class} is collected by law only where a clause says so; name it, such as "
            "'GB/T 32960.3, position', or say basis = 'consent'",
        )
    if rule.data_class is DataClass.CABIN and rule.leaves:
        yield Fault(
            "basis",
            "cabin data leave the vehicle by consent alone (GB/T 44464-2024, 5.1.3); say 'consent', or leave "
            "jurisdictions away so that they stay inside",
        )


def _of_consent(rule: Rule) -> Iterator[Fault]:
    if not rule.longest_days:
        yield Fault(
            "longest_days",
            "is missing: a consent has a term, never 'always' or 'permanent' (GB/T 44464-2024, 5.2); "
            f"say how many days at most, up to {LONGEST_CONSENT_DAYS:g}",
        )
    if rule.longest_days > LONGEST_CONSENT_DAYS:
        yield Fault(
            "longest_days",
            f"{rule.longest_days:g} days are as good as for ever, which no consent is "
            f"(GB/T 44464-2024, 5.2); say {LONGEST_CONSENT_DAYS:g} or less",
        )
    if rule.erase_within_s > LATEST_ERASURE_S:
        yield Fault(
            "erase_within_s",
            f"{rule.erase_within_s:g} s are longer than ten working days (GB/T 44464-2024, 5.7); "
            f"say {LATEST_ERASURE_S:.0f} or less",
        )


def _of_way_out(rule: Rule, within: frozenset[str]) -> Iterator[Fault]:
    if rule.purpose not in RECORD_PURPOSES:
        for key in ("jurisdictions", "destinations"):
            if getattr(rule, key):
                yield Fault(key, f"purpose {rule.purpose} keeps raw frames in the vehicle; leave it away")
        return
    if rule.destinations and not rule.leaves:
        yield Fault(
            "destinations",
            "are named, but without jurisdictions the class stays in the vehicle; name where they stand",
        )
    if ANYWHERE in rule.jurisdictions and len(rule.jurisdictions) > 1:
        yield Fault("jurisdictions", f"'{ANYWHERE}' stands for all; leave the others away, or that one")
        return
    outside = sorted(rule.jurisdictions - within) if within else []
    if outside:
        yield Fault("jurisdictions", outside_words(outside[0], within))


def outside_words(jurisdiction: str, within: frozenset[str]) -> str:
    """That a jurisdiction is not among those that the profile lets data go to."""
    return f"'{jurisdiction}' is outside of what the profile allows; it allows {', '.join(sorted(within))}"
