"""What each destination may have by the policies of a period, where it stands, and what it was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.archive.destinations import DestinationState
from edge.config.configuration import MAIN_DESTINATION, AnyPlatform, Config
from edge.destination import configured_destination
from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.destinations import Destinations
from edge.policy.rules import Basis, Policy
from edge.report.counting import Counts


@dataclass(slots=True)
class Sent:
    """One destination.

    Attributes:
        name: as the configuration or the journal calls it.
        configured: whether the configuration names it today.
        host: as configured; empty where it is not.
        purpose: likewise.
        jurisdictions: where its machines stand, by the policies of the period or else by the configuration;
            empty where nobody says.
        in_vehicle: whether it is this machine.
        encrypted: whether the way there is; None where that is not known.
        by_law: classes that it may have without anybody's consent.
        by_consent: classes that it may have while somebody agrees.
        messages: that it acknowledged in the period.
        records: likewise.
        state: what the journal says of it now; None where it has never been sent anything.
    """

    name: str
    configured: bool
    host: str = ""
    purpose: str = ""
    jurisdictions: tuple[str, ...] = ()
    in_vehicle: bool = False
    encrypted: bool | None = None
    by_law: frozenset[DataClass] = frozenset()
    by_consent: frozenset[DataClass] = frozenset()
    messages: int = 0
    records: int = 0
    state: DestinationState | None = None

    @property
    def may_have(self) -> frozenset[DataClass]:
        """All classes that it may have at some time."""
        return self.by_law | self.by_consent


def destinations_of(
    config: Config, policies: Sequence[Policy], counts: Counts, states: Iterable[DestinationState]
) -> list[Sent]:
    """Put configuration, policies, accounts and journal together, by destination.

    Args:
        config: of today.
        policies: that were in force in the period, as far as they are at hand.
        counts: of the period.
        states: of the journal.
    """
    sections: dict[str, AnyPlatform] = {
        MAIN_DESTINATION: config.uplink,
        **{one.name: one for one in config.destination},
    }
    of_name = {one.name: one for one in states}
    names = [*sections, *sorted({*of_name, *counts.sent} - sections.keys())]
    found = []
    for name in names:
        section = sections.get(name)
        sent = Sent(name, configured=False) if section is None else _configured(name, section, policies)
        gained = counts.sent.get(name, Counter[str]())
        sent.messages, sent.records = gained.get("messages left", 0), gained.get("records left", 0)
        sent.state = of_name.get(name)
        found.append(sent)
    return found


def _configured(name: str, section: AnyPlatform, policies: Sequence[Policy]) -> Sent:
    destination = configured_destination(name, section)
    by_law: set[DataClass] = set()
    by_consent: set[DataClass] = set()
    stands: set[str] = set()
    for policy in policies:
        listed = policy.destinations.get(name)
        stands.add(destination.jurisdiction if listed is None else listed.jurisdiction)
        everything = {use: 0 for use, rule in policy.rules.items() if rule.basis is Basis.CONSENT}
        lawful = Destinations(policy, Admission.of(policy, {})).allowed(destination).classes
        by_law |= lawful
        by_consent |= Destinations(policy, Admission.of(policy, everything)).allowed(destination).classes
    return Sent(
        name,
        configured=True,
        host=destination.host,
        purpose=str(destination.purpose),
        jurisdictions=tuple(sorted(stands or {destination.jurisdiction})),
        in_vehicle=destination.in_vehicle,
        encrypted=section.protected,
        by_law=frozenset(by_law),
        by_consent=frozenset(by_consent - by_law),
    )
