"""`Admission`: what may be collected at this moment, by the policy in force and the consents given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge.policy.classes import DataClass
from edge.policy.rules import FULL, RECORD_PURPOSES, Basis, Policy, Precision, Purpose, Rule

Use = tuple[DataClass, Purpose]
"""A class, and what it is collected for."""

_NAME_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Admission:
    """What may be collected, and on what ground.

    Attributes:
        rules: the rules that hold now, by use.
        consents: the number of the consent that each use rests on; a use by law is not in it.
        policy: title of the policy.
        name: a hash over all of it, by which batches and blocks name it.
        collect: the classes that are collected for any purpose.
        records: the classes whose items go into records.
    """

    rules: Mapping[Use, Rule]
    consents: Mapping[Use, int]
    policy: str
    name: str
    collect: frozenset[DataClass]
    records: frozenset[DataClass]

    @classmethod
    def of(
        cls, policy: Policy, consents: Mapping[Use, int], withhold: Collection[DataClass] = ()
    ) -> Admission:
        """What a policy admits.

        Args:
            policy: the policy in force.
            consents: the consents that hold now, by what they are for.
            withhold: classes that are not collected for the time being, such as inside a forbidden area.
        """
        rules = {
            use: rule
            for use, rule in sorted(policy.rules.items())
            if rule.data_class not in withhold and (rule.basis is Basis.LAW or use in consents)
        }
        needed = {use: consents[use] for use, rule in rules.items() if rule.basis is Basis.CONSENT}
        text = json.dumps([policy.digest, [[*use, needed.get(use, 0)] for use in rules]])
        return cls(
            rules=MappingProxyType(rules),
            consents=MappingProxyType(needed),
            policy=policy.title,
            name=hashlib.sha256(text.encode()).hexdigest()[:_NAME_DIGITS],
            collect=frozenset(data_class for data_class, _ in rules),
            records=frozenset(data_class for data_class, purpose in rules if purpose in RECORD_PURPOSES),
        )

    def admits(self, data_class: DataClass, purposes: Iterable[Purpose]) -> bool:
        """Whether a class is collected for one of some purposes."""
        return any((data_class, purpose) in self.rules for purpose in purposes)

    def ground(self, data_class: DataClass, purposes: Iterable[Purpose]) -> str | None:
        """What data of a class kept for some purposes rest on, as their data key is labelled.

        A position is kept as exactly as the purpose needs it that needs it most exactly, and so rests on the
        consent to that one alone: a consent to a coarser one does not keep it when the other is withdrawn.

        Returns:
            Empty for the law; ``consent 3`` or ``consent 3,7`` where it is consents alone; None if they may
            not be kept for any of these purposes.
        """
        uses = [(data_class, purpose) for purpose in purposes if (data_class, purpose) in self.rules]
        if not uses:
            return None
        if any(use not in self.consents for use in uses):
            return ""
        if data_class is DataClass.POSITION:
            cells = {use: coarseness_m(self.rules[use].precision) for use in uses}
            uses = [use for use in uses if cells[use] == min(cells.values())]
        return "consent " + ",".join(map(str, sorted({self.consents[use] for use in uses})))

    def precision(self, purposes: Iterable[Purpose]) -> Precision:
        """How exactly positions are kept for some purposes: as the one that needs it most exactly has it."""
        uses = [(DataClass.POSITION, purpose) for purpose in purposes]
        found = [self.rules[use].precision for use in uses if use in self.rules]
        return min(found, key=coarseness_m, default=FULL)


def coarseness_m(precision: Precision) -> float:
    """About how long the side of a cell is, by which two precisions are compared; 0 for full precision."""
    if precision.geohash:
        return 40_000_000.0 / 2 ** (2.5 * precision.geohash)
    return precision.cell_m


def consents_in(label: str) -> frozenset[int]:
    """The numbers of the consents that a data key's label names; none for the law."""
    numbers = label.removeprefix("consent ") if label.startswith("consent ") else ""
    return frozenset(int(number) for number in numbers.split(",") if number.isdecimal())
