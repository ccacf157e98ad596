"""The account: what entered each hop of the road, what left it, and each named loss between the two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of the road, at one moment.

    Attributes:
        name: the hop, such as ``bus pt`` or ``door``.
        unit: what is counted: ``frames``, ``records``, ``messages``.
        entered: how many came in.
        left: how many went out to the next hop.
        set_aside: how many did not, by cause, each exact.
        at_least: losses that hardware only flags, by cause, as a lower bound; they never entered, so they are
            outside the balance.
        facts: further exact counts that explain the hop and are no part of the balance.
    """

    name: str
    unit: str
    entered: int
    left: int
    set_aside: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    at_least: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    facts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def difference(self) -> int:
        """Entered less left less set aside: 0 when the hop balances."""
        return self.entered - self.left - sum(self.set_aside.values())

    @property
    def balanced(self) -> bool:
        """Whether nothing went missing without a name."""
        return self.difference == 0


def summed(hops: Iterable[Hop]) -> list[Hop]:
    """Hops of one name and unit added up, such as of one life after the other, in order of the first."""
    found: dict[tuple[str, str], Hop] = {}
    for hop in hops:
        other = found.get((hop.name, hop.unit), Hop(hop.name, hop.unit, 0, 0))
        found[hop.name, hop.unit] = Hop(
            hop.name,
            hop.unit,
            other.entered + hop.entered,
            other.left + hop.left,
            _added(other.set_aside, hop.set_aside),
            _added(other.at_least, hop.at_least),
            _added(other.facts, hop.facts),
        )
    return list(found.values())


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    total = Counter(one)
    total.update(other)
    return MappingProxyType(dict(total))


@dataclass(frozen=True, slots=True)
class Account:
    """The hops of a road in order."""

    hops: tuple[Hop, ...]

    @classmethod
    def of(cls, hops: Iterable[Hop]) -> Account:
        """Collect the hops that the rooms report."""
        return cls(tuple(hops))

    @property
    def balanced(self) -> bool:
        """Whether every hop balances."""
        return all(hop.balanced for hop in self.hops)

    def as_json(self) -> dict[str, object]:
        """The account as plain values for ``--json``."""
        return {
            "balanced": self.balanced,
            "hops": [
                {
                    "name": hop.name,
                    "unit": hop.unit,
                    "entered": hop.entered,
                    "left": hop.left,
                    "set_aside": dict(hop.set_aside),
                    "at_least": dict(hop.at_least),
                    "facts": dict(hop.facts),
                    "balanced": hop.balanced,
                }
                for hop in self.hops
            ],
        }
