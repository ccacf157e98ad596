"""Explains a destination: which classes it may have, how exactly, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass

from edge.explaining.situation import Situation
from edge.policy.classes import DataClass
from edge.policy.destinations import Destinations
from edge.policy.rules import Purpose


@dataclass(frozen=True, slots=True)
class Share:
    """A class, as far as one destination may have it.

    Attributes:
        data_class: the class.
        allowed: whether it may have its items now.
        why: why not; empty if it may.
    """

    data_class: DataClass
    allowed: bool
    why: str


@dataclass(frozen=True, slots=True)
class DestinationAnswer:
    """One destination of the configuration.

    Attributes:
        destination: its name.
        host: where it is reached.
        purpose: what it gets records for.
        jurisdiction: where its machines stand; empty where that is not stated.
        in_vehicle: whether it is on this machine.
        listed: whether the policy has a list of destinations and this one on it; None where it has no list.
        allowed: whether it may be connected to now.
        why: why not; empty if it may.
        precision: of the positions that it may have; empty where it may have none.
        shares: class by class.
    """

    destination: str
    host: str
    purpose: Purpose
    jurisdiction: str
    in_vehicle: bool
    listed: bool | None
    allowed: bool
    why: str
    precision: str
    shares: tuple[Share, ...]


def explain_destination(situation: Situation, name: str) -> DestinationAnswer:
    """Say what a destination of the configuration may have now."""
    destination = situation.destinations[name]
    policy = situation.policy
    judged = Destinations(policy, situation.admission)
    verdict = judged.allowed(destination)
    listed = policy.destinations.get(name)
    whys = {one: judged.why_not(destination, one) for one in DataClass}
    return DestinationAnswer(
        destination=name,
        host=f"{destination.host}:{destination.port}",
        purpose=destination.purpose,
        jurisdiction=listed.jurisdiction if listed is not None else destination.jurisdiction,
        in_vehicle=destination.in_vehicle,
        listed=(listed is not None) if policy.destinations else None,
        allowed=verdict.allowed,
        why=verdict.why,
        precision=str(verdict.precision) if DataClass.POSITION in verdict.classes else "",
        shares=tuple(
            Share(one, one in verdict.classes, _why(situation, one, destination.purpose, whys[one]))
            for one in DataClass
        ),
    )


def _why(situation: Situation, data_class: DataClass, purpose: Purpose, why: str) -> str:
    """Why not, with what lies behind it where the class is not even collected."""
    missing = situation.why_not_collected(data_class, purpose) if why else ""
    return missing if missing and (data_class, purpose) not in situation.admission.rules else why
