"""The sets of classes that a policy can have collected: by law, by each consent, by all, in each area."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from edge.policy.admission import Admission, Use
from edge.policy.classes import DataClass
from edge.policy.rules import Basis, Policy
from edge.proving.finding import Occasion

BY_LAW = "by law alone"
EVERYBODY = "everybody agreed to everything"


def occasions_of(
    policy: Policy, known: Collection[DataClass] = tuple(DataClass)
) -> tuple[tuple[Occasion, Admission], ...]:
    """The occasions of a policy, each different set of classes once.

    By law alone, with each class that can be agreed to, with all of them, and each of these in each area.

    Args:
        policy: the policy.
        known: the classes that the vehicle has; occasions that differ in others alone are one.
    """
    found: dict[frozenset[object], tuple[Occasion, Admission]] = {}
    for title, consents in _agreements(policy):
        admission = Admission.of(policy, consents)
        for where, withhold in (("", frozenset()), *((area.name, area.withhold) for area in policy.areas)):
            occasion = Occasion(
                f"{title}, in the area '{where}'" if where else title,
                admission.collect,
                withhold & admission.collect,
            )
            found.setdefault(occasion.classes & frozenset(known), (occasion, admission))
    return tuple(found.values())


def _agreements(policy: Policy) -> Iterator[tuple[str, dict[Use, int]]]:
    yield BY_LAW, {}
    asked = [use for use, rule in policy.rules.items() if rule.basis is Basis.CONSENT]
    for data_class in dict.fromkeys(use[0] for use in asked):
        uses = [use for use in asked if use[0] is data_class]
        yield f"somebody agreed to {data_class}", dict.fromkeys(uses, 1)
    yield EVERYBODY, dict.fromkeys(asked, 1)
