"""`Situation`: what a gateway of a configuration would collect now, as all explanations see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from edge.collecting import Collecting, Described
from edge.config.configuration import MAIN_DESTINATION, Config
from edge.config.sensor import IioSection
from edge.database.model import SignalRef
from edge.destination import configured_destination
from edge.frames import Frame, FrameBatch
from edge.policy.admission import Admission, Use
from edge.policy.classes import DataClass
from edge.policy.gates import Gate
from edge.policy.policy_choice import PolicyChoice
from edge.policy.rules import Basis, Policy, Purpose
from edge.sensors.iio import IIO_ITEMS
from edge.sensors.nmea import NMEA_ITEMS

BY_POLICY_ALONE = "by the policy alone, without any consent"


@dataclass(frozen=True, slots=True)
class Agreed:
    """Where consents stand.

    Attributes:
        source: where that is known from, for people.
        standings: what the ledger says of each use, as the ``uses`` of a state.
        place: the area that the vehicle is in; empty for none.
        withheld: classes that are not collected for the time being because of that place.
    """

    source: str = BY_POLICY_ALONE
    standings: Mapping[Use, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))
    place: str = ""
    withheld: frozenset[DataClass] = frozenset()

    @property
    def consents(self) -> dict[Use, int]:
        """The consents that hold, by what they are for."""
        return {
            use: int(said["consent"]["number"])
            for use, said in self.standings.items()
            if said["consent"] is not None and said["state"] == "given"
        }


def agreed_of(state: Mapping[str, Any], source: str) -> Agreed:
    """What a gateway's or a journal's state says of consents and place.

    Args:
        state: the answer to ``{"do": "state"}``.
        source: where it comes from, for people.
    """
    place = state.get("place") or {}
    return Agreed(
        source,
        MappingProxyType({(DataClass(one["class"]), Purpose(one["purpose"])): one for one in state["uses"]}),
        place.get("name", ""),
        frozenset(DataClass(one) for one in place.get("withheld", ())),
    )


class Situation:
    """The policy, the vehicle and the consents, with the gateway's own doors and records over them.

    Args:
        config: the configuration.
        choice: the policy in force.
        described: what the vehicle could tell.
        agreed: where consents stand.

    Attributes:
        admission: what may be collected now.
        destinations: those of the configuration, by name.
    """

    def __init__(self, config: Config, choice: PolicyChoice, described: Described, agreed: Agreed) -> None:
        self.config = config
        self.choice = choice
        self.described = described
        self.agreed = agreed
        self.admission = Admission.of(choice.policy, agreed.consents)
        self.destinations = {
            name: configured_destination(name, section)
            for name, section in (
                (MAIN_DESTINATION, config.uplink),
                *((one.name, one) for one in config.destination),
            )
        }
        self._collecting = Collecting(choice.policy, described)
        self._collecting.adopt(self.admission)
        self.gate = self.gate_of(self._collecting.collect(self.admission) - agreed.withheld)
        self.mask = self._collecting.door.mask

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.choice.policy

    @property
    def records(self) -> frozenset[DataClass]:
        """The classes whose items go into records here and now."""
        return self._collecting.in_records(self.admission) & self.gate.collect

    def gate_of(self, collect: Collection[DataClass]) -> Gate:
        """The gate of some classes, of the very door that a gateway has."""
        door = self._collecting.door
        door.adopt(collect, self.admission.name)
        gate = door.gate_of(door.mask)
        if gate is None:
            raise AssertionError("a door knows its own mask")
        return gate

    def items(self) -> frozenset[str]:
        """Ids of the items that records hold here and now."""
        return self._collecting.limits(self.mask).items

    def items_at_best(self) -> frozenset[str]:
        """Ids of the items that records would hold if everybody agreed to everything."""
        return frozenset(self._collecting.sampler().items)

    def passes_at_best(self, ref: SignalRef) -> bool:
        """Whether a signal would be collected if everybody agreed to everything."""
        return self._collecting.widest.collected(ref)

    def admit(self, frame: Frame) -> tuple[bytes | None, str]:
        """Send one frame through the door.

        Returns:
            Its payload as it leaves the door, of a container the PDUs that pass; None and the cause if it is
            set aside.
        """
        door = self._collecting.door
        door.adopt(self.gate.collect, self.admission.name)
        before = door.hop().set_aside
        left = door.admit(FrameBatch.from_frames([frame]))
        if len(left):
            return b"".join(left.frame(place).data for place in range(len(left))), ""
        causes = [cause for cause, count in door.hop().set_aside.items() if count > before.get(cause, 0)]
        return None, ", ".join(causes)

    def why_not_collected(self, data_class: DataClass, purpose: Purpose) -> str:
        """Why a class is not collected for a purpose now; empty if it is."""
        rule = self.policy.rule(data_class, purpose)
        if rule is None:
            return f"no rule of the policy collects {data_class} for {purpose}"
        if (data_class, purpose) not in self.admission.rules:
            said = self.agreed.standings.get((data_class, purpose))
            if said is None or said["state"] == "not asked":
                return "it needs the consent of a person in the vehicle"
            why = f": {said['why']}" if said["why"] else ""
            return f"it needs the consent of a person in the vehicle, which is {said['state']}{why}"
        if data_class in self.agreed.withheld:
            return f"the vehicle is in the area '{self.agreed.place}', where it is withheld"
        return ""

    def on_consent(self, data_class: DataClass) -> bool:
        """Whether a consent would have a class collected."""
        return any(
            rule.basis is Basis.CONSENT for (one, _), rule in self.policy.rules.items() if one is data_class
        )


def observed_items(config: Config) -> Mapping[str, str]:
    """The items that the sensors of a configuration provide, with the sensor; none is opened."""
    return MappingProxyType(
        {
            item: f"sensor {section.kind}"
            for section in config.sensor
            for item in (IIO_ITEMS if isinstance(section, IioSection) else NMEA_ITEMS)
        }
    )
