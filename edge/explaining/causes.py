"""Why the door withholds a signal, and which other signals are the cause; by the door's own judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge.policy.judgement import BusJudgement, Described, Judged, Reason, steers, together


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One thing that alone is enough to withhold a signal.

    Attributes:
        reason: what kind of thing.
        words: what it is, as the end of "not collected: ...".
        causes: the withheld signals that bring it about; none where it is the signal's own class, a
            container, or bits that no signal describes.
    """

    reason: Reason
    words: str
    causes: tuple[Judged, ...] = ()


def hindrances(judgement: BusJudgement, judged: Judged) -> tuple[Hindrance, ...]:
    """All that withholds a signal, what the door names first; none if it is collected.

    Args:
        judgement: of the signal's bus.
        judged: one of its signals.
    """
    if judged.reason is None:
        return ()
    found = list(_found(judgement, judged))
    return tuple(sorted(found, key=lambda one: one.reason is not judged.reason))


def independent(judgement: BusJudgement, judged: Judged) -> tuple[Hindrance, ...]:
    """The hindrances of a signal without those that only it itself has brought about."""
    return tuple(
        one
        for one in hindrances(judgement, judged)
        if one.reason is judged.reason or not one.causes or _roots(judgement, one.causes, apart=judged)
    )


def roots(judgement: BusJudgement, judged: Judged) -> tuple[Judged, ...]:
    """The signals withheld for their own class, or for having none, that in the end withhold a signal.

    If all of them were collected it would be too, unless a container, a multiplexer that the door cannot
    read, or bits that no signal describes stand in the way as well.
    """
    return _roots(judgement, [judged])


def _roots(
    judgement: BusJudgement, begin: Iterable[Judged], apart: Judged | None = None
) -> tuple[Judged, ...]:
    seen: dict[tuple[int, bool], Judged] = {}
    waiting = [(one, False) for one in begin]
    while waiting:
        judged, denying = waiting.pop()
        if judged is apart or (id(judged), denying) in seen:
            continue
        seen[id(judged), denying] = judged
        for one in hindrances(judgement, judged):
            overlap = one.reason is Reason.OVERLAP
            # A signal that only lost an overlap itself takes no bits from others.
            if not (denying and overlap):
                waiting += [(cause, overlap) for cause in one.causes]
    found = {id(one): one for one in seen.values()}
    return tuple(one for one in found.values() if one.reason in {Reason.CLASS, Reason.UNCLASSIFIED})


def name_of(judged: Judged) -> str:
    """A signal by message and name."""
    return f"{judged.described.message.name}.{judged.signal.name}"


def named(several: Iterable[Judged], most: int = 4) -> str:
    """Signals with their classes, the first of them."""
    shown = [f"{name_of(one)} ({one.data_class or 'no class'})" for one in several]
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "")


def bits_text(bits: Iterable[int]) -> str:
    """Payload bits as ranges of byte.bit, such as ``0.4-0.7 2.0``."""
    spans: list[list[int]] = []
    for bit in sorted(bits):
        if spans and spans[-1][1] == bit - 1:
            spans[-1][1] = bit
        else:
            spans.append([bit, bit])
    return " ".join(
        f"{low // 8}.{low % 8}" + (f"-{high // 8}.{high % 8}" if high > low else "") for low, high in spans
    )


def _found(judgement: BusJudgement, judged: Judged) -> Iterator[Hindrance]:
    if judged.reason is Reason.UNCLASSIFIED:
        yield Hindrance(Reason.UNCLASSIFIED, "it has no class in the class file")
    elif judged.reason is Reason.CLASS:
        yield Hindrance(Reason.CLASS, f"its class, {judged.data_class}, is not collected")
    yield from _containers(judgement, judged.described)
    yield from _namesakes(judgement, judged)
    yield from _multiplexers(judgement, judged)
    yield from _overlaps(judgement, judged)
    yield from _integrity(judgement, judged)


def _containers(judgement: BusJudgement, described: Described) -> Iterator[Hindrance]:
    for other in judgement.sharing(described):
        if other.is_container:
            words = (
                f"its frame may be the container {other.message.name}, whose PDUs may stand anywhere in it"
            )
            yield Hindrance(Reason.CONTAINER, words)


def _namesakes(judgement: BusJudgement, judged: Judged) -> Iterator[Hindrance]:
    name = (judged.described.message.name, judged.signal.name)
    others = tuple(
        other
        for described, signals in judgement.signals.items()
        if described.message.name == name[0]
        for other in signals
        if other is not judged and other.signal.name == name[1] and other.reason is not None
    )
    if others:
        files = ", ".join(sorted({one.described.classed.database.path.name for one in others}))
        yield Hindrance(
            Reason.NAMESAKE, f"a signal of the same name on this bus, in {files}, is withheld", others
        )


def _multiplexers(judgement: BusJudgement, judged: Judged) -> Iterator[Hindrance]:
    signals = {one.signal.name: one for one in judgement.signals[judged.described]}
    for condition in judged.signal.conditions:
        multiplexer = signals.get(condition.multiplexer)
        if steers(multiplexer):
            continue
        if multiplexer is not None and multiplexer.reason is not None:
            words = f"its multiplexer {named([multiplexer])} is withheld"
            yield Hindrance(Reason.MULTIPLEXER, words, (multiplexer,))
        else:
            yield Hindrance(
                Reason.MULTIPLEXER, f"the door cannot read its multiplexer {condition.multiplexer}"
            )


def _overlaps(judgement: BusJudgement, judged: Judged) -> Iterator[Hindrance]:
    own = set(judged.signal.bits)
    deniers = tuple(
        other
        for described in judgement.sharing(judged.described)
        for other in judgement.signals[described]
        if other is not judged
        and other.denies
        and not own.isdisjoint(other.signal.bits)
        and together(judged.presence, other.presence)
    )
    if deniers:
        begin = judged.described.header_bits
        shared = {bit - begin for one in deniers for bit in one.signal.bits if bit in own}
        words = f"it shares bits {bits_text(shared)} with {named(deniers)}, which is withheld"
        yield Hindrance(Reason.OVERLAP, words, deniers)


def _integrity(judgement: BusJudgement, judged: Judged) -> Iterator[Hindrance]:
    uncovered = judgement.uncovered(judged)
    if not uncovered:
        return
    causes = tuple(
        other
        for other in judgement.signals[judged.described]
        if other is not judged
        and other.reason is not None
        and not uncovered.isdisjoint(other.signal.bits)
        and together(judged.presence, other.presence)
    )
    if causes:
        words = f"it is a checksum or counter over bits that are removed, of {named(causes)}"
        yield Hindrance(Reason.INTEGRITY, words, causes)
    never = judgement.uncovered(judged, at_best=True)
    if never:
        described = {bit for one in judgement.signals[judged.described] for bit in one.signal.bits}
        when = "" if never.isdisjoint(described) else " in every frame"
        begin = judged.described.header_bits
        words = f"it is a checksum or counter over bits {bits_text(bit - begin for bit in never)}"
        yield Hindrance(Reason.INTEGRITY, f"{words}, which no signal describes{when}")
