"""Explains a diagnostic message, such as the answer to a UDS data identifier or an OBD parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.errors import PolicyError
from edge.explaining.payloads import PayloadSignal, RuleLine, row_of, rule_line, signal_lines
from edge.explaining.situation import Situation
from edge.explaining.uses import ClassAnswer, explain_class
from edge.policy.classed import DiagnosticRule
from edge.policy.classes import SENSITIVITY
from edge.policy.judgement import Judged
from edge.policy.layers import raw_values

_ANSWERS = 0x40
"""An answer's service is the request's and this (ISO 14229-1, 8.3; SAE J1979)."""

_REQUESTS = range(0x01, 0x3F)


@dataclass(frozen=True, slots=True)
class DiagnosticAnswer:
    """One diagnostic message on one channel.

    Attributes:
        bus: the bus.
        arbitration_id: of the channel.
        extended: whether that has 29 bits.
        message: service and identifier, in hexadecimal.
        collected: whether it passes now, by a rule or as a single frame.
        why: why, or why not.
        described: the message of the database that its single frames are judged as; empty where none is.
        single: the signals of that message which the multiplexers select by service and identifier.
        rules: of the class file that mean it, where it comes in segments or no message describes it.
        withheld: names of the signals whose bits are removed from it all the same.
        policy: what the policy says of its class; None where no rule means it.
    """

    bus: str
    arbitration_id: int
    extended: bool
    message: str
    collected: bool
    why: str
    described: str
    single: tuple[PayloadSignal, ...]
    rules: tuple[RuleLine, ...]
    withheld: tuple[str, ...]
    policy: ClassAnswer | None


def explain_diagnostic(
    situation: Situation, bus: str, arbitration_id: int, message: bytes, *, extended: bool
) -> DiagnosticAnswer:
    """Say whether the door lets a diagnostic message pass.

    Args:
        situation: policy, vehicle and consents.
        bus: one of the configuration.
        arbitration_id: of the channel.
        message: service, and identifier where the service has one.
        extended: whether the id has 29 bits.

    Raises:
        PolicyError: the id carries no ISO-TP.
    """
    row = row_of(situation, bus, arbitration_id, extended=extended)
    if row.channel is None:
        raise PolicyError(
            f"0x{arbitration_id:X} on {bus} is not declared to carry diagnostics",
            todo=_channels(situation, bus),
        )
    collect = situation.gate.collect
    rules = [rule for rule in row.channel.rules if _means(rule, message)]
    denied = [rule for rule in rules if rule.data_class not in collect]
    passing = [rule for rule in rules if not any(_covers(other, rule) for other in denied)]
    masks = situation.gate.masks
    judgement = masks.judgements[masks.buses.index(bus)]
    selected = [one for one in (*row.kept, *row.withheld) if _selected(one, message)] if row.described else []
    single = tuple(signal_lines(judgement, selected))
    kept = [one for one in selected if one.reason is None]
    found = {rule.data_class for rule in passing or rules}
    found |= {one.data_class for one in kept or selected if one.data_class is not None}
    classes = sorted(found, key=SENSITIVITY.index)
    return DiagnosticAnswer(
        bus=bus,
        arbitration_id=arbitration_id,
        extended=extended,
        message=message.hex(),
        collected=bool(passing or kept),
        why=_single_why(single) if single else _why(message, denied, passing, row.channel.rules),
        described=row.channel.message if row.described else "",
        single=single,
        rules=tuple(rule_line(rule, collect) for rule in rules),
        withheld=tuple(f"{one.described.message.name}.{one.signal.name}" for one in row.withheld if passing),
        policy=explain_class(situation, classes[0]) if classes else None,
    )


def _selected(judged: Judged, message: bytes) -> bool:
    """Whether multiplexers select a signal in a single frame of a message, as far as its bytes are told."""
    frame = np.frombuffer(bytes([0]) + message, np.uint8).reshape(1, -1)
    told = [
        (field, values)
        for field, values in judged.presence
        if min(field[0]) // 8 >= 1 and max(field[0]) // 8 <= len(message)
    ]
    return bool(told) and all(int(raw_values(frame, field)[0]) in values for field, values in told)


def _single_why(single: tuple[PayloadSignal, ...]) -> str:
    passing = [one.name for one in single if one.collected]
    if not passing:
        return "none of the signals that a single frame of it has is collected"
    return f"a single frame of it has {', '.join(passing)}"


def _means(rule: DiagnosticRule, message: bytes) -> bool:
    """Whether a rule means messages that begin like this; their length is told beside."""
    rest = 1 + rule.identifier_bytes + (rule.data_bytes or 0) - len(message)
    return rule.matches(message + bytes(max(rest, 0)))


def _covers(other: DiagnosticRule, rule: DiagnosticRule) -> bool:
    """Whether a rule that means what begins like a message of `rule` means it in each of its lengths too."""
    if other.data_bytes is None or rule.data_bytes is None:
        return other.data_bytes is None
    return other.identifier_bytes + other.data_bytes == rule.identifier_bytes + rule.data_bytes


def _why(
    message: bytes,
    denied: list[DiagnosticRule],
    passing: list[DiagnosticRule],
    known: tuple[DiagnosticRule, ...],
) -> str:
    if passing:
        lengths = {rule.data_bytes for rule in passing}
        if None in lengths:
            return f"a rule of the class file gives it class {passing[0].data_class}, which is collected"
        shown = " or ".join(str(one) for one in sorted(one for one in lengths if one is not None))
        return (
            f"a rule of the class file gives it class {passing[0].data_class}, which is collected, "
            f"where exactly {shown} bytes follow the identifier"
        )
    if denied:
        return f"a rule of the class file gives it class {denied[0].data_class}, which is not collected"
    answer = bytes([message[0] | _ANSWERS]) + message[1:]
    if message[0] in _REQUESTS and any(_means(rule, answer) for rule in known):
        return (
            f"no rule of the class file means it; it is a request, and its answer is 0x{answer.hex().upper()}"
        )
    return "no rule of the class file means it, and what none means never passes"


def _channels(situation: Situation, bus: str) -> str:
    ids = sorted(
        channel.arbitration_id
        for classed in situation.described.databases[bus]
        for channel in classed.channels
    )
    if not ids:
        return f"Nothing on {bus} is; [[isotp]] in the class file declares it (docs/class-files.md)"
    return f"On {bus} these are: {', '.join(f'0x{one:X}' for one in ids)}"
