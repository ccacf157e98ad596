"""`Collecting`: what is collected now, and what that leaves of signals and items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import Catalogue
from edge.core import Limits
from edge.database.model import SignalRef
from edge.places.precision import coarse_record
from edge.policy.admission import Admission
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.policy.gates import Gate
from edge.policy.in_force import InForce
from edge.policy.rules import RECORD_PURPOSES, Basis, Policy, Purpose
from edge.records import Record
from edge.vehicle.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Described:
    """What the vehicle could tell.

    Attributes:
        databases: of each bus, with their classes.
        bindings: of each bus.
        catalogue: the regulated items.
        observed: ids of the items that sensors beside CAN provide.
        served: the purposes that the configuration has any use for; nothing is collected for another.
    """

    databases: Mapping[str, Sequence[ClassedDatabase]]
    bindings: Mapping[str, Sequence[Binding]]
    catalogue: Catalogue
    observed: Sequence[str] = ()
    served: frozenset[Purpose] = frozenset(Purpose)


class Collecting:
    """Keeps what is in force together with the door, and knows what each mask leaves.

    Args:
        policy: the policy in force.
        described: what the vehicle could tell.

    Attributes:
        door: what may pass now; in this process, or a twin of the one in the process of capture.
        in_force: what may be collected now, and what might be before.
        widest: a door that lets through what the policy admits if everybody agrees to everything.
    """

    def __init__(self, policy: Policy, described: Described) -> None:
        self._described = described
        consented = [use for use, rule in policy.rules.items() if rule.basis is Basis.CONSENT]
        self._widest = Admission.of(policy, dict.fromkeys(consented, 0))
        self.in_force = InForce(policy, Admission.of(policy, {}))
        now = self.in_force.now
        self.door = Door(described.databases, self.collect(now), now.name)
        self.widest = Door(described.databases, self.collect(self._widest))
        self._limits: dict[str, Limits] = {}
        self._records: Counter[str] = Counter()

    def adopt(self, admission: Admission) -> None:
        """Take another admission into force; the door follows with its next batch."""
        self.in_force.adopt(admission)
        self.door.adopt(self.collect(admission), admission.name)

    def collect(self, admission: Admission) -> frozenset[DataClass]:
        """The classes that an admission lets be collected for a purpose that is served."""
        return _classes(admission, self._described.served)

    def in_records(self, admission: Admission) -> frozenset[DataClass]:
        """Those of them whose items go into records."""
        return _classes(admission, self._described.served & RECORD_PURPOSES)

    def sampler(self) -> Sampler:
        """The sampler of all items that may ever be collected."""
        return self._sampler(self.widest.withheld(), self.in_records(self._widest))

    def withheld_at_times(self) -> frozenset[SignalRef]:
        """The signals that do not pass at every time and place; no event may depend on one of them."""
        policy = self.in_force.policy
        withheld = frozenset(one for area in policy.areas for one in area.withhold)
        lawful = Admission.of(policy, {}, withheld)
        return Door(self._described.databases, self.collect(lawful)).withheld()

    def limits(self, mask: str) -> Limits:
        """What a mask leaves of signals and items."""
        limits = self._limits.get(mask)
        if limits is None:
            limits = self._limits[mask] = self._made(mask)
        return limits

    def told(self, record: Record) -> Record:
        """A record as exact as the purposes that it was collected for need it; it is counted."""
        self._records[record.mask] += 1
        admission = self.in_force.of(record.mask)
        precision = None if admission is None else admission.precision(RECORD_PURPOSES)
        if precision is None or precision.full:
            return record
        return replace(record, values=coarse_record(record.values, precision))

    def records(self) -> Mapping[DataClass, int]:
        """How many records had items of each class."""
        found: Counter[DataClass] = Counter()
        for mask, count in self._records.items():
            found.update(dict.fromkeys(self._classes_under(mask), count))
        return found

    def _classes_under(self, mask: str) -> frozenset[DataClass]:
        catalogue = self._described.catalogue
        return frozenset(catalogue.item(item_id).data_class for item_id in self.limits(mask).items)

    def _made(self, mask: str) -> Limits:
        admission, gate = self.in_force.of(mask), self.door.gate_of(mask)
        if admission is None or gate is None:
            gate = self.widest.gate_of(self.widest.mask)
            return Limits(frozenset() if gate is None else gate.collected, frozenset())
        withheld = frozenset(gate.reasons)
        items = frozenset(self._sampler(withheld, self.in_records(admission) & gate.collect).items)
        return Limits(withheld - self.widest.withheld(), items, self._rests_on(admission, gate, items))

    def _rests_on(
        self, admission: Admission, gate: Gate, items: frozenset[str]
    ) -> Mapping[SignalRef | str, str]:
        """The consents that what passes a gate into records rests on; what the law asks for is not in it."""
        grounds = {one: admission.ground(one, RECORD_PURPOSES) for one in admission.records}
        labels = {one: label for one, label in grounds.items() if label}
        catalogue = self._described.catalogue
        found: dict[SignalRef | str, str] = {
            ref: labels[data_class]
            for bus, databases in self._described.databases.items()
            for classed in databases
            for (message, signal), data_class in classed.classes.items()
            if data_class in labels and (ref := SignalRef(bus, message, signal)) in gate.collected
        }
        for item_id in items:
            label = labels.get(catalogue.item(item_id).data_class)
            if label is not None:
                found[item_id] = label
        return found

    def _sampler(self, withheld: frozenset[SignalRef], records: frozenset[DataClass]) -> Sampler:
        described = self._described
        return Sampler(
            described.bindings,
            described.catalogue,
            withheld=withheld,
            admits=lambda data_class: data_class in records,
            observed=described.observed,
        )


def _classes(admission: Admission, purposes: frozenset[Purpose]) -> frozenset[DataClass]:
    return frozenset(data_class for data_class, purpose in admission.rules if purpose in purposes)
