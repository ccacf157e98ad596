"""Explains an arbitration id: each bit of its payload, whose it is, and whether it passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edge.database.layout import pgn_of
from edge.explaining.causes import bits_text, independent
from edge.explaining.situation import Situation
from edge.frames import Frame, FrameFlag
from edge.policy.classed import DiagnosticRule
from edge.policy.classes import DataClass
from edge.policy.j1939_transport import is_transport
from edge.policy.judgement import BusJudgement, Judged
from edge.policy.masks import UNKNOWN_ROW, UNLIMITED, Row

KEPT = "kept"
AT_TIMES = "at times"
REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class BitAnswer:
    """One bit of a payload.

    Attributes:
        bit: byte * 8 + bit, bit 0 the least significant of its byte.
        fate: ``kept``, ``removed``, or ``at times``: as multiplexers say.
        signals: the names of those that it belongs to; none where no signal describes it.
    """

    bit: int
    fate: str
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PayloadSignal:
    """One signal of a payload.

    Attributes:
        name: message and signal.
        data_class: its class; None for none.
        bits: as ranges of byte.bit.
        collected: whether it passes.
        why: why not; empty if it does.
        when: the values of multiplexers with which it is there; empty for always.
    """

    name: str
    data_class: DataClass | None
    bits: str
    collected: bool
    why: str
    when: str


@dataclass(frozen=True, slots=True)
class RuleLine:
    """Which diagnostic messages a class file lets pass.

    Attributes:
        data_class: their class.
        service: first byte.
        identifiers: as ranges; empty for all.
        data_bytes: bytes after the identifier; None for any number.
        collected: whether they pass now.
    """

    data_class: DataClass
    service: int
    identifiers: tuple[tuple[int, int], ...]
    data_bytes: int | None
    collected: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of one frame.

    Attributes:
        before: its payload, in hexadecimal.
        after: as it left the door; empty where it was set aside.
        cause: why it was set aside; empty if it left.
    """

    before: str
    after: str
    cause: str


@dataclass(frozen=True, slots=True)
class PayloadAnswer:
    """One arbitration id on one bus.

    Attributes:
        bus: the bus.
        arbitration_id: 11 or 29 bits.
        extended: whether 29.
        pgn: the group that it is matched by; None for an id that counts as a whole.
        messages: the names of those that describe it, or of a container's PDUs.
        length: bytes of the longest of them; 0 for a container, whose PDUs may stand anywhere in it.
        keeps: whether anything of it may pass.
        shortest: frames of fewer bytes are set aside.
        longest: frames of more bytes are set aside; None for no limit.
        transport: ``ISO-TP`` or ``J1939`` where its frames are segments; else empty.
        signals: those of its messages; of a container, those of its PDUs, their bits within the PDU.
        bits: of the payload, as far as any message describes it.
        rules: for ISO-TP, which reassembled messages pass.
        passage: of the frame that was asked about; None where none was.
    """

    bus: str
    arbitration_id: int
    extended: bool
    pgn: int | None
    messages: tuple[str, ...]
    length: int
    keeps: bool
    shortest: int
    longest: int | None
    transport: str
    signals: tuple[PayloadSignal, ...]
    bits: tuple[BitAnswer, ...]
    rules: tuple[RuleLine, ...]
    passage: Passage | None = None


def explain_payload(
    situation: Situation, bus: str, arbitration_id: int, *, extended: bool, data: bytes | None = None
) -> PayloadAnswer:
    """Say what passes of the frames of an id.

    Args:
        situation: policy, vehicle and consents.
        bus: one of the configuration.
        arbitration_id: 11 or 29 bits.
        extended: whether 29.
        data: a payload to send through the door; None for none.
    """
    row = row_of(situation, bus, arbitration_id, extended=extended)
    masks = situation.gate.masks
    judgement = masks.judgements[masks.buses.index(bus)]
    judged = (*row.kept, *row.withheld)
    inside = [masks.rows[pdu] for pdu in row.pdus.values()]
    of_pdus = [one for pdu in inside for one in (*pdu.kept, *pdu.withheld)]
    messages = [one.message for one in dict.fromkeys(each.described for each in (*judged, *of_pdus))]
    segments = (
        extended
        and bool(masks.speaks_j1939[masks.buses.index(bus)])
        and bool(is_transport(np.array([arbitration_id], np.uint32))[0])
    )
    length = max((one.described.message.length for one in judged), default=0)
    return PayloadAnswer(
        bus=bus,
        arbitration_id=arbitration_id,
        extended=extended,
        pgn=pgn_of(arbitration_id) if any(message.pgn is not None for message in messages) else None,
        messages=tuple(message.name for message in messages),
        length=length,
        keeps=(row.keeps or any(pdu.keeps for pdu in inside)) and not segments,
        shortest=row.shortest,
        longest=None if row.longest == UNLIMITED else row.longest,
        transport="J1939" if segments else "ISO-TP" if row.channel is not None else "",
        signals=tuple(signal_lines(judgement, (*judged, *of_pdus))),
        bits=tuple(_bits(row, judged, 8 * length)),
        rules=tuple(
            rule_line(rule, situation.gate.collect) for rule in (row.channel.rules if row.channel else ())
        ),
        passage=None if data is None else _passage(situation, bus, arbitration_id, data, extended=extended),
    )


def row_of(situation: Situation, bus: str, arbitration_id: int, *, extended: bool) -> Row:
    """What the door's masks say of an id."""
    masks = situation.gate.masks
    number = masks.find(
        np.array([masks.buses.index(bus)], np.int64),
        np.array([arbitration_id], np.uint32),
        np.array([extended], np.bool_),
    )
    return masks.rows[int(number[0])]


def is_known(situation: Situation, bus: str, arbitration_id: int, *, extended: bool) -> bool:
    """Whether a bus has a database or a diagnostic channel for an id."""
    row = row_of(situation, bus, arbitration_id, extended=extended)
    return row is not situation.gate.masks.rows[UNKNOWN_ROW]


def rule_line(rule: DiagnosticRule, collect: Iterable[DataClass]) -> RuleLine:
    """A rule of a class file, and whether its messages pass while some classes are collected."""
    return RuleLine(
        rule.data_class,
        rule.service,
        rule.identifiers,
        rule.data_bytes,
        rule.data_class in frozenset(collect),
    )


def signal_lines(judgement: BusJudgement, judged: Iterable[Judged]) -> Iterator[PayloadSignal]:
    """Signals of a payload in the order of their bits, and why they pass or not."""
    for one in sorted(judged, key=lambda each: (min(each.signal.bits) // 8, min(each.signal.bits))):
        whys = independent(judgement, one)
        yield PayloadSignal(
            name=f"{one.described.message.name}.{one.signal.name}",
            data_class=one.data_class,
            bits=bits_text(bit - one.described.header_bits for bit in one.signal.bits),
            collected=one.reason is None,
            why=whys[0].words if whys else str(one.reason or ""),
            when=" and ".join(
                f"{condition.multiplexer} is {_values(condition.values)}"
                for condition in one.signal.conditions
            ),
        )


def _values(values: Iterable[int], most: int = 6) -> str:
    """Values of a multiplexer, neighbours as a range."""
    spans: list[list[int]] = []
    for value in sorted(values):
        if spans and spans[-1][1] == value - 1:
            spans[-1][1] = value
        else:
            spans.append([value, value])
    shown = [str(low) if low == high else f"{low}-{high}" for low, high in spans]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "") if shown else "nothing"


def _bits(row: Row, judged: Iterable[Judged], count: int) -> Iterator[BitAnswer]:
    owners: dict[int, list[str]] = {}
    for one in judged:
        for bit in one.signal.bits:
            owners.setdefault(bit, []).append(f"{one.described.message.name}.{one.signal.name}")
    at_times = np.zeros_like(row.base)
    for layer in row.layers:
        at_times |= np.bitwise_or.reduce(layer.masks, axis=0)
    for bit in range(max([count, 8 * row.base.size, *(each + 1 for each in owners)])):
        place = 1 << bit % 8
        inside = bit // 8 < row.base.size
        if inside and row.base[bit // 8] & place:
            fate = KEPT
        else:
            fate = AT_TIMES if inside and at_times[bit // 8] & place else REMOVED
        yield BitAnswer(bit, fate, tuple(owners.get(bit, ())))


def _passage(situation: Situation, bus: str, arbitration_id: int, data: bytes, *, extended: bool) -> Passage:
    flags = FrameFlag.EXTENDED if extended else FrameFlag(0)
    after, cause = situation.admit(Frame(0, arbitration_id, data, bus, flags))
    return Passage(data.hex(), "" if after is None else after.hex(), cause)
