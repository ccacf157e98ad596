"""Explains one signal: whether the door lets it pass, and if not, which other signals are the cause."""

from __future__ import annotations

from dataclasses import dataclass

from edge.catalogue.bound import BitSet, BoundItem
from edge.database.model import Message, Signal, SignalRef
from edge.explaining.causes import bits_text, independent, name_of, roots
from edge.explaining.situation import Situation
from edge.explaining.uses import ClassAnswer, explain_class
from edge.policy.classes import DataClass
from edge.policy.judgement import BusJudgement, Judged, Reason
from edge.policy.rules import Purpose


@dataclass(frozen=True, slots=True)
class Cause:
    """A withheld signal that has another one withheld.

    Attributes:
        signal: message and name.
        data_class: its class; None for none.
        reason: why it is withheld itself.
    """

    signal: str
    data_class: DataClass | None
    reason: str


@dataclass(frozen=True, slots=True)
class Why:
    """One thing that alone is enough to withhold a signal.

    Attributes:
        reason: in short, such as ``overlap``.
        words: in full, with the names of other signals.
        causes: these signals.
    """

    reason: str
    words: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """An item that a signal takes part in.

    Attributes:
        item: its id.
        in_records: whether records hold it now.
    """

    item: str
    in_records: bool


@dataclass(frozen=True, slots=True)
class SignalAnswer:
    """One signal.

    Attributes:
        name: bus, message and signal.
        bus: the bus.
        message: the message.
        signal: the signal.
        data_class: its class; None for none.
        class_file: the file that says so.
        arbitration_id: of its message.
        extended: whether that has 29 bits.
        bits: where it is, as ranges of byte.bit.
        collected: whether the door lets it pass now.
        whys: why not, the door's own reason first; none if it is collected.
        roots: the signals that are in the end the cause; none where it is the signal's own class alone.
        by_consent: whether it would be collected if everybody agreed to everything.
        not_in: the areas in which it is not collected, while it is elsewhere.
        purposes: that it is collected for now.
        items: that it fills.
        policy: what the policy says of its class; None without a class.
    """

    name: str
    bus: str
    message: str
    signal: str
    data_class: DataClass | None
    class_file: str
    arbitration_id: int
    extended: bool
    bits: str
    collected: bool
    whys: tuple[Why, ...]
    roots: tuple[Cause, ...]
    by_consent: bool
    not_in: tuple[str, ...]
    purposes: tuple[Purpose, ...]
    items: tuple[Filled, ...]
    policy: ClassAnswer | None


def explain_signal(situation: Situation, ref: SignalRef) -> SignalAnswer:
    """Say whether a signal is collected, and why.

    Args:
        situation: policy, vehicle and consents.
        ref: a signal of the databases.
    """
    message, signal, file = _described(situation, ref)
    judgement = _judgement(situation, ref.bus)
    judged = judged_of(judgement, ref)
    gate = situation.gate
    reason = gate.reasons.get(ref)
    data_class = judged[0].data_class if judged else None
    collected = ref in gate.collected
    purposes = tuple(purpose for purpose in Purpose if (data_class, purpose) in situation.admission.rules)
    return SignalAnswer(
        name=f"{ref.bus}.{ref.message}.{ref.signal}",
        bus=ref.bus,
        message=ref.message,
        signal=ref.signal,
        data_class=data_class,
        class_file=file,
        arbitration_id=message.arbitration_id,
        extended=message.extended,
        bits=bits_text(signal.bits),
        collected=collected,
        whys=_whys(judgement, judged, reason),
        roots=_roots(judgement, judged),
        by_consent=not collected and situation.passes_at_best(ref),
        not_in=_areas(situation, ref) if collected else (),
        purposes=purposes if collected else (),
        items=_items(situation, ref),
        policy=None if data_class is None else explain_class(situation, data_class),
    )


def judged_of(judgement: BusJudgement, ref: SignalRef) -> tuple[Judged, ...]:
    """What the door decided on a signal, once a message or PDU that has it."""
    return tuple(
        one
        for described, signals in judgement.signals.items()
        if described.message.name == ref.message
        for one in signals
        if one.signal.name == ref.signal
    )


def _judgement(situation: Situation, bus: str) -> BusJudgement:
    return next(one for one in situation.gate.masks.judgements if one.bus == bus)


def _described(situation: Situation, ref: SignalRef) -> tuple[Message, Signal, str]:
    """The message, the signal, and the file of its class."""
    files = {
        section.file: str(section.class_file) for bus in situation.config.bus for section in bus.database
    }
    for classed in situation.described.databases[ref.bus]:
        for message in classed.database.messages:
            for one in (message, *message.contained):
                if one.name == ref.message:
                    for signal in one.signals:
                        if signal.name == ref.signal:
                            path = classed.database.path
                            return one, signal, files.get(path, path.name)
    raise KeyError(ref)


def _whys(judgement: BusJudgement, judged: tuple[Judged, ...], reason: Reason | None) -> tuple[Why, ...]:
    if reason is None:
        return ()
    found = {
        (one.reason, one.words): Why(one.reason.name.lower(), one.words, tuple(map(_cause, one.causes)))
        for each in judged
        for one in independent(judgement, each)
    }
    first = sorted(found.values(), key=lambda one: one.reason != reason.name.lower())
    return tuple(first) or (Why(reason.name.lower(), str(reason), ()),)


def _roots(judgement: BusJudgement, judged: tuple[Judged, ...]) -> tuple[Cause, ...]:
    found = {id(one): one for each in judged for one in roots(judgement, each)}
    return tuple(_cause(one) for key, one in found.items() if key not in {id(each) for each in judged})


def _cause(judged: Judged) -> Cause:
    return Cause(name_of(judged), judged.data_class, str(judged.reason or ""))


def _areas(situation: Situation, ref: SignalRef) -> tuple[str, ...]:
    """The areas whose withheld classes take a signal away, its own among them or not."""
    collect = situation.gate.collect
    return tuple(
        area.name
        for area in situation.policy.areas
        if area.withhold & collect and ref not in situation.gate_of(collect - area.withhold).collected
    )


def _items(situation: Situation, ref: SignalRef) -> tuple[Filled, ...]:
    held = situation.items()
    return tuple(
        Filled(item, item in held)
        for item in dict.fromkeys(
            bound.id
            for binding in situation.described.bindings.get(ref.bus, ())
            for bound in binding
            if _uses(bound, ref)
        )
    )


def _uses(bound: BoundItem, ref: SignalRef) -> bool:
    levels = bound.source.level_signals if isinstance(bound.source, BitSet) else ()
    return any((name.message, name.signal) == (ref.message, ref.signal) for name in (*bound.signals, *levels))
