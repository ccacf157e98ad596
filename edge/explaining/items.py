"""Explains an item of the catalogue: from which signals it comes, and whether it goes into records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edge.catalogue.bound import BitSet, BoundItem, Constant, Derived
from edge.catalogue.item import Item
from edge.database.model import SignalRef
from edge.explaining.causes import independent
from edge.explaining.signals import judged_of
from edge.explaining.situation import Situation
from edge.explaining.uses import ClassAnswer, explain_class
from edge.policy.classes import DataClass
from edge.policy.rules import RECORD_PURPOSES, Purpose


@dataclass(frozen=True, slots=True)
class SourceSignal:
    """A signal that an item is made from.

    Attributes:
        name: bus, message and signal.
        collected: whether the door lets it pass now.
        why: why not; empty if it does.
    """

    name: str
    collected: bool
    why: str


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """One item.

    Attributes:
        item: its id as records hold it.
        title: its name.
        data_class: its class.
        source: where its value comes from, in words.
        signals: those that it is made from.
        in_records: whether records hold it now.
        whys: why not; none if they do.
        by_consent: whether they would if everybody agreed to everything.
        precision: of positions in the journal's records; empty for other items.
        policy: what the policy says of its class.
    """

    item: str
    title: str
    data_class: DataClass
    source: str
    signals: tuple[SourceSignal, ...]
    in_records: bool
    whys: tuple[str, ...]
    by_consent: bool
    precision: str
    policy: ClassAnswer


def item_ids(situation: Situation, name: str) -> tuple[str, ...]:
    """The items that a name means: ``[i]`` and ``[*]`` stand for each number that is filled.

    Returns:
        Ids as records hold them, or, where nothing fills it, the name of an item as it was given; none where
        the catalogue has no such item.
    """
    catalogue = situation.described.catalogue
    template = re.sub(r"\[\*\]", "[i]", name)
    if "[i]" in template:
        if not any(item.id == template for item in catalogue):
            return ()
        pattern = re.compile(re.escape(template).replace(r"\[i\]", r"\[\d+\]"))
        return tuple(one for one in filled(situation) if pattern.fullmatch(one)) or (template,)
    return (name,) if catalogue.has(name) else ()


def filled(situation: Situation) -> tuple[str, ...]:
    """Ids of all items that a binding or a sensor fills."""
    bound = (item.id for _, item in _parts(situation))
    return tuple(dict.fromkeys((*bound, *situation.described.observed)))


def explain_item(situation: Situation, item_id: str) -> ItemAnswer:
    """Say whether an item goes into records, and why.

    Args:
        situation: policy, vehicle and consents.
        item_id: as `item_ids` gives it.
    """
    item = situation.described.catalogue.item(item_id)
    parts = [part for part in _parts(situation) if part[1].id == item_id]
    signals = tuple(_signals(situation, parts))
    in_records = item_id in situation.items()
    position = item.data_class is DataClass.POSITION
    return ItemAnswer(
        item=item_id,
        title=item.en,
        data_class=item.data_class,
        source=_source(situation, item_id, parts),
        signals=signals,
        in_records=in_records,
        whys=() if in_records else tuple(_whys(situation, item, item_id, parts, signals)),
        by_consent=not in_records and item_id in situation.items_at_best(),
        precision=str(situation.admission.precision(RECORD_PURPOSES)) if in_records and position else "",
        policy=explain_class(situation, item.data_class),
    )


def _parts(situation: Situation) -> Iterator[tuple[str, BoundItem]]:
    for bus, bindings in situation.described.bindings.items():
        for binding in bindings:
            for bound in binding:
                yield bus, bound


def _signals(situation: Situation, parts: list[tuple[str, BoundItem]]) -> Iterator[SourceSignal]:
    refs = [SignalRef(bus, name.message, name.signal) for bus, bound in parts for name in bound.signals]
    refs += [
        SignalRef(bus, name.message, name.signal)
        for bus, bound in parts
        if isinstance(bound.source, BitSet)
        for name in bound.source.level_signals
    ]
    for ref in dict.fromkeys(refs):
        yield SourceSignal(
            f"{ref.bus}.{ref.message}.{ref.signal}", ref in situation.gate.collected, _why(situation, ref)
        )


def _why(situation: Situation, ref: SignalRef) -> str:
    reason = situation.gate.reasons.get(ref)
    if reason is None:
        return ""
    for judgement in situation.gate.masks.judgements:
        if judgement.bus == ref.bus:
            for judged in judged_of(judgement, ref):
                for one in independent(judgement, judged):
                    return one.words
    return str(reason)


def _source(situation: Situation, item_id: str, parts: list[tuple[str, BoundItem]]) -> str:
    if item_id in situation.described.observed:
        sensors = sorted({section.kind for section in situation.config.sensor})
        return f"a sensor beside CAN ({', '.join(sensors)})"
    if not parts:
        return "nothing: no binding and no sensor fills it"
    bound = parts[0][1]
    if isinstance(bound.source, Derived):
        return f"derived ({bound.source.derivation}) from {', '.join(bound.source.of)}"
    if isinstance(bound.source, Constant):
        return f"a constant of the binding ({bound.where})"
    return f"signals of {', '.join(dict.fromkeys(bus for bus, _ in parts))} ({bound.where})"


def _whys(
    situation: Situation,
    item: Item,
    item_id: str,
    parts: list[tuple[str, BoundItem]],
    signals: tuple[SourceSignal, ...],
) -> Iterator[str]:
    if not parts and item_id not in situation.described.observed:
        yield "no binding and no sensor fills it"
    if item.data_class not in situation.records:
        purposes = [purpose for purpose in Purpose if purpose in RECORD_PURPOSES]
        yield from dict.fromkeys(situation.why_not_collected(item.data_class, one) for one in purposes)
    for signal in signals:
        if not signal.collected:
            yield f"{signal.name} is withheld: {signal.why}"
    held = situation.items()
    for _, bound in parts:
        if isinstance(bound.source, Derived):
            for pattern in bound.source.of:
                expression = re.compile(re.escape(pattern).replace(r"\[\*\]", r"\[\d+\]"))
                for one in filled(situation):
                    if expression.fullmatch(one) and one not in held:
                        yield f"it is derived from {one}, which is in no record"
