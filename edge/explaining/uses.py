"""What the policy says of a class, purpose by purpose, and where it may go: the end of every explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.explaining.situation import Situation
from edge.policy.classes import DataClass
from edge.policy.destinations import Destinations
from edge.policy.policy_words import rule_words, span_words
from edge.policy.rules import RECORD_PURPOSES, Purpose, Rule

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Way:
    """One destination, and whether it may have a class.

    Attributes:
        destination: as the configuration calls it.
        allowed: whether it may.
        why: why not; empty if it may.
        precision: of positions; empty for other classes.
    """

    destination: str
    allowed: bool
    why: str
    precision: str


@dataclass(frozen=True, slots=True)
class UseAnswer:
    """One class for one purpose.

    Attributes:
        purpose: the purpose.
        collected: whether it is collected now.
        why: why not; empty if it is.
        ground: ``law``, ``consent 3``, or ``consent`` where none holds; empty without a rule.
        until: when the consent ends; empty for none.
        rule: in words; empty without one.
        clause: that the rule rests on; empty where it names none.
        precision: of positions, ``full`` for other classes; empty without a rule.
        kept: how long, in words; empty without a rule.
        stays: whether it never leaves the vehicle.
        ways: the destinations of this purpose.
        remark: what else is to be known.
    """

    purpose: Purpose
    collected: bool
    why: str
    ground: str
    until: str
    rule: str
    clause: str
    precision: str
    kept: str
    stays: bool
    ways: tuple[Way, ...]
    remark: str


@dataclass(frozen=True, slots=True)
class ClassAnswer:
    """What the policy says of a class.

    Attributes:
        data_class: the class.
        collected: whether it is collected for any purpose now.
        uses: one a purpose.
        areas: in which of the policy's areas it is withheld.
        here: the area that withholds it now; empty for none.
    """

    data_class: DataClass
    collected: bool
    uses: tuple[UseAnswer, ...]
    areas: tuple[str, ...]
    here: str


def explain_class(situation: Situation, data_class: DataClass) -> ClassAnswer:
    """Say what the policy in force makes of a class."""
    here = data_class in situation.agreed.withheld
    return ClassAnswer(
        data_class,
        collected=data_class in situation.gate.collect,
        uses=tuple(_use(situation, data_class, purpose) for purpose in Purpose),
        areas=tuple(area.name for area in situation.policy.areas if data_class in area.withhold),
        here=situation.agreed.place if here else "",
    )


def _use(situation: Situation, data_class: DataClass, purpose: Purpose) -> UseAnswer:
    rule = situation.policy.rule(data_class, purpose)
    why = situation.why_not_collected(data_class, purpose)
    said: Any = situation.agreed.standings.get((data_class, purpose))
    number = situation.admission.consents.get((data_class, purpose))
    ground = "" if rule is None else str(rule.basis)
    return UseAnswer(
        purpose=purpose,
        collected=not why,
        why=why,
        ground=f"{ground} {number}" if number is not None else ground,
        until=said["consent"]["until"] if number is not None and said is not None else "",
        rule="" if rule is None else rule_words(rule),
        clause="" if rule is None else rule.clause,
        precision="" if rule is None else str(rule.precision),
        kept="" if rule is None else _kept(rule),
        stays=rule is None or not rule.leaves,
        ways=_ways(situation, data_class, purpose),
        remark=_remark(situation, purpose),
    )


def _ways(situation: Situation, data_class: DataClass, purpose: Purpose) -> tuple[Way, ...]:
    judged = Destinations(situation.policy, situation.admission)
    found = []
    for name, destination in situation.destinations.items():
        if destination.purpose is purpose:
            why = judged.why_not(destination, data_class)
            positions = data_class is DataClass.POSITION and not why
            precision = str(judged.allowed(destination).precision) if positions else ""
            found.append(Way(name, not why, why, precision))
    return tuple(found)


def _kept(rule: Rule) -> str:
    if rule.retention_days:
        return f"at most {span_words(rule.retention_days * _DAY_S)}"
    return "as long as the journal keeps such data"


def _remark(situation: Situation, purpose: Purpose) -> str:
    """Why nothing is collected for a purpose whatever the policy says: nothing configured serves it."""
    config = situation.config
    if purpose in RECORD_PURPOSES:
        if not any(one.purpose is purpose for one in situation.destinations.values()):
            return "no destination of this purpose is configured"
    elif config.journal is None:
        return "no journal is configured, so that no raw frame is kept"
    elif purpose is Purpose.RECORDING and not config.journal.frames:
        return "journal.frames is false, so that raw frames are not kept"
    elif purpose is Purpose.EVENT and not config.event and config.collision is None:
        return "no event is configured"
    return ""
