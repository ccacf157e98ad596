"""Decides signal by signal what may be collected, before any frame is seen: a signal whole, or none of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from edge.database.container import HEADER_BYTES, little_endian_headers
from edge.database.layout import pgn_of
from edge.database.model import Message, Signal, SignalRef
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, Integrity
from edge.policy.classes import DataClass


class Reason(StrEnum):
    """Why a signal is withheld."""

    UNCLASSIFIED = "it has no class"
    CLASS = "its class is not collected"
    NAMESAKE = "a signal of the same name on this bus is withheld"
    CONTAINER = "its container cannot be told apart"
    MULTIPLEXER = "its multiplexer is withheld"
    OVERLAP = "it shares bits with a withheld signal"
    INTEGRITY = "it is taken over bits that are removed"


_BITS_PASS_TO_OTHERS = frozenset({Reason.OVERLAP})
"""A signal that only lost an overlap has no bits that another allowed signal may not have."""

_WORD_BITS = 63

Field = tuple[tuple[int, ...], bool]
"""What identifies a multiplexer on the wire: its bits and whether it is signed."""

Presence = frozenset[tuple[Field, frozenset[int]]]
"""All must hold for a signal to be present: the field's raw value is one of these."""


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A message of one of a bus's databases, or a PDU of one of its containers.

    Attributes:
        classed: the database.
        message: the message; a PDU as the door hands it on: in a frame of its container's id, its header
            before it.
        container: the container of a PDU; None for a message of its own.
    """

    classed: ClassedDatabase
    message: Message
    container: Message | None = None

    @property
    def is_container(self) -> bool:
        """Whether its frames hold PDUs."""
        return self.message.codec.is_container

    @property
    def header_id(self) -> int | None:
        """What names a PDU in its container; None for a message of its own."""
        return None if self.container is None else self.message.header_id

    @property
    def header_bits(self) -> int:
        """The first bits of its frames, which name it and are no signal."""
        return 0 if self.container is None else 8 * HEADER_BYTES


@dataclass(eq=False, slots=True)
class Judged:
    """One signal and what was decided about it.

    Attributes:
        described: its message.
        signal: the signal.
        data_class: its class, or None.
        presence: when it is there.
        reason: why it is withheld; None if it is collected.
    """

    described: Described
    signal: Signal
    data_class: DataClass | None
    presence: Presence
    reason: Reason | None = None

    @property
    def denies(self) -> bool:
        """Whether its bits must not pass as part of another signal either."""
        return self.reason is not None and self.reason not in _BITS_PASS_TO_OTHERS


class BusJudgement:
    """What may be collected of one bus.

    A signal is collected whole and always, or not at all: a column of values must never hold zeros that the
    door made. So a signal goes if it can ever be there together with a withheld signal on the same bits.
    """

    def __init__(self, bus: str, databases: Sequence[ClassedDatabase], collect: frozenset[DataClass]) -> None:
        self.bus = bus
        self._pdus = {
            Described(classed, message): tuple(
                Described(classed, _with_header(inner, message), message) for inner in message.contained
            )
            for classed in databases
            for message in classed.database.messages
        }
        self.described = tuple(one for message, pdus in self._pdus.items() for one in (message, *pdus))
        self._channels = tuple(channel for classed in databases for channel in classed.channels)
        self.signals: dict[Described, tuple[Judged, ...]] = {
            described: tuple(self._judged(described, signal) for signal in described.message.signals)
            for described in self.described
        }
        self._sharing = _sharing(self.described)
        self._by_name = {
            described: {judged.signal.name: judged for judged in signals}
            for described, signals in self.signals.items()
        }
        self._integrity = [
            (self._by_name[described][declared.signal[1]], declared)
            for described in self.described
            for declared in described.classed.integrity
            if declared.signal[0] == described.message.name and declared.signal[1] in self._by_name[described]
        ]
        self._judge_classes(collect)
        self._judge_containers()
        while (
            self._judge_namesakes()
            or self._judge_multiplexers()
            or self._judge_overlaps()
            or self._judge_integrity()
        ):
            pass

    def withheld(self) -> dict[SignalRef, Reason]:
        """Why each withheld signal is."""
        return {
            SignalRef(self.bus, judged.described.message.name, judged.signal.name): judged.reason
            for judged in self._all()
            if judged.reason is not None
        }

    def collected(self) -> frozenset[SignalRef]:
        """The signals that are collected."""
        return frozenset(
            SignalRef(self.bus, judged.described.message.name, judged.signal.name)
            for judged in self._all()
            if judged.reason is None
        )

    def shortest_bytes(self, described: Described) -> int:
        """Shortest frame that may pass: without its multiplexers, bits under a checksum would be removed."""
        checked = any(
            judged.reason is None and judged.described is described for judged, _ in self._integrity
        )
        ends = [max(bits) // 8 + 1 for judged in self.signals[described] for (bits, _), _ in judged.presence]
        return max(ends, default=0) if checked else 0

    def longest_bytes(self, described: Described) -> int | None:
        """Longest frame that may pass: a checksum over the whole message would give away what follows it."""
        if any(
            judged.reason is None and judged.described is described and declared.covers is None
            for judged, declared in self._integrity
        ):
            return _frame_bytes(described.message)
        return None

    def pdus(self, container: Described) -> tuple[Described, ...]:
        """The PDUs of a container."""
        return self._pdus.get(container, ())

    def sharing(self, described: Described) -> tuple[Described, ...]:
        """The messages of this bus that a frame of `described` can also be, itself among them."""
        return self._sharing[described]

    def uncovered(self, judged: Judged, *, at_best: bool = False) -> frozenset[int]:
        """The bits that a signal is taken over and that do not pass in each frame that it is in.

        Args:
            judged: the signal; none if it is neither checksum nor counter.
            at_best: count as passing what any signal describes, whether it is withheld or not.
        """
        return frozenset(
            bit
            for checked, declared in self._integrity
            if checked is judged
            for bit in self._uncovered(judged, declared, at_best=at_best)
        )

    def _all(self) -> Iterable[Judged]:
        for signals in self.signals.values():
            yield from signals

    @staticmethod
    def _judged(described: Described, signal: Signal) -> Judged:
        message = described.message
        data_class = described.classed.class_of(message.name, signal.name)
        return Judged(described, signal, data_class, _presence(message, signal))

    def _judge_classes(self, collect: frozenset[DataClass]) -> None:
        for judged in self._all():
            if judged.data_class is None:
                judged.reason = Reason.UNCLASSIFIED
            elif judged.data_class not in collect:
                judged.reason = Reason.CLASS

    def _judge_containers(self) -> None:
        """Withhold a container whose frames may be something else too, or be read in two ways."""
        for described in self.described:
            if not described.is_container:
                continue
            sharing = self._sharing[described]
            pdus = [pdu for other in sharing for pdu in self.pdus(other)]
            alone = (
                all(other.is_container for other in sharing)
                and len({little_endian_headers(other.message) for other in sharing}) == 1
                and not any(_is_channel(described.message, channel) for channel in self._channels)
            )
            nameless = [pdu for pdu in pdus if pdu.header_id is None]
            for other in (*sharing, *(nameless if alone else pdus)):
                for judged in self.signals[other]:
                    judged.reason = judged.reason or Reason.CONTAINER

    def _judge_namesakes(self) -> bool:
        groups: dict[tuple[str, str], list[Judged]] = defaultdict(list)
        for judged in self._all():
            groups[judged.described.message.name, judged.signal.name].append(judged)
        changed = False
        for namesakes in groups.values():
            if len(namesakes) > 1 and any(judged.reason is not None for judged in namesakes):
                changed |= _withhold(namesakes, Reason.NAMESAKE)
        return changed

    def _judge_multiplexers(self) -> bool:
        changed = False
        for described, signals in self.signals.items():
            names = self._by_name[described]
            changed |= _withhold(
                (
                    judged
                    for judged in signals
                    if not all(
                        steers(names.get(condition.multiplexer)) for condition in judged.signal.conditions
                    )
                ),
                Reason.MULTIPLEXER,
            )
        return changed

    def _judge_overlaps(self) -> bool:
        changed = False
        for described, signals in self.signals.items():
            deniers: dict[int, list[Judged]] = defaultdict(list)
            for other in self._sharing[described]:
                for judged in self.signals[other]:
                    if judged.denies:
                        for bit in judged.signal.bits:
                            deniers[bit].append(judged)
            changed |= _withhold(
                (
                    judged
                    for judged in signals
                    if any(
                        together(judged.presence, denier.presence)
                        for bit in judged.signal.bits
                        for denier in deniers.get(bit, ())
                    )
                ),
                Reason.OVERLAP,
            )
        return changed

    def _judge_integrity(self) -> bool:
        return _withhold(
            (judged for judged, declared in self._integrity if self._uncovered(judged, declared)),
            Reason.INTEGRITY,
        )

    def _uncovered(self, judged: Judged, declared: Integrity, *, at_best: bool = False) -> list[int]:
        """The covered bits that do not pass in each frame that the checksum is in, multiplexed or not."""
        described = judged.described
        bits: Iterable[int] = range(described.header_bits, 8 * described.message.length)
        names = self._by_name[described]
        if declared.covers is not None and all(name in names for _, name in declared.covers):
            bits = {bit for _, name in declared.covers for bit in names[name].signal.bits}
        own = set(judged.signal.bits)
        covering: dict[int, list[Presence]] = {bit: [] for bit in bits if bit not in own}
        for other in self.signals[described]:
            if other.reason is None or at_best:
                for bit in other.signal.bits:
                    if bit in covering:
                        covering[bit].append(other.presence)
        given = dict(judged.presence)
        passes = {
            presences: always(presences, given)
            for presences in {frozenset(found) for found in covering.values()}
        }
        return [bit for bit, found in covering.items() if not passes[frozenset(found)]]


def always(presences: Iterable[Presence], given: Mapping[Field, frozenset[int]]) -> bool:
    """Whether at least one of `presences` holds whatever the multiplexers' values are.

    Args:
        presences: alternatives.
        given: what is known of the multiplexers' values.
    """
    alternatives = list(presences)
    if any(not presence for presence in alternatives):
        return True
    if not alternatives:
        return False
    field = min(min(presence)[0] for presence in alternatives)
    mentioned = [values for presence in alternatives for asked, values in presence if asked == field]
    known = given.get(field)
    candidates = frozenset().union(*mentioned)
    exhausted = len(candidates) == 1 << len(field[0]) if known is None else known <= candidates
    if not exhausted:
        others = [presence for presence in alternatives if field not in dict(presence)]
        if not always(others, given):
            return False
    alike = {
        tuple(value in values for values in mentioned): value
        for value in (candidates if known is None else candidates & known)
    }
    return all(
        always(
            [
                frozenset(pair for pair in presence if pair[0] != field)
                for presence in alternatives
                if value in dict(presence).get(field, (value,))
            ],
            given,
        )
        for value in alike.values()
    )


def _withhold(signals: Iterable[Judged], reason: Reason) -> bool:
    changed = False
    for judged in list(signals):
        if judged.reason is None or (judged.reason in _BITS_PASS_TO_OTHERS and reason != judged.reason):
            judged.reason = reason
            changed = True
    return changed


def steers(multiplexer: Judged | None) -> bool:
    """Whether the door may look at this multiplexer, and its values fit a machine word."""
    return (
        multiplexer is not None
        and multiplexer.reason is None
        and len(multiplexer.signal.bits) < _WORD_BITS
        and not multiplexer.signal.is_float
    )


def _presence(message: Message, signal: Signal) -> Presence:
    """A signal's conditions by bits: multiplexers on the same bits under two names must agree."""
    fields = {other.name: (other.bits, other.signed) for other in message.signals}
    found: dict[Field, frozenset[int]] = {}
    for condition in signal.conditions:
        field = fields.get(condition.multiplexer)
        if field is not None:
            found[field] = found.get(field, condition.values) & condition.values
    return frozenset(found.items())


def together(one: Presence, other: Presence) -> bool:
    """Whether both can be there in one frame."""
    asked = dict(one)
    return all(not values.isdisjoint(asked.get(field, values)) for field, values in other)


def _sharing(described: Sequence[Described]) -> dict[Described, tuple[Described, ...]]:
    """For each message those that a frame of it can also be, itself among them."""
    near: dict[tuple[bool, int, bool, int | None], list[Described]] = defaultdict(list)
    for item in described:
        near[_neighbourhood(item)].append(item)
    return {
        item: tuple(
            other for other in near[_neighbourhood(item)] if _share_frames(item.message, other.message)
        )
        for item in described
    }


def _neighbourhood(described: Described) -> tuple[bool, int, bool, int | None]:
    message = described.message
    return message.extended, _pgn(message), described.container is None, described.header_id


def _share_frames(one: Message, other: Message) -> bool:
    """Whether a frame can be both of two messages of a neighbourhood."""
    by_group = one.pgn is not None or other.pgn is not None
    return by_group or one.arbitration_id == other.arbitration_id


def _pgn(message: Message) -> int:
    if not message.extended:
        return message.arbitration_id
    return message.pgn if message.pgn is not None else pgn_of(message.arbitration_id)


def _with_header(inner: Message, container: Message) -> Message:
    """A PDU as the door hands it on."""
    return replace(
        inner,
        arbitration_id=container.arbitration_id,
        extended=container.extended,
        pgn=container.pgn,
        is_fd=False,
        length=HEADER_BYTES + inner.length,
        signals=tuple(
            replace(signal, bits=tuple(8 * HEADER_BYTES + bit for bit in signal.bits))
            for signal in inner.signals
        ),
    )


def _is_channel(message: Message, channel: DiagnosticChannel) -> bool:
    """Whether a frame of a message may be a segment."""
    if message.extended != channel.extended:
        return False
    if message.pgn is None and channel.pgn is None:
        return message.arbitration_id == channel.arbitration_id
    return _pgn(message) == (channel.pgn if channel.pgn is not None else pgn_of(channel.arbitration_id))


_FD_BYTES = (*range(9), 12, 16, 20, 24, 32, 48, 64)


def _frame_bytes(message: Message) -> int:
    """Bytes of the frame that carries `message`: CAN FD knows only some lengths (ISO 11898-1)."""
    if not message.is_fd:
        return message.length
    return next((size for size in _FD_BYTES if message.length <= size), message.length)
