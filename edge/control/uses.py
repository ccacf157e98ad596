"""What the policy says of each use and where it stands, as plain values: the ``uses`` of a state."""

from __future__ import annotations

from collections.abc import Collection

from edge.clock import NS_PER_S
from edge.consent.desk import ConsentDesk
from edge.consent.entries import Granted
from edge.consent.plain import iso_time
from edge.policy.admission import Use
from edge.policy.classes import DataClass
from edge.policy.destinations import recipients
from edge.policy.rules import Policy, Rule


def plain_uses(desk: ConsentDesk, withhold: Collection[DataClass] = ()) -> list[dict[str, object]]:
    """All uses that the policy has a rule for, or that a consent was given for, by class and purpose.

    Args:
        desk: holds policy and consents.
        withhold: classes that are not collected for the time being.
    """
    spoken = {entry.use for entry in desk.ledger.entries if isinstance(entry, Granted)}
    return [plain_use(desk, use, withhold) for use in sorted(spoken | {*desk.policy.rules})]


def plain_use(desk: ConsentDesk, use: Use, withhold: Collection[DataClass] = ()) -> dict[str, object]:
    """One use; with a rule of nothing where the policy has none. See `plain_uses`."""
    rule = desk.policy.rule(*use)
    state = desk.state(use)
    return {
        "class": str(use[0]),
        "purpose": str(use[1]),
        "basis": "" if rule is None else str(rule.basis),
        "collected": use in desk.admission(withhold).rules,
        **_terms(desk.policy, rule),
        "state": str(state.standing),
        "why": state.why,
        "consent": None if state.consent is None else _consent(state.consent),
    }


def plain_clock(desk: ConsentDesk) -> dict[str, object]:
    """What the clock shows, and whether consents can rely on it: the ``clock`` of a state."""
    doubt = desk.doubt()
    return {"wall": iso_time(desk.now().at.wall_ns), "trusted": not doubt, "why": doubt}


def _terms(policy: Policy, rule: Rule | None) -> dict[str, object]:
    return {
        "precision": "" if rule is None else str(rule.precision),
        "leaves": rule is not None and rule.leaves,
        "jurisdictions": [] if rule is None else sorted(rule.jurisdictions),
        "destinations": [] if rule is None else _destinations(policy, rule),
        "destinations_listed": bool(policy.destinations),
        "retention_days": 0.0 if rule is None else rule.retention_days,
        "longest_days": 0.0 if rule is None else rule.longest_days,
        "erase_within_s": 0.0 if rule is None else rule.erase_within_s,
        "clause": "" if rule is None else rule.clause,
    }


def _destinations(policy: Policy, rule: Rule) -> list[str]:
    return [*recipients(rule, policy.destinations)] if policy.destinations else sorted(rule.destinations)


def _consent(grant: Granted) -> dict[str, object]:
    return {
        "number": grant.number,
        "role": str(grant.role),
        "granted": iso_time(grant.at.wall_ns),
        "until": iso_time(grant.ends_ns),
        "keep": grant.keep,
        "term_s": grant.term_ns / NS_PER_S,
    }
