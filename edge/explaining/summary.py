"""All signals of a configuration by class and by what becomes of them: the answer where nothing is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from edge.database.model import SignalRef
from edge.explaining.situation import Situation
from edge.policy.classes import DataClass
from edge.policy.judgement import Reason


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One signal in short.

    Attributes:
        name: bus, message and signal.
        data_class: its class; None for none.
        collected: whether it is collected now.
        by_consent: whether it would be if everybody agreed to everything, and is not now.
        reason: why it is withheld, in short, such as ``overlap``; empty if it is not.
    """

    name: str
    data_class: DataClass | None
    collected: bool
    by_consent: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ClassLine:
    """The signals of one class.

    Attributes:
        data_class: the class; None for signals without one.
        signals: how many there are.
        collected: how many of them are collected now.
        by_consent: how many more would be if everybody agreed to everything.
        withheld: how many are not collected, by the door's reason.
    """

    data_class: DataClass | None
    signals: int
    collected: int
    by_consent: int
    withheld: dict[str, int]


@dataclass(frozen=True, slots=True)
class Summary:
    """All signals.

    Attributes:
        classes: those that have signals.
        signals: one line each.
        items: how many items go into records now.
        items_by_consent: how many more would if everybody agreed to everything.
    """

    classes: tuple[ClassLine, ...]
    signals: tuple[SignalLine, ...]
    items: int
    items_by_consent: int


def summarise(situation: Situation) -> Summary:
    """Say of every signal of the databases what becomes of it."""
    lines = tuple(_lines(situation))
    classes = []
    for data_class in (*DataClass, None):
        own = [line for line in lines if line.data_class == data_class]
        if own:
            classes.append(
                ClassLine(
                    data_class,
                    signals=len(own),
                    collected=sum(line.collected for line in own),
                    by_consent=sum(line.by_consent for line in own),
                    withheld=dict(Counter(line.reason for line in own if line.reason)),
                )
            )
    held = situation.items()
    return Summary(tuple(classes), lines, len(held), len(situation.items_at_best() - held))


def all_signals(situation: Situation) -> tuple[SignalRef, ...]:
    """Every signal of the databases, those of PDUs inside containers too."""
    return tuple(
        dict.fromkeys(
            SignalRef(bus, one.name, signal.name)
            for bus, databases in situation.described.databases.items()
            for classed in databases
            for message in classed.database.messages
            for one in (message, *message.contained)
            for signal in one.signals
        )
    )


def _lines(situation: Situation) -> Iterator[SignalLine]:
    classes = {
        SignalRef(bus, *name): data_class
        for bus, databases in situation.described.databases.items()
        for classed in reversed(databases)
        for name, data_class in classed.classes.items()
    }
    gate = situation.gate
    for ref in all_signals(situation):
        reason: Reason | None = gate.reasons.get(ref)
        yield SignalLine(
            name=f"{ref.bus}.{ref.message}.{ref.signal}",
            data_class=classes.get(ref),
            collected=ref in gate.collected,
            by_consent=reason is not None and situation.passes_at_best(ref),
            reason="" if reason is None else reason.name.lower(),
        )
